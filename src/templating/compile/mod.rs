//! Compiles a body to a program, which is rendered without any of this. The steps, in order; each adds to one list of
//! findings:
//!
//! - [`scan`] refuses what the parser must not see, and notes where the expressions are.
//! - [`parse`] makes the program of the parser's tree: names become paths, helpers and blocks.
//! - [`place`] finds the context of each expression, and proves that the body is well-formed for all data.
//! - [`advice`] warns of a proved body that probably is not what its author means.
//! - [`finish`] prepares the program for rendering.

mod advice;
pub(crate) mod diagnostic;
mod findings;
mod finish;
mod foreign;
pub(super) mod known;
mod origin;
mod parse;
mod paths;
mod place;
pub(crate) mod request;
mod scan;
mod shape;
pub(crate) mod tag_lookup;
mod tags;

use bytes::Bytes;

use self::diagnostic::Diagnostic;
use self::findings::DiagnosticList;
use self::known::KnownPaths;
use self::parse::{ParseTree, ParsedTemplate};
use self::scan::ScannedBody;
use self::shape::TemplateShape;
use self::tag_lookup::TagLookup;
use super::limits::TemplateLimits;
use super::program::Nodes;
use super::render::data::Data;
use super::render::run;
use super::render::stop::RenderFailure;
use crate::json::Json;
use crate::model::event::EventPattern;
use crate::model::template::Format;

/// A template that may be rendered: whatever the data, its bodies are well-formed.
#[derive(Debug)]
pub struct CompiledTemplate {
    nodes: Nodes,
    limits: TemplateLimits,
    bytes_expected: usize,
}

/// The result of compiling a body.
#[derive(Debug)]
pub struct CheckedTemplate {
    /// The template, unless an error was found.
    pub compiled: Option<CompiledTemplate>,
    /// All findings, in the order of the body.
    pub diagnostics: Vec<Diagnostic>,
}

/// The information that a template is checked with.
#[derive(Clone, Copy)]
pub struct CompileContext<'a> {
    /// The tags, and what events carry.
    pub dictionary: &'a dyn TagLookup,
    /// The events that it will be rendered for, so that paths they don't carry are reported.
    pub event: Option<&'a EventPattern>,
    /// Data for the preview: its members count as known too.
    pub data: Option<Json<'a>>,
    /// The `content-type` that the body is sent with, if it is not the format's default.
    pub content_type: Option<&'a str>,
}

impl<'a> CompileContext<'a> {
    /// Only the dictionary.
    pub fn of(dictionary: &'a dyn TagLookup) -> Self {
        Self { dictionary, event: None, data: None, content_type: None }
    }
}

/// Compiles and checks a body.
pub fn compile(
    format: Format,
    body: &str,
    dictionary: &dyn TagLookup,
    event: Option<&EventPattern>,
    limits: &TemplateLimits,
) -> CheckedTemplate {
    compile_in(format, body, &CompileContext { event, ..CompileContext::of(dictionary) }, limits)
}

/// Compiles and checks a body with this information.
pub fn compile_in(
    format: Format,
    body: &str,
    setting: &CompileContext<'_>,
    limits: &TemplateLimits,
) -> CheckedTemplate {
    // Editors put a byte order mark before a text; it is never meant to be sent.
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    // A file ends with a line break, which would become a part of the last value.
    let body = if format == Format::Form { body.trim_end_matches(['\r', '\n']) } else { body };
    let (nodes, diagnostics) = program(TemplateShape::Body(format), body, setting, limits);
    let compiled = nodes.map(|nodes| CompiledTemplate {
        bytes_expected: finish::bytes_expected(&nodes),
        nodes,
        limits: limits.clone(),
    });
    CheckedTemplate { compiled, diagnostics }
}

/// The program of a text, unless an error was found, and all that was found.
fn program(
    shape: TemplateShape,
    text: &str,
    setting: &CompileContext<'_>,
    limits: &TemplateLimits,
) -> (Option<Nodes>, Vec<Diagnostic>) {
    let mut findings = DiagnosticList::of(text);
    let known = KnownPaths::new(setting.dictionary, setting.event, setting.data);
    let parsed = scan::scan(text, &known, limits, &mut findings).and_then(|mut scanned| {
        let tree = parse::tree(&mut scanned, &mut findings)?;
        Some((scanned, tree))
    });
    let Some((scanned, tree)) = parsed else {
        return (None, findings.into_list());
    };
    let mut findings = findings.in_text(&scanned.text);
    let nodes = prepare(shape, &scanned, &tree, (setting, &known), limits, &mut findings);
    ((!findings.has_error()).then_some(nodes), findings.into_list())
}

fn prepare(
    shape: TemplateShape,
    scanned: &ScannedBody,
    tree: &ParseTree,
    (setting, known): (&CompileContext<'_>, &KnownPaths<'_>),
    limits: &TemplateLimits,
    findings: &mut DiagnosticList<'_>,
) -> Nodes {
    let ParsedTemplate { mut nodes, origins, writes } =
        parse::parse(tree, scanned, shape.escapes(), known, limits, findings);
    place::place(shape, &mut nodes, writes, &origins, findings);
    if let (TemplateShape::Body(format), false) = (shape, findings.has_error()) {
        advice::warn(&nodes, format, setting.content_type, &origins, findings);
    }
    match shape {
        TemplateShape::Body(Format::Form) => {
            finish::warn_of_form_text(&nodes, &origins, findings);
            finish::warn_of_lone_pairs(&nodes, &origins, findings);
            finish::encode(&mut nodes);
        }
        TemplateShape::Url => finish::encode(&mut nodes),
        TemplateShape::Body(_) | TemplateShape::Header => {}
    }
    finish::join(nodes)
}

impl CompiledTemplate {
    /// Writes the body for one event.
    pub fn render(&self, data: &Data) -> Result<Bytes, RenderFailure> {
        let mut steps_left = usize::MAX;
        self.render_within(data, &mut steps_left)
    }

    /// The same in `steps_left` steps at most, from which those that it takes are subtracted. If it needs more it fails,
    /// and can be tried again.
    pub fn render_within(&self, data: &Data, steps_left: &mut usize) -> Result<Bytes, RenderFailure> {
        run::render(&self.nodes, data, &self.limits, steps_left, self.bytes_expected).map(Bytes::from)
    }

    /// Writes the body for one event, and returns warnings about values that its helpers could not use.
    pub fn preview(&self, data: &Data) -> (Result<Bytes, RenderFailure>, Vec<Diagnostic>) {
        let (body, complaints) = run::preview(&self.nodes, data, &self.limits);
        (body.map(Bytes::from), complaints.into_iter().map(Diagnostic::from).collect())
    }
}
