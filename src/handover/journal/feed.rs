//! Hands the deliveries that were found at a start to the renderer, like newly matched ones: charged to their accounts,
//! admitted by the gate, and paced by both. Accounts, and the destinations of an account, are fed side by side, each in
//! the order in which its events were accepted. A destination gets no more at a time than half of its queue holds: what
//! was kept is not dropped because it comes all at once. The node is ready once each lane has been fed whole or has no
//! room: a destination that is down must not keep the node from becoming ready for others.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use smallvec::smallvec;
use tokio::sync::oneshot;

use super::body::FiringFields;
use super::folder::read_up_to;
use super::keeper::join;
use super::ledger::{LedgerEntry, RecordPosition};
use super::recovery::RecoveredEntry;
use super::threads::now_ms;
use crate::flow::account::{ACCOUNT_WEIGHT, AccountShares, RequestDeliveries};
use crate::flow::event_data::EventData;
use crate::flow::fairness::{Pool, Share, TakenUnits};
use crate::flow::gate::Gate;
use crate::flow::in_flight::drop_unsent;
use crate::flow::inbox::InboxSender;
use crate::flow::journal::JournaledFiring;
use crate::flow::messages::{Firing as Fired, FiringStep, Firings, FiringsMatched};
use crate::flow::permit::Admission;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::response::Receipt;
use crate::json::{Document, OriginalText};
use crate::live::Live;
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventIdentity, EventType};
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// The pause before the next try if a lane has no room; doubled each time up to [`AGAIN_AFTER_MAX`].
const AGAIN_AFTER: Duration = Duration::from_millis(5);
const AGAIN_AFTER_MAX: Duration = Duration::from_millis(160);
/// Entries of a lane that are read before other tasks of the thread run.
const TURN: usize = 32;
/// The interval of log lines about the progress.
const LOGGED_EVERY: Duration = Duration::from_secs(5);

/// Called with how many deliveries were handed on, and their total.
pub type FeedProgress = Box<dyn Fn(usize, usize) + Send + Sync>;

/// What a start has found.
#[derive(Debug)]
pub struct RecoveredEntries {
    pub(super) found: Vec<RecoveredEntry<File>>,
    pub(super) age_max: Duration,
}

/// What is needed to hand on recovered firings.
#[derive(Debug, Clone)]
pub struct RecoveryFeed {
    /// The current triggers and templates.
    pub live: Arc<Live>,
    /// Admits them.
    pub gate: Arc<Gate>,
    /// Counts what is dropped.
    pub metrics: Arc<Metrics>,
    /// Receives them.
    pub renderer: InboxSender<FiringsMatched>,
    /// Deliveries that a destination's queue holds.
    pub queue_max: usize,
    /// Bytes of their bodies.
    pub queue_bytes_max: usize,
}

struct FeedTask {
    feed: RecoveryFeed,
    age_max: Duration,
    done: Cell<usize>,
    all: usize,
    reported_at: Cell<Instant>,
    progress: Option<FeedProgress>,
}

/// Held for each lane until it has been fed whole or has no room. The last drop reports readiness.
struct ReadinessGuard(Option<Box<dyn FnOnce()>>);

impl Drop for ReadinessGuard {
    fn drop(&mut self) {
        if let Some(ready) = self.0.take() {
            ready();
        }
    }
}

impl RecoveredEntries {
    /// How many firings there are.
    pub fn len(&self) -> usize {
        self.found.iter().map(|found| found.entry.left()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Hands all of them on. Calls `ready` once the remaining ones only wait for room of their own account or
    /// destination. Ends early if the node stops: the rest stays in the journal.
    pub async fn feed(self, feed: RecoveryFeed, progress: Option<FeedProgress>, ready: Box<dyn FnOnce()>) {
        let all = self.len();
        let (done, reported_at) = (Cell::new(0), Cell::new(Instant::now()));
        let feeding = FeedTask { feed, age_max: self.age_max, done, all, reported_at, progress };
        let unready = Rc::new(ReadinessGuard(Some(ready)));
        let lanes = feeding.lanes(self.found, &unready).await;
        drop(unready);
        join_all(lanes.into_iter().map(|lane| feeding.lane(lane))).await;
        feeding.report_progress(true);
    }
}

/// The entries of one account with deliveries for one destination.
struct FeedLane {
    id: AccountId,
    account: Arc<AccountShares>,
    /// The destination's fingerprint.
    destination: u64,
    /// What the account may hold of the destination at a time.
    share: Share,
    entries: Vec<Arc<LedgerEntry<File>>>,
    unready: Option<Rc<ReadinessGuard>>,
}

impl FeedTask {
    async fn lanes(&self, found: Vec<RecoveredEntry<File>>, unready: &Rc<ReadinessGuard>) -> Vec<FeedLane> {
        let mut lanes: BTreeMap<(Arc<str>, u64), FeedLane> = BTreeMap::new();
        let mut destinations: HashMap<u64, Pool<AccountId>> = HashMap::new();
        for (number, RecoveredEntry { entry, account, .. }) in found.into_iter().enumerate() {
            let (Ok(id), Some(own)) = (AccountId::new(&account), destinations_of(&entry)) else {
                self.unreadable(&entry);
                continue;
            };
            for destination in own {
                let lane = lanes.entry((Arc::clone(&account), destination)).or_insert_with(|| {
                    let pool = || Pool::new((self.feed.queue_max / 2).max(1), ACCOUNT_WEIGHT);
                    let share = destinations.entry(destination).or_insert_with(pool).share(&id);
                    let (id, account) = (id.clone(), self.feed.gate.account(&id));
                    FeedLane { id, account, destination, share, entries: Vec::new(), unready: Some(Rc::clone(unready)) }
                });
                lane.entries.push(Arc::clone(&entry));
            }
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        lanes.into_values().collect()
    }

    async fn lane(&self, mut lane: FeedLane) {
        for (number, entry) in std::mem::take(&mut lane.entries).into_iter().enumerate() {
            if self.entry(&mut lane, &entry).await.is_none() {
                return;
            }
            self.report_progress(false);
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Hands on the firings of one event for the lane's destination; `None` if the node stops.
    async fn entry(&self, lane: &mut FeedLane, entry: &Arc<LedgerEntry<File>>) -> Option<()> {
        let Some(read) = read(entry, lane) else {
            self.unreadable(entry);
            return Some(());
        };
        let (firings, mut again_after) = (read.firings.len(), AGAIN_AFTER);
        let (admission, deliveries, mut held) = loop {
            // Checked again after each wait. The entries behind it are younger.
            if read.age() > self.age_max {
                self.expire(read, entry);
                self.count(firings);
                return Some(());
            }
            match self.room(lane, &read) {
                Ok(room) => break room,
                Err(Refusal::Stopping) => return None,
                Err(_) => lane.unready = None,
            }
            tokio::time::sleep(again_after).await;
            again_after = (again_after * 2).min(AGAIN_AFTER_MAX);
        };
        self.count(firings);
        let units = held.units() / firings.max(1);
        let kept = |(trigger, index): (TriggerId, u32)| {
            (trigger, JournaledFiring::new(Arc::clone(entry) as _, index).holding(held.split(units)))
        };
        let accepted_at = Instant::now().checked_sub(read.age()).unwrap_or_else(Instant::now);
        let firings = RecoveredFirings {
            destination: lane.destination,
            firings: read.firings.into_iter().map(kept).collect::<Vec<_>>().into_iter(),
            event: Arc::new(EventData::of(read.event)),
            deliveries,
            feed: self.feed.clone(),
        };
        let message = FiringsMatched { firings: Box::new(firings), accepted_at, admission: Some(admission) };
        // The renderer has only ended if the node stops.
        self.feed.renderer.send(message).ok()
    }

    /// Counts firings that are handed on or dropped.
    fn count(&self, firings: usize) {
        self.done.set(self.done.get() + firings);
    }

    fn expire(&self, read: RecoveredEvent, entry: &Arc<LedgerEntry<File>>) {
        let event = EventData::of(read.event);
        for (trigger, index) in read.firings {
            drop(JournaledFiring::new(Arc::clone(entry) as _, index));
            let firing = FiringId { event: event.identity().clone(), trigger };
            drop_unsent(&self.feed.metrics, DropReason::Expired, Some(&firing), None, None);
        }
    }

    /// Admits the event and its firings if its account may hold them now, and its destination too.
    fn room(
        &self,
        lane: &FeedLane,
        read: &RecoveredEvent,
    ) -> Result<(Admission, RequestDeliveries, TakenUnits), Refusal> {
        let full = || Refusal::Full(ReachedBound::Deliveries(1));
        let firings = read.firings.len();
        // A delivery counts for more if its event is larger than what a full queue has for each.
        let bytes_each = (self.feed.queue_bytes_max / self.feed.queue_max.max(1)).max(1);
        let units = firings * (1 + read.bytes / bytes_each);
        let alone = || (lane.share.taken() == 0).then(|| lane.share.take_over(units));
        let held = lane.share.take(units).or_else(alone).ok_or_else(full)?;
        // No one waits for the response; the admission only paces.
        let (reply, _) = oneshot::channel();
        let receipt = Receipt { accepted: 1, rejected: Vec::new(), rejected_more: Default::default() };
        let admitted = self.feed.gate.admit_again(smallvec![(Arc::clone(&lane.account), 1)], Ok(receipt), reply);
        let admission = Arc::new(admitted.map_err(|(refusal, _)| refusal)?);
        let mut deliveries = lane.account.measure();
        if deliveries.add(firings) {
            deliveries.accept();
        } else if !deliveries.pace() {
            return Err(full());
        }
        Ok((admission, deliveries, held))
    }

    fn unreadable(&self, entry: &Arc<LedgerEntry<File>>) {
        let dropped = entry.cancel();
        tracing::error!(deliveries = dropped, "an entry of the journal can't be read; its deliveries are dropped");
        self.feed.metrics.deliveries.dropped.inc_by(DropReason::JournalDamaged, dropped);
    }

    fn report_progress(&self, is_over: bool) {
        let (done, all) = (self.done.get(), self.all);
        self.feed.metrics.journal.recovering.set(i64::try_from(all - done).unwrap_or(i64::MAX));
        if let Some(progress) = &self.progress {
            progress(if is_over { all } else { done }, all);
        }
        if is_over || self.reported_at.get().elapsed() >= LOGGED_EVERY {
            self.reported_at.set(Instant::now());
            tracing::info!(done, of = all, "deliveries of the journal were handed on");
        }
    }
}

/// An entry that was read back.
struct RecoveredEvent {
    event: Event,
    accepted_ms: u64,
    /// Bytes of its data.
    bytes: usize,
    /// The triggers, and the index of each firing.
    firings: Vec<(TriggerId, u32)>,
}

impl RecoveredEvent {
    /// How long ago it was accepted.
    fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.accepted_ms))
    }
}

/// The records of an entry with unsettled firings.
fn records(places: &[RecordPosition<File>]) -> Option<Vec<Vec<u8>>> {
    let read =
        |place: &RecordPosition<File>| read_up_to(&place.segment.file, u64::from(place.offset), place.bytes).ok();
    places.iter().map(read).collect()
}

/// The fingerprints of the destinations of an entry's unsettled firings.
fn destinations_of(entry: &LedgerEntry<File>) -> Option<BTreeSet<u64>> {
    let (places, unsettled) = entry.unsettled()?;
    let records = records(&places)?;
    let (_, listings) = join(entry.id, &places, &records)?;
    let listings = listings.into_iter().filter(|listing| unsettled.has(listing.index));
    Some(listings.map(|listing| listing.destination).collect())
}

fn read(entry: &LedgerEntry<File>, lane: &FeedLane) -> Option<RecoveredEvent> {
    let (places, unsettled) = entry.unsettled()?;
    let records = records(&places)?;
    let (accepted, listings) = join(entry.id, &places, &records)?;
    let kept = accepted.event;
    let event = Event {
        identity: EventIdentity::new(&lane.id, &EventType::new(kept.event_type).ok()?, kept.source, kept.id),
        id_given: kept.id_given,
        hops: kept.hops,
        time: kept.time.into(),
        attributes: Attributes::from_text(kept.attributes)?,
        data: Document::read(OriginalText::from(kept.data)).ok()?,
    };
    let is_own = |listing: &FiringFields<'_>| listing.destination == lane.destination && unsettled.has(listing.index);
    let firing = |listing: FiringFields<'_>| Some((TriggerId::new(listing.trigger).ok()?, listing.index));
    let firings = listings.into_iter().filter(is_own).map(firing).collect::<Option<_>>()?;
    Some(RecoveredEvent { event, accepted_ms: kept.accepted_ms, bytes: kept.data.len(), firings })
}

/// The firings of one event, with the current triggers and templates.
#[derive(Debug)]
struct RecoveredFirings {
    event: Arc<EventData>,
    /// The fingerprint of the destination that their triggers had.
    destination: u64,
    firings: std::vec::IntoIter<(TriggerId, JournaledFiring)>,
    deliveries: RequestDeliveries,
    feed: RecoveryFeed,
}

impl Firings for RecoveredFirings {
    fn account(&self) -> &Arc<AccountShares> {
        self.deliveries.account()
    }

    fn is_done(&self) -> bool {
        self.firings.len() == 0
    }

    fn step(&mut self) -> FiringStep {
        if self.firings.len() == 0 {
            return FiringStep::Done;
        }
        let Some(charge) = self.deliveries.take_one() else { return FiringStep::Blocked };
        let Some((trigger, journaled)) = self.firings.next() else { return FiringStep::Done };
        let index = self.feed.live.index();
        let account = &self.deliveries.account().id;
        let found = index.trigger(account, &trigger).filter(|found| found.enabled);
        let live = found.ok_or(DropReason::TriggerChanged).and_then(|live| match &live.target {
            Ok(target) if target.target.destination.fingerprint() == self.destination => Ok(live),
            Ok(_) => Err(DropReason::TriggerChanged),
            // The settings may allow less than before.
            Err(reason) => Err(*reason),
        });
        let live = match live {
            Ok(live) => live,
            Err(reason) => {
                let firing = FiringId { event: self.event.identity().clone(), trigger };
                drop_unsent(&self.feed.metrics, reason, Some(&firing), None, None);
                return FiringStep::Worked;
            }
        };
        FiringStep::Fired(Fired {
            event: Arc::clone(&self.event),
            trigger,
            target: live.target.clone(),
            template: index.template(account, &live.template),
            charge: Some(charge),
            journaled: Some(journaled),
            report: None,
        })
    }
}
