//! Finds the place of every expression, and proves that the body is well-formed whatever the data
//! holds. The text of a body is read by a small machine for its format; [`walk`] leads the machine
//! along every way through the blocks. What it takes, it has proved; what it can't prove is
//! refused. It never looks at data.

mod advice;
mod conditions;
mod duplicates;
mod ends;
mod form;
mod json;
pub(crate) mod url;
mod walk;
mod xml;

use std::borrow::Cow;
use std::hash::Hash;

use super::findings::Findings;
use super::origin::Origins;
use super::shape::Shape;
use crate::model::template::Format;
use crate::templating::program::{EscapeContext, Nodes, TemplateNode};

/// A format's reader: where in a document it is, after each character.
trait Machine {
    /// All that the rest of the document depends on.
    type State: Copy + Eq + Hash;

    /// Before the first character.
    fn start(&self) -> Self::State;

    /// Goes over the beginning of a text at once, where the format has something that is only one
    /// thing as a whole. Says how many bytes that was.
    fn prefix(&mut self, _state: Self::State, _text: &str) -> Result<Option<(usize, Self::State)>, Fault> {
        Ok(None)
    }

    /// Goes over one character of the author's. Says, too, whether later mistakes are best shown
    /// at it.
    fn step(&mut self, state: Self::State, c: char) -> Result<(Self::State, bool), Fault>;

    /// Goes over any value.
    fn value(&mut self, state: Self::State) -> Result<(EscapeContext, Self::State), Misplaced<Self::State>>;

    /// Whether the document may end here.
    fn end(&self, state: Self::State) -> Result<(), Fault>;
}

/// Why a text, or a value, can't stand where it does.
#[derive(Debug)]
struct Fault {
    code: &'static str,
    message: Cow<'static, str>,
    blame: Blame,
}

/// Where a fault is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// Where it came to light.
    Here,
    /// At the last character that the machine marked.
    Mark,
    /// At the block without which it wouldn't be, if there is one.
    Block,
}

impl Fault {
    fn here(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), blame: Blame::Here }
    }

    fn at(self, blame: Blame) -> Self {
        Self { blame, ..self }
    }
}

/// A value stands where none may; and, if there is a way, how to read on as if one might.
#[derive(Debug)]
struct Misplaced<S> {
    fault: Fault,
    onward: Option<S>,
}

impl<S> Misplaced<S> {
    fn new(code: &'static str, message: &'static str, onward: Option<S>) -> Self {
        Self { fault: Fault::here(code, message), onward }
    }
}

/// Puts every expression in its place. What is wrong is added to the findings; with an error
/// among them the places mean nothing.
pub(crate) fn place(
    shape: Shape,
    nodes: &mut Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut Findings<'_>,
) {
    let places = match shape {
        Shape::Body(Format::Json) => walk::walk(json::Json, nodes, writes, origins, findings),
        Shape::Body(Format::Xml) => walk::walk(xml::Xml::default(), nodes, writes, origins, findings),
        Shape::Body(Format::Form) => walk::walk(form::Form, nodes, writes, origins, findings),
        Shape::Url => {
            url::check_blocks(nodes, origins, findings);
            walk::walk(url::Url, nodes, writes, origins, findings)
        }
        Shape::Body(Format::Text) | Shape::Header => vec![Some(EscapeContext::Text); writes],
    };
    if findings.has_error() {
        return;
    }
    set(nodes, &places);
    if shape == Shape::Body(Format::Json) {
        duplicates::warn(nodes, origins, findings);
    }
}

fn set(nodes: &mut Nodes, places: &[Option<EscapeContext>]) {
    for node in nodes {
        if let TemplateNode::Write(write) = node {
            // One that no way leads to is never written, so any place will do.
            write.place = places[write.id].unwrap_or(write.place);
        }
        for inner in node.inner_mut() {
            set(inner, places);
        }
    }
}
