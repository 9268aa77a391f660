//! What the log says of an outage: one line when it begins, one when its cause changes, and one when it is over.

use std::time::{Duration, Instant};

/// A changed cause is logged this much after the last one: several that alternate must not fill the log.
const LOGGED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Without a failure for this long, an outage of which only some calls fail is over.
const QUIET: Duration = Duration::from_secs(1);

/// An outage, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// The cause that was logged last, and when.
    logged: Option<(String, Instant)>,
    failed_at: Option<Instant>,
}

impl Outage {
    /// Notes a failure. Whether to log it.
    pub(crate) fn note(&mut self, cause: &str, now: Instant) -> bool {
        let is_known = self
            .logged
            .as_ref()
            .is_some_and(|(logged, at)| logged == cause || now.saturating_duration_since(*at) < LOGGED_AGAIN_AFTER);
        self.failed_at = Some(now);
        if !is_known {
            self.logged = Some((cause.to_owned(), now));
        }
        !is_known
    }

    /// Whether there is one.
    pub(crate) fn is_open(&self) -> bool {
        self.logged.is_some()
    }

    /// Ends it if nothing has failed for some time: where some calls succeed and others fail, it is one outage. Whether it
    /// ends one.
    pub(crate) fn end_after_quiet(&mut self, now: Instant) -> bool {
        let is_quiet = self.failed_at.is_none_or(|at| now.saturating_duration_since(at) >= QUIET);
        is_quiet && self.end()
    }

    /// Ends it. Whether there was one.
    pub(crate) fn end(&mut self) -> bool {
        self.logged.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_a_later_cause_and_the_end_are_logged() {
        let (mut outage, begun) = (Outage::default(), Instant::now());
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        assert!(!outage.end() && !outage.is_open());
        for (cause, seconds, logged) in [
            ("refused", 0, true),
            ("refused", 1, false),
            ("not permitted", 2, false),
            ("refused", 6, false),
            ("not permitted", 7, true),
            ("refused", 8, false),
            ("not permitted", 60, false),
        ] {
            assert_eq!(outage.note(cause, at(seconds)), logged, "{cause} {seconds}");
        }
        assert!(outage.is_open() && outage.end() && !outage.end());
        assert!(outage.note("not permitted", at(61)), "the next outage");
        assert!(!outage.end_after_quiet(at(61)) && !outage.note("not permitted", at(62)), "some calls succeed");
        assert!(outage.end_after_quiet(at(63)) && !outage.end_after_quiet(at(64)));
    }
}
