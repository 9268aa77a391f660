//! Ids in this process's memory, for an embedded store: its node has no other beside it. They are lost when the process
//! ends.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};

use super::{CLAIMED_FOR, ClaimResult, EventHash, EventKey, WindowStore, WindowUnavailable};
use crate::model::id::AccountId;

/// How many ids whose time is over are forgotten for each one that is added: more than one, so that they become fewer,
/// and not all at once, which could take a tenth of a second.
const FORGOTTEN_EACH: usize = 2;

pub(super) struct MemoryWindow {
    window: Duration,
    max: usize,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashMap<EventHash, IdState>,
    seen: SeenIds,
}

enum IdState {
    Claimed { by: String, until: Instant },
    Seen(Instant),
}

/// The ids that were seen, in the order in which they are forgotten.
#[derive(Default)]
struct SeenIds {
    /// Each account's, the oldest first.
    accounts: HashMap<AccountId, VecDeque<(Instant, EventHash)>>,
    /// The accounts by their oldest id.
    by_age: BTreeSet<(Instant, AccountId)>,
    /// The accounts by how many ids they have.
    by_number: BTreeSet<(usize, AccountId)>,
    number: usize,
}

impl MemoryWindow {
    /// Remembers ids for `window`, at most `max` of them: at that number the account with the most loses its oldest.
    pub(super) fn new(window: Duration, max: usize) -> Self {
        Self { window, max, ids: Mutex::default() }
    }

    fn ids(&self) -> std::sync::MutexGuard<'_, Ids> {
        // After a panic in between, an id may be forgotten late, and no more.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self, since: Instant, now: Instant) -> bool {
        now.duration_since(since) >= self.window
    }

    fn add(&self, ids: &mut Ids, key: &EventKey, now: Instant) {
        ids.known.insert(key.hash, IdState::Seen(now));
        ids.seen.change(&key.account, |own| own.push_back((now, key.hash)));
        ids.seen.number += 1;
        for _ in 0..FORGOTTEN_EACH {
            let oldest = ids.seen.by_age.first().filter(|(since, _)| self.is_over(*since, now));
            let Some((_, account)) = oldest.cloned() else { break };
            ids.forget_oldest_of(&account);
        }
        while ids.seen.number > self.max
            && let Some((_, account)) = ids.seen.by_number.last().cloned()
        {
            ids.forget_oldest_of(&account);
        }
    }
}

impl Ids {
    fn forget_oldest_of(&mut self, account: &AccountId) {
        let Some((since, hash)) = self.seen.change(account, VecDeque::pop_front) else { return };
        self.seen.number -= 1;
        // It may have been seen again since.
        if matches!(self.known.get(&hash), Some(IdState::Seen(own)) if *own == since) {
            self.known.remove(&hash);
        }
    }
}

impl SeenIds {
    /// Changes an account's ids, and its places among the others.
    fn change<T>(&mut self, account: &AccountId, change: impl FnOnce(&mut VecDeque<(Instant, EventHash)>) -> T) -> T {
        let own = self.accounts.entry(account.clone()).or_default();
        let place = |own: &VecDeque<(Instant, EventHash)>| (own.front().map(|(since, _)| *since), own.len());
        let (oldest, number) = place(own);
        let changed = change(own);
        let (oldest_now, number_now) = place(own);
        if oldest != oldest_now {
            oldest.map(|since| self.by_age.remove(&(since, account.clone())));
            oldest_now.map(|since| self.by_age.insert((since, account.clone())));
        }
        self.by_number.remove(&(number, account.clone()));
        if number_now > 0 {
            self.by_number.insert((number_now, account.clone()));
        } else {
            self.accounts.remove(account);
        }
        changed
    }
}

impl WindowStore for MemoryWindow {
    fn claim<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ClaimResult>, WindowUnavailable>> {
        let now = Instant::now();
        let mut ids = self.ids();
        let claim_result = |key: &EventKey| match ids.known.get(&key.hash) {
            Some(IdState::Seen(since)) if !self.is_over(*since, now) => ClaimResult::Seen,
            Some(IdState::Claimed { until, .. }) if *until > now => ClaimResult::Open,
            _ => {
                ids.known.insert(key.hash, IdState::Claimed { by: claimant.to_owned(), until: now + CLAIMED_FOR });
                ClaimResult::Claimed
            }
        };
        let results = keys.iter().map(claim_result).collect();
        std::future::ready(Ok(results)).boxed()
    }

    fn renew<'a>(&'a self, keys: &'a [EventKey], claimant: &'a str) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        let (renewed, mut ids) = (Instant::now() + CLAIMED_FOR, self.ids());
        for key in keys {
            if let Some(IdState::Claimed { by, until }) = ids.known.get_mut(&key.hash)
                && by == claimant
            {
                *until = renewed;
            }
        }
        std::future::ready(Ok(())).boxed()
    }

    fn settle<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        let now = Instant::now();
        let mut ids = self.ids();
        for key in keys {
            if accepted {
                self.add(&mut ids, key, now);
            } else if matches!(ids.known.get(&key.hash), Some(IdState::Claimed { by, .. }) if by == claimant) {
                ids.known.remove(&key.hash);
            }
        }
        std::future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Window(MemoryWindow);

    impl Window {
        async fn claim(&self, account: &str, number: u8) -> ClaimResult {
            self.0.claim(&[key(account, number)], "me").await.expect("memory is there")[0]
        }

        /// Adds these ids, and looks which of an account's it remembers.
        async fn add(&self, account: &str, numbers: std::ops::Range<u8>) {
            for number in numbers {
                assert_eq!(self.claim(account, number).await, ClaimResult::Claimed);
                self.0.settle(&[key(account, number)], "me", true).await.expect("memory is there");
            }
        }

        /// Which of an account's ids it remembers.
        fn seen(&self, account: &str) -> Vec<u8> {
            let ids = self.0.ids();
            let is_seen = |number: &u8| matches!(ids.known.get(&key(account, *number).hash), Some(IdState::Seen(_)));
            (0..=u8::MAX).filter(is_seen).collect()
        }
    }

    fn key(account: &str, number: u8) -> EventKey {
        let mut hash = [number; 16];
        hash[..account.len()].copy_from_slice(account.as_bytes());
        EventKey { account: AccountId::new(account).expect("a name"), hash }
    }

    #[actix_rt::test]
    async fn at_the_bound_the_account_with_the_most_loses_its_oldest() {
        let window = Window(MemoryWindow::new(Duration::from_secs(3_600), 10));
        window.add("b", 0..3).await;
        window.add("a", 0..100).await;
        assert_eq!(window.seen("b"), [0, 1, 2], "it has fewer than an equal part");
        assert_eq!(window.seen("a"), (93..100).collect::<Vec<_>>());
        window.add("c", 0..2).await;
        window.add("b", 3..9).await;
        assert_eq!(window.seen("c"), [0, 1]);
        assert_eq!((window.seen("a"), window.seen("b")), (vec![96, 97, 98, 99], vec![5, 6, 7, 8]));
        assert_eq!(window.claim("a", 95).await, ClaimResult::Claimed, "forgotten at the bound");
        assert_eq!(window.claim("a", 96).await, ClaimResult::Seen);
    }

    #[actix_rt::test]
    async fn ids_whose_time_is_over_do_not_count_and_are_forgotten_as_others_come() {
        let window = Window(MemoryWindow::new(Duration::from_secs(3_600), 100));
        window.add("a", 0..20).await;
        window.add("b", 0..20).await;
        let later = Instant::now() + Duration::from_secs(3_601);
        {
            let mut ids = window.0.ids();
            (0..19).for_each(|number| window.0.add(&mut ids, &key("c", number), later));
            assert_eq!((ids.seen.number, ids.known.len(), ids.seen.accounts.len()), (21, 21, 2));
        }
        assert_eq!(window.seen("a"), [0_u8; 0]);
        assert_eq!((window.seen("b"), window.seen("c").len()), (vec![18, 19], 19));
        let none = Window(MemoryWindow::new(Duration::ZERO, 100));
        none.add("a", 0..1).await;
        assert_eq!(none.claim("a", 0).await, ClaimResult::Claimed, "its time is over, and it is not forgotten yet");
    }

    #[actix_rt::test]
    async fn a_claim_is_renewed_while_its_request_goes_on() {
        let window = Window(MemoryWindow::new(Duration::from_secs(3_600), 10));
        let until = |number| match window.0.ids().known.get(&key("a", number).hash) {
            Some(IdState::Claimed { until, .. }) => Some(*until),
            _ => None,
        };
        for number in 0..3 {
            assert_eq!(window.claim("a", number).await, ClaimResult::Claimed);
        }
        window.0.settle(&[key("a", 1)], "me", true).await.expect("memory is there");
        let (mine, other) = (until(0).expect("claimed"), until(2));
        let keys = [0, 1, 3].map(|number| key("a", number));
        window.0.renew(&keys, "me").await.expect("memory is there");
        assert!(until(0).expect("claimed") > mine);
        assert_eq!((until(1), until(2), until(3)), (None, other, None), "no other is changed, and none is made");
        window.0.renew(&[key("a", 2)], "you").await.expect("memory is there");
        assert_eq!(until(2), other, "it is another request's");
    }
}
