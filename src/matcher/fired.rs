//! What an event fires, between its matching and the handing out of its firings.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use crate::flow::keep::{KeepEvent, Kept};
use crate::flow::messages::{EventData, LiveTemplate};
use crate::live::LiveTrigger;

/// A trigger that listens to an event type.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) trigger: Arc<LiveTrigger>,
    /// Looked up when it first fires.
    pub(super) template: OnceLock<Option<Arc<LiveTemplate>>>,
}

/// An event that was matched, and which of its listeners it fires.
#[derive(Debug)]
pub(super) struct Fired {
    pub(super) event: Arc<EventData>,
    pub(super) listeners: Arc<[Listener]>,
    pub(super) fired: std::vec::IntoIter<u32>,
    /// What the journal needs until it is written.
    pub(super) keep: Option<KeepEvent>,
    /// A handle for each that is written.
    pub(super) kept: VecDeque<Kept>,
}

impl Fired {
    pub(super) fn event(&self) -> &EventData {
        &self.event
    }

    pub(super) fn keep_event(&self) -> Option<&KeepEvent> {
        self.keep.as_ref()
    }

    /// What fires, each with the fingerprint of where it sends.
    pub(super) fn triggers(&self) -> Vec<(u64, &str)> {
        let of = |number: &u32| {
            let trigger = &self.listeners[*number as usize].trigger;
            let fingerprint = trigger.target.as_ref().map_or(0, |target| target.destination.fingerprint());
            (fingerprint, trigger.id.as_str())
        };
        self.fired.as_slice().iter().map(of).collect()
    }
}
