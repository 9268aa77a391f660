//! The Dispatchers of one thread: their queues, their addresses and their generations. It owns the only address of each,
//! and hands deliveries to the queues itself. So a Dispatcher whose queue is idle can stop without a loss.

mod arrivals;
mod cursor;
mod survey;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec;

use actix::{Actor, ActorFutureExt as _, Addr, ArbiterHandle, AsyncContext as _, Context, Handler};
use foldhash::HashMap;

use self::arrivals::Arrivals;
use self::cursor::PartCursor;
use super::bounds::DestinationBounds;
use super::connections::DestinationConnections;
use super::outbound::{Outbound, Outlets, ResolverError, system_resolver};
use super::overflow::{Overflow, account_of};
use super::queue::Queue;
use super::{Dispatcher, IdleReport, ReleaseDeliveries};
use crate::config::Dispatch;
use crate::flow::account::ACCOUNT_WEIGHT;
use crate::flow::fairness::{Pool, within};
use crate::flow::gate::Gate;
use crate::flow::in_flight::InFlight;
use crate::flow::journal::{AttemptJournal, EventJournal};
use crate::flow::messages::{DeliveriesParked, DeliveriesRendered};
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::telemetry::metrics::{Metrics, ThreadDeliveries};

/// Destinations of one thread that may wait for a Dispatcher. What waits for them is bounded by the bytes of its account.
const OVERFLOW_MAX: usize = 65_536;

/// The most deliveries that are passed on as one unit of work.
const UNIT_MAX: usize = 64;

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
    /// The capacity of the mailbox of a thread's Dispatchers.
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
    since: Instant,
    /// It gives way to destinations that wait.
    leaves: bool,
}

impl DispatcherChild {
    /// How long it has had nothing to do; `None` while it has.
    fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.queue.idle_for(now).filter(|_| !self.leaves)
    }

    fn has_left(&self) -> bool {
        self.leaves && self.queue.has_left()
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

    /// Passes on all of these deliveries, which are few.
    fn route_all(&mut self, deliveries: Vec<InFlight>, context: &mut Context<Self>) {
        let mut deliveries = deliveries.into_iter();
        while !deliveries.as_slice().is_empty() {
            self.route(&mut deliveries, context);
        }
    }

    /// Passes on the first of these deliveries, and those behind it that have the same destination: a unit of them at most.
    fn route(&mut self, deliveries: &mut vec::IntoIter<InFlight>, context: &mut Context<Self>) {
        let Some(first) = deliveries.as_slice().first() else { return };
        let destination = &first.delivery.target.destination;
        let alike = deliveries.as_slice().iter().take(UNIT_MAX);
        let alike = alike.take_while(|next| next.delivery.target.destination == *destination).count();
        let child = self.child(destination, &first.account.id, context);
        let Some(queue) = child.map(|child| Rc::clone(&child.queue)) else {
            return self.wait(deliveries.take(alike), context);
        };
        // A panic over one delivery must end neither the others nor other destinations.
        if catch_unwind(AssertUnwindSafe(|| queue.take(deliveries.take(alike)))).is_err() {
            let destination = queue.destination();
            tracing::error!(%destination, "a Dispatcher ended in a panic; a new one replaces it");
            self.end(destination);
        }
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
        let dispatcher = Dispatcher {
            destination: destination.clone(),
            generation: self.generations,
            queue: Rc::clone(&queue),
            idle_after: self.settings.config.idle_destination,
            parent: context.address().recipient(),
        };
        let address = dispatcher.start();
        let (account, since) = (account.clone(), Instant::now());
        DispatcherChild { address, queue, account, generation: self.generations, since, leaves: false }
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
            child.queue.report_parked(lane.account, &claims);
        }
        self.check_later(context);
    }
}

impl Handler<ReleaseDeliveries> for Dispatchers {
    type Result = ();

    fn handle(&mut self, _: ReleaseDeliveries, _: &mut Self::Context) {
        self.children.values().for_each(|child| child.queue.let_go());
    }
}

impl Handler<IdleReport> for Dispatchers {
    type Result = ();

    fn handle(&mut self, message: IdleReport, _: &mut Self::Context) {
        // Since the report it may have got something to do.
        let (now, idle_after) = (Instant::now(), self.settings.config.idle_destination);
        let is_idle = |child: &DispatcherChild| child.queue.idle_for(now).is_some_and(|idle| idle >= idle_after);
        let child = self.children.get(&message.destination);
        if child.is_some_and(|child| child.generation == message.generation && is_idle(child)) {
            self.end(&message.destination);
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
