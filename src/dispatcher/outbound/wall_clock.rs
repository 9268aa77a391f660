//! The time of day of a thread's attempts. One reading of the system's clock serves all that begin soon after it.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

/// How long a reading is used. The clock may be set meanwhile, and an attempt may take this long to write its request.
const USED_FOR: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

/// The Unix time that was read last, in seconds, and until when it is that time. Until then nothing is computed.
#[derive(Debug, Default)]
pub(super) struct WallClock(Cell<Option<(u64, Instant)>>);

impl WallClock {
    /// The Unix time at this moment, in seconds; `read` reads the system's clock.
    pub(super) fn unix_seconds(&self, now: Instant, read: impl FnOnce() -> SystemTime) -> u64 {
        if let Some((seconds, until)) = self.0.get()
            && now < until
        {
            return seconds;
        }
        let time = read().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = SECOND - Duration::from_nanos(time.subsec_nanos().into());
        self.0.set(Some((time.as_secs(), now + left.min(USED_FOR))));
        time.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_soon() {
        let (clock, begun, at) =
            (WallClock::default(), Instant::now(), |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        let after = |millis| begun + Duration::from_millis(millis);
        assert_eq!(clock.unix_seconds(begun, || at(5_995)), 5);
        assert_eq!(clock.unix_seconds(after(4), || panic!("it was read just before")), 5);
        assert_eq!(clock.unix_seconds(after(5), || at(6_000)), 6, "a second began");
        assert_eq!(clock.unix_seconds(after(14), || panic!("it was read just before")), 6);
        assert_eq!(clock.unix_seconds(after(15), || at(1_000)), 1);
        assert_eq!(clock.unix_seconds(after(14), || panic!("it was read later")), 1);
    }
}
