//! The form of an error or a warning about a template: its position, its stable code, and what to write instead. This
//! file decides nothing about templates.

use serde::Serialize;
use utoipa::ToSchema;

use crate::templating::render::complaint::Complaint;

/// The codes of all findings. `docs/templates.md` has the fix for each, and a test compares the two.
pub(crate) const CODES: [&str; 74] = [
    "above_root",
    "block_values",
    "content_type",
    "decorator",
    "duplicate_key",
    "each_too_deep",
    "each_unbalanced",
    "else_outside_block",
    "expression_in_token",
    "foreign_syntax",
    "form_ampersand",
    "form_line_break",
    "form_lone_key",
    "form_plus",
    "helper_name",
    "helper_values",
    "json_after_end",
    "json_bracket",
    "json_by_hand",
    "json_colon",
    "json_comma",
    "json_control",
    "json_escape",
    "json_key",
    "json_key_unquoted",
    "json_missing_comma",
    "json_token",
    "json_too_deep",
    "json_trailing_comma",
    "json_unfinished",
    "json_value_missing",
    "look_alike",
    "misshapen_tag",
    "number_as_text",
    "partial",
    "place_varies",
    "preview_failed",
    "raw_block",
    "syntax",
    "tag_in_string",
    "too_deep",
    "too_intricate",
    "too_long",
    "too_many_expressions",
    "unclosed",
    "unclosed_block",
    "unescaped",
    "unknown_block",
    "unknown_helper",
    "unknown_local",
    "unknown_path",
    "unknown_tag",
    "unusable_value",
    "url_segment",
    "url_shape",
    "url_syntax",
    "value_unescaped",
    "xml_ampersand",
    "xml_attribute_twice",
    "xml_bracket",
    "xml_character",
    "xml_close",
    "xml_declaration",
    "xml_doctype",
    "xml_in_cdata",
    "xml_in_comment",
    "xml_in_tag",
    "xml_namespace",
    "xml_no_element",
    "xml_outside_root",
    "xml_syntax",
    "xml_too_deep",
    "xml_unclosed",
    "xml_unquoted_attribute",
];

/// Whether a finding keeps a template from being saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The template is refused.
    Error,
    /// The template is accepted; its author should know.
    Warning,
}

/// One finding about a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diagnostic {
    /// Whether the template is refused for it.
    pub severity: Severity,
    /// The finding's stable name; `docs/templates.md` lists them all with their fixes.
    pub code: &'static str,
    /// The line in the body, from 1.
    pub line: usize,
    /// The column in that line, from 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead, as one or two sentences.
    pub message: String,
    /// The known name that is nearest to an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl From<Complaint> for Diagnostic {
    fn from(complaint: Complaint) -> Self {
        Self {
            severity: Severity::Warning,
            code: "unusable_value",
            line: usize::try_from(complaint.at.0).unwrap_or(1),
            column: usize::try_from(complaint.at.1).unwrap_or(1),
            message: complaint.message,
            suggestion: None,
        }
    }
}

/// Turns byte offsets of a body into lines and columns, and back.
#[derive(Debug)]
pub(crate) struct Positions<'b> {
    body: &'b str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'b> Positions<'b> {
    pub(crate) fn of(body: &'b str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', body.as_bytes()).map(|at| at + 1);
        Self { body, lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// The line and column, from 1, of the character at a byte offset.
    pub(crate) fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.body.len());
        while !self.body.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        (line, self.body[start..offset].chars().count() + 1)
    }

    /// The byte offset of a line and column, both from 1.
    pub(crate) fn offset(&self, line: usize, column: usize) -> usize {
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line)).copied().unwrap_or(self.body.len());
        let rest = &self.body[start..];
        let within = rest.char_indices().nth(column.saturating_sub(1));
        start + within.map_or(rest.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_lines_are_inverse() {
        let body = "ab\nä€c\r\n\n😀x";
        let positions = Positions::of(body);
        for (offset, _) in body.char_indices() {
            let (line, column) = positions.line_column(offset);
            assert_eq!(positions.offset(line, column), offset, "{line}:{column}");
        }
        assert_eq!(positions.line_column(0), (1, 1));
        assert_eq!(positions.line_column(body.find('c').expect("c")), (2, 3));
        assert_eq!(positions.line_column(body.find('x').expect("x")), (4, 2));
        assert_eq!(positions.line_column(body.len() + 9), (4, 3));
    }
}
