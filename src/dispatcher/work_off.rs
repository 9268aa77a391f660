//! How fast a destination works off what waits for it. Plain code: it is told at equal intervals how many attempts have
//! ended.

use std::collections::VecDeque;
use std::time::Duration;

/// The rate is that of the last four intervals: a thread that pauses for one of them does not make a destination slow.
const INTERVALS: usize = 4;

/// The attempts that ended in the last intervals.
#[derive(Debug)]
pub(super) struct WorkOff {
    interval: Duration,
    /// The count of ended attempts at each check; the oldest first.
    ended: VecDeque<u64>,
    /// Checks in a row at which no attempt had ended.
    unchanged: u32,
    /// Checks in a row at which what waited would have taken too long.
    behind: u32,
}

impl WorkOff {
    pub(super) fn new(interval: Duration, ended: u64) -> Self {
        Self { interval, ended: VecDeque::from([ended]), unchanged: 0, behind: 0 }
    }

    /// Whether the destination is stalled, by the number of attempts that have ended so far: none ends any more, or
    /// `is_late` and the deliveries that wait would take more than `within`. Each counts at the second check in a row:
    /// after a pause of the thread, the first one runs before ended attempts are noticed.
    pub(super) fn is_stalled(&mut self, ended: u64, waiting: usize, is_late: bool, within: Duration) -> bool {
        self.unchanged = if self.ended.back() == Some(&ended) { self.unchanged + 1 } else { 0 };
        if self.ended.len() > INTERVALS {
            self.ended.pop_front();
        }
        let since = self.ended.front().copied().unwrap_or(ended);
        let passed = self.interval * u32::try_from(self.ended.len()).unwrap_or(1);
        self.ended.push_back(ended);
        // waiting / rate > within, where rate = worked off / passed
        let needed = waiting as u128 * passed.as_nanos();
        let is_behind = is_late && needed > u128::from(ended - since) * within.as_nanos();
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
        let (mut check, mut ended) = (WorkOff::new(INTERVAL, 7), 7);
        ends.into_iter().position(|ends| {
            ended += ends;
            check.is_stalled(ended, waiting, is_late, SECOND)
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

    #[test]
    fn one_that_becomes_slow_is_found_by_its_last_intervals() {
        let ends = std::iter::repeat_n(1_000, 9).chain(std::iter::repeat_n(10, 99));
        let at = stalled_at(ends, 17_777, true).expect("it is stalled");
        assert!((10..16).contains(&at), "{at}");
    }
}
