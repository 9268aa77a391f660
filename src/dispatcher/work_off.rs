//! How fast a destination works off what waits for it. Plain code: time is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is that since the fourth check before: a thread that pauses for one of them does not make a destination slow.
const CHECKS: usize = 4;

/// The attempts that ended between the last checks.
#[derive(Debug)]
pub(super) struct WorkOff {
    /// The count of ended attempts at each check; the oldest first.
    ended: VecDeque<(Instant, u64)>,
    /// Checks in a row at which no attempt had ended.
    unchanged: u32,
    /// Checks in a row at which what waited would have taken too long.
    behind: u32,
}

impl WorkOff {
    pub(super) fn new(now: Instant, ended: u64) -> Self {
        Self { ended: VecDeque::from([(now, ended)]), unchanged: 0, behind: 0 }
    }

    /// Whether the destination is stalled, by the number of attempts that have ended so far: none ends any more, or
    /// `is_late` and the deliveries that wait would take more than `within`. Each counts at the second check in a row:
    /// after a pause of the thread, the first one runs before ended attempts are noticed.
    pub(super) fn is_stalled(
        &mut self,
        now: Instant,
        ended: u64,
        waiting: usize,
        is_late: bool,
        within: Duration,
    ) -> bool {
        let is_unchanged = self.ended.back().is_some_and(|(_, before)| *before == ended);
        self.unchanged = if is_unchanged { self.unchanged + 1 } else { 0 };
        if self.ended.len() > CHECKS {
            self.ended.pop_front();
        }
        let (since, before) = self.ended.front().copied().unwrap_or((now, ended));
        self.ended.push_back((now, ended));
        // waiting / rate > within, where rate = worked off / passed
        let needed = waiting as u128 * now.saturating_duration_since(since).as_nanos();
        let is_behind = is_late && needed > u128::from(ended - before) * within.as_nanos();
        self.behind = if is_behind { self.behind + 1 } else { 0 };
        self.unchanged >= 2 || self.behind >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(25);
    const SECOND: Duration = Duration::from_secs(1);

    /// The check at which it is found to be stalled, if it ends this many attempts in each interval.
    fn stalled_at(ends: impl IntoIterator<Item = u64>, waiting: usize, is_late: bool) -> Option<usize> {
        let (mut now, mut ended) = (Instant::now(), 7);
        let mut check = WorkOff::new(now, ended);
        ends.into_iter().position(|ends| {
            (now, ended) = (now + INTERVAL, ended + ends);
            check.is_stalled(now, ended, waiting, is_late, SECOND)
        })
    }

    #[test]
    fn one_that_ends_nothing_is_stalled_and_a_pause_of_one_interval_is_none() {
        assert_eq!(stalled_at([0; 9], 1, false), Some(1));
        assert_eq!(stalled_at([10, 0, 10, 0, 10, 0, 10, 0], 1, true), None);
        assert_eq!(stalled_at([10, 0, 0, 10], 1, true), Some(2));
    }

    #[test]
    fn one_that_works_off_what_waits_within_the_time_is_not_stalled_however_much_waits() {
        // 17,777 are a second's work of one that ends 445 in an interval.
        assert_eq!(stalled_at([445; 99], 17_777, true), None);
        assert_eq!(stalled_at([440; 99], 17_777, true), Some(1));
        assert_eq!(stalled_at([440; 99], 17_777, false), None, "nothing is late");
        // Every other interval counts for two.
        assert_eq!(stalled_at([890, 0].repeat(50), 17_777, true), None);
    }

    /// A thread without time to spare checks late: the rate is by the time that has passed.
    #[test]
    fn checks_that_are_late_do_not_make_a_destination_faster() {
        let mut now = Instant::now();
        let mut check = WorkOff::new(now, 0);
        // 17,777 are worked off in two seconds.
        let stalled = (1..20).position(|number| {
            now += 2 * INTERVAL;
            check.is_stalled(now, number * 445, 17_777, true, SECOND)
        });
        assert_eq!(stalled, Some(1));
    }

    #[test]
    fn one_that_becomes_slow_is_found_by_its_last_intervals() {
        let ends = std::iter::repeat_n(1_000, 9).chain(std::iter::repeat_n(10, 99));
        let at = stalled_at(ends, 17_777, true).expect("it is stalled");
        assert!((10..16).contains(&at), "{at}");
    }
}
