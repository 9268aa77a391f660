//! The rate of a destination: when an attempt may begin. Time is an argument.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Instant;

use crate::flow::rate::Rate;

/// The rate of one destination.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<Rate>,
    /// When the destination's rate allows the next attempt, if it does not allow one now.
    due: Cell<Option<Instant>>,
    /// Whether the task that waits for rates is running.
    working: Cell<bool>,
}

impl Pace {
    pub(super) fn new(per_s: Option<NonZeroU32>, now: Instant) -> Self {
        let rate = per_s.map(|per_s| Rate::new(per_s, now));
        Self { rate, due: Cell::new(None), working: Cell::new(false) }
    }

    pub(super) fn is_rated(&self) -> bool {
        self.rate.is_some()
    }

    /// Whether an attempt may begin now. If not, remembers when one may.
    pub(super) fn pass(&self, now: Instant) -> bool {
        let Some(Err(wait)) = self.rate.as_ref().map(|rate| rate.pass(now)) else { return true };
        self.due.set(Some(now + wait));
        false
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due.get()
    }

    /// Clears a due time that has passed.
    pub(super) fn forget_due(&self, now: Instant) {
        self.due.set(self.due.get().filter(|at| *at > now));
    }

    /// Whether the waiting task has to be started.
    pub(super) fn begin(&self) -> bool {
        !self.working.replace(true)
    }

    pub(super) fn end(&self) {
        self.working.set(false);
    }
}
