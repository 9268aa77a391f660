//! Finds the context of every expression, and proves that the body is well-formed for all data. It never looks at data.
//! The proof, in the terms of the code:
//!
//! 1. A [`Machine`], one for each format, reads text character by character. Its *state* is all that the rest of the
//!    document depends on, such as the open brackets. A character that the format does not allow there is a mistake.
//! 2. A value is read in one step: [`Machine::value`] returns its *context* ([`EscapeContext`]) and the state after it.
//!    Rendering escapes the value for its context (`render/write.rs`). So no value, an empty one included, leads to
//!    another state than that one, and the machine need not know the value.
//! 3. So data decides only which parts are written, and how often. One such choice for the whole template is a *path*.
//!    [`walk`] follows all paths at once: it turns the *set of states* before a node into the set after it. An `if` or a
//!    `with` passes the set to both of its parts, and the set after it is the union. A loop's body is walked until no
//!    element adds a state.
//! 4. By induction over the nodes, what a rendering has written so far leads the machine to a state of the set. So the
//!    body is proved if no state met a mistake, each expression has one context in all states, and the document may end
//!    in each state of the last set.
//! 5. A set may hold states that no data leads to, so a correct template may be refused, but no wrong one is accepted.
//!    To refuse fewer, a path remembers what rules others out (`PathState`): the results of conditions that occur again
//!    ([`conditions`]), the position in each loop ([`loop_positions`]), and for each separator whether a part was blank.
//! 6. The work is bounded. A template that needs more is refused, as is one whose loop adds states again and again.
//!
//! Each format's rules are in its machine: [`json`], [`xml`], [`form`] and [`url`]. Plain text has no rules.
//! `tests/it/templating/` looks for exceptions, with generated templates and data, and parsers that are not ours.

mod advice;
mod conditions;
mod duplicates;
mod form;
mod json;
mod loop_positions;
pub(crate) mod url;
mod walk;
mod xml;

use std::borrow::Cow;
use std::hash::Hash;

use super::findings::DiagnosticList;
use super::origin::Origins;
use super::shape::TemplateShape;
use crate::model::template::Format;
use crate::templating::program::{EscapeContext, Nodes, TemplateNode};

/// A format's state machine: its position in a document, after each character.
trait Machine {
    /// All that the rest of the document depends on.
    type State: Copy + Eq + Hash;

    /// Before the first character.
    fn start(&self) -> Self::State;

    /// Reads the beginning of a text at once, if the format has a construct that must be read as a whole. Returns how
    /// many bytes it read.
    fn prefix(&mut self, _state: Self::State, _text: &str) -> Result<Option<(usize, Self::State)>, PlacementError> {
        Ok(None)
    }

    /// Reads one character of the template. Also returns whether later mistakes are best reported at this character.
    fn step(&mut self, state: Self::State, c: char) -> Result<(Self::State, bool), PlacementError>;

    /// Reads any value: its context, and the state after it.
    fn value(&mut self, state: Self::State) -> Result<(EscapeContext, Self::State), MisplacedValue<Self::State>>;

    /// Whether a text is only white space, so that no separator is written for it.
    fn is_blank(&self, text: &str) -> bool {
        text.chars().all(char::is_whitespace)
    }

    /// The mistake at the begin of `rest`, as the text around it explains it.
    fn explain(&self, error: PlacementError, _state: Self::State, _before: &str, _rest: &str) -> PlacementError {
        error
    }

    /// The state after the first character of `rest`, which is a mistake, as if the text were corrected there, so that
    /// later mistakes are reported too. `None` if what was meant is not clear.
    fn recover(&mut self, _state: Self::State, _c: char, _rest: &str) -> Option<Self::State> {
        None
    }

    /// Whether only one value is allowed here, and it was read: what follows can't be another.
    fn has_its_value(&self, _state: Self::State) -> bool {
        false
    }

    /// Whether the document may end here.
    fn end(&self, state: Self::State) -> Result<(), PlacementError>;
}

/// Why a text or a value is not allowed at its position.
#[derive(Debug)]
struct PlacementError {
    code: &'static str,
    message: Cow<'static, str>,
    blame: ErrorLocation,
}

/// Where a mistake is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ErrorLocation {
    /// Where it was detected.
    Here,
    /// At the last character that the machine marked.
    Mark,
    /// At the block that causes it, if there is one.
    Block,
}

impl PlacementError {
    fn here(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), blame: ErrorLocation::Here }
    }

    fn at(self, blame: ErrorLocation) -> Self {
        Self { blame, ..self }
    }
}

/// A value where none is allowed and, if possible, the state to continue with as if it were.
#[derive(Debug)]
struct MisplacedValue<S> {
    error: PlacementError,
    onward: Option<S>,
}

impl<S> MisplacedValue<S> {
    fn new(code: &'static str, message: &'static str, onward: Option<S>) -> Self {
        Self { error: PlacementError::here(code, message), onward }
    }
}

/// Sets the context of every expression. Mistakes are added to the findings; with an error among them the contexts have
/// no meaning.
pub(crate) fn place(
    shape: TemplateShape,
    nodes: &mut Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut DiagnosticList<'_>,
) {
    let contexts = match shape {
        TemplateShape::Body(Format::Json) => walk::walk(json::JsonMachine, nodes, writes, origins, findings),
        TemplateShape::Body(Format::Xml) => walk::walk(xml::XmlMachine::default(), nodes, writes, origins, findings),
        TemplateShape::Body(Format::Form) => walk::walk(form::FormMachine, nodes, writes, origins, findings),
        TemplateShape::Url => {
            url::check_blocks(nodes, origins, findings);
            walk::walk(url::UrlMachine, nodes, writes, origins, findings)
        }
        TemplateShape::Body(Format::Text) | TemplateShape::Header => vec![Some(EscapeContext::Text); writes],
    };
    if findings.has_error() {
        return;
    }
    set(nodes, &contexts);
    if shape == TemplateShape::Body(Format::Json) {
        duplicates::warn(nodes, origins, findings);
    }
}

fn set(nodes: &mut Nodes, contexts: &[Option<EscapeContext>]) {
    for node in nodes {
        if let TemplateNode::Write(write) = node {
            // An expression that no path reaches is never written, so any context will do.
            write.context = contexts[write.id].unwrap_or(write.context);
        }
        for inner in node.inner_mut() {
            set(inner, contexts);
        }
    }
}
