//! From the parser's tree to a program: names become paths, helpers and blocks, tags become
//! paths, and what may not be in a template is refused. The only place that knows the parser,
//! handlebars. It never checks the text around an expression; [`super::place`] does.

mod blocks;
mod calls;
mod pieces;
mod scopes;

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::panic::{self, AssertUnwindSafe};

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};

use self::pieces::Pieces;
use self::scopes::Scopes;
use super::diagnostic::Positions;
use super::findings::DiagnosticList;
use super::foreign;
use super::known::KnownPaths;
use super::origin::{Origin, Origins};
use super::scan::{Role, ScannedBody};
use super::tags;
use crate::templating::limits::TemplateLimits;
use crate::templating::program::{EscapeContext, Expression, Nodes, TemplateNode, TextNode, ValueNode};
use crate::templating::render::helpers;

/// A template without the parser's tree.
pub(crate) struct ParsedTemplate<'s> {
    pub(crate) nodes: Nodes,
    pub(crate) origins: Origins<'s>,
    /// How many values it writes.
    pub(crate) writes: usize,
}

/// The parser's tree of a template.
pub(crate) struct ParseTree(Pieces);

/// Converts a template to a program. Errors are among the findings only.
pub(crate) fn parse<'s>(
    tree: &'s ParseTree,
    scanned: &'s ScannedBody,
    escaping: bool,
    known: &KnownPaths<'_>,
    limits: &TemplateLimits,
    findings: &mut DiagnosticList<'_>,
) -> ParsedTemplate<'s> {
    let chains: Vec<_> =
        scanned.expressions.iter().filter(|braces| braces.role == Role::ElseIf).map(|braces| braces.start).collect();
    let mut parsing = ParserState {
        escaping,
        known,
        each_depth_max: limits.each_depth_max,
        findings,
        origins: Origins::of(&scanned.text),
        chains: chains.into_iter(),
        pieces: &tree.0,
        positions: tree.0.positions(),
        piece: 0,
        scopes: Scopes::default(),
        objects: HashMap::new(),
        writes: 0,
    };
    let nodes = parsing.nodes(tree.0.template(0));
    ParsedTemplate { nodes, origins: parsing.origins, writes: parsing.writes }
}

/// The parser's tree. Expressions that the parser refuses are reported and replaced by placeholders; `None` where it refuses the template
/// even so.
pub(crate) fn tree(scanned: &mut ScannedBody, findings: &mut DiagnosticList<'_>) -> Option<ParseTree> {
    if let Some(pieces) = pieces::parse(scanned, pieces::EXPRESSIONS) {
        return Some(ParseTree(pieces));
    }
    let positions = Positions::of(&scanned.text);
    let mut refused = Vec::new();
    for i in 0..scanned.expressions.len() {
        let (alone, before) = scanned.alone(i);
        let Err((line, column)) = compile(&alone) else { continue };
        let within = Positions::of(&alone).offset(line, column).saturating_sub(before);
        let braces = scanned.expressions[i];
        // The body has the same lines and columns, but other offsets.
        let in_body = |at: usize| {
            let (line, column) = positions.line_column(at.min(braces.end));
            findings.positions().offset(line, column)
        };
        match foreign::explain(scanned.inside(i)) {
            Some(message) => findings.error("foreign_syntax", in_body(braces.start), message),
            None => findings.error("syntax", in_body(braces.start + within), unreadable(scanned.inside(i))),
        }
        refused.push(i);
    }
    if refused.is_empty() {
        let (line, column) = compile(&scanned.text).err().unwrap_or((1, 1));
        let at = findings.positions().offset(line, column);
        findings.error("syntax", at, UNREADABLE);
        return None;
    }
    scanned.replace(&refused)?;
    pieces::parse(scanned, pieces::EXPRESSIONS).map(ParseTree)
}

const UNREADABLE: &str = "This can't be read as an expression or a block. Expressions look like {{guest.name}} or {{upper guest.name}}, blocks like {{#if guest.email}}…{{else}}…{{/if}} or, to compare, {{#if (eq guest.country \"IT\")}}…{{/if}}.";

/// Why the parser refuses the inside of an expression.
fn unreadable(inside: &str) -> Cow<'static, str> {
    let value = inside.trim();
    if value.is_empty() {
        return "This expression is empty: write a name in it, as in {{guest.name}}, or remove it.".into();
    }
    let name = value.trim_matches(['"', '\'']);
    if name.len() + 2 == value.len() && foreign::is_value(name) && !name.contains(['"', '\'']) {
        return format!("A name is written without quotes: {{{{{name}}}}}.").into();
    }
    if inside.contains(").") {
        return "A member of a helper's result is written {{lookup (first guests) \"name\"}}.".into();
    }
    let mut quote = None;
    let mut escaped = false;
    for c in inside.chars() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(_), '\n' | '\r' | '\t') => {
                return "A text in quotes can't hold a line break or a tab. Write \\n for a line break and \\t for a tab.".into();
            }
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            _ => {}
        }
    }
    UNREADABLE.into()
}

/// Parses a text, or returns the line and column at which the parser stopped.
fn compile(text: &str) -> Result<Template, (usize, usize)> {
    // The parser has had panics on odd input: one costs its template, not the request.
    match panic::catch_unwind(AssertUnwindSafe(|| Template::compile(text))) {
        Ok(parsed) => parsed.map_err(|error| error.pos().unwrap_or((1, 1))),
        Err(_) => Err((1, 1)),
    }
}

struct ParserState<'s, 'k, 'f, 'p> {
    /// Whether the format escapes values, so that writing one as it is would be a hole.
    escaping: bool,
    known: &'k KnownPaths<'k>,
    each_depth_max: usize,
    findings: &'f mut DiagnosticList<'p>,
    origins: Origins<'s>,
    chains: std::vec::IntoIter<usize>,
    pieces: &'s Pieces,
    positions: Vec<Positions<'s>>,
    /// The piece that is converted.
    piece: usize,
    scopes: Scopes,
    /// See [`DataPath::object`](crate::templating::program::DataPath::object).
    objects: HashMap<Vec<String>, NonZeroU32>,
    writes: usize,
}

impl ParserState<'_, '_, '_, '_> {
    fn nodes(&mut self, template: &Template) -> Nodes {
        let mut nodes = Nodes::new();
        self.append(template, &mut nodes);
        nodes
    }

    fn append(&mut self, template: &Template, nodes: &mut Nodes) {
        for (i, element) in template.elements.iter().enumerate() {
            let at = match template.mapping.get(i) {
                Some(place) => {
                    let offset = self.positions[self.piece].offset(place.0, place.1);
                    self.pieces.in_template(self.piece, offset)
                }
                // The parser keeps no position for `{{else if …}}`; the scan did.
                None => self.chains.next().unwrap_or(0),
            };
            self.element(element, at, nodes);
        }
    }

    fn element(&mut self, element: &TemplateElement, at: usize, nodes: &mut Nodes) {
        match element {
            TemplateElement::RawString(text) => self.texts(text, at, nodes),
            TemplateElement::Expression(helper) => nodes.extend(self.expression(helper, at)),
            TemplateElement::HtmlExpression(helper) => {
                if self.escaping {
                    self.findings.error("unescaped", at, "{{{…}}} and {{&…}} write a value without escaping it, which could break the body. Write {{…}}: it is escaped as the format needs it, and nothing more. Where a JSON brace stands before the expression, put a space between them.");
                }
                nodes.extend(self.expression(helper, at));
            }
            TemplateElement::HelperBlock(block) => nodes.extend(self.block(block, at)),
            TemplateElement::Comment(_) => {}
            // The scan refuses these. If it misses one, it is refused here.
            _ => self.findings.error("syntax", at, "Partials and decorators are not accepted."),
        }
    }

    /// A text of the author's, with the pieces in it.
    fn texts(&mut self, text: &str, at: usize, nodes: &mut Nodes) {
        let Some((end, length, piece)) = self.pieces.find_mark(text) else { return self.text(text, at, nodes) };
        self.text(&text[..end], at, nodes);
        let outer = std::mem::replace(&mut self.piece, piece);
        self.append(self.pieces.template(piece), nodes);
        self.piece = outer;
        self.texts(&text[end + length..], self.pieces.end(piece), nodes);
    }

    /// A text of the author's, with the tags in it.
    fn text(&mut self, text: &str, at: usize, nodes: &mut Nodes) {
        if text.is_empty() {
            return;
        }
        let origin = self.origins.find(text, at);
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
        if text.is_empty() {
            return;
        }
        let origin = origin.part(start, text.len());
        match nodes.last_mut() {
            // A piece begins or ends inside this text.
            Some(TemplateNode::Text(before)) if self.origins.continues(before.id, before.content.len(), &origin) => {
                before.content = format!("{}{text}", before.content).into();
            }
            _ => {
                let id = self.origins.add(origin);
                nodes.push(TemplateNode::Text(TextNode { content: text.into(), id }));
            }
        }
    }

    fn written(&mut self, value: Expression, at: usize) -> TemplateNode {
        let id = self.writes;
        self.writes += 1;
        TemplateNode::Write(ValueNode { value, context: EscapeContext::Text, id, at })
    }

    /// `{{…}}`: a path, or a helper with what it is given.
    fn expression(&mut self, helper: &HelperTemplate, at: usize) -> Option<TemplateNode> {
        let bare = helper.params.is_empty() && helper.hash.is_empty();
        let value = match &helper.name {
            Parameter::Subexpression(inner) if bare => self.call_of(inner, at),
            name if bare => {
                let name = name.as_name().unwrap_or("");
                if helpers::find(name).is_some() {
                    self.findings.warning(
                        "helper_name",
                        at,
                        format!(
                            "{name} is a helper too. Without values it means \
                        the field {name} of the data; write {{{{this.{name}}}}} to make that clear."
                        ),
                    );
                }
                self.path(name, at)
            }
            _ => self.call(helper, at),
        };
        Some(self.written(value, at))
    }
}

/// Replaces an expression that was refused. The template is not used then.
fn refused() -> Expression {
    Expression::Literal(Box::default())
}
