//! Compiles a body: scan, parse, and the proof that every expression stands where a value may.
//! What comes out is a program, which needs none of this to be rendered.

mod advice;
pub(crate) mod diagnostic;
mod findings;
mod finish;
mod known;
mod origin;
mod parse;
mod paths;
mod place;
mod scan;
pub(crate) mod tag_lookup;
mod tags;

use bytes::Bytes;

use self::diagnostic::{Diagnostic, Severity};
use self::findings::Findings;
use self::known::Known;
use self::parse::Parsed;
use self::scan::Scanned;
use self::tag_lookup::TagLookup;
use super::limits::Limits;
use super::program::Nodes;
use super::render::data::Data;
use super::render::run;
use super::render::stop::Unrendered;
use crate::model::event::EventPattern;
use crate::model::template::Format;

/// A template that may be rendered: whatever the data, its bodies are well-formed.
#[derive(Debug)]
pub struct Compiled {
    format: Format,
    nodes: Nodes,
    limits: Limits,
    bytes_expected: usize,
}

/// What compiling a body came to.
#[derive(Debug)]
pub struct Checked {
    /// The template, unless an error was found.
    pub compiled: Option<Compiled>,
    /// All that was found, in the order of the body.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles and checks a body. `event` says which events will be rendered with it, where that is
/// known, so that paths they don't carry are pointed out.
pub fn compile(
    format: Format,
    body: &str,
    dictionary: &dyn TagLookup,
    event: Option<&EventPattern>,
    limits: &Limits,
) -> Checked {
    let mut findings = Findings::of(body);
    let Some(scanned) = scan::scan(body, limits, &mut findings) else {
        return Checked { compiled: None, diagnostics: findings.into_list() };
    };
    let mut findings = findings.in_text(&scanned.text);
    let known = Known::new(dictionary, event);
    let nodes = prepare(format, &scanned, &known, limits, &mut findings);
    let compiled = nodes.filter(|_| !findings.has_error()).map(|nodes| Compiled {
        format,
        bytes_expected: finish::bytes_expected(&nodes),
        nodes,
        limits: limits.clone(),
    });
    Checked { compiled, diagnostics: findings.into_list() }
}

fn prepare(
    format: Format,
    scanned: &Scanned,
    known: &Known<'_>,
    limits: &Limits,
    findings: &mut Findings<'_>,
) -> Option<Nodes> {
    let escaping = format != Format::Text;
    let Parsed { mut nodes, origins, writes } = parse::parse(scanned, escaping, known, limits, findings)?;
    place::place(format, &mut nodes, writes, &origins, findings);
    if !findings.has_error() {
        advice::warn(&nodes, findings);
    }
    if format == Format::Form {
        finish::encode(&mut nodes, &origins, findings);
    }
    Some(finish::join(nodes))
}

impl Compiled {
    /// Writes the body for one event.
    pub fn render(&self, data: &Data) -> Result<Bytes, Unrendered> {
        run::render(&self.nodes, data.root(), &self.limits, self.bytes_expected).map(Bytes::from)
    }

    /// Writes the body for one event, and says as warnings which values its helpers could not use.
    pub fn preview(&self, data: &Data) -> (Result<Bytes, Unrendered>, Vec<Diagnostic>) {
        let (body, complaints) = run::preview(&self.nodes, data.root(), &self.limits);
        let warning = |complaint: run::Complaint| Diagnostic {
            severity: Severity::Warning,
            code: "unusable_value",
            line: usize::try_from(complaint.at.0).unwrap_or(1),
            column: usize::try_from(complaint.at.1).unwrap_or(1),
            message: complaint.message,
            suggestion: None,
        };
        (body.map(Bytes::from), complaints.into_iter().map(warning).collect())
    }

    /// The body's format.
    pub fn format(&self) -> Format {
        self.format
    }
}
