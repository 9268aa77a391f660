//! Hands the deliveries that were found at a start to the renderer, like newly matched ones: charged to their accounts,
//! admitted by the gate, and paced by both. Accounts, and the destinations of an account, are fed side by side, each in
//! the order in which its events were accepted. A destination gets no more at a time than half of its queue holds: what
//! was kept is not dropped because it comes all at once. An event is read once for all lanes that have room at about the
//! same time, and accounts share the bytes of those that are read and not rendered yet. The node is ready once each lane
//! has been fed whole or has no room: a destination that is down must not keep the node from becoming ready for others.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use smallvec::smallvec;
use tokio::sync::oneshot;

use super::ledger::LedgerEntry;
use super::recovered::{RecoveredEvent, RecoveredFirings, destinations_of, read};
use super::recovery::RecoveredEntry;
use super::threads::now_ms;
use crate::flow::account::{ACCOUNT_WEIGHT, AccountShares, RequestDeliveries};
use crate::flow::fairness::{Pool, Share, TakenUnits};
use crate::flow::gate::Gate;
use crate::flow::in_flight::drop_unsent;
use crate::flow::inbox::InboxSender;
use crate::flow::journal::JournaledFiring;
use crate::flow::messages::FiringsMatched;
use crate::flow::permit::Admission;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::response::Receipt;
use crate::flow::sweep::Sweep;
use crate::live::Live;
use crate::model::firing::FiringId;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// The pause before the next try if a lane has no room; doubled each time up to [`AGAIN_AFTER_MAX`].
const AGAIN_AFTER: Duration = Duration::from_millis(5);
const AGAIN_AFTER_MAX: Duration = Duration::from_millis(160);
/// Entries of a lane, and bytes of records, that are read before other tasks of the thread run.
const TURN: usize = 32;
const TURN_BYTES: usize = 256 << 10;
/// Bytes of the records that are read and whose deliveries are not rendered yet.
const READ_BYTES_MAX: usize = 64 << 20;
/// At this number of known events, those that no lane needs any more are forgotten.
const EVENTS_SWEPT_AT: usize = 1_024;
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
    /// The events that some lane's deliveries need, by the ids of their entries.
    events: RefCell<ReadEvents>,
    /// Their bytes.
    bytes: Pool<AccountId>,
    /// Bytes that were read in this turn.
    turn: Cell<usize>,
}

/// Events that are read, and some that no lane needs any more.
#[derive(Default)]
struct ReadEvents {
    known: HashMap<u64, Weak<RecoveredEvent>>,
    sweep: Sweep<EVENTS_SWEPT_AT>,
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
        let feeding = FeedTask {
            feed,
            age_max: self.age_max,
            done,
            all,
            reported_at,
            progress,
            events: RefCell::default(),
            bytes: Pool::new(READ_BYTES_MAX, ACCOUNT_WEIGHT),
            turn: Cell::new(0),
        };
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
    /// What it may hold of events that are read.
    bytes: Share,
    entries: Vec<LaneEntry>,
    unready: Option<Rc<ReadinessGuard>>,
}

/// An entry with unsettled firings.
struct FoundEntry {
    entry: Arc<LedgerEntry<File>>,
    accepted_ms: u64,
    /// Bytes of the event's data.
    bytes: usize,
}

/// An entry in a lane, and how many of its firings are for the lane's destination.
struct LaneEntry {
    of: Rc<FoundEntry>,
    firings: u32,
}

impl LaneEntry {
    /// How long ago its event was accepted.
    fn age(&self) -> Duration {
        Duration::from_millis(now_ms().saturating_sub(self.of.accepted_ms))
    }
}

/// The event of an entry that has room, or the room for it.
enum EventRoom {
    Read(Arc<RecoveredEvent>),
    Taken(TakenUnits),
}

impl FeedTask {
    async fn lanes(&self, found: Vec<RecoveredEntry<File>>, unready: &Rc<ReadinessGuard>) -> Vec<FeedLane> {
        let mut lanes: BTreeMap<(Arc<str>, u64), FeedLane> = BTreeMap::new();
        let mut destinations: HashMap<u64, Pool<AccountId>> = HashMap::new();
        for (number, RecoveredEntry { entry, account, accepted_ms, .. }) in found.into_iter().enumerate() {
            let (Ok(id), Some((bytes, own))) = (AccountId::new(&account), destinations_of(&entry)) else {
                let left = entry.left();
                self.unreadable(&entry, left);
                continue;
            };
            let of = Rc::new(FoundEntry { entry, accepted_ms, bytes });
            for (destination, firings) in own {
                let lane = lanes.entry((Arc::clone(&account), destination)).or_insert_with(|| {
                    let pool = || Pool::new((self.feed.queue_max / 2).max(1), ACCOUNT_WEIGHT);
                    let share = destinations.entry(destination).or_insert_with(pool).share(&id);
                    let (id, account, bytes) = (id.clone(), self.feed.gate.account(&id), self.bytes.share(&id));
                    let (entries, unready) = (Vec::new(), Some(Rc::clone(unready)));
                    FeedLane { id, account, destination, share, bytes, entries, unready }
                });
                lane.entries.push(LaneEntry { of: Rc::clone(&of), firings });
            }
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        lanes.into_values().collect()
    }

    async fn lane(&self, mut lane: FeedLane) {
        for (number, entry) in std::mem::take(&mut lane.entries).into_iter().enumerate() {
            if self.entry(&mut lane, entry).await.is_none() {
                return;
            }
            self.report_progress(false);
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Hands on the firings of one event for the lane's destination; `None` if the node stops.
    async fn entry(&self, lane: &mut FeedLane, own: LaneEntry) -> Option<()> {
        let (entry, number, mut again_after) = (&own.of.entry, own.firings as usize, AGAIN_AFTER);
        let (event, (admission, deliveries, mut held)) = loop {
            // Checked again after each wait. The entries behind it are younger.
            if own.age() > self.age_max {
                self.expire(lane, entry, number);
                self.has_read(own.of.bytes).await;
                return Some(());
            }
            // Nothing is read before there is room for it.
            let event = self.event_room(lane, entry);
            match event.ok_or_else(full).and_then(|event| Ok((event, self.room(lane, &own)?))) {
                Ok(room) => break room,
                Err(Refusal::Stopping) => return None,
                Err(_) => lane.unready = None,
            }
            tokio::time::sleep(again_after).await;
            again_after = (again_after * 2).min(AGAIN_AFTER_MAX);
        };
        let Some(read) = self.event(event, lane, entry).await else {
            self.unreadable(entry, number);
            return Some(());
        };
        self.count(number);
        let units = held.units() / number.max(1);
        let kept = |(trigger, index): (TriggerId, u32)| {
            (trigger, JournaledFiring::new(Arc::clone(entry) as _, index).holding(held.split(units)))
        };
        let accepted_at = Instant::now().checked_sub(own.age()).unwrap_or_else(Instant::now);
        let firings = RecoveredFirings {
            destination: lane.destination,
            firings: read.firings_for(lane.destination).map(kept).collect::<Vec<_>>().into_iter(),
            event: read,
            deliveries,
            live: Arc::clone(&self.feed.live),
            metrics: Arc::clone(&self.feed.metrics),
        };
        let message = FiringsMatched { firings: Box::new(firings), accepted_at, admission: Some(admission) };
        // The renderer has only ended if the node stops.
        self.feed.renderer.send(message).ok()
    }

    /// An entry's event if another lane needs it, or room for it; `None` if its account has none.
    fn event_room(&self, lane: &FeedLane, entry: &LedgerEntry<File>) -> Option<EventRoom> {
        if let Some(read) = self.events.borrow().known.get(&entry.id).and_then(Weak::upgrade) {
            return Some(EventRoom::Read(read));
        }
        let bytes = entry.bytes();
        let alone = || (self.bytes.taken() == 0).then(|| lane.bytes.take_over(bytes));
        lane.bytes.take(bytes).or_else(alone).map(EventRoom::Taken)
    }

    /// Reads the event if no other lane has done so.
    async fn event(&self, room: EventRoom, lane: &FeedLane, entry: &LedgerEntry<File>) -> Option<Arc<RecoveredEvent>> {
        let held = match room {
            EventRoom::Read(read) => return Some(read),
            EventRoom::Taken(held) => held,
        };
        let bytes = held.units();
        let read = Arc::new(read(entry, &lane.id, Some(held))?);
        self.keep(entry.id, &read);
        self.has_read(bytes).await;
        Some(read)
    }

    /// Lets other tasks of the thread run if much was read.
    async fn has_read(&self, bytes: usize) {
        self.turn.set(self.turn.get() + bytes);
        if self.turn.get() >= TURN_BYTES {
            self.turn.set(0);
            tokio::task::yield_now().await;
        }
    }

    /// Keeps an event for the lanes that need it while another does.
    fn keep(&self, id: u64, read: &Arc<RecoveredEvent>) {
        let mut events = self.events.borrow_mut();
        let ReadEvents { known, sweep } = &mut *events;
        sweep.before_insert(known, |_, event| event.strong_count() > 0);
        known.insert(id, Arc::downgrade(read));
    }

    /// Counts firings that are handed on or dropped.
    fn count(&self, firings: usize) {
        self.done.set(self.done.get() + firings);
    }

    fn expire(&self, lane: &FeedLane, entry: &Arc<LedgerEntry<File>>, number: usize) {
        let Some(read) = read(entry, &lane.id, None) else { return self.unreadable(entry, number) };
        self.count(number);
        for (trigger, index) in read.firings_for(lane.destination) {
            drop(JournaledFiring::new(Arc::clone(entry) as _, index));
            let firing = FiringId { event: read.event.identity().clone(), trigger };
            drop_unsent(&self.feed.metrics, DropReason::Expired, Some(&firing), None, None);
        }
    }

    /// Admits the event and its firings if its account may hold them now, and its destination too.
    fn room(&self, lane: &FeedLane, own: &LaneEntry) -> Result<(Admission, RequestDeliveries, TakenUnits), Refusal> {
        let firings = own.firings as usize;
        // A delivery counts for more if its event is larger than what a full queue has for each.
        let bytes_each = (self.feed.queue_bytes_max / self.feed.queue_max.max(1)).max(1);
        let units = firings * (1 + own.of.bytes / bytes_each);
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

    /// Drops what is left of an entry. Other lanes may have seen that before.
    fn unreadable(&self, entry: &LedgerEntry<File>, number: usize) {
        self.count(number);
        let dropped = entry.cancel();
        if dropped == 0 {
            return;
        }
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

fn full() -> Refusal {
    Refusal::Full(ReachedBound::Deliveries(1))
}
