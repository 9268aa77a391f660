//! Customers' templates: compiled and checked when they are saved, rendered when an event fires
//! them. Here is the only place that knows handlebars. It never does I/O, reads no clock, and
//! knows nothing of HTTP, actors or stores.

mod call;
mod data;
mod diagnostic;
mod escape;
mod findings;
mod finish;
mod helpers;
mod known;
mod limits;
mod lower;
mod nearest;
mod origin;
mod paths;
mod place;
mod program;
mod render;
mod scan;
mod tag_lookup;
mod tags;
#[cfg(test)]
mod tests;
mod value;
mod write;

use std::fmt;

use bytes::Bytes;

pub use self::data::{About, Data};
pub use self::diagnostic::{Diagnostic, Severity};
use self::findings::Findings;
use self::known::Known;
pub use self::limits::Limits;
use self::lower::Lowered;
use self::program::Nodes;
use self::scan::Scanned;
pub use self::tag_lookup::TagLookup;
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

/// Why a rendering was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unrendered {
    /// The body would be longer than [`Limits::output_bytes_max`].
    TooLarge,
    /// It would take more than [`Limits::steps_max`].
    TooManySteps,
    /// The body would be nested so deep that strict parsers refuse it.
    Malformed,
    /// Anything else.
    Failed,
}

impl Unrendered {
    /// The reason's stable word, for counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManySteps => "too_many_steps",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Unrendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the rendered body is too long",
            Self::TooManySteps => "the rendering takes too many steps",
            Self::Malformed => "the body is nested too deep",
            Self::Failed => "the rendering failed",
        })
    }
}

impl std::error::Error for Unrendered {}

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
    let Lowered { mut nodes, origins, writes } = lower::lower(scanned, escaping, known, limits, findings)?;
    place::place(format, &mut nodes, writes, &origins, findings);
    if format == Format::Form {
        finish::encode(&mut nodes, &origins, findings);
    }
    Some(finish::join(nodes))
}

impl Compiled {
    /// Writes the body for one event.
    pub fn render(&self, data: &Data) -> Result<Bytes, Unrendered> {
        render::render(&self.nodes, data.root(), &self.limits, self.bytes_expected).map(Bytes::from)
    }

    /// The body's format.
    pub fn format(&self) -> Format {
        self.format
    }
}
