//! Rate limits: this many per second, with a burst of one second's worth (the generic cell rate algorithm). The only
//! file that names the crate for it.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::{Duration, Instant};

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::model::id::AccountId;

/// At this number of known accounts, those that have used nothing for a second are forgotten.
const ACCOUNTS_SWEPT_AT: usize = 4_096;

/// A rate limit of one thread. Time is an argument.
pub struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, ManualClock, NoOpMiddleware<Duration>>,
    given: ManualClock,
    epoch: Instant,
}

/// A clock that returns the given time.
#[derive(Debug, Clone, Default)]
struct ManualClock(Rc<Cell<Duration>>);

impl Clock for ManualClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

impl Rate {
    /// A limit of `per_s` per second, from now on.
    pub fn new(per_s: NonZeroU32, now: Instant) -> Self {
        let given = ManualClock::default();
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(per_s), given.clone());
        Self { limiter, given, epoch: now }
    }

    /// Lets one pass, or returns how long it has to wait.
    pub fn pass(&self, now: Instant) -> Result<(), Duration> {
        self.given.0.set(now.saturating_duration_since(self.epoch));
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.given.0.get()))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").finish_non_exhaustive()
    }
}

/// The rate at which each account may post events to this node.
pub struct AccountRates {
    limiter: RateLimiter<AccountId, HashMapStateStore<AccountId>, MonotonicClock>,
    burst: u32,
}

impl AccountRates {
    /// A limit of this many events per second.
    pub fn new(per_s: NonZeroU32) -> Self {
        let state = HashMapStateStore::default();
        let limiter = RateLimiter::new(Quota::per_second(per_s), state, MonotonicClock);
        Self { limiter, burst: per_s.get() }
    }

    /// Lets this many events of an account pass, or returns how long they have to wait. A number above a second's worth
    /// counts as a second's worth, so that a request of any size passes when it is sent again.
    pub fn pass(&self, account: &AccountId, events: usize) -> Result<(), Duration> {
        if self.limiter.len() >= ACCOUNTS_SWEPT_AT {
            self.limiter.retain_recent();
        }
        let events = u32::try_from(events).unwrap_or(u32::MAX).min(self.burst);
        let Some(events) = NonZeroU32::new(events) else { return Ok(()) };
        match self.limiter.check_key_n(account, events) {
            Ok(passed) => passed.map_err(|not_until| not_until.wait_time_from(MonotonicClock.now())),
            // Can't happen: the number is at most the burst.
            Err(_) => Ok(()),
        }
    }
}

impl fmt::Debug for AccountRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRates").field("per_s", &self.burst).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_passes_at_once_and_the_rest_in_time() {
        let begun = Instant::now();
        let rate = Rate::new(NonZeroU32::new(10).expect("not zero"), begun);
        assert_eq!((0..20).filter(|_| rate.pass(begun).is_ok()).count(), 10);
        let wait = rate.pass(begun).expect_err("over the rate");
        assert_eq!(wait, Duration::from_millis(100));
        assert!(rate.pass(begun + wait).is_ok() && rate.pass(begun + wait).is_err());
        let later = begun + Duration::from_secs(60);
        assert_eq!((0..20).filter(|_| rate.pass(later).is_ok()).count(), 10, "no more than one burst is saved up");
    }

    #[test]
    fn each_account_has_its_own_rate_and_a_large_request_passes_when_it_has_used_nothing() {
        let rates = AccountRates::new(NonZeroU32::new(1_000).expect("not zero"));
        let [a, b] = ["a", "b"].map(|name| AccountId::new(name).expect("a name"));
        assert!(rates.pass(&a, 1_000_000).is_ok());
        let wait = rates.pass(&a, 900).expect_err("the account has used its burst");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(rates.pass(&b, 900).is_ok());
    }
}
