//! What an event fires, between matching and handing out.

use std::sync::Arc;

use crate::flow::journal::{EventToJournal, JournaledFirings};
use crate::flow::messages::EventData;
use crate::live::LiveTrigger;

/// An event that was matched, and what it fires.
#[derive(Debug)]
pub(super) struct FiredEvent {
    pub(super) event: Arc<EventData>,
    pub(super) triggers: std::vec::IntoIter<Arc<LiveTrigger>>,
    /// What the journal needs, until it is written.
    pub(super) to_journal: Option<EventToJournal>,
    /// The handles of its firings, once they are written.
    pub(super) journaled: Option<JournaledFirings>,
}

impl FiredEvent {
    pub(super) fn event(&self) -> &EventData {
        &self.event
    }

    pub(super) fn to_journal(&self) -> Option<&EventToJournal> {
        self.to_journal.as_ref()
    }

    /// The triggers that fire, each with the fingerprint of its destination.
    pub(super) fn listed(&self) -> impl Iterator<Item = (u64, &str)> {
        let of = |trigger: &Arc<LiveTrigger>| {
            trigger.target.as_ref().map_or(0, |target| target.target.destination.fingerprint())
        };
        self.triggers.as_slice().iter().map(move |trigger| (of(trigger), trigger.id.as_str()))
    }
}
