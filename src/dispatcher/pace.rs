//! The rates of a destination, the operator's and its receiver's: when an attempt may begin. Time is an argument.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Instant;

use super::outbound::{ConsentTurn, Outlet};
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

    pub(super) fn is_rated(&self, outlet: &Outlet) -> bool {
        self.rate.is_some() || outlet.has_turns()
    }

    /// Whether an attempt may begin now beside this many others. If not, remembers when one may, if that is known.
    pub(super) fn pass(&self, outlet: &Outlet, beside: usize, now: Instant) -> bool {
        let due = match outlet.turn(beside, now) {
            ConsentTurn::Now => self.rate.as_ref().and_then(|rate| rate.pass(now).err()).map(|wait| now + wait),
            ConsentTurn::At(time) => Some(time),
            ConsentTurn::AfterOthers => return false,
        };
        if due.is_some() {
            self.due.set(due);
        } else {
            outlet.take_turn(now);
        }
        due.is_none()
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
