//! What tells a firing apart from all others: its event and its trigger. It holds names only, none of the event's data,
//! so it can be kept, counted and shown where the data must not be.

use std::sync::Arc;

use super::event::EventType;
use super::id::{AccountId, TriggerId};

/// The names of an event. One account never has two events of one source with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventIdentity {
    /// Whose event it is.
    pub account: AccountId,
    /// What kind of thing happened.
    pub event_type: EventType,
    /// Where it happened; empty where the producer names none.
    pub source: Arc<str>,
    /// The producer's id for it, or one made here.
    pub id: Arc<str>,
}

/// The names of a firing. A copy shares them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiringId {
    /// The event, shared by all that it fires.
    pub event: Arc<EventIdentity>,
    /// The trigger, of the event's account.
    pub trigger: TriggerId,
}
