//! The line of deliveries before one destination, and those who send from it. The one permit that
//! decides what becomes of a delivery that can't be sent or failed: it is dropped and counted.

use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::attempt::attempt;
use super::begin::may_begin;
use super::bounds::Bounds;
use super::connections::Connections;
use super::outbound::Outlet;
use super::pace::Pace;
use super::parked::{self, Fetch, Parked};
use super::tally::Tally;
use super::waiting::{Attempt, Waiting};
use crate::flow::destination_state::{DestinationState, Trouble};
use crate::flow::drill;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{InFlight, Report, StreamClaims};
use crate::flow::keep::Begin;
use crate::model::destination::Destination;
use crate::model::outcome::{Dropped, Outcome};
use crate::telemetry::metrics::Metrics;

/// What waits for too long is dropped so much later at most.
const EXPIRED_WITHIN: Duration = Duration::from_secs(1);

/// One destination's deliveries.
pub(super) struct Queue {
    destination: Destination,
    bounds: Bounds,
    outlet: Outlet,
    connections: Connections,
    metrics: Arc<Metrics>,
    gate: Arc<Gate>,
    begin: Option<Rc<dyn Begin>>,
    parked: Parked,
    tally: Tally,
    waiting: RefCell<Waiting>,
    pace: Pace,
    /// Tasks that send; each has one attempt under way.
    workers: Cell<usize>,
    /// See [`Queue::watch`].
    stalled: Cell<bool>,
    watched: Cell<bool>,
    /// See [`Queue::start_expiring`].
    expiring: Cell<bool>,
    /// Attempts that ended.
    ended: Cell<u64>,
    last_active: Cell<Instant>,
}

impl Queue {
    pub(super) fn new(
        destination: Destination,
        bounds: Bounds,
        (outlet, connections): (Outlet, Connections),
        metrics: Arc<Metrics>,
        gate: Arc<Gate>,
        begin: Option<Rc<dyn Begin>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            destination,
            bounds,
            outlet,
            connections,
            metrics,
            gate,
            begin,
            parked: Parked::default(),
            tally: Tally::default(),
            waiting: RefCell::new(Waiting::new(bounds.connections)),
            pace: Pace::new(bounds.rate_per_s, Instant::now()),
            workers: Cell::new(0),
            stalled: Cell::new(false),
            watched: Cell::new(false),
            expiring: Cell::new(false),
            ended: Cell::new(0),
            last_active: Cell::new(Instant::now()),
        })
    }

    /// How the destination is doing.
    pub(super) fn state(&self, now: Instant) -> DestinationState {
        let waiting = self.waiting.borrow();
        DestinationState {
            destination: self.destination.clone(),
            trouble: if self.stalled.get() { Trouble::Stalled } else { self.tally.trouble(now) },
            queued: waiting.len(),
            queued_bytes: waiting.bytes(),
            in_flight: self.workers.get(),
            oldest_wait: waiting.oldest().map(|since| now.saturating_duration_since(since)),
            attempts: self.tally.attempts(),
            dropped: self.tally.drops(),
        }
    }

    /// How long there has been nothing to do; `None` while there is.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.is_idle().then(|| now.saturating_duration_since(self.last_active.get()))
    }

    fn is_idle(&self) -> bool {
        self.workers.get() == 0 && self.waiting.borrow().is_empty() && !self.parked.is_being_fetched()
    }

    /// Takes deliveries in: each is sent at once where a connection is free, waits where there is
    /// room, and is parked or dropped where there is none.
    pub(super) fn take(self: &Rc<Self>, deliveries: Vec<InFlight>) {
        let now = Instant::now();
        self.last_active.set(now);
        for queued in deliveries {
            // What came before it and is parked has its turn first.
            if self.parked.is_known() && queued.claim.is_some() {
                self.turn_away(Dropped::QueueFull, queued);
            } else {
                self.take_one(now, queued);
            }
        }
        self.fetch_parked();
    }

    /// Whether it was sent or waits.
    fn take_one(self: &Rc<Self>, now: Instant, mut queued: InFlight) -> bool {
        if queued.delivery.target.rate.is_some() {
            if let Err(reason) = self.has_room(&queued) {
                self.turn_away(reason, queued);
                return false;
            }
            match self.wait_for_rate(now, queued) {
                Some(passed) => queued = passed,
                None => return true,
            }
        }
        let may_begin = self.waiting.borrow().may_begin(&queued) && self.connections.may_begin(self.workers.get());
        if !may_begin || !self.passes_rate(now) {
            return self.wait(now, queued);
        }
        if !self.waiting.borrow().has_bytes(&queued) {
            self.turn_away(Dropped::QueueBytesFull, queued);
            return false;
        }
        self.start(queued);
        true
    }

    fn start(self: &Rc<Self>, queued: InFlight) {
        self.workers.set(self.workers.get() + 1);
        let attempt = self.waiting.borrow_mut().begin(&queued);
        actix_rt::spawn(Rc::clone(self).work_from(queued, attempt));
    }

    fn wait(self: &Rc<Self>, now: Instant, mut queued: InFlight) -> bool {
        if let Err(reason) = self.has_room(&queued) {
            self.turn_away(reason, queued);
            return false;
        }
        let mut waiting = self.waiting.borrow_mut();
        if self.stalled.get() {
            queued.permit = None;
        }
        self.metrics.deliveries.queued(queued.delivery.body.len());
        waiting.push(now, queued);
        self.start_expiring();
        if !self.stalled.get() && !self.watched.replace(true) {
            actix_rt::spawn(Rc::clone(self).watch());
        }
        true
    }

    /// Whether one more may wait; else the bound that it is past.
    fn has_room(&self, queued: &InFlight) -> Result<(), Dropped> {
        let is_kept = queued.claim.is_some() && (self.stalled.get() || self.parked.is_known());
        self.waiting.borrow().has_room(queued, &self.bounds, is_kept)
    }

    /// How many of what is parked, and how many bytes of it, can be sent at once or wait, when half of that could;
    /// until then none, so that many come at a time.
    fn room(&self) -> (usize, usize) {
        let connections = self.bounds.connections - self.workers.get();
        let Some((wait, bytes)) = self.waiting.borrow().room_for_parked(&self.bounds) else { return (0, 0) };
        // Where the last did not fit, bodies are too large to wait.
        (connections + if self.parked.is_too_large() { 0 } else { wait }, bytes)
    }

    /// What has waited longest, for a sender whose last attempt took so long.
    fn next(self: &Rc<Self>, took: Duration) -> Option<InFlight> {
        self.fetch_parked();
        let (since, queued) = self.pop()?;
        // A destination that was behind for a moment, and now works its line off, paces producers
        // again. Else they would keep the line full, and most of what they post would be dropped.
        if self.stalled.get() && took < self.bounds.stalled_after && since.elapsed() < self.patience() / 2 {
            self.stalled.set(false);
        }
        self.metrics.deliveries.dequeued(queued.delivery.body.len());
        Some(queued)
    }

    /// Drops what waits and has a claim, which gives it back to all nodes.
    pub(super) fn let_go(&self) {
        let let_go = self.waiting.borrow_mut().take_claimed();
        for queued in let_go {
            self.metrics.deliveries.dequeued(queued.delivery.body.len());
        }
        self.parked.end();
    }

    /// Looks, while deliveries wait, whether the destination is behind: whether no attempt ends any
    /// more, or one has waited too long. Then it lets go of the events' permits: until its line is
    /// empty, or is worked off quickly again, the destination holds up nobody but itself.
    async fn watch(self: Rc<Self>) {
        let (mut ended, mut unchanged) = (self.ended.get(), 0);
        loop {
            tokio::time::sleep(self.bounds.stalled_after / 2).await;
            let Some(since) = self.waiting.borrow().oldest() else { break };
            // Looked at twice, since after a pause of this thread the first look comes before the
            // ends that wait to be noticed.
            unchanged = if self.ended.get() == ended { unchanged + 1 } else { 0 };
            ended = self.ended.get();
            if unchanged >= 2 || since.elapsed() >= self.patience() {
                self.become_stalled();
                break;
            }
        }
        self.watched.set(false);
    }

    /// Drops what is kept in a journal and has waited for too long, whether or not attempts end, while anything waits.
    fn start_expiring(self: &Rc<Self>) {
        let Some(age_max) = self.begin.as_ref().map(|begin| begin.age_max()) else { return };
        if self.expiring.replace(true) {
            return;
        }
        let own = Rc::clone(self);
        actix_rt::spawn(async move {
            while !own.waiting.borrow().is_empty() {
                tokio::time::sleep(EXPIRED_WITHIN).await;
                let now = Instant::now();
                let expired = own.waiting.borrow_mut().take_expired(now, age_max);
                for queued in expired {
                    own.metrics.deliveries.dequeued(queued.delivery.body.len());
                    own.turn_away(Dropped::Expired, queued);
                }
            }
            own.expiring.set(false);
        });
    }

    /// What waits holds no permits any more; of what lies in a stream little is kept, as other nodes could send it
    /// and it costs memory here.
    fn become_stalled(&self) {
        self.stalled.set(true);
        let mut waiting = self.waiting.borrow_mut();
        // Where one lies in a stream, all do.
        let parked = if waiting.is_in_stream() { waiting.keep(self.bounds.kept_max) } else { Vec::new() };
        waiting.release_permits();
        drop(waiting);
        for queued in parked {
            self.metrics.deliveries.dequeued(queued.delivery.body.len());
            self.turn_away(Dropped::QueueFull, queued);
        }
    }

    /// How long a delivery may wait before its destination is behind.
    fn patience(&self) -> Duration {
        if self.gate.is_half_full() { self.bounds.stalled_after } else { self.bounds.behind_after }
    }

    /// Sends this one and then what waits, until nothing does.
    async fn work_from(self: Rc<Self>, first: InFlight, attempt: Attempt) {
        let mut next = Some((first, attempt));
        while let Some((queued, attempt)) = next {
            let took = self.send(queued).await;
            self.waiting.borrow_mut().end(attempt);
            let goes_on = self.connections.may_go_on(self.workers.get(), Instant::now());
            next = if goes_on { self.next(took) } else { None }.map(|queued| {
                let attempt = self.waiting.borrow_mut().begin(&queued);
                (queued, attempt)
            });
            self.start_more();
        }
        self.stalled.set(false);
        self.workers.set(self.workers.get() - 1);
        self.fetch_parked();
    }

    /// The next that may begin, where the destination's rate allows one.
    fn pop(self: &Rc<Self>) -> Option<(Instant, InFlight)> {
        if self.pace.is_rated() && !(self.waiting.borrow().is_ready() && self.passes_rate(Instant::now())) {
            return None;
        }
        self.waiting.borrow_mut().pop()
    }

    /// Whether the destination's rate allows an attempt. Else it is tried again when it does.
    fn passes_rate(self: &Rc<Self>, now: Instant) -> bool {
        let passes = self.pace.pass(now);
        if !passes {
            self.start_pacing();
        }
        passes
    }

    /// Has a delivery wait that is over its trigger's rate; else passes it on. It holds up no producer.
    fn wait_for_rate(self: &Rc<Self>, now: Instant, queued: InFlight) -> Option<InFlight> {
        let bytes = queued.delivery.body.len();
        let passed = self.waiting.borrow_mut().push_over_rate(now, queued);
        if passed.is_none() {
            self.metrics.deliveries.queued(bytes);
            self.start_expiring();
            self.start_pacing();
        }
        passed
    }

    /// Starts the task that goes on when a rate allows it.
    fn start_pacing(self: &Rc<Self>) {
        if self.pace.begin() {
            let own = Rc::clone(self);
            actix_rt::spawn(async move {
                let next = || own.pace.due().into_iter().chain(own.waiting.borrow().next_due()).min();
                while let Some(due) = next() {
                    tokio::time::sleep_until(due.into()).await;
                    own.waiting.borrow_mut().release_due(Instant::now());
                    own.pace.forget_due(Instant::now());
                    own.start_more();
                }
                own.pace.end();
            });
        }
    }

    /// Starts workers for what may begin now: the end of an attempt moves every account's share of the connections.
    fn start_more(self: &Rc<Self>) {
        while self.connections.may_begin(self.workers.get()) {
            let Some((_, queued)) = self.pop() else { break };
            self.metrics.deliveries.dequeued(queued.delivery.body.len());
            self.start(queued);
        }
    }

    /// How long the attempt took; of one that was not made, nothing can be told by that.
    async fn send(&self, queued: InFlight) -> Duration {
        let Some(queued) = may_begin(self.begin.as_deref(), &self.metrics, queued).await else { return Duration::MAX };
        let InFlight { is_test, delivery, accepted_at, permit, mut outstanding, report, .. } = queued;
        // Whoever asked for a test has stopped waiting for it.
        if is_test && report.as_ref().is_some_and(tokio::sync::oneshot::Sender::is_closed) {
            self.metrics.deliveries.dropped.inc(Dropped::QueueFull);
            return Duration::MAX;
        }
        let begun = Instant::now();
        self.metrics.deliveries.began(begun.saturating_duration_since(accepted_at));
        self.metrics.deliveries.attempts_in_flight.inc();
        drop(permit);
        outstanding.add_over(delivery.body.len());
        let attempt = attempt(&self.outlet, &delivery);
        // A panic over one delivery must not strand those behind it.
        let attempt = async {
            drill::point(drill::Stage::Dispatcher);
            attempt.await
        };
        let ended = AssertUnwindSafe(attempt).catch_unwind().await;
        let (outcome, status) = ended.unwrap_or((Outcome::Panic, None));
        let now = Instant::now();
        self.last_active.set(now);
        let duration = now.saturating_duration_since(begun);
        self.ended.set(self.ended.get() + 1);
        self.metrics.deliveries.attempts_in_flight.dec();
        self.metrics.deliveries.attempted(outcome, duration);
        self.tally.attempted(outcome);
        let ended = Report::Attempted { outcome, status, duration };
        self.metrics.activity.ended(delivery.firing.as_ref(), Some(&self.destination), ended);
        if let Some(report) = report {
            let _ = report.send(ended);
        }
        drop(outstanding);
        duration
    }

    /// Some deliveries are parked, by this node or another.
    pub(super) fn report_parked(self: &Rc<Self>, claims: &StreamClaims) {
        self.parked.report(claims);
        self.fetch_parked();
    }

    /// Turns a delivery away, and knows of it if it is parked.
    fn turn_away(&self, reason: Dropped, queued: InFlight) {
        match &queued.claim {
            Some(claim) => self.parked.report(claim.claims()),
            None => self.tally.dropped(Instant::now(), reason),
        }
        parked::turn_away(&self.metrics, reason, queued);
    }

    /// Fetches parked deliveries where there are some and half of the room for them is free. Called whenever that may
    /// have become so.
    fn fetch_parked(self: &Rc<Self>) {
        if self.parked.may_fetch()
            && let Some(fetch) = self.parked.begin(self.room())
        {
            actix_rt::spawn(Rc::clone(self).fetch(fetch));
        }
    }

    async fn fetch(self: Rc<Self>, fetch: Fetch) {
        let fetched = fetch.claims.fetch(&self.destination, fetch.number, fetch.bytes).await;
        let queues = self.parked.finish(&fetch, fetched.more);
        if fetched.deliveries.is_empty() || !queues {
            return;
        }
        let mut all = true;
        for queued in fetched.deliveries {
            all &= self.take_one(Instant::now(), queued);
        }
        if all {
            self.fetch_parked();
        } else {
            self.parked.set_too_large();
        }
    }
}
