//! Finds marks of other template languages in the author's own text. They are sent unchanged, which is probably a
//! mistake.

use std::ops::Range;

use super::expressions::operator;
use super::is_value;

/// The most bytes between the begin and the end of a mark.
const MARK_BYTES_MAX: usize = 200;

/// A mark of another language.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) length: usize,
    /// What to write for it.
    pub(crate) message: String,
}

impl Mark {
    pub(super) fn new(range: Range<usize>, message: String) -> Self {
        Self { at: range.start, length: range.len(), message }
    }
}

/// All marks of a text, in order.
pub(crate) fn find(text: &str) -> Vec<Mark> {
    let mut found = Vec::new();
    for (range, inside) in between(text, "{%", "%}") {
        let message = format!("{{% … %}} belongs to Liquid and Jinja, and means nothing here. {}", tag(inside));
        found.push(Mark::new(range, message));
    }
    for (range, inside) in between(text, "${", "}") {
        if inside.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let message = format!("${{…}} means nothing here. A value is written {}.", value(inside));
            found.push(Mark::new(range, message));
        }
    }
    for (range, inside) in between(text, "<$", ">") {
        if let Some(path) = inside.strip_prefix('.') {
            let value = value(path.strip_prefix("detail.").unwrap_or(path));
            let message = format!(
                "<$.…> belongs to EventBridge, and means nothing here. Paths here begin in the event's data: {value}."
            );
            found.push(Mark::new(range, message));
        }
    }
    for (range, inside) in between(text, "<%=", "%>") {
        let value = value(inside);
        let message =
            format!("<%= … %> belongs to other languages, and means nothing here. A value is written {value}.");
        found.push(Mark::new(range, message));
    }
    found.sort_unstable();
    found
}

/// The same for names in single braces, as URLs are often written: `/guests/{id}`. Names that are `known` are found as
/// placeholders.
pub(crate) fn find_braces(url: &str, known: impl Fn(&str) -> bool) -> Vec<Mark> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(brace) = url[at..].find('{').map(|brace| at + brace) {
        let rest = &url[brace + 1..];
        at = match rest.strip_prefix('{') {
            Some(expression) => brace + 2 + expression.find("}}").unwrap_or(expression.len()),
            None => brace + 1,
        };
        let inside = rest.split_once('}').map(|(inside, _)| inside);
        let is_other = url[..brace].ends_with(['$', '@', '#', '%']);
        if let Some(inside) = inside.filter(|inside| is_value(inside) && !is_other && !known(inside)) {
            let message = format!("{{…}} means nothing here. A value is written {}.", value(inside));
            found.push(Mark::new(brace..brace + inside.len() + 2, message));
        }
    }
    found
}

/// Each mark with this begin and end, and its inside.
fn between<'t>(text: &'t str, begin: &'static str, end: &'static str) -> impl Iterator<Item = (Range<usize>, &'t str)> {
    memchr::memmem::find_iter(text.as_bytes(), begin).filter_map(move |at| {
        let rest = &text[at + begin.len()..];
        let near = &rest[..rest.floor_char_boundary(MARK_BYTES_MAX)];
        let inside = near.split_once(end)?.0;
        let length = begin.len() + inside.len() + end.len();
        (!inside.contains(begin)).then_some((at..at + length, inside))
    })
}

fn value(inside: &str) -> String {
    let path = inside.trim();
    if is_value(path) { format!("{{{{{path}}}}}") } else { "{{guest.name}}".to_owned() }
}

/// Names of a loop in Liquid and Jinja.
fn loop_name(word: &str) -> &str {
    match word {
        "forloop.first" | "loop.first" => "@first",
        "forloop.last" | "loop.last" => "@last",
        "forloop.index0" | "loop.index0" => "@index",
        _ => word,
    }
}

/// What to write for a tag of Liquid's.
fn tag(inside: &str) -> String {
    let inside = inside.trim_matches(|c: char| c.is_whitespace() || c == '-');
    let (word, rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let words: Vec<_> = rest.split_whitespace().map(loop_name).collect();
    let block = match word {
        "elsif" | "elif" => "else if",
        "unless" => "#unless",
        _ => "#if",
    };
    match (word, words.as_slice()) {
        ("if", [path]) if is_value(path) => format!("A condition is written {{{{#if {path}}}}}…{{{{/if}}}}."),
        ("unless", [path]) if is_value(path) => format!("It is written {{{{#unless {path}}}}}…{{{{/unless}}}}."),
        ("elsif" | "elif", [path]) if is_value(path) => format!("Another condition is written {{{{else if {path}}}}}."),
        ("if" | "unless" | "elsif" | "elif", _) if let Some(message) = operator(block, rest.trim()) => message,
        ("else", _) => "It is written {{else}}.".to_owned(),
        ("endif", _) => "A condition ends with {{/if}}.".to_owned(),
        ("endfor", _) => "A list ends with {{/each}}.".to_owned(),
        ("endunless", _) => "It ends with {{/unless}}.".to_owned(),
        ("for", [name, "in", list]) if is_value(name) && is_value(list) => {
            format!("A list is repeated with {{{{#each {list} as |{name}|}}}}…{{{{/each}}}}.")
        }
        ("assign" | "capture" | "set", _) => {
            "Values can't be assigned to a name; write the expression where it is used.".to_owned()
        }
        _ => "Conditions are written {{#if (eq a \"x\")}}…{{else}}…{{/if}}, lists {{#each xs}}…{{/each}}.".to_owned(),
    }
}
