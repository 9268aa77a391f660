//! The connections of one destination, out of those that the process may have. Each destination that is live has one
//! for itself, so that it can always begin; what is left is shared by dynamic thresholds. A connection that is open and
//! idle counts: only the end of the destination's client frees it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::flow::fairness::{Pool, Taken};

/// A destination that wants more connections may hold as many as are free: `n` such destinations hold `1 / (n + 1)` of
/// all, and as much is free for the next one.
pub(super) const WEIGHT: usize = 1;

/// What one destination holds.
pub(super) struct Connections {
    held: RefCell<Taken>,
    /// The most that the settings allow one destination.
    most: usize,
    /// The most attempts at a time since then.
    peak: Cell<usize>,
    since: Cell<Instant>,
    /// After which connections that were not needed are closed.
    keep_alive: Duration,
}

impl Connections {
    /// The first connection of a destination.
    pub(super) fn new(pool: &Pool<()>, most: usize, keep_alive: Duration) -> Self {
        let held = RefCell::new(pool.apart().take_over(1));
        Self { held, most, peak: Cell::new(0), since: Cell::new(Instant::now()), keep_alive }
    }

    /// Whether one more attempt may begin beside so many.
    pub(super) fn may_begin(&self, attempts: usize) -> bool {
        let mut held = self.held.borrow_mut();
        attempts < self.most && (attempts < held.units() || held.grow(1))
    }

    /// Whether a worker whose attempt has ended may begin another. `attempts` counts the one that ended. Where others
    /// want connections and this destination holds more than its share, it gives one back.
    pub(super) fn may_go_on(&self, attempts: usize, now: Instant) -> bool {
        let mut held = self.held.borrow_mut();
        self.peak.set(self.peak.get().max(attempts));
        if now.saturating_duration_since(self.since.get()) >= self.keep_alive {
            let unused = held.units().saturating_sub(self.peak.get().max(1));
            drop(held.split(unused));
            self.peak.set(attempts);
            self.since.set(now);
        }
        let is_over = attempts > 1 && held.units() > 1 && held.share().left(WEIGHT) == 0;
        if is_over {
            drop(held.split(1));
        }
        !is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(3);

    /// As many attempts as may begin.
    fn begin_all(connections: &Connections) -> usize {
        (0..).take_while(|attempts| connections.may_begin(*attempts)).count()
    }

    #[test]
    fn one_more_destination_always_has_its_first_and_the_others_make_room() {
        let pool = Pool::new(1_000, WEIGHT);
        let now = Instant::now();
        let hogs: Vec<_> = (0..400).map(|_| Connections::new(&pool, 64, KEEP_ALIVE)).collect();
        let mut attempts: Vec<usize> = hogs.iter().map(begin_all).collect();
        assert!(attempts.iter().all(|own| *own >= 1) && pool.taken() <= 1_000, "{attempts:?}");
        let newcomer = Connections::new(&pool, 64, KEEP_ALIVE);
        assert!(begin_all(&newcomer) >= 1 && pool.taken() <= 1_001);
        // The first to come hold most. As attempts end, they give back what is more than their share to those that ask.
        assert!(attempts[0] > 50, "{attempts:?}");
        for _ in 0..200 {
            for (hog, own) in hogs.iter().zip(&mut attempts) {
                if !hog.may_go_on(*own, now) {
                    *own -= 1;
                } else if hog.may_begin(*own) {
                    *own += 1;
                }
            }
        }
        assert!(attempts.iter().all(|own| (1..=16).contains(own)), "{attempts:?}");
        drop((hogs, newcomer));
        assert_eq!(pool.taken(), 0);
    }

    #[test]
    fn a_lone_destination_has_as_many_as_the_settings_say() {
        let pool = Pool::new(1_000, WEIGHT);
        let lone = Connections::new(&pool, 64, KEEP_ALIVE);
        assert_eq!(begin_all(&lone), 64);
        assert!(lone.may_go_on(64, Instant::now()));
    }

    #[test]
    fn connections_that_were_not_needed_for_long_are_given_back() {
        let pool = Pool::new(1_000, WEIGHT);
        let lone = Connections::new(&pool, 64, KEEP_ALIVE);
        let begun = Instant::now();
        begin_all(&lone);
        assert!(lone.may_go_on(64, begun));
        for seconds in [4, 8] {
            assert!(lone.may_go_on(2, begun + Duration::from_secs(seconds)));
        }
        assert_eq!(pool.taken(), 2);
    }
}
