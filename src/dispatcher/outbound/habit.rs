//! How long a receiver keeps idle connections, as far as it was observed. Many close them without an announcement, and
//! a request that is written at that moment is lost. Pure: time is an argument.

use std::time::{Duration, Instant};

/// How long an observation is valid.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// A receiver that keeps connections for a shorter time is treated as if it closed them with each response.
const REUSE_LEAST: Duration = Duration::from_millis(10);
/// How much earlier than the receiver announces a connection is given up: the announcement is rounded to seconds, and
/// its clock starts when the response is sent, not when it arrives here.
const MARGIN: Duration = Duration::from_millis(500);

/// What was observed of a receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit {
    keep_alive: Duration,
    /// A connection was found closed after an idle time of twice this duration.
    shown: Option<(Duration, Instant)>,
}

impl Habit {
    /// `keep_alive` is the longest time that an idle connection is kept.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, shown: None }
    }

    /// The receiver closed a connection, which was idle for this long, without an announcement.
    pub(super) fn closed_after(&mut self, idle: Duration, now: Instant) {
        let shown = self.shown(now).map_or(idle / 2, |before| before.min(idle / 2));
        self.shown = Some((shown, now));
    }

    /// How long a connection may be idle and still be used again. `said` is the receiver's own announcement.
    pub(super) fn reuse_within(&self, said: Option<Duration>, now: Instant) -> Duration {
        let said = said.map_or(Duration::MAX, |said| said.saturating_sub(MARGIN));
        let within = self.keep_alive.min(said).min(self.shown(now).unwrap_or(Duration::MAX));
        if within < REUSE_LEAST { Duration::ZERO } else { within }
    }

    /// Whether to tell the receiver that its connection is not used again.
    pub(super) fn uses_once(&self, now: Instant) -> bool {
        self.reuse_within(None, now).is_zero()
    }

    fn shown(&self, now: Instant) -> Option<Duration> {
        let (shown, at) = self.shown?;
        (now.saturating_duration_since(at) < BELIEVED_FOR).then_some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn announcements_and_observations_of_a_receiver_count() {
        let begun = Instant::now();
        let mut habit = Habit::new(ms(1_500));
        for (said, expected) in
            [(None, 1_500), (Some(ms(5_000)), 1_500), (Some(ms(2_000)), 1_500), (Some(ms(1_000)), 500)]
        {
            assert_eq!(habit.reuse_within(said, begun), ms(expected), "{said:?}");
        }
        assert_eq!(habit.reuse_within(Some(Duration::ZERO), begun), Duration::ZERO);
        habit.closed_after(ms(800), begun);
        assert_eq!(habit.reuse_within(None, begun), ms(400));
        habit.closed_after(ms(3_000), begun);
        assert_eq!(habit.reuse_within(None, begun), ms(400), "the shortest counts");
        habit.closed_after(ms(1), begun);
        assert!(habit.uses_once(begun));
        assert!(habit.uses_once(begun + BELIEVED_FOR - ms(1)));
        assert_eq!(habit.reuse_within(None, begun + BELIEVED_FOR), ms(1_500), "an observation expires");
        assert!(Habit::new(Duration::ZERO).uses_once(begun));
    }
}
