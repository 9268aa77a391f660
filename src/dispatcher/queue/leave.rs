//! How a destination gives way to others that wait for a Dispatcher.

use std::rc::Rc;
use std::time::Instant;

use super::Queue;
use crate::flow::in_flight::InFlight;

impl Queue {
    /// Begins no attempt any more.
    pub(in crate::dispatcher) fn leave(&self) {
        self.connections.close();
        self.parked.end();
    }

    /// Begins attempts again: there is room for it after all.
    pub(in crate::dispatcher) fn stay(self: &Rc<Self>) {
        self.connections.open();
        self.parked.resume();
        self.start_more(Instant::now());
        self.fetch_parked();
    }

    /// Whether no attempt is under way.
    pub(in crate::dispatcher) fn has_left(&self) -> bool {
        self.workers.get() == 0 && !self.parked.is_being_fetched()
    }

    /// Takes out all that waits.
    pub(in crate::dispatcher) fn take_all(&self) -> Vec<InFlight> {
        let all = self.waiting.borrow_mut().take_all();
        for queued in &all {
            self.counts.dequeued(queued.delivery.body.len());
        }
        all
    }
}
