//! Warnings about a record that may be saved.

use serde::Serialize;
use utoipa::ToSchema;

use crate::dictionary::TriggerWarning;
use crate::templating::Diagnostic;

/// A warning.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum Finding {
    /// In a trigger.
    Trigger(TriggerWarning),
    /// In a template, or in that of a trigger.
    Template(Diagnostic),
}
