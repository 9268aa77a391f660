//! The queue of one destination and its workers. The only place that decides what happens to a delivery that can't be
//! sent or has failed: it is dropped and counted.

mod expiring;
mod fetching;
mod leave;
mod stalling;
mod work;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use super::attempt::{RecordedDelivery, attempt, record, recorded, redeem};
use super::bounds::DestinationBounds;
use super::connections::DestinationConnections;
use super::outbound::{DeadlineSeat, Outlet};
use super::pace::Pace;
use super::parked::{self, ParkedDeliveries};
use super::tally::Tally;
use super::waiting::{AttemptInFlight, WaitingDeliveries};
use crate::flow::destination_state::{DestinationState, DestinationTrouble};
use crate::flow::gate::Gate;
use crate::flow::in_flight::{InFlight, StreamClaims};
use crate::flow::journal::{AttemptGroup, AttemptJournal};
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::model::outcome::{DropReason, FiringReport, Outcome};
use crate::telemetry::metrics::{Metrics, ThreadDeliveries};

/// An attempt that was made.
#[derive(Debug, Clone, Copy)]
struct EndedAttempt {
    at: Instant,
    duration: Duration,
}

/// A delivery whose turn has come.
struct NextAttempt {
    queued: InFlight,
    attempt: CountedAttempt,
    since: Instant,
    /// See [`attempt::record`](super::attempt::record).
    group: Option<Rc<AttemptGroup>>,
}

/// An attempt that counts for its account until this is dropped, also by a panic.
struct CountedAttempt {
    queue: Rc<Queue>,
    attempt: AttemptInFlight,
}

impl Drop for CountedAttempt {
    fn drop(&mut self) {
        self.queue.waiting.borrow_mut().end(&self.attempt);
    }
}

/// One destination's deliveries.
pub(super) struct Queue {
    destination: Destination,
    bounds: DestinationBounds,
    outlet: Outlet,
    connections: DestinationConnections,
    metrics: Arc<Metrics>,
    counts: Rc<ThreadDeliveries>,
    gate: Arc<Gate>,
    journal: Option<Rc<dyn AttemptJournal>>,
    parked: ParkedDeliveries,
    tally: Tally,
    waiting: RefCell<WaitingDeliveries>,
    pace: Pace,
    /// Workers that have an attempt in flight.
    workers: Cell<usize>,
    /// Workers that wait for the next delivery.
    idle: work::IdleWorkers,
    /// See [`Queue::watch`].
    stalled: Cell<bool>,
    /// Whether the thread had no time to spare when the destination was checked last.
    saturated: Cell<bool>,
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
        bounds: DestinationBounds,
        (outlet, connections): (Outlet, DestinationConnections),
        (metrics, counts): (Arc<Metrics>, Rc<ThreadDeliveries>),
        gate: Arc<Gate>,
        journal: Option<Rc<dyn AttemptJournal>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            destination,
            bounds,
            outlet,
            connections,
            metrics,
            counts,
            gate,
            journal,
            parked: ParkedDeliveries::default(),
            tally: Tally::default(),
            waiting: RefCell::new(WaitingDeliveries::new(bounds.connections)),
            pace: Pace::new(bounds.rate_per_s, Instant::now()),
            workers: Cell::new(0),
            idle: work::IdleWorkers::default(),
            stalled: Cell::new(false),
            saturated: Cell::new(false),
            watched: Cell::new(false),
            expiring: Cell::new(false),
            ended: Cell::new(0),
            last_active: Cell::new(Instant::now()),
        })
    }

    /// Where its deliveries go.
    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The state of the destination.
    pub(super) fn state(&self, now: Instant) -> DestinationState {
        let waiting = self.waiting.borrow();
        DestinationState {
            destination: self.destination.clone(),
            trouble: if self.stalled.get() { DestinationTrouble::Stalled } else { self.tally.trouble(now) },
            queued: waiting.len(),
            queued_bytes: waiting.bytes(),
            in_flight: self.workers.get(),
            oldest_wait: waiting.oldest().map(|since| now.saturating_duration_since(since)),
            attempts: self.tally.attempts(),
            dropped: self.tally.drops(),
        }
    }

    /// How long there has been nothing to do; `None` if there is something.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.is_idle().then(|| now.saturating_duration_since(self.last_active.get()))
    }

    fn is_idle(&self) -> bool {
        self.workers.get() == 0 && self.waiting.borrow().is_empty() && !self.parked.is_being_fetched()
    }

    /// Takes deliveries: each is sent at once if a connection is free, queued if there is room, and otherwise parked or
    /// dropped.
    pub(super) fn take(self: &Rc<Self>, deliveries: impl IntoIterator<Item = InFlight>) {
        let now = Instant::now();
        self.last_active.set(now);
        for queued in deliveries {
            // Parked deliveries of its account are older and come first. A test has places of its own.
            if queued.claim.is_some() && !queued.is_test && self.parked.is_known_of(&queued.account.id) {
                self.turn_away(DropReason::QueueFull, queued);
            } else {
                self.take_one(now, queued);
            }
        }
        self.fetch_parked();
    }

    /// Sends, queues or turns away one delivery. Returns whether it was sent or queued.
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
        if !may_begin || !self.passes_rate(now, self.workers.get()) {
            return self.wait(now, queued);
        }
        if !self.waiting.borrow().has_bytes(&queued) {
            self.turn_away(DropReason::QueueBytesFull, queued);
            return false;
        }
        let attempt = self.counted(self.waiting.borrow_mut().begin(&queued));
        self.start(NextAttempt { queued, attempt, since: now, group: None });
        true
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
        self.counts.queued(queued.delivery.body.len());
        waiting.push(now, queued);
        self.start_expiring();
        if !self.stalled.get() && !self.watched.replace(true) {
            actix_rt::spawn(Rc::clone(self).watch());
        }
        true
    }

    /// Whether one more may be queued; the error is the exceeded bound.
    fn has_room(&self, queued: &InFlight) -> Result<(), DropReason> {
        let waits = self.stalled.get() || self.parked.is_known();
        let is_kept = queued.claim.as_ref().is_some_and(|claim| waits || claim.is_late());
        self.waiting.borrow().has_room(queued, &self.bounds, is_kept)
    }

    /// The next delivery for a worker, with its last attempt, if it made one.
    fn next(self: &Rc<Self>, ended: Option<EndedAttempt>, now: Instant) -> Option<NextAttempt> {
        self.fetch_parked();
        let (since, next) = self.pop(self.workers.get() - 1, now)?;
        // A destination that was stalled for a moment, and now empties its queue in time, paces producers again.
        // Otherwise they would keep the queue full, and most of their events would be dropped.
        let was_fast = || ended.is_some_and(|ended| ended.duration < self.bounds.stalled_after);
        if self.stalled.get() && was_fast() && since.elapsed() < self.worked_off_within() {
            self.stalled.set(false);
        }
        Some(next)
    }

    /// Drops queued deliveries that have a claim, which gives them back to all nodes.
    pub(super) fn let_go(&self) {
        let let_go = self.waiting.borrow_mut().take_claimed();
        for queued in let_go {
            self.counts.dequeued(queued.delivery.body.len());
        }
        self.parked.end();
    }

    /// The next delivery that may begin beside this many attempts, if the destination's rates allow one, and since when it
    /// was queued.
    fn pop(self: &Rc<Self>, beside: usize, now: Instant) -> Option<(Instant, NextAttempt)> {
        let may_begin = || self.waiting.borrow().is_ready() && self.passes_rate(Instant::now(), beside);
        if self.pace.is_rated(&self.outlet) && !may_begin() {
            return None;
        }
        let (since, queued, attempt) = self.waiting.borrow_mut().pop()?;
        self.counts.dequeued(queued.delivery.body.len());
        Some((since, NextAttempt { queued, attempt: self.counted(attempt), since: now, group: None }))
    }

    fn counted(self: &Rc<Self>, attempt: AttemptInFlight) -> CountedAttempt {
        CountedAttempt { queue: Rc::clone(self), attempt }
    }

    /// Whether the destination's rates allow an attempt now. If not, schedules another try.
    fn passes_rate(self: &Rc<Self>, now: Instant, beside: usize) -> bool {
        let passes = self.pace.pass(&self.outlet, beside, now);
        if !passes {
            self.start_pacing();
        }
        passes
    }

    /// Holds back a delivery that exceeds its trigger's rate, or returns it. A held delivery delays no producer.
    fn wait_for_rate(self: &Rc<Self>, now: Instant, queued: InFlight) -> Option<InFlight> {
        let bytes = queued.delivery.body.len();
        let passed = self.waiting.borrow_mut().push_over_rate(now, queued);
        if passed.is_none() {
            self.counts.queued(bytes);
            self.start_expiring();
            self.start_pacing();
        }
        passed
    }

    /// Starts the task that continues when a rate allows it, or tells it that something is due sooner.
    fn start_pacing(self: &Rc<Self>) {
        if !self.pace.begin() {
            return self.pace.hasten(self.next_due());
        }
        let own = Rc::clone(self);
        actix_rt::spawn(async move {
            while let Some(due) = own.next_due() {
                own.pace.sleep_until(due).await;
                own.waiting.borrow_mut().release_due(Instant::now());
                own.pace.forget_due(Instant::now());
                own.start_more_safely();
            }
            own.pace.end();
        });
    }

    /// Until when nothing is due, as far as the task knows that waits for rates.
    #[cfg(test)]
    pub(super) fn sleeps_until(&self) -> Option<Instant> {
        self.pace.sleeps()
    }

    /// The same after a panic, or where nothing would start them after one. Each panic costs a delivery.
    fn start_more_safely(self: &Rc<Self>) {
        while catch_unwind(AssertUnwindSafe(|| self.start_more(Instant::now()))).is_err() {}
    }

    /// When a rate allows the next attempt.
    fn next_due(&self) -> Option<Instant> {
        self.pace.due().into_iter().chain(self.waiting.borrow().next_due()).min()
    }

    /// Starts workers for deliveries that may begin now: the end of an attempt changes every account's share of the
    /// connections.
    fn start_more(self: &Rc<Self>, now: Instant) {
        while self.connections.may_begin(self.workers.get()) {
            let Some((_, next)) = self.pop(self.workers.get(), now) else { break };
            self.start(next);
        }
    }

    /// Makes the attempt, whose turn came at `since`, unless it may not begin.
    async fn send(
        &self,
        (mut queued, group): RecordedDelivery,
        since: Instant,
        seat: &DeadlineSeat,
    ) -> Option<EndedAttempt> {
        let is_local = queued.claim.is_none();
        if !is_local && !redeem(&mut queued).await {
            return None;
        }
        let (mut queued, group) = match group {
            Some(group) => (queued, Some(group)),
            None => record(self.journal.as_deref(), &self.metrics, queued, since)?,
        };
        if let Some(group) = group {
            recorded(&mut queued, group, seat.worker()).await;
        }
        let begun = Instant::now();
        if queued.is_test && self.is_too_late(&queued, is_local, begun) {
            queued.drop_unsent(&self.metrics, DropReason::QueueFull);
            return None;
        }
        self.counts.began(begun.saturating_duration_since(queued.accepted_at));
        queued.permit = None;
        let body_bytes = queued.delivery.body.len();
        queued.account.copied(body_bytes);
        // A panic over one delivery must not end the worker: others are queued behind it.
        let ended = AssertUnwindSafe(attempt(&self.outlet, &queued.delivery, begun, seat)).catch_unwind().await;
        let (outcome, status) = ended.unwrap_or((Outcome::Panic, None));
        let at = self.outlet.last_polled().max(begun);
        self.last_active.set(at);
        let duration = at.saturating_duration_since(begun);
        self.ended.set(self.ended.get() + 1);
        self.counts.attempted(outcome, duration);
        self.tally.attempted(outcome);
        let ended = FiringReport::Attempted { outcome, status, duration };
        self.metrics.activity.ended(queued.delivery.firing.as_ref(), Some(&self.destination), ended);
        if let Some(report) = queued.report.take() {
            let _ = report.send(ended);
        }
        Some(EndedAttempt { at, duration })
    }

    /// Whether a test is too late to be of use: its client is gone, or would not wait for the end of an attempt any
    /// more. The client of a test from a stream may be at another node, whose patience is not known here.
    fn is_too_late(&self, test: &InFlight, is_local: bool, now: Instant) -> bool {
        let waited = now.saturating_duration_since(test.accepted_at);
        let is_late = is_local && waited > self.bounds.test_waits;
        is_late || test.report.as_ref().is_some_and(tokio::sync::oneshot::Sender::is_closed)
    }

    /// Deliveries are parked, by this node or another.
    pub(super) fn report_parked(self: &Rc<Self>, account: Option<AccountId>, claims: &StreamClaims) {
        self.parked.report(account, claims);
        self.fetch_parked();
    }

    /// Parks or drops a delivery, and remembers that some are parked.
    fn turn_away(&self, reason: DropReason, queued: InFlight) {
        match &queued.claim {
            Some(claim) => self.parked.report(Some(queued.account.id.clone()), claim.claims()),
            None => self.tally.dropped(Instant::now(), reason),
        }
        parked::turn_away(&self.metrics, reason, queued);
    }
}
