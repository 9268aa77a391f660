//! How long a receiver keeps idle connections, as far as it was observed. Many close them without an announcement, and
//! a request that is written at that moment is lost. Until a receiver was observed to keep a connection for that long,
//! one request at a time uses such a connection, so that one request at most is lost. Pure: time is an argument.

use std::time::{Duration, Instant};

/// How long an observation is valid.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// A receiver that keeps connections for a shorter time is treated as if it closed them with each response.
const REUSE_LEAST: Duration = Duration::from_millis(10);
/// How much earlier than the receiver announces a connection is given up: the announcement is rounded to seconds, and
/// its clock starts when the response is sent, not when it arrives here.
const MARGIN: Duration = Duration::from_millis(500);
/// The idle time that is proven once a receiver reads a second request on a connection: it does not close connections
/// with each response, and servers that close idle connections wait for at least a second.
const PROVEN_LEAST: Duration = Duration::from_millis(500);

/// What was observed of a receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit {
    keep_alive: Duration,
    /// A connection was found closed after an idle time of twice this duration.
    shown: Option<(Duration, Instant)>,
    /// A connection was used again after this idle time.
    proven: Duration,
}

impl Habit {
    /// `keep_alive` is the longest time that an idle connection is kept.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, shown: None, proven: Duration::ZERO }
    }

    /// The receiver closed a connection, which was idle for this long, without an announcement.
    pub(super) fn closed_after(&mut self, idle: Duration, now: Instant) {
        let shown = self.shown(now).map_or(idle / 2, |before| before.min(idle / 2));
        self.shown = Some((shown, now));
        self.proven = self.proven.min(idle / 2);
    }

    /// A request was lost because the receiver had closed the connection. A receiver that was never observed to keep a
    /// connection gets one request on each.
    pub(super) fn lost_after(&mut self, idle: Duration, now: Instant) {
        self.closed_after(if self.proven.is_zero() { Duration::ZERO } else { idle }, now);
    }

    /// The receiver read a request on a connection that had been idle for so long.
    pub(super) fn kept_for(&mut self, idle: Duration) {
        self.proven = self.proven.max(idle).max(PROVEN_LEAST);
    }

    /// Whether the receiver was observed to keep a connection that long. With regular traffic, idle times vary a
    /// little, so an eighth more counts as observed.
    pub(super) fn is_proven(&self, idle: Duration) -> bool {
        idle <= self.proven + self.proven / 8
    }

    /// How long a connection may be idle and still be used again. `said` is the receiver's own announcement.
    pub(super) fn reuse_within(&self, announced: Option<Duration>, now: Instant) -> Duration {
        let announced = announced.map_or(Duration::MAX, |announced| announced.saturating_sub(MARGIN));
        let within = self.keep_alive.min(announced).min(self.shown(now).unwrap_or(Duration::MAX));
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
        for (announced, expected) in
            [(None, 1_500), (Some(ms(5_000)), 1_500), (Some(ms(2_000)), 1_500), (Some(ms(1_000)), 500)]
        {
            assert_eq!(habit.reuse_within(announced, begun), ms(expected), "{announced:?}");
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

    #[test]
    fn what_is_proven_is_tried_by_all() {
        let begun = Instant::now();
        let mut habit = Habit::new(ms(1_500));
        assert!(!habit.is_proven(ms(1)), "nothing is known");
        habit.kept_for(ms(1));
        assert!(habit.is_proven(ms(500)) && !habit.is_proven(ms(600)));
        habit.kept_for(ms(800));
        assert!(habit.is_proven(ms(900)) && !habit.is_proven(ms(901)));
        habit.closed_after(ms(1_000), begun);
        assert!(habit.is_proven(ms(500)) && !habit.is_proven(ms(600)), "it closes them after a second");
        habit.lost_after(ms(400), begun);
        assert_eq!((habit.is_proven(ms(201)), habit.uses_once(begun)), (true, false));
        let mut unknown = Habit::new(ms(1_500));
        unknown.lost_after(ms(400), begun);
        assert!(unknown.uses_once(begun) && !unknown.is_proven(ms(1)), "it may close them at once");
    }
}
