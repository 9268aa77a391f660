//! What an event fires, between matching and handing out.

use std::sync::Arc;

use crate::flow::event_data::EventData;
use crate::flow::journal::JournaledFirings;
use crate::live::LiveTrigger;

/// An event that was matched, and what it fires.
#[derive(Debug)]
pub(super) struct FiredEvent {
    pub(super) event: Arc<EventData>,
    pub(super) triggers: std::vec::IntoIter<Arc<LiveTrigger>>,
    /// The handles of its firings, once they are written.
    pub(super) journaled: Option<JournaledFirings>,
}

impl FiredEvent {
    /// The triggers that fire, each with the fingerprint of its destination.
    pub(super) fn listed(&self) -> impl Iterator<Item = (u64, &str)> {
        let of = |trigger: &Arc<LiveTrigger>| {
            trigger.target.as_ref().map_or(0, |target| target.target.destination.fingerprint())
        };
        self.triggers.as_slice().iter().map(move |trigger| (of(trigger), trigger.id.as_str()))
    }
}
