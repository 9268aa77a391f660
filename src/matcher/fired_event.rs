//! What an event fires, between matching and handing out.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::flow::event_data::EventData;
use crate::flow::journal::JournaledFirings;
use crate::live::LiveTrigger;

/// What an event fires: mostly one.
pub(super) type FoundTriggers = [Arc<LiveTrigger>; 1];

/// An event that was matched, and what it fires.
#[derive(Debug)]
pub(super) struct FiredEvent {
    pub(super) event: Arc<EventData>,
    pub(super) triggers: smallvec::IntoIter<FoundTriggers>,
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

/// Events in their order. Most requests have one, which needs no list.
#[derive(Debug, Default)]
pub(super) struct FiredEvents {
    first: Option<FiredEvent>,
    /// Empty if there is no first one.
    more: VecDeque<FiredEvent>,
}

impl FiredEvents {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &FiredEvent> {
        self.first.iter().chain(&self.more)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut FiredEvent> {
        self.first.iter_mut().chain(&mut self.more)
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut FiredEvent> {
        self.first.as_mut()
    }

    pub(super) fn last(&self) -> Option<&FiredEvent> {
        self.more.back().or(self.first.as_ref())
    }

    pub(super) fn push(&mut self, fired: FiredEvent) {
        match self.first {
            None => self.first = Some(fired),
            Some(_) => self.more.push_back(fired),
        }
    }

    pub(super) fn take_first(&mut self) -> Option<FiredEvent> {
        std::mem::replace(&mut self.first, self.more.pop_front())
    }
}
