//! The rates of a destination, the operator's and its receiver's: when an attempt may begin. Time is an argument.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Instant;

use tokio::sync::Notify;

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
    /// Until when that task sleeps.
    sleeps_until: Cell<Option<Instant>>,
    /// Something is due before.
    hastened: Notify,
}

impl Pace {
    pub(super) fn new(per_s: Option<NonZeroU32>, now: Instant) -> Self {
        let rate = per_s.map(|per_s| Rate::new(per_s, now));
        let (due, sleeps_until) = Default::default();
        Self { rate, due, working: Cell::new(false), sleeps_until, hastened: Notify::new() }
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

    /// Waits until this time, or until something is due before it.
    pub(super) async fn sleep_until(&self, due: Instant) {
        self.sleeps_until.set(Some(due));
        tokio::select! {
            () = tokio::time::sleep_until(due.into()) => {}
            () = self.hastened.notified() => {}
        }
        self.sleeps_until.set(None);
    }

    #[cfg(test)]
    pub(super) fn sleeps(&self) -> Option<Instant> {
        self.sleeps_until.get()
    }

    /// Ends that wait if something is due before it.
    pub(super) fn hasten(&self, due: Option<Instant>) {
        if let (Some(due), Some(until)) = (due, self.sleeps_until.get())
            && due < until
        {
            self.hastened.notify_one();
        }
    }
}
