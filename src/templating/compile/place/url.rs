//! Reads the path and the query of a URL (RFC 3986). Values are percent-encoded, so none can end a segment. This proves
//! that each value is in the path or in the query, and that the path has the same segments for all data.

use super::{Machine, MisplacedValue, PlacementError};
use crate::templating::compile::findings::DiagnosticList;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EscapeContext, Nodes, TemplateNode};

/// The state machine. It keeps nothing outside its states.
pub(super) struct UrlMachine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UrlState {
    /// In a segment of the path.
    Segment {
        values: bool,
        text: SegmentText,
    },
    Query,
}

/// The text of a segment so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SegmentText {
    None,
    One,
    Two,
    Other,
}

const BEGIN: UrlState = UrlState::Segment { values: false, text: SegmentText::None };

impl Machine for UrlMachine {
    type State = UrlState;

    fn start(&self) -> UrlState {
        BEGIN
    }

    fn step(&mut self, state: UrlState, c: char) -> Result<(UrlState, bool), PlacementError> {
        if c == '#' {
            return Err(PlacementError::here(
                "url_syntax",
                "A fragment (#…) is not part of a request: leave it out. For the character # write %23.",
            ));
        }
        let UrlState::Segment { values, text } = state else { return Ok((state, false)) };
        let next = match c {
            '/' => {
                self.end(state)?;
                BEGIN
            }
            '?' => {
                self.end(state)?;
                UrlState::Query
            }
            '.' => {
                let text = match text {
                    SegmentText::None => SegmentText::One,
                    SegmentText::One => SegmentText::Two,
                    SegmentText::Two | SegmentText::Other => SegmentText::Other,
                };
                UrlState::Segment { values, text }
            }
            _ => UrlState::Segment { values, text: SegmentText::Other },
        };
        Ok((next, false))
    }

    fn value(&mut self, state: UrlState) -> Result<(EscapeContext, UrlState), MisplacedValue<UrlState>> {
        Ok(match state {
            UrlState::Segment { text, .. } => (EscapeContext::UrlPath, UrlState::Segment { values: true, text }),
            UrlState::Query => (EscapeContext::UrlQuery, UrlState::Query),
        })
    }

    fn end(&self, state: UrlState) -> Result<(), PlacementError> {
        match state {
            UrlState::Segment { values: false, text: SegmentText::One | SegmentText::Two } => {
                Err(PlacementError::here(
                    "url_segment",
                    "A segment of the path can't be . or ..: write the path without it.",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses blocks in the path that contain a `/` or a `?`: the number of segments would depend on the data.
pub(super) fn check_blocks(nodes: &Nodes, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
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

fn check_inside(nodes: &Nodes, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
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
