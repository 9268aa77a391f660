//! The line of deliveries before one destination, and those who send from it. The one place that
//! decides what becomes of a delivery that can't be sent or failed: it is dropped and counted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;

use super::aside::Aside;
use super::attempt::attempt;
use crate::admission::Gate;
use crate::config::Dispatch;
use crate::messages::{Queued, Report};
use crate::metrics::{Dropped, Metrics, Outcome};

/// Bounds of one destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    connections: usize,
    pub(super) waiting_max: usize,
    waiting_bytes_max: usize,
    pub(super) attempt_timeout: Duration,
    answer_bytes_max: usize,
    stalled_after: Duration,
    pub(super) behind_after: Duration,
}

impl From<&Dispatch> for Bounds {
    fn from(config: &Dispatch) -> Self {
        Self {
            connections: config.connections_per_destination,
            waiting_max: config.queue_per_destination,
            waiting_bytes_max: config.queue_bytes_per_destination,
            attempt_timeout: config.attempt_timeout,
            answer_bytes_max: config.answer_bytes_max,
            stalled_after: config.stalled_after,
            behind_after: config.behind_after,
        }
    }
}

/// One destination's deliveries.
pub(super) struct Line {
    pub(super) bounds: Bounds,
    client: awc::Client,
    pub(super) metrics: Arc<Metrics>,
    pub(super) gate: Arc<Gate>,
    pub(super) aside: Aside,
    /// With the time since which each waits.
    pub(super) waiting: RefCell<VecDeque<(Instant, Queued)>>,
    waiting_bytes: Cell<usize>,
    /// Tasks that send; each has one attempt under way.
    senders: Cell<usize>,
    /// See [`Line::watch`].
    behind: Cell<bool>,
    watched: Cell<bool>,
    /// Attempts that ended.
    ended: Cell<u64>,
    last_active: Cell<Instant>,
    /// When an attempt was last answered, or there was nothing to answer; `None` before the first.
    pub(super) answered: Cell<Option<Instant>>,
    /// Since when there has been something to answer.
    pub(super) busy_since: Cell<Instant>,
}

impl Line {
    pub(super) fn new(bounds: Bounds, client: awc::Client, metrics: Arc<Metrics>, gate: Arc<Gate>) -> Rc<Self> {
        Rc::new(Self {
            bounds,
            client,
            metrics,
            gate,
            aside: Aside::default(),
            waiting: RefCell::default(),
            waiting_bytes: Cell::new(0),
            senders: Cell::new(0),
            behind: Cell::new(false),
            watched: Cell::new(false),
            ended: Cell::new(0),
            last_active: Cell::new(Instant::now()),
            answered: Cell::new(None),
            busy_since: Cell::new(Instant::now()),
        })
    }

    /// How long there has been nothing to do; `None` while there is.
    pub(super) fn idle_for(&self, now: Instant) -> Option<Duration> {
        self.is_idle().then(|| now.saturating_duration_since(self.last_active.get()))
    }

    fn is_idle(&self) -> bool {
        self.senders.get() == 0 && self.waiting.borrow().is_empty() && self.aside.is_empty()
    }

    /// Takes deliveries in: each is sent at once where a connection is free, waits where there is
    /// room, and is dropped where there is none.
    pub(super) fn take(self: &Rc<Self>, deliveries: Vec<Queued>) {
        let now = Instant::now();
        self.last_active.set(now);
        if self.is_idle() {
            self.busy_since.set(now);
            self.answered.set(self.answered.get().map(|_| now));
        }
        for queued in deliveries {
            // Those that came before it and stay in their stream have their turn first.
            if !self.aside.is_empty() && self.may_stay(&queued) {
                self.set_aside(queued);
            } else {
                self.take_one(now, queued);
            }
        }
    }

    pub(super) fn take_one(self: &Rc<Self>, now: Instant, queued: Queued) {
        if self.senders.get() < self.bounds.connections {
            self.senders.set(self.senders.get() + 1);
            actix_rt::spawn(Rc::clone(self).send_from(queued));
        } else {
            self.wait(now, queued);
        }
    }

    fn wait(self: &Rc<Self>, now: Instant, mut queued: Queued) {
        if let Err(reason) = self.has_room(0, queued.delivery.body.len()) {
            return self.turn_away(reason, queued);
        }
        let mut waiting = self.waiting.borrow_mut();
        if self.behind.get() {
            queued.place = None;
        }
        self.waiting_bytes.set(self.waiting_bytes.get() + queued.delivery.body.len());
        self.metrics.queue_depth.inc();
        self.metrics.queue_bytes.add(queued.delivery.body.len() as i64);
        waiting.push_back((now, queued));
        if !self.behind.get() && !self.watched.replace(true) {
            actix_rt::spawn(Rc::clone(self).watch());
        }
    }

    /// Whether one more may wait, after so many that are yet to come and with so many bytes of all these;
    /// else the bound that it is past.
    pub(super) fn has_room(&self, before: usize, bytes: usize) -> Result<(), Dropped> {
        if self.waiting.borrow().len() + before >= self.bounds.waiting_max {
            return Err(Dropped::QueueFull);
        }
        let fits = self.waiting_bytes.get() + bytes <= self.bounds.waiting_bytes_max;
        if fits { Ok(()) } else { Err(Dropped::QueueBytesFull) }
    }

    /// What has waited longest, for a sender whose last attempt took so long.
    fn next(self: &Rc<Self>, took: Duration) -> Option<Queued> {
        self.tend_aside();
        let (since, queued) = self.waiting.borrow_mut().pop_front()?;
        // A destination that was behind for a moment, and now works its line off, paces producers
        // again. Else they would keep the line full, and most of what they post would be dropped.
        if self.behind.get() && took < self.bounds.stalled_after && since.elapsed() < self.patience() / 2 {
            self.behind.set(false);
        }
        self.count_out(&queued);
        Some(queued)
    }

    fn count_out(&self, queued: &Queued) {
        let bytes = queued.delivery.body.len();
        self.waiting_bytes.set(self.waiting_bytes.get() - bytes);
        self.metrics.queue_depth.dec();
        self.metrics.queue_bytes.sub(bytes as i64);
    }

    /// Drops what waits and has a ticket, which gives it back to all nodes.
    pub(super) fn let_go(&self) {
        let waiting = self.waiting.take();
        let (kept, let_go): (VecDeque<_>, VecDeque<_>) =
            waiting.into_iter().partition(|(_, queued)| queued.ticket.is_none());
        self.waiting.replace(kept);
        for (_, queued) in let_go {
            self.count_out(&queued);
        }
        self.give_aside_back();
    }

    /// Looks, while deliveries wait, whether the destination is behind: whether no attempt ends any
    /// more, or one has waited too long. Then it lets go of the events' places: until its line is
    /// empty, or is worked off quickly again, the destination holds up nobody but itself.
    async fn watch(self: Rc<Self>) {
        let (mut ended, mut unchanged) = (self.ended.get(), 0);
        loop {
            tokio::time::sleep(self.bounds.stalled_after / 2).await;
            let Some(since) = self.waiting.borrow().front().map(|(since, _)| *since) else {
                break;
            };
            // Looked at twice, since after a pause of this thread the first look comes before the
            // ends that wait to be noticed.
            unchanged = if self.ended.get() == ended { unchanged + 1 } else { 0 };
            ended = self.ended.get();
            if unchanged >= 2 || since.elapsed() >= self.patience() {
                self.behind.set(true);
                for (_, queued) in self.waiting.borrow_mut().iter_mut() {
                    queued.place = None;
                }
                break;
            }
        }
        self.watched.set(false);
    }

    /// How long a delivery may wait before its destination is behind.
    fn patience(&self) -> Duration {
        if self.gate.is_half_full() { self.bounds.stalled_after } else { self.bounds.behind_after }
    }

    /// Sends this one and then what waits, until nothing does.
    async fn send_from(self: Rc<Self>, first: Queued) {
        let mut next = Some(first);
        while let Some(queued) = next {
            let took = self.send(queued).await;
            next = self.next(took);
        }
        self.behind.set(false);
        self.senders.set(self.senders.get() - 1);
    }

    /// How long the attempt took; of one that was not made, nothing can be told by that.
    async fn send(&self, queued: Queued) -> Duration {
        let Queued { delivery, accepted_at, place, ticket, outstanding, report } = queued;
        // Where other nodes may hold it too, one of all may attempt it.
        if let Some(ticket) = ticket
            && !ticket.redeem().await
        {
            return Duration::MAX;
        }
        let begun = Instant::now();
        self.metrics.began(begun.saturating_duration_since(accepted_at));
        self.metrics.attempts_in_flight.inc();
        drop(place);
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let attempt =
            attempt(&self.client, &delivery, unix.as_secs(), self.bounds.attempt_timeout, self.bounds.answer_bytes_max);
        // A fault over one delivery must not strand those behind it.
        let ended = AssertUnwindSafe(attempt).catch_unwind().await;
        let (outcome, status) = ended.unwrap_or((Outcome::Panic, None));
        let now = Instant::now();
        self.last_active.set(now);
        if status.is_some() {
            self.answered.set(Some(now));
        }
        let duration = now.saturating_duration_since(begun);
        self.ended.set(self.ended.get() + 1);
        self.metrics.attempts_in_flight.dec();
        self.metrics.attempted(outcome, duration);
        if let Some(report) = report {
            let _ = report.send(Report::Attempted { outcome, status, duration });
        }
        drop(outstanding);
        duration
    }

    pub(super) fn drop_delivery(&self, reason: Dropped, queued: Queued) {
        drop_delivery(&self.metrics, reason, queued);
    }
}

/// Ends a delivery without an attempt. One that other nodes may hold too is counted once it is
/// certain that none of them attempts it.
pub(super) fn drop_delivery(metrics: &Metrics, reason: Dropped, queued: Queued) {
    match queued.ticket {
        Some(ticket) => ticket.discard(reason, queued.place),
        None => metrics.dropped(reason, 1),
    }
    if let Some(report) = queued.report {
        let _ = report.send(Report::Dropped(reason));
    }
}
