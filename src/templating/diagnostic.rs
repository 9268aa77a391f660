//! What is wrong, or odd, in a template: where, under which stable code, and what to write
//! instead. This file never decides that anything is wrong.

use serde::Serialize;
use utoipa::ToSchema;

/// Whether a finding keeps a template from being saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The template is refused.
    Error,
    /// The template is taken; its author may want to know.
    Warning,
}

/// One finding about a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Diagnostic {
    /// Whether the template is refused for it.
    pub severity: Severity,
    /// The finding's stable name; `docs/templates.md` lists them all with their cures.
    pub code: &'static str,
    /// The line in the body, from 1.
    pub line: usize,
    /// The column in that line, from 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead, as one or two sentences.
    pub message: String,
    /// The known name nearest to the one that isn't known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}
