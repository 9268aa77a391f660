//! What is looked at before the parser sees a body: its size, how deep it is nested (the parser
//! spends stack on each level), what is never taken, and the dictionary's tags.

use handlebars::Template;
use handlebars::template::{Parameter, TemplateElement};
use memchr::memmem;

use super::escape::WRITE;
use super::{Diagnostic, Dictionary, Limits, Severity};
use crate::catalogue::nearest;
use crate::template::Format;

/// The helpers that there are.
const HELPERS: [&str; 4] = ["if", "unless", "each", "with"];

/// An error at a byte of the body.
pub(super) fn error(body: &str, at: usize, code: &'static str, message: impl Into<String>) -> Diagnostic {
    let before = &body[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Diagnostic { severity: Severity::Error, code, line, column, message: message.into(), suggestion: None }
}

/// Writes each tag as the path it stands for, in one pass over the author's text.
pub(super) fn tags_to_paths(body: &str, dictionary: &dyn Dictionary) -> Result<String, Vec<Diagnostic>> {
    let (mut text, mut errors) = (String::with_capacity(body.len()), Vec::new());
    let mut done = 0;
    while let Some(begin) = memmem::find(&body.as_bytes()[done..], b"*|").map(|at| done + at) {
        text.push_str(&body[done..begin]);
        let rest = &body[begin + 2..];
        let Some(end) = rest.find("|*") else {
            let message = "the tag is not closed; write it like *|GUEST:NAME|*";
            errors.push(error(body, begin, "unclosed_tag", message));
            return Err(errors);
        };
        let tag = &rest[..end];
        let path = tag.split_once(':').and_then(|(entity, attribute)| dictionary.tag_path(entity, attribute));
        match path {
            Some(path) => {
                text.push_str("{{@root.");
                text.push_str(path);
                text.push_str("}}");
            }
            None => {
                let tags = dictionary.tags();
                let shown: String = tag.chars().take(80).collect();
                let near =
                    nearest(&tag.to_ascii_uppercase(), tags.iter().map(String::as_str)).map(|t| format!("*|{t}|*"));
                let found = error(body, begin, "unknown_tag", format!("the dictionary has no tag *|{shown}|*"));
                errors.push(Diagnostic { suggestion: near, ..found });
            }
        }
        done = begin + 2 + end + 2;
    }
    text.push_str(&body[done..]);
    if errors.is_empty() { Ok(text) } else { Err(errors) }
}

/// Finds what is never taken. All of it, so that an author sees it at once.
pub(super) fn scan(body: &str, format: Format, limits: &Limits) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if body.len() > limits.body_bytes_max {
        let message = format!("the body has {} bytes; at most {} are taken", body.len(), limits.body_bytes_max);
        return vec![error(body, 0, "body_too_large", message)];
    }
    let (mut blocks, mut lists) = (Vec::new(), 0_usize);
    for at in memmem::find_iter(body.as_bytes(), b"{{") {
        // The second of two overlapping openings says nothing that the first did not.
        if body[..at].ends_with("{{") {
            continue;
        }
        let inside = &body[at + 2..];
        let word = inside.trim_start_matches(['~', ' ', '\t', '\r', '\n']);
        let mut refuse = |code, message: &str| found.push(error(body, at, code, message));
        if inside.starts_with("{{") {
            refuse("raw_block_refused", "raw blocks are not taken; write the text as it is");
        } else if format != Format::Text && (inside.starts_with('{') || word.starts_with('&')) {
            refuse("unescaped_refused", "a value without escaping could break the body; write {{ }}");
        } else if word.starts_with("#*") || word.starts_with('*') {
            refuse("decorator_refused", "decorators are not taken; write the text where it is needed");
        } else if word.starts_with('>') || word.starts_with("#>") {
            refuse("partial_refused", "templates can't name one another; write the text where it is needed");
        } else if let Some(name) = word.strip_prefix('#') {
            let is_list = name.trim_start_matches(' ').starts_with("each");
            blocks.push(is_list);
            lists += usize::from(is_list);
            if blocks.len() > limits.nesting_max || lists > limits.each_depth_max {
                refuse("nested_too_deep", "blocks are nested too deep");
                return found;
            }
        } else if word.starts_with('/') {
            lists -= usize::from(blocks.pop() == Some(true));
        }
        if parentheses(inside) > limits.nesting_max {
            found.push(error(body, at, "nested_too_deep", "parentheses are nested too deep"));
            return found;
        }
    }
    found
}

/// How deep parentheses go before the expression's end.
fn parentheses(expression: &str) -> usize {
    let end = expression.find("}}").unwrap_or(expression.len());
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in expression[..end].bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The first helper that does not exist.
pub(super) fn unknown_helper(template: &Template) -> Option<String> {
    template.elements.iter().find_map(|element| match element {
        TemplateElement::HelperBlock(helper) => {
            let name = helper.name.as_name().unwrap_or_default();
            if !HELPERS.contains(&name) {
                return Some(name.to_owned());
            }
            let inner = [&helper.template, &helper.inverse];
            let inner = inner.into_iter().flatten().find_map(unknown_helper);
            inner.or_else(|| helper.params.iter().find_map(within))
        }
        TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
            let called = !helper.params.is_empty() || !helper.hash.is_empty();
            match &helper.name {
                Parameter::Name(name) if called || name == "log" => Some(name.clone()),
                Parameter::Path(_) if called => helper.name.as_name().map(str::to_owned),
                parameter => within(parameter),
            }
        }
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => None,
        _ => Some("a partial or decorator".to_owned()),
    })
}

/// Has every value written by our own hand, which knows formats and JSON. The name of a plain value
/// becomes what the writing helper is given, so a field named like a helper stays a field.
pub(super) fn write_values(template: &mut Template) {
    for element in &mut template.elements {
        match element {
            TemplateElement::HelperBlock(helper) => {
                let inner = [&mut helper.template, &mut helper.inverse];
                inner.into_iter().flatten().for_each(write_values);
            }
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                let name = std::mem::replace(&mut helper.name, Parameter::Name(WRITE.to_owned()));
                helper.params = vec![name];
            }
            _ => {}
        }
    }
}

/// There is no helper yet that gives a value.
fn within(parameter: &Parameter) -> Option<String> {
    match parameter {
        Parameter::Subexpression(inner) => Some(inner.name().to_owned()),
        _ => None,
    }
}
