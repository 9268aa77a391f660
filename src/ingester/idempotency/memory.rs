//! Ids in this process's memory, for an embedded store: its node has no other beside it. They are lost when the process
//! ends.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};

use super::{CLAIMED_FOR, ClaimResult, EventHash, WindowStore, WindowUnavailable};

pub(super) struct MemoryWindow {
    window: Duration,
    max: usize,
    ids: Mutex<Ids>,
}

#[derive(Default)]
struct Ids {
    known: HashMap<EventHash, IdState>,
    /// In the order of acceptance, so that the oldest are forgotten first.
    accepted: VecDeque<(Instant, EventHash)>,
}

enum IdState {
    Claimed { by: String, until: Instant },
    Seen(Instant),
}

impl MemoryWindow {
    /// Remembers ids for `window`, at most `max` of them: at that number the oldest is forgotten early.
    pub(super) fn new(window: Duration, max: usize) -> Self {
        Self { window, max, ids: Mutex::default() }
    }

    /// The ids, without those whose time is over.
    fn ids(&self, now: Instant) -> std::sync::MutexGuard<'_, Ids> {
        // A poisoned lock is still valid: each change is one insertion or removal.
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((since, hash)) = ids.accepted.front().copied()
            && (now.duration_since(since) >= self.window || ids.accepted.len() > self.max)
        {
            ids.accepted.pop_front();
            if matches!(ids.known.get(&hash), Some(IdState::Seen(own)) if *own == since) {
                ids.known.remove(&hash);
            }
        }
        ids
    }
}

impl WindowStore for MemoryWindow {
    fn claim<'a>(
        &'a self,
        hashes: &'a [EventHash],
        claimant: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ClaimResult>, WindowUnavailable>> {
        let now = Instant::now();
        let mut ids = self.ids(now);
        let claim_result = |hash: &EventHash| match ids.known.get(hash) {
            Some(IdState::Seen(_)) => ClaimResult::Seen,
            Some(IdState::Claimed { until, .. }) if *until > now => ClaimResult::Open,
            _ => {
                ids.known.insert(*hash, IdState::Claimed { by: claimant.to_owned(), until: now + CLAIMED_FOR });
                ClaimResult::Claimed
            }
        };
        let results = hashes.iter().map(claim_result).collect();
        std::future::ready(Ok(results)).boxed()
    }

    fn settle<'a>(
        &'a self,
        hashes: &'a [EventHash],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        let now = Instant::now();
        let mut ids = self.ids(now);
        for hash in hashes {
            if accepted {
                ids.known.insert(*hash, IdState::Seen(now));
                ids.accepted.push_back((now, *hash));
            } else if matches!(ids.known.get(hash), Some(IdState::Claimed { by, .. }) if by == claimant) {
                ids.known.remove(hash);
            }
        }
        std::future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn claim(memory: &MemoryWindow, hash: u8) -> ClaimResult {
        memory.claim(&[[hash; 16]], "me").await.expect("memory is there")[0]
    }

    #[actix_rt::test]
    async fn the_oldest_are_forgotten_at_the_bound_and_all_after_the_window() {
        let memory = MemoryWindow::new(Duration::from_secs(3_600), 2);
        for hash in 0..3 {
            assert_eq!(claim(&memory, hash).await, ClaimResult::Claimed);
            memory.settle(&[[hash; 16]], "me", true).await.expect("memory is there");
        }
        assert_eq!(claim(&memory, 2).await, ClaimResult::Seen);
        assert_eq!(claim(&memory, 1).await, ClaimResult::Seen);
        assert_eq!(claim(&memory, 0).await, ClaimResult::Claimed, "forgotten at the bound");
        let later = Instant::now() + Duration::from_secs(3_601);
        let ids = memory.ids(later);
        assert!(ids.accepted.is_empty() && ids.known.len() == 1, "the claim is still open");
    }
}
