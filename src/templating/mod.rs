//! Customers' templates: compiled and checked when they are saved, rendered when an event fires
//! them. Here is the only place that knows handlebars. It never does I/O, reads no clock, and
//! knows nothing of HTTP, actors or stores.

mod data;
mod diagnostic;
mod dictionary;
mod limits;

use std::fmt;

use bytes::Bytes;

pub use self::data::{About, Data};
pub use self::diagnostic::{Diagnostic, Severity};
pub use self::dictionary::Dictionary;
pub use self::limits::Limits;
use crate::event::EventPattern;
use crate::template::Format;

/// A template that may be rendered: whatever the data, its bodies are well-formed.
#[derive(Debug)]
pub struct Compiled {
    format: Format,
    registry: handlebars::Handlebars<'static>,
    limits: Limits,
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
    dictionary: &dyn Dictionary,
    _event: Option<&EventPattern>,
    limits: &Limits,
) -> Checked {
    let mut registry = handlebars::Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("*|") {
        text.push_str(before);
        let path = after
            .split_once("|*")
            .and_then(|(tag, _)| tag.split_once(':'))
            .and_then(|(entity, attribute)| dictionary.tag_path(entity, attribute));
        match (path, after.split_once("|*")) {
            (Some(path), Some((_, after))) => {
                text.push_str("{{@root.");
                text.push_str(path);
                text.push_str("}}");
                rest = after;
            }
            _ => {
                text.push_str("*|");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    match registry.register_template_string("body", text) {
        Ok(()) => Checked {
            compiled: Some(Compiled {
                format,
                registry,
                limits: limits.clone(),
            }),
            diagnostics: Vec::new(),
        },
        Err(error) => Checked {
            compiled: None,
            diagnostics: vec![Diagnostic {
                severity: Severity::Error,
                code: "syntax",
                line: 1,
                column: 1,
                message: error.to_string(),
                suggestion: None,
            }],
        },
    }
}

impl Compiled {
    /// Writes the body for one event.
    pub fn render(&self, data: &Data) -> Result<Bytes, Unrendered> {
        let text = self
            .registry
            .render("body", data.root())
            .map_err(|_| Unrendered::Failed)?;
        if text.len() > self.limits.output_bytes_max {
            return Err(Unrendered::TooLarge);
        }
        Ok(Bytes::from(text))
    }

    /// The body's format.
    pub fn format(&self) -> Format {
        self.format
    }
}
