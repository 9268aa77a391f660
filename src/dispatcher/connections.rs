//! The connections of one destination, out of those that the process may have. Each live destination has one of its
//! own, so that it can always begin, and no destination becomes live while no connection is left; the rest is shared by
//! dynamic thresholds. An open, idle connection counts too: only the end of the destination's Dispatcher frees it.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::flow::fairness::{Pool, TakenUnits};

/// A destination may hold as many shared connections as are free: `n` busy destinations hold `1 / (n + 1)` of them
/// each, and as many are left for the next one.
const WEIGHT: usize = 1;

/// This part of the connections is only for the first one of each destination.
const FIRST_PART: usize = 16;

/// The connections that a node may have.
pub fn connection_pool(connections: usize) -> Pool<()> {
    let pool = Pool::new(connections, WEIGHT);
    pool.set_ceiling(connections - connections / FIRST_PART);
    pool
}

/// The connections that one destination holds.
pub(super) struct DestinationConnections {
    held: RefCell<TakenUnits>,
    /// The most connections that the settings allow one destination.
    most: usize,
    /// The highest number of concurrent attempts since it was looked at last.
    peak: Cell<usize>,
    /// When that is looked at.
    until: Cell<Instant>,
    /// No attempt begins any more.
    closed: Cell<bool>,
    /// Connections that were not needed for this long are closed.
    keep_alive: Duration,
}

impl DestinationConnections {
    /// Starts with the destination's own connection.
    pub(super) fn new(pool: &Pool<()>, most: usize, keep_alive: Duration) -> Self {
        let held = RefCell::new(pool.apart().take_over(1));
        let until = Cell::new(Instant::now() + keep_alive);
        Self { held, most, peak: Cell::new(0), until, closed: Cell::new(false), keep_alive }
    }

    /// Whether one more attempt may begin beside `attempts` others.
    pub(super) fn may_begin(&self, attempts: usize) -> bool {
        let mut held = self.held.borrow_mut();
        !self.closed.get() && attempts < self.most && (attempts < held.units() || held.grow(1))
    }

    /// From now on no attempt begins.
    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// Attempts may begin again.
    pub(super) fn open(&self) {
        self.closed.set(false);
    }

    /// Whether attempts may begin, as far as there are connections.
    pub(super) fn are_open(&self) -> bool {
        !self.closed.get()
    }

    /// Whether a worker whose attempt has ended may begin another. `attempts` includes the ended one. If others want
    /// connections and this destination holds more than its share, it gives one back.
    pub(super) fn may_go_on(&self, attempts: usize, now: Instant) -> bool {
        let mut held = self.held.borrow_mut();
        self.peak.set(self.peak.get().max(attempts));
        if now >= self.until.get() {
            let unused = held.units().saturating_sub(self.peak.get().max(1));
            drop(held.split(unused));
            self.peak.set(attempts);
            self.until.set(now + self.keep_alive);
        }
        let is_over = attempts > 1 && held.units() > 1 && held.share().left(WEIGHT) == 0;
        if is_over {
            drop(held.split(1));
        }
        !is_over && !self.closed.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(3);

    /// Begins attempts until no more may begin; returns how many there are.
    fn begin_all(connections: &DestinationConnections) -> usize {
        (0..).take_while(|attempts| connections.may_begin(*attempts)).count()
    }

    #[test]
    fn a_new_destination_always_gets_one_connection_and_others_give_some_back() {
        let pool = Pool::new(1_000, WEIGHT);
        let now = Instant::now();
        let hogs: Vec<_> = (0..400).map(|_| DestinationConnections::new(&pool, 64, KEEP_ALIVE)).collect();
        let mut attempts: Vec<usize> = hogs.iter().map(begin_all).collect();
        assert!(attempts.iter().all(|own| *own >= 1) && pool.taken() <= 1_000, "{attempts:?}");
        let newcomer = DestinationConnections::new(&pool, 64, KEEP_ALIVE);
        assert!(begin_all(&newcomer) >= 1 && pool.taken() <= 1_001);
        // The first destinations hold most. As their attempts end, they give back what exceeds their share.
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
    fn some_connections_are_left_for_new_destinations() {
        let pool = connection_pool(160);
        let hogs: Vec<_> = (0..60).map(|_| DestinationConnections::new(&pool, 64, KEEP_ALIVE)).collect();
        for hog in hogs.iter().cycle().take(600) {
            begin_all(hog);
        }
        assert!((140..=150).contains(&pool.taken()), "{}", pool.taken());
        let newcomers: Vec<_> = (0..10).map(|_| DestinationConnections::new(&pool, 64, KEEP_ALIVE)).collect();
        assert!(newcomers.iter().all(|own| begin_all(own) == 1));
        assert!(pool.taken() <= 160, "{}", pool.taken());
    }

    #[test]
    fn a_lone_destination_has_as_many_as_the_settings_say() {
        let pool = Pool::new(1_000, WEIGHT);
        let lone = DestinationConnections::new(&pool, 64, KEEP_ALIVE);
        assert_eq!(begin_all(&lone), 64);
        assert!(lone.may_go_on(64, Instant::now()));
    }

    #[test]
    fn connections_that_are_unused_for_long_are_given_back() {
        let pool = Pool::new(1_000, WEIGHT);
        let lone = DestinationConnections::new(&pool, 64, KEEP_ALIVE);
        let begun = Instant::now();
        begin_all(&lone);
        assert!(lone.may_go_on(64, begun));
        for seconds in [4, 8] {
            assert!(lone.may_go_on(2, begun + Duration::from_secs(seconds)));
        }
        assert_eq!(pool.taken(), 2);
    }
}
