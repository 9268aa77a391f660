//! How long a receiver keeps idle connections, as far as it was observed. Many close them without an announcement, and
//! a request that is written at that moment is lost. Until a receiver was observed to keep a connection for that long,
//! one request at a time uses such a connection, so that one request at most is lost. A receiver that closes a connection
//! sooner than it is known to has restarted. Only if it does so again soon, and few requests were read on used connections
//! meanwhile, is that its habit: what stands behind one address can be many servers that restart in turn, and a
//! connection for each request costs several times as much. Pure: time is an argument.

use std::time::{Duration, Instant};

/// How long an observation is valid.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// A receiver that keeps connections for a shorter time is treated as if it closed them with each response.
const REUSE_LEAST: Duration = Duration::from_millis(10);
/// After this many requests on used connections, a receiver that closes one has restarted, however short the time since
/// the last restart. So of a thousand requests, one at most is lost to a receiver that closes connections as it likes.
const REUSED_LEAST: u32 = 1_000;
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
    /// When a connection was found closed that the receiver was known to keep: it has restarted, and the connections that
    /// were made before that say nothing about it.
    restarted: Option<Instant>,
    /// Requests that the receiver read on used connections since it was first seen, or has restarted.
    reused: u32,
}

/// A connection that the receiver closed without an announcement.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClosedConnection {
    /// When it was made.
    pub(super) opened: Instant,
    /// How long it had been idle when it was found closed.
    pub(super) idle: Duration,
}

impl Habit {
    /// `keep_alive` is the longest time that an idle connection is kept.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, shown: None, proven: Duration::ZERO, restarted: None, reused: 0 }
    }

    /// The receiver had closed a connection, which was noticed before a request was written.
    pub(super) fn closed(&mut self, closed: ClosedConnection, now: Instant) {
        if !self.is_of_restart(closed, now) {
            self.show(closed.idle / 2, now);
        }
    }

    /// A request was lost because the receiver had closed the connection. A receiver that was never observed to keep a
    /// connection gets one request on each.
    pub(super) fn lost(&mut self, lost: ClosedConnection, now: Instant) {
        if !self.is_of_restart(lost, now) {
            self.show(if self.proven.is_zero() { Duration::ZERO } else { lost.idle / 2 }, now);
        }
    }

    fn show(&mut self, kept: Duration, now: Instant) {
        let shown = self.shown(now).map_or(kept, |before| before.min(kept));
        self.shown = Some((shown, now));
        self.proven = self.proven.min(kept);
    }

    /// Whether the connection was closed because the receiver restarted, and not after its usual time.
    fn is_of_restart(&mut self, closed: ClosedConnection, now: Instant) -> bool {
        if self.restarted.is_some_and(|restarted| closed.opened <= restarted) {
            return true;
        }
        let is_recent = |restarted| now.saturating_duration_since(restarted) < BELIEVED_FOR;
        let is_again = self.reused < REUSED_LEAST && self.restarted.is_some_and(is_recent);
        let restarts = closed.idle < self.proven && !is_again;
        if restarts {
            (self.restarted, self.reused) = (Some(now), 0);
            // Nothing is known of the receiver that comes back.
            self.proven = Duration::ZERO;
        }
        restarts
    }

    /// The receiver read a request on a connection that had been idle for so long.
    pub(super) fn kept_for(&mut self, idle: Duration) {
        self.proven = self.proven.max(idle).max(PROVEN_LEAST);
        self.reused = self.reused.saturating_add(1);
    }

    /// Whether the receiver was observed to keep a connection that long. With regular traffic, idle times vary a
    /// little, so an eighth more counts as observed.
    pub(super) fn is_proven(&self, idle: Duration) -> bool {
        idle <= self.proven + self.proven / 8
    }

    /// How long a connection may be idle and still be used again. `announced` is what the receiver says itself.
    pub(super) fn reuse_within(&self, announced: Option<Duration>, now: Instant) -> Duration {
        let announced = announced.map(|announced| announced.saturating_sub(MARGIN));
        let within = announced.into_iter().chain(self.shown(now)).fold(self.keep_alive, Duration::min);
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

    fn closed(opened: Instant, idle: u64) -> ClosedConnection {
        ClosedConnection { opened, idle: ms(idle) }
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
        habit.closed(closed(begun, 800), begun);
        assert_eq!(habit.reuse_within(None, begun), ms(400));
        habit.closed(closed(begun, 3_000), begun);
        assert_eq!(habit.reuse_within(None, begun), ms(400), "the shortest counts");
        habit.closed(closed(begun, 1), begun);
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
        habit.closed(closed(begun, 1_000), begun);
        assert!(habit.is_proven(ms(500)) && !habit.is_proven(ms(600)), "it closes them after a second");
        habit.lost(closed(begun, 600), begun);
        assert_eq!((habit.is_proven(ms(301)), habit.uses_once(begun)), (true, false));
        let mut unknown = Habit::new(ms(1_500));
        unknown.lost(closed(begun, 400), begun);
        assert!(unknown.uses_once(begun) && !unknown.is_proven(ms(1)), "it may close them at once");
    }

    #[test]
    fn a_restart_is_no_habit() {
        let begun = Instant::now();
        let after = |milliseconds| begun + ms(milliseconds);
        let mut habit = Habit::new(ms(1_500));
        habit.kept_for(ms(1));
        // All connections that it had are closed; some are noticed late, and by a request that is lost.
        habit.closed(closed(begun, 2), after(10));
        habit.closed(closed(after(9), 0), after(11));
        habit.lost(closed(after(10), 1), after(900));
        assert_eq!(habit.reuse_within(None, after(900)), ms(1_500));
        assert!(!habit.is_proven(ms(1)), "the receiver that comes back may be another");
        habit.kept_for(ms(1));
        assert!(habit.is_proven(ms(500)));
        habit.lost(closed(after(950), 600), after(1_550));
        assert_eq!(habit.reuse_within(None, after(1_550)), ms(300), "closed after its usual time");
    }

    #[test]
    fn one_that_reads_many_requests_between_its_restarts_has_no_habit() {
        let begun = Instant::now();
        let mut habit = Habit::new(ms(1_500));
        for restart in 0..5 {
            let at = begun + restart * ms(100);
            for _ in 0..REUSED_LEAST {
                habit.kept_for(ms(1));
            }
            habit.lost(closed(at, 1), at + ms(50));
            habit.closed(closed(at + ms(1), 1), at + ms(50));
            assert!(!habit.uses_once(at + ms(50)), "restart {restart}");
        }
        habit.kept_for(ms(1));
        habit.closed(closed(begun + ms(451), 1), begun + ms(460));
        assert!(habit.uses_once(begun + ms(460)), "one request between two of them");
    }

    #[test]
    fn a_receiver_that_closes_connections_again_and_again_has_that_habit() {
        let begun = Instant::now();
        let mut habit = Habit::new(ms(1_500));
        habit.kept_for(ms(1));
        habit.lost(closed(begun, 2), begun + ms(10));
        habit.kept_for(ms(1));
        let later = begun + BELIEVED_FOR;
        habit.lost(closed(begun + ms(20), 2), later);
        assert!(habit.uses_once(later), "twice within the time");
        let mut rarely = Habit::new(ms(1_500));
        for restart in 0..5 {
            let at = begun + restart * (BELIEVED_FOR + ms(20));
            rarely.kept_for(ms(1));
            rarely.closed(closed(at, 2), at + ms(10));
            assert!(!rarely.uses_once(at + ms(10)), "restart {restart}");
        }
        let mut unproven = Habit::new(ms(1_500));
        unproven.closed(closed(begun, 2), begun + ms(10));
        assert!(unproven.uses_once(begun + ms(10)), "it was never seen to keep one");
    }
}
