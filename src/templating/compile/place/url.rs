//! Reads the path and the query of a URL (RFC 3986). Values are percent-encoded, so none can end a segment. This proves
//! that each value is in the path or in the query, and that the path has the same segments for all data.

use super::{Machine, MisplacedValue, PlacementError};
use crate::templating::compile::findings::DiagnosticList;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EscapeContext, Nodes, SeparatorNode, TemplateNode, TextNode};
use crate::templating::render::escape::percent;

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

/// What ends a segment of the path.
const ENDS: [char; 2] = ['/', '?'];

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

    fn is_blank(&self, text: &str) -> bool {
        percent::is_blank(percent::constant(text).as_bytes())
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
        check_block(node, origins, findings);
    }
}

/// What a block writes: its texts, the separator between them, and the blocks in it.
fn check_block(node: &TemplateNode, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
    if let Some(SeparatorNode { text, .. }) = node.separator() {
        // A separator is found where its block begins.
        check_text(text, origins.offset(text.id, 0), findings);
    }
    for inside in node.inner().into_iter().flatten() {
        if let TemplateNode::Text(text) = inside {
            let byte = text.content.find(ENDS).unwrap_or(0);
            check_text(text, origins.offset(text.id, byte), findings);
        }
        check_block(inside, origins, findings);
    }
}

fn check_text(text: &TextNode, at: usize, findings: &mut DiagnosticList<'_>) {
    if text.content.contains(ENDS) {
        findings.error(
            "url_shape",
            at,
            "The path must have the same segments for all data: a block can't contain a / or a ?, nor can its separator. \
            Put a block inside one segment, or into the query.",
        );
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
