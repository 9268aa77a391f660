//! The last step of compiling: joins neighbouring texts, encodes a form's text, and estimates the length of bodies, so
//! that rendering has as little to do as possible.

use super::findings::DiagnosticList;
use super::origin::Origins;
use crate::templating::program::{Nodes, TemplateNode};
use crate::templating::render::escape::percent;

/// The assumed length of a value in bytes, for the first buffer.
const VALUE_BYTES: usize = 24;
/// The assumed number of elements of a list.
const ELEMENTS: usize = 4;

/// Warns of text that changes its meaning in a form, which is probably a mistake.
pub(crate) fn warn_of_form_text(nodes: &Nodes, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
    for node in nodes {
        if let TemplateNode::Text(text) = node {
            let find =
                |byte: u8| memchr::memchr(byte, text.content.as_bytes()).map(|byte| origins.offset(text.id, byte));
            if let Some(at) = find(b'\n') {
                findings.warning("form_line_break", at, "This line break becomes a part of a key or value. Write all pairs in one line, with & between them.");
            }
            if let Some(at) = find(b'+') {
                findings.warning(
                    "form_plus",
                    at,
                    "In a form, + means a space. Write %2B for a plus sign, and %20 or a space for a space.",
                );
            }
        }
        for inner in node.inner() {
            warn_of_form_text(inner, origins, findings);
        }
    }
}

/// Warns of a `&` that is meant as a character: the pair that it begins has no `=`.
pub(crate) fn warn_of_lone_pairs(nodes: &Nodes, origins: &Origins<'_>, findings: &mut DiagnosticList<'_>) {
    for (i, node) in nodes.iter().enumerate() {
        let TemplateNode::Text(text) = node else { continue };
        for (byte, _) in text.content.match_indices('&') {
            if is_lone(&text.content[byte + 1..], &nodes[i + 1..]) {
                findings.warning(
                    "form_ampersand",
                    origins.offset(text.id, byte),
                    "This & begins another pair, which has no =. Write %26 for the character &.",
                );
            }
        }
    }
}

/// Whether a pair ends before its `=`: its first text, and what follows that. What blocks write is not known.
fn is_lone(text: &str, rest: &[TemplateNode]) -> bool {
    let end = |text: &str| text.chars().find(|c| matches!(c, '=' | '&'));
    let begin = text.trim_start();
    if let Some(end) = end(begin) {
        return end == '&' && !begin.starts_with('&');
    }
    let mut written = !begin.is_empty();
    for node in rest {
        match node {
            TemplateNode::Write(_) => written = true,
            TemplateNode::Text(text) => match end(&text.content) {
                Some(end) => return end == '&',
                None => written = true,
            },
            _ => return false,
        }
    }
    written
}

/// Encodes the characters of the template's text that are not allowed in a form or a URL.
pub(crate) fn encode(nodes: &mut Nodes) {
    for node in nodes {
        if let TemplateNode::Text(text) = node {
            text.content = percent::constant(&text.content).into();
        }
        if let Some(separator) = node.separator_mut() {
            separator.text.content = percent::constant(&separator.text.content).into();
            separator.is_encoded = true;
        }
        for inner in node.inner_mut() {
            encode(inner);
        }
    }
}

/// Joins adjacent texts.
pub(crate) fn join(nodes: Nodes) -> Nodes {
    let mut joined: Nodes = Vec::with_capacity(nodes.len());
    for mut node in nodes {
        for inner in node.inner_mut() {
            *inner = join(std::mem::take(inner));
        }
        match (joined.last_mut(), node) {
            (Some(TemplateNode::Text(before)), TemplateNode::Text(text)) => {
                before.content = format!("{}{}", before.content, text.content).into();
            }
            (_, node) => joined.push(node),
        }
    }
    joined
}

/// The estimated length of a body.
pub(crate) fn bytes_expected(nodes: &Nodes) -> usize {
    let bytes = |node: &TemplateNode| match node {
        TemplateNode::Text(text) => text.content.len(),
        TemplateNode::Write(_) => VALUE_BYTES,
        TemplateNode::If(chosen) => bytes_expected(&chosen.then).max(bytes_expected(&chosen.otherwise)),
        TemplateNode::Each(each) => ELEMENTS * bytes_expected(&each.body),
        TemplateNode::With(with) => bytes_expected(&with.body),
        TemplateNode::Parts(parts) => parts.parts.iter().map(bytes_expected).sum(),
    };
    nodes.iter().map(bytes).sum()
}
