//! The Dispatchers of one thread: their addresses, their generations, and how many messages each was sent. It owns the
//! only address of each. So a Dispatcher that reports as many messages as were sent has none on its way, and can stop
//! without a loss.

mod arrivals;
mod cursor;
mod survey;
mod turns;

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt as _, Addr, ArbiterHandle, AsyncContext as _, Context, Handler};
use foldhash::HashMap;

use self::arrivals::Arrivals;
use self::cursor::PartCursor;
use super::bounds::DestinationBounds;
use super::connections::DestinationConnections;
use super::outbound::{Outbound, Outlets, ResolverError, system_resolver};
use super::overflow::{Overflow, account_of};
use super::queue::Queue;
use super::{Dispatcher, IdleReport, ParkedReport, ReleaseDeliveries, StopIdle, parked};
use crate::config::Dispatch;
use crate::flow::account::ACCOUNT_WEIGHT;
use crate::flow::fairness::{Pool, within};
use crate::flow::gate::Gate;
use crate::flow::in_flight::InFlight;
use crate::flow::journal::{AttemptJournal, EventJournal};
use crate::flow::messages::{DeliveriesParked, DeliveriesRendered, DeliveriesRouted};
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::{Metrics, ThreadDeliveries};

/// Destinations of one thread that may wait for a Dispatcher. What waits for them is bounded by the bytes of its account.
const OVERFLOW_MAX: usize = 65_536;

/// An account with fewer Dispatchers than this has few.
const FEW: usize = 4;
/// The last Dispatchers, this part of all, are for accounts that have few.
const LAST_PART: usize = 16;

/// What every dispatch thread needs.
#[derive(Debug, Clone)]
pub struct DispatchSettings {
    /// How deliveries go out.
    pub config: Arc<Dispatch>,
    /// What all outlets share.
    pub outbound: Outbound,
    /// The metrics that it counts in.
    pub metrics: Arc<Metrics>,
    /// Counts what the node holds.
    pub gate: Arc<Gate>,
    /// The connections to destinations that the process may have.
    pub connections: Arc<Pool<()>>,
    /// The capacity of a Dispatcher's mailbox.
    pub mailbox_capacity: usize,
    /// How many deliveries the node takes from streams, if it reads streams.
    pub takes_max: Option<usize>,
    /// The journal, if there is one.
    pub journal: Option<Arc<dyn EventJournal>>,
}

impl DispatchSettings {
    /// At most as many destinations as the settings allow, and few enough that a quarter of all connections is shared.
    fn destinations_max(&self) -> usize {
        self.config.destinations_max.min(self.connections.capacity() / 4 * 3).max(1)
    }
}

struct DispatcherChild {
    address: Addr<Dispatcher>,
    queue: Rc<Queue>,
    /// The account whose share of the Dispatchers it counts for: the one that needed it first.
    account: AccountId,
    generation: u64,
    sent: u64,
    /// Shared with the Dispatcher.
    received: Rc<Cell<u64>>,
    since: Instant,
    /// It gives way to destinations that wait.
    leaves: bool,
}

impl DispatcherChild {
    /// How long it has had nothing to do; `None` while it has.
    fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.queue.idle_for(now).filter(|_| self.sent == self.received.get() && !self.leaves)
    }

    fn has_left(&self) -> bool {
        self.leaves && self.sent == self.received.get() && self.queue.has_left()
    }
}

/// Routes the deliveries of one thread's destinations.
pub struct Dispatchers {
    settings: DispatchSettings,
    outlets: Outlets,
    journal: Option<Rc<dyn AttemptJournal>>,
    counts: Rc<ThreadDeliveries>,
    /// In an ordered map: a hash table that grows moves all of its entries at once, which would hold up the thread.
    children: BTreeMap<Destination, DispatcherChild>,
    /// Destinations that were asked to give way. One that stays after all may still be listed, even twice.
    leaving: VecDeque<Destination>,
    idle_cursor: PartCursor,
    turn_cursor: PartCursor,
    /// How many Dispatchers each account has.
    live: HashMap<AccountId, usize>,
    generations: u64,
    destinations_max: usize,
    overflow: Overflow,
    /// Whether a timer is set for the next check of the destinations that wait.
    check_is_set: bool,
    arrivals: Arrivals,
}

impl Dispatchers {
    /// Starts the Dispatchers of the arbiter's thread. The error says why names can't be resolved.
    pub fn start_on(thread: &ArbiterHandle, settings: DispatchSettings) -> Result<Addr<Self>, ResolverError> {
        let resolver = system_resolver()?;
        Ok(Self::start_in_arbiter(thread, move |_| {
            // Each thread has its share of the destinations.
            let destinations_max = settings.destinations_max().div_ceil(settings.config.threads);
            let journal = settings.journal.as_ref().map(|journal| journal.attempt_journal());
            let counts = Rc::new(settings.metrics.deliveries.of_thread());
            let outlets = settings.outbound.on_thread(Rc::new(resolver));
            let overflow = Overflow::new(OVERFLOW_MAX, settings.config.queue_per_destination);
            Self {
                settings,
                outlets,
                journal,
                counts,
                children: BTreeMap::new(),
                leaving: VecDeque::new(),
                idle_cursor: PartCursor::default(),
                turn_cursor: PartCursor::default(),
                live: HashMap::default(),
                generations: 0,
                destinations_max,
                overflow,
                check_is_set: false,
                arrivals: Arrivals::new(),
            }
        }))
    }

    /// Continues with some work when all other ready tasks of the thread have run.
    fn in_next_round(context: &mut Context<Self>, work: impl FnOnce(&mut Self, &mut Context<Self>) + 'static) {
        let others = actix::fut::wrap_future::<_, Self>(tokio::task::yield_now());
        context.spawn(others.map(|(), own, context| work(own, context)));
    }

    /// Passes on deliveries of one destination.
    fn route(&mut self, deliveries: Vec<InFlight>, context: &mut Context<Self>) {
        let mut message = DeliveriesRouted(deliveries);
        // A second try, for a Dispatcher that ended in a panic: a new one replaces it.
        for _ in 0..2 {
            let Some(first) = message.0.first() else { return };
            let Some(child) = self.child(&first.delivery.target.destination, &first.account.id, context) else {
                return self.wait(message, context);
            };
            child.sent += 1;
            match child.address.try_send(message) {
                Ok(()) => return,
                Err(actix::dev::SendError::Full(refused)) => {
                    child.sent -= 1;
                    return self.turn_away(DropReason::QueueFull, refused);
                }
                Err(actix::dev::SendError::Closed(refused)) => {
                    message = refused;
                    let Some(first) = message.0.first() else { return };
                    let destination = &first.delivery.target.destination;
                    tracing::error!(%destination, "a Dispatcher ended in a panic; a new one replaces it");
                    self.remove(destination);
                }
            }
        }
        self.turn_away(DropReason::Panic, message);
    }

    /// The Dispatcher of a destination, started for an account; `None` if the destination has to wait for one.
    fn child(
        &mut self,
        destination: &Destination,
        account: &AccountId,
        context: &mut Context<Self>,
    ) -> Option<&mut DispatcherChild> {
        if !self.children.contains_key(destination) {
            // The account's destinations that wait already come first.
            if self.overflow.waits(account) || !self.has_room() || !self.may_have_more(account) {
                return None;
            }
            self.insert(destination, account, context);
        }
        self.children.get_mut(destination).filter(|child| !child.leaves)
    }

    /// Whether an account may have one more Dispatcher, and a connection for it.
    fn may_have_more(&self, account: &AccountId) -> bool {
        let own = self.live.get(account).copied().unwrap_or_default();
        has_share(&self.settings.connections, self.destinations_max, self.children.len(), own)
    }

    fn insert(&mut self, destination: &Destination, account: &AccountId, context: &Context<Self>) {
        let child = self.start(destination, account, context);
        *self.live.entry(account.clone()).or_default() += 1;
        self.children.insert(destination.clone(), child);
        self.settings.metrics.deliveries.destinations.inc();
    }

    fn start(&mut self, destination: &Destination, account: &AccountId, context: &Context<Self>) -> DispatcherChild {
        self.generations += 1;
        let outlet = self.outlets.outlet(destination, account);
        let own = &self.settings.config;
        let connections =
            DestinationConnections::new(&self.settings.connections, own.connections_per_destination, own.keep_alive);
        let bounds = DestinationBounds::new(&self.settings.config, self.settings.takes_max);
        let metrics = (Arc::clone(&self.settings.metrics), Rc::clone(&self.counts));
        let gate = Arc::clone(&self.settings.gate);
        let queue = Queue::new(destination.clone(), bounds, (outlet, connections), metrics, gate, self.journal.clone());
        let received: Rc<Cell<u64>> = Rc::default();
        let dispatcher = Dispatcher {
            destination: destination.clone(),
            generation: self.generations,
            received: Rc::clone(&received),
            queue: Rc::clone(&queue),
            idle_after: self.settings.config.idle_destination,
            parent: context.address().recipient(),
        };
        let address = dispatcher.start_with(self.settings.mailbox_capacity);
        let (account, since) = (account.clone(), Instant::now());
        DispatcherChild {
            address,
            queue,
            account,
            generation: self.generations,
            sent: 0,
            received,
            since,
            leaves: false,
        }
    }

    fn remove(&mut self, destination: &Destination) -> Option<DispatcherChild> {
        let child = self.children.remove(destination)?;
        if let Some(own) = self.live.get_mut(&child.account) {
            *own -= 1;
            if *own == 0 {
                self.live.remove(&child.account);
            }
        }
        self.settings.metrics.deliveries.destinations.dec();
        Some(child)
    }

    /// Ends deliveries that have no Dispatcher. Those from a stream are parked: another node has a Dispatcher, or this
    /// one will.
    fn turn_away(&self, reason: DropReason, message: DeliveriesRouted) {
        for queued in message.0 {
            parked::turn_away(&self.settings.metrics, reason, queued);
        }
    }
}

/// Whether an account that has `own` of `live` Dispatchers, of which there may be `live_max`, may have one more, and a
/// connection for it. It leaves some of both to other accounts, and the last Dispatchers to those that have few: accounts
/// that come one after the other could each take most of what is left, and attempts may hold it for long.
fn has_share(connections: &Pool<()>, live_max: usize, live: usize, own: usize) -> bool {
    (own < FEW || live < live_max - live_max / LAST_PART)
        && within(live_max, live, own, ACCOUNT_WEIGHT)
        && within(connections.capacity(), connections.taken(), own, ACCOUNT_WEIGHT)
}

impl Actor for Dispatchers {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.settings.mailbox_capacity);
    }
}

impl Handler<DeliveriesRendered> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: DeliveriesRendered, context: &mut Self::Context) {
        self.arrive(message.0, context);
    }
}

impl Handler<DeliveriesParked> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: DeliveriesParked, context: &mut Self::Context) {
        for (lane, claims) in message.0 {
            let Some(child) = self.child(&lane.destination, &account_of(&lane), context) else {
                self.overflow.park(Instant::now(), lane, &claims);
                continue;
            };
            // If its mailbox is full, the message is sent again.
            if child.address.try_send(ParkedReport(lane.account, claims)).is_ok() {
                child.sent += 1;
            }
        }
        self.check_later(context);
    }
}

impl Handler<ReleaseDeliveries> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: ReleaseDeliveries, _: &mut Self::Context) {
        for child in self.children.values() {
            child.address.do_send(message);
        }
    }
}

impl Handler<IdleReport> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: IdleReport, _: &mut Self::Context) {
        let child = self.children.get(&message.destination);
        let may_stop =
            child.is_some_and(|child| child.generation == message.generation && child.sent == message.received);
        if may_stop && let Some(child) = self.remove(&message.destination) {
            child.address.do_send(StopIdle);
        }
    }
}

/// Asks for the address of a destination's Dispatcher, so that a test can end it without its parent's knowledge, as a
/// panic would.
#[cfg(test)]
#[derive(Debug, actix::Message)]
#[rtype(result = "()")]
pub(super) struct ChildQuery(pub(super) Destination, pub(super) tokio::sync::oneshot::Sender<Addr<Dispatcher>>);

#[cfg(test)]
impl Handler<ChildQuery> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: ChildQuery, _: &mut Self::Context) {
        if let Some(child) = self.children.get(&message.0) {
            let _ = message.1.send(child.address.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_come_one_after_another_leave_some_to_the_next() {
        for live_max in [800, 6_924, 100_000] {
            let connections = Pool::new(live_max / 3 * 4, ACCOUNT_WEIGHT);
            let (mut live, mut held) = (0, Vec::new());
            for _ in 0..12 {
                let mut own = 0;
                while has_share(&connections, live_max, live, own) {
                    (own, live) = (own + 1, live + 1);
                }
                held.push(own);
            }
            assert!(held[0] * 10 / 9 < live_max && held[0] * 9 / 7 > live_max, "a lone account has most: {held:?}");
            assert!(held.iter().all(|own| *own >= FEW), "{held:?}");
        }
    }
}
