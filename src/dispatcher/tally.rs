//! Counts how one destination's deliveries ended, for the operator. There are few kinds, so each is found by a linear
//! search.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::flow::destination_state::DestinationTrouble;
use crate::model::outcome::{DropReason, Outcome};

/// How long a drop counts as current trouble.
const DROPPED_LATELY: Duration = Duration::from_secs(60);

/// How deliveries of one destination ended since its Dispatcher started.
#[derive(Debug, Default)]
pub(super) struct Tally {
    attempts: RefCell<Vec<(Outcome, u64)>>,
    dropped: RefCell<Vec<(DropReason, u64)>>,
    last_attempt: Cell<Option<Outcome>>,
    last_drop: Cell<Option<Instant>>,
}

impl Tally {
    /// Counts an attempt that ended.
    pub(super) fn attempted(&self, outcome: Outcome) {
        self.last_attempt.set(Some(outcome));
        count(&mut self.attempts.borrow_mut(), outcome);
    }

    /// Counts a delivery that was dropped.
    pub(super) fn dropped(&self, now: Instant, reason: DropReason) {
        self.last_drop.set(Some(now));
        count(&mut self.dropped.borrow_mut(), reason);
    }

    pub(super) fn attempts(&self) -> Vec<(Outcome, u64)> {
        self.attempts.borrow().clone()
    }

    pub(super) fn drops(&self) -> Vec<(DropReason, u64)> {
        self.dropped.borrow().clone()
    }

    /// The worst trouble among recent ends.
    pub(super) fn trouble(&self, now: Instant) -> DestinationTrouble {
        let lately = |at: Instant| now.saturating_duration_since(at) < DROPPED_LATELY;
        match self.last_attempt.get() {
            _ if self.last_drop.get().is_some_and(lately) => DestinationTrouble::Dropping,
            Some(outcome) if outcome != Outcome::Delivered => DestinationTrouble::Failing,
            _ => DestinationTrouble::None,
        }
    }
}

fn count<K: PartialEq>(counts: &mut Vec<(K, u64)>, kind: K) {
    match counts.iter_mut().find(|(own, _)| *own == kind) {
        Some((_, number)) => *number += 1,
        None => counts.push((kind, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_end_determines_the_current_trouble() {
        let (tally, begin) = (Tally::default(), Instant::now());
        assert_eq!(tally.trouble(begin), DestinationTrouble::None);
        tally.attempted(Outcome::TimeoutResponse);
        assert_eq!(tally.trouble(begin), DestinationTrouble::Failing);
        tally.attempted(Outcome::Delivered);
        tally.attempted(Outcome::Delivered);
        assert_eq!(tally.trouble(begin), DestinationTrouble::None);
        tally.dropped(begin, DropReason::QueueFull);
        assert_eq!(tally.trouble(begin), DestinationTrouble::Dropping);
        assert_eq!(tally.trouble(begin + DROPPED_LATELY), DestinationTrouble::None);
        assert_eq!(tally.attempts(), [(Outcome::TimeoutResponse, 1), (Outcome::Delivered, 2)]);
        assert_eq!(tally.drops(), [(DropReason::QueueFull, 1)]);
    }
}
