//! Reads the path and the query of a URL (RFC 3986). Values are percent-encoded, so none can end a segment. This proves
//! that each value is in the path or in the query, and that the path has the same segments for all data.

use super::{Fault, Machine, Misplaced};
use crate::templating::compile::findings::Findings;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EscapeContext, Nodes, TemplateNode};

/// The state machine. It keeps nothing outside its states.
pub(super) struct UrlMachine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// In a segment of the path.
    Segment {
        values: bool,
        text: Dots,
    },
    Query,
}

/// The text of a segment so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dots {
    None,
    One,
    Two,
    Other,
}

const BEGIN: State = State::Segment { values: false, text: Dots::None };

impl Machine for UrlMachine {
    type State = State;

    fn start(&self) -> State {
        BEGIN
    }

    fn step(&mut self, state: State, c: char) -> Result<(State, bool), Fault> {
        if c == '#' {
            return Err(Fault::here(
                "url_syntax",
                "A fragment (#…) is not part of a request: leave it out. For the character # write %23.",
            ));
        }
        let State::Segment { values, text } = state else { return Ok((state, false)) };
        let next = match c {
            '/' => {
                self.end(state)?;
                BEGIN
            }
            '?' => {
                self.end(state)?;
                State::Query
            }
            '.' => {
                let text = match text {
                    Dots::None => Dots::One,
                    Dots::One => Dots::Two,
                    Dots::Two | Dots::Other => Dots::Other,
                };
                State::Segment { values, text }
            }
            _ => State::Segment { values, text: Dots::Other },
        };
        Ok((next, false))
    }

    fn value(&mut self, state: State) -> Result<(EscapeContext, State), Misplaced<State>> {
        Ok(match state {
            State::Segment { text, .. } => (EscapeContext::UrlPath, State::Segment { values: true, text }),
            State::Query => (EscapeContext::UrlQuery, State::Query),
        })
    }

    fn end(&self, state: State) -> Result<(), Fault> {
        match state {
            State::Segment { values: false, text: Dots::One | Dots::Two } => {
                Err(Fault::here("url_segment", "A segment of the path can't be . or ..: write the path without it."))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses blocks in the path that contain a `/` or a `?`: the number of segments would depend on the data.
pub(super) fn check_blocks(nodes: &Nodes, origins: &Origins<'_>, findings: &mut Findings<'_>) {
    for node in nodes {
        if let TemplateNode::Text(text) = node
            && text.content.contains('?')
        {
            return;
        }
        for inner in node.inner() {
            check_inside(inner, origins, findings);
        }
    }
}

fn check_inside(nodes: &Nodes, origins: &Origins<'_>, findings: &mut Findings<'_>) {
    for node in nodes {
        if let TemplateNode::Text(text) = node
            && let Some(byte) = text.content.find(['/', '?'])
        {
            findings.error(
                "url_shape",
                origins.offset(text.id, byte),
                "The path must have the same segments for all \
                data: a block can't contain a / or a ?. Put a block inside one segment, or into the query.",
            );
        }
        for inner in node.inner() {
            check_inside(inner, origins, findings);
        }
    }
}

/// For each segment of the path, the one before the first `/` included, whether it depends on the data.
pub(crate) fn segments(nodes: &Nodes) -> Vec<bool> {
    let mut depends = vec![false];
    for node in nodes {
        match node {
            TemplateNode::Text(text) => {
                let path = text.content.split('?').next().unwrap_or("");
                depends.extend(path.matches('/').map(|_| false));
                if path.len() < text.content.len() {
                    break;
                }
            }
            _ => {
                if let Some(last) = depends.last_mut() {
                    *last = true;
                }
            }
        }
    }
    depends
}
