//! Events whose id was seen before in the same account: they are answered as if they were taken, and
//! fire nothing. An id counts as seen once its event was accepted; while that is open, a second
//! request with it waits for the first, so that no refused event is taken for one that was accepted.

mod memory;
mod shared;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::model::event::Event;
use memory::MemoryWindow;
use shared::RedisWindow;

pub use shared::AddressError;

use crate::config::{Ingest, StoreSettings};

/// How long an id is kept for a request that has not said how it went: one whose node died. A
/// request is answered well within it.
const CLAIMED_FOR: Duration = Duration::from_secs(10);
/// How long a request waits for another one with the same id.
const WAITED_FOR: Duration = Duration::from_secs(5);
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What tells an event apart from all others: a hash of account, source and id, so that what is kept
/// of each is small and says nothing of it.
type Mark = [u8; 16];

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It was not known, and is now claimed for whoever asked.
    Claimed,
    /// Its event was accepted.
    Seen,
    /// It is claimed for somebody else.
    Open,
}

/// Where ids are kept.
trait Keeper: Send + Sync {
    /// Claims what is not known.
    fn claim<'a>(&'a self, marks: &'a [Mark], claimant: &'a str) -> BoxFuture<'a, Result<Vec<Standing>, Unavailable>>;
    /// Ends a claim: the events were accepted, or were not.
    fn settle<'a>(
        &'a self,
        marks: &'a [Mark],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), Unavailable>>;
}

/// Why nothing can be said of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Redis is unavailable.
    Store,
    /// Another request with the same id takes too long.
    Open,
}

/// Knows the ids of a window of time.
#[derive(Clone)]
pub struct IdempotencyWindow {
    keeper: Arc<dyn Keeper>,
}

/// Ids that were claimed for one request.
pub struct Claims {
    keeper: Arc<dyn Keeper>,
    claimant: String,
    marks: Vec<Mark>,
}

impl IdempotencyWindow {
    /// Prepares what the settings want; `None` where every event is to fire. On Redis all nodes have
    /// the ids in common; elsewhere they are in memory and end with the process.
    pub fn new(ingest: &Ingest, store: &StoreSettings) -> Result<Option<Self>, AddressError> {
        let window = ingest.duplicate_window;
        if window.is_zero() {
            return Ok(None);
        }
        let keeper: Arc<dyn Keeper> = match store.capabilities().event_ids {
            true => Arc::new(RedisWindow::new(store, window)?),
            false => Arc::new(MemoryWindow::new(window, ingest.duplicate_ids_max)),
        };
        Ok(Some(Self { keeper }))
    }

    /// Takes the events out whose id was seen, also those that come twice among these, and claims
    /// the ids of the others. Says how many were taken out. Only ids that the producer gave count.
    pub async fn sift(&self, events: &mut Vec<Event>) -> Result<(usize, Claims), Unavailable> {
        let before = events.len();
        let mut own = HashSet::new();
        events.retain(|event| !event.id_given || own.insert(mark(event)));
        let marks: Vec<Mark> = events.iter().filter(|event| event.id_given).map(mark).collect();
        let claimant = crate::model::id::new_id();
        let standings = self.claim(&marks, &claimant).await?;
        let mut ids = standings.iter();
        events.retain(|event| !event.id_given || ids.next() == Some(&Standing::Claimed));
        let claimed = marks.into_iter().zip(standings).filter(|(_, standing)| *standing == Standing::Claimed);
        let claims =
            Claims { keeper: Arc::clone(&self.keeper), claimant, marks: claimed.map(|(mark, _)| mark).collect() };
        Ok((before - events.len(), claims))
    }

    /// Claims all or waits: two requests that each hold an id of the other's must not wait for ever.
    async fn claim(&self, marks: &[Mark], claimant: &str) -> Result<Vec<Standing>, Unavailable> {
        let begun = Instant::now();
        loop {
            let standings = self.keeper.claim(marks, claimant).await?;
            if !standings.contains(&Standing::Open) {
                return Ok(standings);
            }
            let claimed = marks.iter().zip(&standings).filter(|(_, standing)| **standing == Standing::Claimed);
            let claimed: Vec<Mark> = claimed.map(|(mark, _)| *mark).collect();
            self.keeper.settle(&claimed, claimant, false).await?;
            if begun.elapsed() >= WAITED_FOR {
                return Err(Unavailable::Open);
            }
            // Not in step with the other request.
            let uneven = u32::from(claimant.bytes().last().unwrap_or_default() % 16);
            tokio::time::sleep(ASKED_AGAIN_AFTER + Duration::from_millis(1) * uneven).await;
        }
    }
}

impl Claims {
    /// The events were accepted: their ids are seen from now on. Or they were not, and may come
    /// again.
    pub async fn settle(self, accepted: bool) {
        if self.keeper.settle(&self.marks, &self.claimant, accepted).await.is_err() {
            tracing::warn!(
                ids = self.marks.len(),
                accepted,
                "Redis did not store the ids of accepted events; their claims expire in a few seconds"
            );
        }
    }
}

fn mark(event: &Event) -> Mark {
    let mut hash = Sha256::new();
    for part in [event.account.as_str(), &event.source, &event.id] {
        // With its length, so that no two lists of parts make the same bytes.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut mark = [0; 16];
    mark.copy_from_slice(&digest[..16]);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use crate::model::event::EventType;
    use crate::model::id::AccountId;

    fn event(account: &str, source: &str, id: &str, id_given: bool) -> Event {
        Event {
            attributes: Default::default(),
            hops: 0,
            account: AccountId::new(account).expect("a name"),
            event_type: EventType::new("a").expect("a type"),
            id: id.into(),
            id_given,
            source: source.into(),
            time: "2026-07-01T15:00:00Z".into(),
            data: Document::empty_object(),
        }
    }

    fn duplicates(window_ms: u64) -> IdempotencyWindow {
        IdempotencyWindow { keeper: Arc::new(MemoryWindow::new(Duration::from_millis(window_ms), 100)) }
    }

    async fn fresh(duplicates: &IdempotencyWindow, events: Vec<Event>) -> (usize, usize, Claims) {
        let mut events = events;
        let (known, claims) = duplicates.sift(&mut events).await.expect("memory is there");
        (events.len(), known, claims)
    }

    #[actix_rt::test]
    async fn an_id_is_seen_once_its_event_was_accepted() {
        let duplicates = duplicates(60_000);
        let same = || vec![event("a", "", "1", true), event("a", "", "1", true), event("a", "", "made", false)];
        let (new, known, claims) = fresh(&duplicates, same()).await;
        assert_eq!((new, known), (2, 1), "twice among themselves");
        claims.settle(false).await;
        let (new, known, claims) = fresh(&duplicates, same()).await;
        assert_eq!((new, known), (2, 1), "what was refused may come again");
        claims.settle(true).await;
        let (new, known, claims) = fresh(&duplicates, same()).await;
        assert_eq!((new, known), (1, 2), "an id that was made is never known");
        claims.settle(true).await;
        for other in [event("b", "", "1", true), event("a", "s", "1", true), event("a", "", "2", true)] {
            assert_eq!(fresh(&duplicates, vec![other]).await.0, 1);
        }
    }

    #[actix_rt::test]
    async fn two_requests_with_the_same_ids_wait_for_one_another() {
        let duplicates = duplicates(60_000);
        let (new, _, first) = fresh(&duplicates, vec![event("a", "", "1", true)]).await;
        assert_eq!(new, 1);
        let second = actix_rt::spawn({
            let duplicates = duplicates.clone();
            async move { fresh(&duplicates, vec![event("a", "", "2", true), event("a", "", "1", true)]).await.0 }
        });
        // It has asked at least once, and holds nothing meanwhile.
        tokio::task::yield_now().await;
        let (new, _, third) = fresh(&duplicates, vec![event("a", "", "2", true)]).await;
        assert_eq!(new, 1);
        third.settle(false).await;
        assert!(!second.is_finished());
        first.settle(true).await;
        assert_eq!(second.await.expect("an answer"), 1);
    }
}
