//! Rate limits: this many per second, with a burst of one second's worth (the generic cell rate algorithm). Time is an
//! argument.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::sweep::Sweep;
use crate::model::id::AccountId;

/// What may pass at once after a second without any.
const BURST: Duration = Duration::from_secs(1);
/// From this number of known accounts on, those that owe nothing are forgotten.
const ACCOUNTS_SWEPT_AT: usize = 4_096;

/// How long this many last at a rate.
fn time_of(number: usize, per_s: NonZeroU32) -> Duration {
    Duration::from_nanos((number as u64).saturating_mul(1_000_000_000) / u64::from(per_s.get()))
}

/// How long someone who will owe nothing at `until` has to wait before this much time more can be owed. More than a burst
/// counts as one: it can be owed by someone who owes nothing.
fn wait(until: Instant, more: Duration, now: Instant) -> Duration {
    (until.saturating_duration_since(now) + more.min(BURST)).saturating_sub(BURST)
}

/// A rate limit of one thread.
#[derive(Debug)]
pub struct Rate {
    per_s: NonZeroU32,
    owed_until: Cell<Instant>,
}

impl Rate {
    /// A limit of `per_s` per second, from now on.
    pub fn new(per_s: NonZeroU32, now: Instant) -> Self {
        Self { per_s, owed_until: Cell::new(now) }
    }

    /// How many may pass per second.
    pub fn per_s(&self) -> NonZeroU32 {
        self.per_s
    }

    /// Whether it is as good as new: a whole burst may pass.
    pub fn owes_nothing(&self, now: Instant) -> bool {
        self.owed_until.get() <= now
    }

    /// Lets one pass, or returns how long it has to wait.
    pub fn pass(&self, now: Instant) -> Result<(), Duration> {
        let (until, one) = (self.owed_until.get().max(now), time_of(1, self.per_s));
        let wait = wait(until, one, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.owed_until.set(until + one);
        Ok(())
    }
}

/// The rate at which each account may post events to this node. A request above a second's worth passes only when its
/// account owes nothing, and then the account owes all of it.
pub struct AccountRates {
    per_s: NonZeroU32,
    owed: Mutex<OwedUntil>,
}

/// When each account will owe nothing.
#[derive(Default)]
struct OwedUntil {
    accounts: HashMap<AccountId, Instant>,
    sweep: Sweep<ACCOUNTS_SWEPT_AT>,
}

impl AccountRates {
    /// A limit of this many events per second.
    pub fn new(per_s: NonZeroU32) -> Self {
        Self { per_s, owed: Mutex::default() }
    }

    /// Lets the events of each account pass, or returns how long they have to wait: all or none.
    pub fn pass<'a>(
        &self,
        events: impl Iterator<Item = (&'a AccountId, usize)> + Clone,
        now: Instant,
    ) -> Result<(), Duration> {
        // A panic elsewhere leaves the map as it was.
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.forget(now);
        let wait_of = |(account, events)| wait(owed.until(account, now), time_of(events, self.per_s), now);
        let wait = events.clone().map(wait_of).max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (account, events) in events {
            let until = owed.until(account, now) + time_of(events, self.per_s);
            owed.accounts.insert(account.clone(), until);
        }
        Ok(())
    }

    /// Takes back what [`Self::pass`] charged at `charged_at`, but for what the accounts would have paid off since then
    /// without it: no more is saved up than a burst.
    pub fn give_back<'a>(
        &self,
        events: impl Iterator<Item = (&'a AccountId, usize)>,
        charged_at: Instant,
        now: Instant,
    ) {
        let paid_off = now.saturating_duration_since(charged_at);
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        for (account, events) in events {
            let back = time_of(events, self.per_s).saturating_sub(paid_off);
            if let Some(until) = owed.accounts.get_mut(account) {
                *until = until.checked_sub(back).unwrap_or(now);
            }
        }
    }
}

impl OwedUntil {
    fn until(&self, account: &AccountId, now: Instant) -> Instant {
        self.accounts.get(account).map_or(now, |until| now.max(*until))
    }

    /// Forgets accounts that owe nothing, from time to time.
    fn forget(&mut self, now: Instant) {
        self.sweep.before_insert(&mut self.accounts, |_, until| *until > now);
    }
}

impl fmt::Debug for AccountRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRates").field("per_s", &self.per_s).finish_non_exhaustive()
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
    fn each_account_has_its_own_rate_and_owes_all_of_a_large_request() {
        let rates = AccountRates::new(NonZeroU32::new(1_000).expect("not zero"));
        let [a, b] = ["a", "b"].map(|name| AccountId::new(name).expect("a name"));
        let begun = Instant::now();
        assert_eq!(rates.pass([(&a, 5_000)].into_iter(), begun), Ok(()), "it owes nothing");
        assert_eq!(rates.pass([(&a, 900)].into_iter(), begun), Err(Duration::from_millis(4_900)));
        assert_eq!(rates.pass([(&a, 5_000)].into_iter(), begun), Err(Duration::from_secs(5)));
        let both = [(&b, 900), (&a, 900)].into_iter();
        assert_eq!(rates.pass(both, begun), Err(Duration::from_millis(4_900)));
        assert_eq!(rates.pass([(&b, 1_000)].into_iter(), begun), Ok(()), "a refused request is charged nothing");
        let later = begun + Duration::from_millis(4_900);
        assert_eq!(rates.pass([(&a, 900)].into_iter(), later), Ok(()), "the wait was the right one");
        assert_eq!(rates.pass([(&a, 1)].into_iter(), later), Err(Duration::from_millis(1)));
    }

    #[test]
    fn what_is_given_back_is_not_owed_and_nothing_more() {
        let rates = AccountRates::new(NonZeroU32::new(10).expect("not zero"));
        let account = AccountId::new("a").expect("a name");
        let begun = Instant::now();
        let pass = |number: usize, ms| rates.pass([(&account, number)].into_iter(), begun + Duration::from_millis(ms));
        let give_back = |number: usize, at, ms| {
            let [at, now] = [at, ms].map(|ms| begun + Duration::from_millis(ms));
            rates.give_back([(&account, number)].into_iter(), at, now);
        };
        assert_eq!(pass(50, 0), Ok(()));
        give_back(50, 0, 0);
        assert_eq!((pass(10, 0), pass(1, 0)), (Ok(()), Err(Duration::from_millis(100))));
        // At 3 s it owes nothing; one that was charged then and is refused 400 ms later gives back what is still owed.
        assert_eq!((pass(10, 3_000), pass(4, 3_400)), (Ok(()), Ok(())));
        give_back(10, 3_000, 3_400);
        assert_eq!((pass(6, 3_400), pass(1, 3_400)), (Ok(()), Err(Duration::from_millis(100))));
        give_back(10, 0, 60_000);
        assert_eq!((pass(10, 60_000), pass(1, 60_000)), (Ok(()), Err(Duration::from_millis(100))), "one burst");
    }

    /// A client that tries all the time gets a second's worth, and then what the rate allows, whatever its requests hold.
    #[test]
    fn requests_of_any_size_keep_to_the_rate() {
        for size in [1, 7, 20, 21, 1_000] {
            let rates = AccountRates::new(NonZeroU32::new(20).expect("not zero"));
            let account = AccountId::new("a").expect("a name");
            let begun = Instant::now();
            let tries = (0..60_000).map(|ms| begun + Duration::from_millis(ms));
            let passed = tries.filter(|now| rates.pass([(&account, size)].into_iter(), *now).is_ok()).count() * size;
            assert!(passed <= 20 + 60 * 20 + size, "{size}: {passed}");
            assert!(passed + size >= 60 * 20, "{size}: {passed}");
        }
    }

    #[test]
    fn accounts_that_owe_nothing_are_forgotten() {
        let rates = AccountRates::new(NonZeroU32::new(10).expect("not zero"));
        let begun = Instant::now();
        for number in 0..3 * ACCOUNTS_SWEPT_AT {
            let now = begun + Duration::from_secs(number as u64);
            let account = AccountId::new(&format!("a{number}")).expect("a name");
            assert_eq!(rates.pass([(&account, 10)].into_iter(), now), Ok(()));
        }
        assert!(rates.owed.lock().expect("no panic").accounts.len() <= ACCOUNTS_SWEPT_AT);
    }
}
