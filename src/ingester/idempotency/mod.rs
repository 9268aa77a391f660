//! The idempotency window: an event whose id was seen before in the same account gets the response of an accepted
//! event, but fires nothing. An id is seen once its event was accepted. Until that is decided, a second request with
//! the same id waits for the first, so that a refused event never counts as accepted.

mod memory;
#[cfg(feature = "redis")]
mod shared;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use crate::model::event::Event;
use crate::model::firing::hash_of_names;
use crate::model::id::AccountId;
use memory::MemoryWindow;
#[cfg(feature = "redis")]
use shared::RedisWindow;

#[cfg(feature = "redis")]
pub use shared::WindowError;
/// Without Redis nothing can fail.
#[cfg(not(feature = "redis"))]
pub use std::convert::Infallible as WindowError;

use crate::config::{Ingest, StoreSettings};

/// How long an id stays claimed by a request that has not reported its result because its node died.
const CLAIMED_FOR: Duration = Duration::from_secs(10);
/// The claims of a request that is still in progress are renewed at this interval. Few take so long.
const RENEWED_EVERY: Duration = Duration::from_secs(3);
/// How long a request waits for another one with the same id.
const WAITED_FOR: Duration = Duration::from_secs(5);
/// The seconds after which the claim of a node that has died has ended, if a request has waited for it in vain.
pub const IN_PROGRESS_RETRY_S: u64 = CLAIMED_FOR.as_secs() - WAITED_FOR.as_secs();
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// How many ids are taken to the store at a time. Between, the thread's other tasks have their turn, and Redis its other
/// requests.
const KEYS_AT_ONCE: usize = 256;

/// Identifies an event: a hash of account, source and id. It is small, and does not reveal what it is made of.
type EventHash = [u8; 16];

/// An event's id, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EventKey {
    account: AccountId,
    hash: EventHash,
}

/// The state of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClaimResult {
    /// It was unknown, and is now claimed for this request.
    Claimed,
    /// Its event was accepted.
    Seen,
    /// It is claimed by another request.
    Open,
}

/// Stores ids.
trait WindowStore: Send + Sync {
    /// Claims the unknown ones.
    fn claim<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ClaimResult>, WindowUnavailable>>;
    /// Begins the time of those claims again that this claimant still has.
    fn renew<'a>(&'a self, keys: &'a [EventKey], claimant: &'a str) -> BoxFuture<'a, Result<(), WindowUnavailable>>;
    /// Ends a claim: the events were accepted, or were not.
    fn settle<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), WindowUnavailable>>;
}

/// Why ids can't be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowUnavailable {
    /// Redis is unavailable.
    Store,
    /// Another request with the same id takes too long.
    Open,
}

/// The ids that were seen within a window of time.
#[derive(Clone)]
pub struct IdempotencyWindow {
    store: Arc<dyn WindowStore>,
}

/// The ids of a request's events, as far as their producer chose them.
#[derive(Debug)]
pub struct GivenIds {
    keys: Vec<EventKey>,
    repeated: usize,
}

/// The ids that are claimed for one request.
pub struct Claims {
    store: Arc<dyn WindowStore>,
    claimant: String,
    keys: Vec<EventKey>,
}

impl GivenIds {
    /// Removes the events that are repeated in the request; `None` if none has an id of its producer's choice. Those of
    /// a large request are hashed where it is read, as that can take ten milliseconds.
    pub fn take(events: &mut Vec<Event>) -> Option<Self> {
        let (before, mut own, mut keys) = (events.len(), HashSet::new(), Vec::new());
        events.retain(|event| {
            let hash = event.id_given.then(|| hash_of(event));
            let is_new = hash.is_none_or(|hash| own.insert(hash));
            if let Some(hash) = hash.filter(|_| is_new) {
                // Most events of a request are of one account.
                let last = keys.last().map(|last: &EventKey| &last.account);
                let last = last.filter(|last| last.as_str() == event.identity.account());
                let account = last.cloned().unwrap_or_else(|| event.identity.account_id());
                keys.push(EventKey { account, hash });
            }
            is_new
        });
        (!keys.is_empty()).then(|| Self { keys, repeated: before - events.len() })
    }
}

impl IdempotencyWindow {
    /// Creates what the settings demand; `None` if every event is to fire. With Redis all nodes share the ids;
    /// otherwise they are in memory and end with the process.
    pub async fn open(ingest: &Ingest, settings: &StoreSettings) -> Result<Option<Self>, WindowError> {
        let window = ingest.duplicate_window;
        if window.is_zero() {
            return Ok(None);
        }
        let store: Arc<dyn WindowStore> = match settings.capabilities().event_ids {
            #[cfg(feature = "redis")]
            true => Arc::new(RedisWindow::open(settings, window).await?),
            _ => Arc::new(MemoryWindow::new(window, ingest.duplicate_ids_max)),
        };
        Ok(Some(Self { store }))
    }

    /// Removes the events whose id was seen, and claims the ids of the others. Returns how many of the request's events
    /// are not to fire. Only ids chosen by the producer count.
    pub async fn sift(&self, events: &mut Vec<Event>, given: GivenIds) -> Result<(usize, Claims), WindowUnavailable> {
        let GivenIds { keys, repeated } = given;
        let before = events.len();
        let claimant = crate::model::id::new_id();
        let results = self.claim(&keys, &claimant).await?;
        let mut ids = results.iter();
        events.retain(|event| !event.id_given || ids.next() == Some(&ClaimResult::Claimed));
        let keys = claimed(&keys, &results);
        Ok((repeated + before - events.len(), Claims { store: Arc::clone(&self.store), claimant, keys }))
    }

    /// Claims all or none: two requests that each hold an id of the other must not wait for ever.
    async fn claim(&self, keys: &[EventKey], claimant: &str) -> Result<Vec<ClaimResult>, WindowUnavailable> {
        let begun = Instant::now();
        loop {
            let mut results = Vec::with_capacity(keys.len());
            for part in keys.chunks(KEYS_AT_ONCE) {
                if !results.is_empty() {
                    tokio::task::yield_now().await;
                }
                let more = self.store.claim(part, claimant).await?;
                let is_open = more.contains(&ClaimResult::Open);
                results.extend(more);
                if is_open {
                    break;
                }
            }
            if !results.contains(&ClaimResult::Open) {
                return Ok(results);
            }
            settle(&*self.store, &claimed(keys, &results), claimant, false).await?;
            if begun.elapsed() >= WAITED_FOR {
                return Err(WindowUnavailable::Open);
            }
            // Different for each request, so that two of them do not retry in step.
            let uneven = u32::from(claimant.bytes().last().unwrap_or_default() % 16);
            tokio::time::sleep(ASKED_AGAIN_AFTER + Duration::from_millis(1) * uneven).await;
        }
    }
}

impl Claims {
    /// Waits for what becomes of the request. Until then nobody else can claim its ids, however long that takes.
    pub async fn held_during<T>(&self, request: impl Future<Output = T>) -> T {
        let mut request = pin!(request);
        loop {
            let renewal = async {
                tokio::time::sleep(RENEWED_EVERY).await;
                for part in self.keys.chunks(KEYS_AT_ONCE) {
                    // Logged by the store, which may respond next time.
                    if self.store.renew(part, &self.claimant).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                biased;
                done = &mut request => return done,
                () = renewal => {}
            }
        }
    }

    /// Reports whether the events were accepted. If so, their ids are seen from now on; if not, they may be sent again.
    pub async fn settle(self, accepted: bool) {
        // Logged by the store. A claim that it could not end expires in a few seconds.
        let _ = settle(&*self.store, &self.keys, &self.claimant, accepted).await;
    }
}

/// Ends claims.
async fn settle(
    store: &dyn WindowStore,
    keys: &[EventKey],
    claimant: &str,
    accepted: bool,
) -> Result<(), WindowUnavailable> {
    for (number, part) in keys.chunks(KEYS_AT_ONCE).enumerate() {
        if number > 0 {
            tokio::task::yield_now().await;
        }
        store.settle(part, claimant, accepted).await?;
    }
    Ok(())
}

/// The ids that were claimed, of those that have a result.
fn claimed(keys: &[EventKey], results: &[ClaimResult]) -> Vec<EventKey> {
    let claimed = keys.iter().zip(results).filter(|(_, result)| **result == ClaimResult::Claimed);
    claimed.map(|(key, _)| key.clone()).collect()
}

fn hash_of(Event { identity, .. }: &Event) -> EventHash {
    hash_of_names([identity.account(), identity.source(), identity.id()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use crate::model::event::{EventIdentity, EventType};

    fn event(account: &str, source: &str, id: &str, id_given: bool) -> Event {
        let (account, event_type) = (AccountId::new(account).expect("a name"), EventType::new("a").expect("a type"));
        Event {
            attributes: Default::default(),
            hops: 0,
            identity: EventIdentity::new(&account, &event_type, source, id),
            id_given,
            time: "2026-07-01T15:00:00Z".into(),
            data: Document::empty_object(),
        }
    }

    fn window(window_ms: u64) -> IdempotencyWindow {
        IdempotencyWindow { store: Arc::new(MemoryWindow::new(Duration::from_millis(window_ms), 100)) }
    }

    async fn fresh(window: &IdempotencyWindow, events: Vec<Event>) -> (usize, usize, Claims) {
        let mut events = events;
        let given = GivenIds::take(&mut events).expect("ids");
        let (known, claims) = window.sift(&mut events, given).await.expect("memory is there");
        (events.len(), known, claims)
    }

    #[actix_rt::test]
    async fn an_id_is_seen_once_its_event_was_accepted() {
        let window = window(60_000);
        let same = || vec![event("a", "", "1", true), event("a", "", "1", true), event("a", "", "made", false)];
        let (new, known, claims) = fresh(&window, same()).await;
        assert_eq!((new, known), (2, 1), "one is repeated in the request");
        claims.settle(false).await;
        let (new, known, claims) = fresh(&window, same()).await;
        assert_eq!((new, known), (2, 1), "a refused event may be sent again");
        claims.settle(true).await;
        let (new, known, claims) = fresh(&window, same()).await;
        assert_eq!((new, known), (1, 2), "a generated id never counts");
        claims.settle(true).await;
        for other in [event("b", "", "1", true), event("a", "s", "1", true), event("a", "", "2", true)] {
            assert_eq!(fresh(&window, vec![other]).await.0, 1);
        }
    }

    #[actix_rt::test]
    async fn two_requests_with_the_same_ids_wait_for_one_another() {
        let window = window(60_000);
        let (new, _, first) = fresh(&window, vec![event("a", "", "1", true)]).await;
        assert_eq!(new, 1);
        let second = actix_rt::spawn({
            let window = window.clone();
            async move { fresh(&window, vec![event("a", "", "2", true), event("a", "", "1", true)]).await.0 }
        });
        // By now it has asked at least once, and holds no claim.
        tokio::task::yield_now().await;
        let (new, _, third) = fresh(&window, vec![event("a", "", "2", true)]).await;
        assert_eq!(new, 1);
        third.settle(false).await;
        assert!(!second.is_finished());
        first.settle(true).await;
        assert_eq!(second.await.expect("a response"), 1);
    }

    #[actix_rt::test]
    async fn other_tasks_have_their_turn_while_many_ids_are_looked_up() {
        let window = window(60_000);
        let events = (0..KEYS_AT_ONCE * 20).map(|number| event("a", "", &number.to_string(), true)).collect();
        let turns = std::rc::Rc::new(std::cell::Cell::new(0));
        let counting = actix_rt::spawn({
            let turns = std::rc::Rc::clone(&turns);
            async move {
                loop {
                    turns.set(turns.get() + 1);
                    tokio::task::yield_now().await;
                }
            }
        });
        let (new, _, claims) = fresh(&window, events).await;
        let claiming = turns.get();
        claims.settle(true).await;
        counting.abort();
        assert!(new == KEYS_AT_ONCE * 20 && claiming >= 19 && turns.get() >= claiming + 19, "{claiming} {turns:?}");
    }
}
