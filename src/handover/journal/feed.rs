//! Hands the deliveries that were found at a start to the renderer, like newly matched ones: charged to their accounts,
//! admitted by the gate, and paced by both. Accounts are fed side by side, each in the order in which its events were
//! accepted. The node is ready once each account has received all of its deliveries, or as many as it may hold at a
//! time: a destination that is down must not keep the node from becoming ready for others.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
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
use crate::flow::refusal::{Full, Refusal};
use crate::flow::response::Receipt;
use crate::json::{Document, Source};
use crate::live::Live;
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventType};
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// The pause before the next try if an account has no room.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Entries of an account that are read before other tasks of the thread run.
const TURN: usize = 32;
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
    done: Cell<usize>,
    all: usize,
    said: Cell<Instant>,
    progress: Option<FeedProgress>,
}

/// Held for each account until it has received all of its deliveries or has no room. The last drop reports readiness.
struct Unready(Option<Box<dyn FnOnce()>>);

impl Drop for Unready {
    fn drop(&mut self) {
        if let Some(ready) = self.0.take() {
            ready();
        }
    }
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

    /// Hands all of them on. Calls `ready` once the remaining ones only wait for room of their own account. Ends early if
    /// the node stops: the rest stays in the journal.
    pub async fn feed(self, feed: Feed, progress: Option<FeedProgress>, ready: Box<dyn FnOnce()>) {
        let all = self.len();
        let (done, said) = (Cell::new(0), Cell::new(Instant::now()));
        let feeding = Feeding { feed, age_max: self.age_max, done, all, said, progress };
        let unready = Rc::new(Unready(Some(ready)));
        let mut accounts: BTreeMap<Arc<str>, Vec<Arc<Entry<File>>>> = BTreeMap::new();
        for found in self.found {
            accounts.entry(found.account).or_default().push(found.entry);
        }
        let account = |(name, entries)| feeding.account(name, entries, Rc::clone(&unready));
        let accounts: Vec<_> = accounts.into_iter().map(account).collect();
        drop(unready);
        join_all(accounts).await;
        feeding.say(true);
    }
}

impl Feeding {
    async fn account(&self, name: Arc<str>, entries: Vec<Arc<Entry<File>>>, unready: Rc<Unready>) {
        let Ok(id) = AccountId::new(&name) else {
            entries.iter().for_each(|entry| self.unreadable(entry));
            return;
        };
        let (account, mut unready) = (self.feed.gate.account(&id), Some(unready));
        for (number, entry) in entries.into_iter().enumerate() {
            let left = entry.left();
            if self.entry(&id, &account, &entry, &mut unready).await.is_none() {
                return;
            }
            self.done.set(self.done.get() + left);
            self.say(false);
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Hands the firings of one event on; `None` if the node stops.
    async fn entry(
        &self,
        id: &AccountId,
        account: &Arc<Account>,
        entry: &Arc<Entry<File>>,
        unready: &mut Option<Rc<Unready>>,
    ) -> Option<()> {
        let Some(read) = read(entry, id) else {
            self.unreadable(entry);
            return Some(());
        };
        let (admission, reserved) = loop {
            // Checked again after each wait. The entries behind it are younger.
            if read.age() > self.age_max {
                self.expire(read);
                return Some(());
            }
            match self.room(account, read.firings.len()) {
                Ok(room) => break room,
                Err(Refusal::Stopping) => return None,
                Err(_) => *unready = None,
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        };
        let accepted_at = Instant::now().checked_sub(read.age()).unwrap_or_else(Instant::now);
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

    fn expire(&self, read: Read) {
        let event = EventData::of(read.event);
        for (trigger, _, kept) in read.firings {
            drop(kept);
            let firing = FiringId { event: Arc::clone(&event.identity), trigger };
            drop_unsent(&self.feed.metrics, Dropped::Expired, Some(&firing), None, None);
        }
    }

    /// Admits an event with this number of firings if its account may hold them now.
    fn room(&self, account: &Arc<Account>, firings: usize) -> Result<(Admission, Reserved), Refusal> {
        // No one waits for the response; the admission only paces.
        let (reply, _) = oneshot::channel();
        let receipt = Receipt { accepted: 1, rejected: Vec::new(), rejected_more: Default::default() };
        let admitted = self.feed.gate.admit_again(&[(Arc::clone(account), 1)], Ok(receipt), reply);
        let admission = Arc::new(admitted.map_err(|(refusal, _)| refusal)?);
        let mut measured = account.measure();
        let reserved = if measured.add(firings) { Some(measured.accept()) } else { measured.pace() };
        Ok((admission, reserved.ok_or(Refusal::Full(Full::Deliveries(1)))?))
    }

    fn unreadable(&self, entry: &Arc<Entry<File>>) {
        let dropped = entry.cancel();
        tracing::error!(deliveries = dropped, "an entry of the journal can't be read; its deliveries are dropped");
        self.feed.metrics.deliveries.dropped.inc_by(Dropped::JournalDamaged, dropped);
    }

    fn say(&self, is_over: bool) {
        let (done, all) = (self.done.get(), self.all);
        self.feed.metrics.journal.recovering.set(i64::try_from(all - done).unwrap_or(i64::MAX));
        if let Some(progress) = &self.progress {
            progress(if is_over { all } else { done }, all);
        }
        if is_over || self.said.get().elapsed() >= SAID_EVERY {
            self.said.set(Instant::now());
            tracing::info!(done, of = all, "deliveries of the journal were handed on");
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

impl Read {
    /// How long ago it was accepted.
    fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.accepted_ms))
    }
}

fn read(entry: &Arc<Entry<File>>, account: &AccountId) -> Option<Read> {
    let (places, unsettled) = entry.unsettled()?;
    let read = |place: &super::ledger::RecordPosition<File>| {
        read_up_to(&place.segment.file, u64::from(place.offset), place.bytes).ok()
    };
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
        attributes: Attributes::from_text(kept.attributes)?,
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
