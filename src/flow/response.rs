//! What the producer of events is answered.

use serde::Serialize;
use utoipa::ToSchema;

/// What the producer is told.
pub type EventsResponse = Result<Receipt, Refusal>;

/// Something was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// How many events were taken.
    pub accepted: usize,
    /// The others, each with its permit.
    pub rejected: Vec<Rejected>,
}

/// An event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rejected {
    /// Its permit in the request, from 0; blank lines don't count.
    pub index: usize,
    /// What kind of mistake; stable.
    pub code: &'static str,
    /// What is wrong and what instead.
    pub detail: String,
}

/// Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not of its encoding: where and why.
    Malformed(String),
    /// The body holds no event at all.
    NoEvents,
    /// Every event has a mistake.
    NoGoodEvent(Vec<Rejected>),
    /// The bound on events in flight.
    Full {
        /// How many good events the request holds.
        events: usize,
    },
    /// What is accepted can't be kept now: the store is away. Some of the request may have been
    /// taken where it went away in the midst of it.
    Away,
    /// The node takes no events.
    NotHere,
    /// The node is stopping.
    Stopping,
    /// A fault of ours; the log has it.
    Fault,
}
