//! The response that a producer of events gets.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::refusal::{Refusal, RejectedEvent};

/// The response to a request with events.
pub type EventsResponse = Result<Receipt, Refusal>;

/// At least one event was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// How many events were accepted.
    pub accepted: usize,
    /// The rejected events, each with its position; at most the first hundred.
    pub rejected: Vec<RejectedEvent>,
    /// How many more events were rejected than `rejected` lists, by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected_more: BTreeMap<&'static str, usize>,
}

impl Receipt {
    /// Whether all events were accepted.
    pub fn has_no_rejected(&self) -> bool {
        self.rejected.is_empty() && self.rejected_more.is_empty()
    }
}
