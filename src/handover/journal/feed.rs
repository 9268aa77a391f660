//! Hands the deliveries that were found at a start to the renderer, like newly matched ones: charged to their accounts,
//! admitted by the gate, and paced by both. Accounts are fed side by side, each in the order in which its events were
//! accepted.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::Recipient;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::folder::read_up_to;
use super::keeper::join;
use super::ledger::{Entry, Firing};
use super::recovery::Found;
use super::threads::now_ms;
use crate::flow::account::{Account, Reserved};
use crate::flow::gate::Gate;
use crate::flow::in_flight::{Admission, drop_unsent};
use crate::flow::keep::Kept;
use crate::flow::messages::{EventData, Firing as Fired, Firings, FiringsMatched, Step};
use crate::flow::refusal::Refusal;
use crate::flow::response::Receipt;
use crate::json::{Document, Source};
use crate::live::Live;
use crate::model::event::{Event, EventType};
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// The pause before the next try if there is no room.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// The interval of log lines about the progress.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// Called with how many deliveries were handed on, and their total.
pub type FeedProgress = Box<dyn Fn(usize, usize) + Send + Sync>;

/// What a start has found.
#[derive(Debug)]
pub struct Recovered {
    pub(super) found: Vec<Found<File>>,
    pub(super) age_max: Duration,
}

/// What is needed to hand on recovered firings.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The current triggers and templates.
    pub live: Arc<Live>,
    /// Admits them.
    pub gate: Arc<Gate>,
    /// Counts what is dropped.
    pub metrics: Arc<Metrics>,
    /// Receives them.
    pub renderer: Recipient<FiringsMatched>,
}

struct Feeding {
    feed: Feed,
    age_max: Duration,
    done: AtomicUsize,
    all: usize,
    said: std::cell::Cell<Instant>,
    progress: Option<FeedProgress>,
}

impl Recovered {
    /// How many firings there are.
    pub fn len(&self) -> usize {
        self.found.iter().map(|found| found.entry.left()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Hands all of them on. Ends early if the node stops: the rest stays in the journal.
    pub async fn feed(self, feed: Feed, progress: Option<FeedProgress>) {
        let all = self.len();
        let feeding = Feeding {
            feed,
            age_max: self.age_max,
            done: AtomicUsize::new(0),
            all,
            said: Instant::now().into(),
            progress,
        };
        let mut accounts: BTreeMap<Arc<str>, Vec<Arc<Entry<File>>>> = BTreeMap::new();
        for found in self.found {
            accounts.entry(found.account).or_default().push(found.entry);
        }
        join_all(accounts.into_iter().map(|(name, entries)| feeding.account(name, entries))).await;
        feeding.say(true);
    }
}

impl Feeding {
    async fn account(&self, name: Arc<str>, entries: Vec<Arc<Entry<File>>>) {
        let Ok(id) = AccountId::new(&name) else {
            entries.iter().for_each(|entry| self.unreadable(entry));
            return;
        };
        let account = self.feed.gate.account(&id);
        for entry in entries {
            let left = entry.left();
            if self.entry(&id, &account, &entry).await.is_none() {
                return;
            }
            self.done.fetch_add(left, Ordering::Relaxed);
            self.say(false);
        }
    }

    /// Hands the firings of one event on; `None` if the node stops.
    async fn entry(&self, id: &AccountId, account: &Arc<Account>, entry: &Arc<Entry<File>>) -> Option<()> {
        let Some(read) = read(entry, id) else {
            self.unreadable(entry);
            return Some(());
        };
        let age = Duration::from_millis(now_ms().saturating_sub(read.accepted_ms));
        let accepted_at = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        if age > self.age_max {
            let event = EventData::of(read.event);
            for (trigger, _, kept) in read.firings {
                drop(kept);
                let firing = FiringId { event: Arc::clone(&event.identity), trigger };
                drop_unsent(&self.feed.metrics, Dropped::Expired, Some(&firing), None, None);
            }
            return Some(());
        }
        let admission = self.admitted(account).await?;
        let reserved = self.reserved(account, read.firings.len()).await?;
        let firings = Recovering {
            account: id.clone(),
            event: Arc::new(EventData::of(read.event)),
            firings: read.firings.into_iter(),
            reserved,
            feed: self.feed.clone(),
        };
        let message = FiringsMatched {
            account: Arc::clone(account),
            firings: Box::new(firings),
            accepted_at,
            admission: Some(admission),
        };
        // The renderer has only ended if the node stops.
        self.feed.renderer.try_send(message).ok()
    }

    async fn admitted(&self, account: &Arc<Account>) -> Option<Admission> {
        loop {
            // No one waits for the response; the admission only paces.
            let (reply, _) = oneshot::channel();
            let receipt = Receipt { accepted: 1, rejected: Vec::new(), rejected_more: Default::default() };
            match self.feed.gate.admit(&[(Arc::clone(account), 1)], Ok(receipt), reply) {
                Ok(admitted) => return Some(Arc::new(admitted)),
                Err((Refusal::Stopping, _)) => return None,
                Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
    }

    async fn reserved(&self, account: &Arc<Account>, firings: usize) -> Option<Reserved> {
        loop {
            let mut measured = account.measure();
            if measured.add(firings) {
                return Some(measured.accept());
            }
            if let Some(reserved) = measured.pace() {
                return Some(reserved);
            }
            if !self.feed.gate.is_open() {
                return None;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    fn unreadable(&self, entry: &Arc<Entry<File>>) {
        let dropped = entry.cancel();
        tracing::error!(deliveries = dropped, "an entry of the journal can't be read; its deliveries are dropped");
        self.feed.metrics.deliveries.dropped.inc_by(Dropped::JournalDamaged, dropped);
    }

    fn say(&self, is_over: bool) {
        let done = self.done.load(Ordering::Relaxed);
        if let Some(progress) = &self.progress {
            progress(if is_over { self.all } else { done }, self.all);
        }
        if is_over || self.said.get().elapsed() >= SAID_EVERY {
            self.said.set(Instant::now());
            let left = self.all - done;
            self.feed.metrics.journal.recovering.set(i64::try_from(left).unwrap_or(i64::MAX));
            tracing::info!(done, of = self.all, "deliveries of the journal were handed on");
        }
    }
}

/// An entry that was read back.
struct Read {
    event: Event,
    accepted_ms: u64,
    /// Each with the fingerprint of its trigger's destination at that time.
    firings: Vec<(TriggerId, u64, Kept)>,
}

fn read(entry: &Arc<Entry<File>>, account: &AccountId) -> Option<Read> {
    let (places, unsettled) = entry.unsettled()?;
    let read =
        |place: &super::ledger::Place<File>| read_up_to(&place.segment.file, u64::from(place.offset), place.bytes).ok();
    let records: Vec<Vec<u8>> = places.iter().map(read).collect::<Option<_>>()?;
    let (accepted, listings) = join(&places, &records)?;
    let kept = accepted.event;
    let event = Event {
        account: account.clone(),
        event_type: EventType::new(kept.event_type).ok()?,
        id: kept.id.into(),
        id_given: kept.id_given,
        hops: kept.hops,
        source: kept.source.into(),
        time: kept.time.into(),
        data: Document::read(Source::from(kept.data)).ok()?,
    };
    let mut firings = Vec::new();
    for listing in listings.into_iter().filter(|listing| unsettled.has(listing.index)) {
        let (entry, index): Firing<File> = (Arc::clone(entry), listing.index);
        firings.push((TriggerId::new(listing.trigger).ok()?, listing.destination, Kept::new(entry, index)));
    }
    Some(Read { event, accepted_ms: kept.accepted_ms, firings })
}

/// The firings of one event, with the current triggers and templates.
#[derive(Debug)]
struct Recovering {
    account: AccountId,
    event: Arc<EventData>,
    firings: std::vec::IntoIter<(TriggerId, u64, Kept)>,
    reserved: Reserved,
    feed: Feed,
}

impl Firings for Recovering {
    fn step(&mut self) -> Step {
        if self.firings.len() == 0 {
            return Step::Done;
        }
        let Some(charge) = self.reserved.take_one() else { return Step::Blocked };
        let Some((trigger, fingerprint, kept)) = self.firings.next() else { return Step::Done };
        let index = self.feed.live.index();
        let found = index.trigger(&self.account, &trigger).filter(|found| found.enabled);
        let sends_there = |found: &&Arc<crate::live::LiveTrigger>| {
            found.target.as_ref().is_ok_and(|target| target.target.destination.fingerprint() == fingerprint)
        };
        let Some(live) = found.filter(sends_there) else {
            let firing = FiringId { event: Arc::clone(&self.event.identity), trigger };
            drop_unsent(&self.feed.metrics, Dropped::TriggerChanged, Some(&firing), None, None);
            return Step::Worked;
        };
        Step::Fired(Fired {
            event: Arc::clone(&self.event),
            trigger,
            target: live.target.clone(),
            template: index.template(&self.account, &live.template),
            charge: Some(charge),
            kept: Some(kept),
            report: None,
        })
    }
}
