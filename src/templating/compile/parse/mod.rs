//! From the parser's tree to a program: names become paths, helpers and blocks, tags become
//! paths, and what may not be in a template is refused. The only place that knows the parser,
//! handlebars. It never judges what stands round an expression; [`super::place`] does.

mod blocks;
mod calls;
mod foreign_text;
mod scopes;

use std::panic::{self, AssertUnwindSafe};

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};

use self::scopes::Scopes;
use super::findings::Findings;
use super::known::Known;
use super::origin::{Origin, Origins};
use super::scan::Scanned;
use super::tags;
use crate::json::Document;
use crate::templating::limits::TemplateLimits;
use crate::templating::program::{EscapeContext, Expression, Nodes, TemplateNode, Text, ValueNode};
use crate::templating::render::helpers;

/// A template without the parser's tree.
pub(crate) struct ParsedTemplate<'s> {
    pub(crate) nodes: Nodes,
    pub(crate) origins: Origins<'s>,
    /// How many values it writes.
    pub(crate) writes: usize,
}

/// Parses a scanned body. Nothing comes back where the parser refused it; other
/// errors are among the findings only.
pub(crate) fn parse<'s>(
    scanned: &'s Scanned,
    escaping: bool,
    known: &Known<'_>,
    limits: &TemplateLimits,
    findings: &mut Findings<'_>,
) -> Option<ParsedTemplate<'s>> {
    let template = tree(&scanned.text, findings)?;
    let mut parsing = Parsing {
        escaping,
        known,
        each_depth_max: limits.each_depth_max,
        findings,
        origins: Origins::of(&scanned.text),
        chains: scanned.chains.iter(),
        scopes: Scopes::default(),
        writes: 0,
    };
    let nodes = parsing.nodes(&template);
    Some(ParsedTemplate { nodes, origins: parsing.origins, writes: parsing.writes })
}

fn tree(text: &str, findings: &mut Findings<'_>) -> Option<Template> {
    // The parser has had panics on odd input: one costs its template, not the request.
    let parsed = panic::catch_unwind(AssertUnwindSafe(|| Template::compile(text)));
    let message = "This can't be read as an expression or a block. Expressions look like {{guest.name}} or {{upper guest.name}}, blocks like {{#if guest.email}}…{{else}}…{{/if}} or, to compare, {{#if (eq guest.country \"IT\")}}…{{/if}}.";
    match parsed {
        Ok(Ok(template)) => return Some(template),
        Ok(Err(error)) => {
            let (line, column) = error.pos().unwrap_or((1, 1));
            let at = findings.positions().offset(line, column);
            findings.error("syntax", at, message);
        }
        Err(_) => findings.error("syntax", 0, message),
    }
    None
}

struct Parsing<'s, 'k, 'f, 'p> {
    /// Whether the format escapes values, so that writing one as it is would be a hole.
    escaping: bool,
    known: &'k Known<'k>,
    each_depth_max: usize,
    findings: &'f mut Findings<'p>,
    origins: Origins<'s>,
    chains: std::slice::Iter<'s, usize>,
    scopes: Scopes,
    writes: usize,
}

impl Parsing<'_, '_, '_, '_> {
    fn nodes(&mut self, template: &Template) -> Nodes {
        let mut nodes = Nodes::new();
        for (i, element) in template.elements.iter().enumerate() {
            let at = match template.mapping.get(i) {
                Some(place) => self.findings.positions().offset(place.0, place.1),
                // The parser keeps no place for `{{else if …}}`; the scan did.
                None => self.chains.next().copied().unwrap_or(0),
            };
            self.element(element, at, &mut nodes);
        }
        nodes
    }

    fn element(&mut self, element: &TemplateElement, at: usize, nodes: &mut Nodes) {
        match element {
            TemplateElement::RawString(text) => self.text(text, at, nodes),
            TemplateElement::Expression(helper) => nodes.extend(self.expression(helper, at)),
            TemplateElement::HtmlExpression(helper) => {
                if self.escaping {
                    self.findings.error("unescaped", at, "{{{…}}} and {{&…}} write a value without escaping it, which could break the body. Write {{…}}: it is escaped as the format needs it, and nothing more. Where a JSON brace stands before the expression, put a space between them.");
                }
                nodes.extend(self.expression(helper, at));
            }
            TemplateElement::HelperBlock(block) => nodes.extend(self.block(block, at)),
            TemplateElement::Comment(_) => {}
            // The scan refuses these; should it ever miss one, it stays refused.
            _ => self.findings.error("syntax", at, "Partials and decorators are not accepted."),
        }
    }

    /// A text of the author's, with the tags in it.
    fn text(&mut self, text: &str, at: usize, nodes: &mut Nodes) {
        if text.is_empty() {
            return;
        }
        let origin = self.origins.find(text, at);
        for (byte, inside) in tags::misshapen(text) {
            const SHAPE: &str = "This looks like a tag but stays as it is: a tag is an entity, a colon and an attribute of letters, digits and _, as in *|GUEST:NAME|*.";
            self.findings.warning("misshapen_tag", origin.offset(byte), tags::foreign(inside).unwrap_or(SHAPE));
        }
        for (byte, message) in foreign_text::find(text) {
            self.findings.warning("foreign_syntax", origin.offset(byte), message);
        }
        let mut from = 0;
        while let Some(tag) = tags::find(&text[from..]) {
            let start = from + tag.at;
            self.plain(&text[from..start], &origin, from, nodes);
            let at = origin.offset(start);
            let value = self.tag(tag.inside, at);
            nodes.push(self.written(value, at));
            from = start + tag.length;
        }
        self.plain(&text[from..], &origin, from, nodes);
    }

    fn plain(&mut self, text: &str, origin: &Origin, start: usize, nodes: &mut Nodes) {
        if !text.is_empty() {
            let id = self.origins.add(origin.part(start, text.len()));
            nodes.push(TemplateNode::Text(Text { content: text.into(), id }));
        }
    }

    fn written(&mut self, value: Expression, at: usize) -> TemplateNode {
        let id = self.writes;
        self.writes += 1;
        TemplateNode::Write(ValueNode { value, place: EscapeContext::Text, id, at })
    }

    /// `{{…}}`: a path, or a helper with what it is given.
    fn expression(&mut self, helper: &HelperTemplate, at: usize) -> Option<TemplateNode> {
        let bare = helper.params.is_empty() && helper.hash.is_empty();
        let value = match &helper.name {
            Parameter::Subexpression(inner) if bare => self.call_of(inner, at),
            name if bare => {
                let name = name.as_name().unwrap_or("");
                if helpers::find(name).is_some() {
                    self.findings.warning("helper_name", at, format!("{name} is a helper too. Without values it is taken for the field {name} of the data; write {{{{this.{name}}}}} to say so."));
                }
                self.path(name, at)
            }
            _ => self.call(helper, at),
        };
        Some(self.written(value, at))
    }
}

/// What stands for an expression that was refused: the template won't be used.
fn refused() -> Expression {
    Expression::Literal(Document::default())
}
