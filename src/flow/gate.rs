//! How much the node holds, and when it takes no more. Events are admitted at the edge against one
//! bound; past it nothing is taken. Deliveries are counted, not bounded, here: each destination's
//! queue has its own bound. Knows nothing of what an event or a delivery is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::refusal::{Full, Refusal};

/// Counts what is under way on this node.
#[derive(Debug)]
pub struct Gate {
    events: AtomicUsize,
    events_max: usize,
    deliveries: AtomicUsize,
    /// Places for deliveries that were accepted elsewhere and are taken from the streams.
    takes: Arc<Semaphore>,
    takes_max: usize,
    /// Accepted work could not be kept now.
    unavailable: AtomicBool,
    /// The node does not have the role `ingest`.
    not_ingest: AtomicBool,
    /// How many more deliveries may wait behind the node, and how many ever.
    room: AtomicUsize,
    room_max: AtomicUsize,
    closed: AtomicBool,
    emptied: Notify,
}

impl Gate {
    /// An open gate that lets `events_max` events be in flight, and has `takes_max` permits for deliveries
    /// that were taken from the streams and wait for their attempts.
    pub fn new(events_max: usize, takes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            events: AtomicUsize::new(0),
            events_max,
            takes: Arc::new(Semaphore::new(takes_max)),
            takes_max,
            unavailable: AtomicBool::new(false),
            not_ingest: AtomicBool::new(false),
            room: AtomicUsize::new(usize::MAX),
            room_max: AtomicUsize::new(usize::MAX),
            deliveries: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            emptied: Notify::new(),
        })
    }

    /// Lets in all of these events or none. `answer` is told when the last piece of work made of
    /// them has been handed over; see [`Admitted`].
    pub fn admit<A>(
        self: &Arc<Self>,
        events: usize,
        answer: A,
        tell: oneshot::Sender<A>,
    ) -> Result<Admitted<A>, (Refusal, oneshot::Sender<A>)> {
        // Counted first and looked at then: a stop that closes the gate and sees no events in
        // flight can be sure that none comes after.
        let before = self.events.fetch_add(events, Ordering::SeqCst);
        let refused = self.refusal().or_else(|| {
            let full = before + events > self.events_max.min(self.room.load(Ordering::Relaxed));
            full.then(|| Refusal::Full(self.full(events)))
        });
        if let Some(reason) = refused {
            self.release(&self.events, events);
            return Err((reason, tell));
        }
        Ok(Admitted { gate: Arc::clone(self), events, answer: Some((answer, tell)), instead: OnceLock::new() })
    }

    /// Waits for so many permits. More than there can ever be waits for all.
    pub async fn take(&self, permits: usize) -> StreamPermit {
        let permits = u32::try_from(permits.min(self.takes_max)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.takes).acquire_many_owned(permits).await;
        StreamPermit(permit.expect("the semaphore is never closed"))
    }

    /// Says whether accepted work can be kept now. While it can't, nothing is admitted.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.unavailable.store(unavailable, Ordering::Relaxed);
    }

    /// Says that the node does not have the role `ingest`.
    pub fn set_not_ingest(&self) {
        self.not_ingest.store(true, Ordering::Relaxed);
    }

    /// Why no event at all would be admitted now, whatever its size. A hint, to refuse before a body is read.
    pub fn refusal(&self) -> Option<Refusal> {
        if !self.is_open() {
            Some(Refusal::Stopping)
        } else if self.not_ingest.load(Ordering::Relaxed) {
            Some(Refusal::NotIngest)
        } else if self.unavailable.load(Ordering::Relaxed) {
            Some(Refusal::Unavailable)
        } else if self.room.load(Ordering::Relaxed) == 0 {
            Some(Refusal::Full(Full::Backlog))
        } else {
            None
        }
    }

    fn full(&self, events: usize) -> Full {
        match self.events_max.min(self.room_max.load(Ordering::Relaxed)) {
            events_max if events > events_max => Full::Request { events, events_max },
            _ => Full::Events(events),
        }
    }

    /// Says how many deliveries may ever wait behind the node.
    pub fn set_room_max(&self, deliveries: usize) {
        self.room_max.store(deliveries, Ordering::Relaxed);
    }

    /// Says how many more deliveries may wait behind the node. Each event admitted counts as one, as what it
    /// fires is not known yet.
    pub fn set_room(&self, deliveries: usize) {
        self.room.store(deliveries, Ordering::Relaxed);
    }

    /// Counts one delivery until what is returned is dropped.
    pub fn delivery(self: &Arc<Self>) -> Outstanding {
        self.deliveries.fetch_add(1, Ordering::SeqCst);
        Outstanding(Arc::clone(self))
    }

    /// From now on nothing is admitted.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether events are taken at all.
    pub fn is_open(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
    }

    /// Whether another event would be refused now. A hint, to refuse before a body is read.
    pub fn is_full(&self) -> bool {
        self.events.load(Ordering::Relaxed) >= self.events_max
    }

    /// Whether half of the permits are taken: time to let go of those that only pace a producer.
    pub fn is_half_full(&self) -> bool {
        self.events.load(Ordering::Relaxed) >= self.events_max.div_ceil(2)
            || self.takes.available_permits() < self.takes_max / 2
    }

    /// Events in flight.
    pub fn events(&self) -> usize {
        self.events.load(Ordering::SeqCst)
    }

    /// Deliveries that wait or are being attempted.
    pub fn deliveries(&self) -> usize {
        self.deliveries.load(Ordering::SeqCst)
    }

    /// What would be lost if the node ended now: the deliveries, or where there are more, the events, as
    /// one that holds a permit has deliveries that count or is yet to be matched.
    pub fn unsent(&self) -> usize {
        self.events().max(self.deliveries())
    }

    /// Waits until nothing is under way. Of use only once the gate is closed.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the counts are read, so that a release in between is not missed.
            emptied.as_mut().enable();
            if self.events() == 0 && self.deliveries() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn release(&self, count: &AtomicUsize, number: usize) {
        if count.fetch_sub(number, Ordering::SeqCst) == number && !self.is_open() {
            self.emptied.notify_waiters();
        }
    }
}

/// A request's admitted events. It travels, shared, with every piece of work made of them; the
/// last to let go of it gives their permits back and lets the answer out. So a producer in a closed
/// loop is paced by what the node can send, and whatever loses work, a panic too, frees the permits.
#[derive(Debug)]
pub struct Admitted<A> {
    gate: Arc<Gate>,
    events: usize,
    answer: Option<(A, oneshot::Sender<A>)>,
    instead: OnceLock<A>,
}

impl<A> Admitted<A> {
    /// Lets another answer out in its stead; for work that could not be handed on. The first such
    /// answer counts.
    pub fn answer_instead(&self, other: A) {
        let _ = self.instead.set(other);
    }
}

impl<A> Drop for Admitted<A> {
    fn drop(&mut self) {
        self.gate.release(&self.gate.events, self.events);
        if let Some((answer, tell)) = self.answer.take() {
            // Nobody waits where the client has gone away.
            let _ = tell.send(self.instead.take().unwrap_or(answer));
        }
    }
}

/// Places of deliveries that were taken from the streams; dropped when their attempts begin.
#[derive(Debug)]
pub struct StreamPermit(OwnedSemaphorePermit);

impl StreamPermit {
    /// Parts so many permits from the rest; `None` where no more are left.
    pub fn split(&mut self, permits: usize) -> Option<Self> {
        if self.0.num_permits() <= permits { None } else { self.0.split(permits).map(Self) }
    }
}

/// One delivery that waits or is being attempted.
#[derive(Debug)]
pub struct Outstanding(Arc<Gate>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.release(&self.0.deliveries, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_request_or_none() {
        let gate = Gate::new(3, 1);
        let (tell, mut answer) = oneshot::channel();
        let admitted = Arc::new(gate.admit(2, "taken", tell).expect("room"));
        let (tell, _) = oneshot::channel();
        let (reason, _) = gate.admit(2, "taken", tell).expect_err("no room for both");
        assert_eq!((reason, gate.events()), (Refusal::Full(Full::Events(2)), 2));
        let copy = Arc::clone(&admitted);
        drop(admitted);
        assert!(answer.try_recv().is_err(), "a piece of work is still under way");
        drop(copy);
        assert_eq!((answer.try_recv(), gate.events()), (Ok("taken"), 0));
    }

    #[actix_rt::test]
    async fn a_closed_gate_empties() {
        let gate = Gate::new(3, 1);
        let (tell, _answer) = oneshot::channel();
        let admitted = gate.admit(1, (), tell).expect("room");
        let delivery = gate.delivery();
        gate.close();
        let (tell, _) = oneshot::channel();
        assert_eq!(gate.admit(1, (), tell).expect_err("closed").0, Refusal::Stopping);
        let waiting = actix_rt::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.emptied().await }
        });
        drop(admitted);
        drop(delivery);
        crate::flow::probe::soon(waiting).await.expect("emptied");
    }
}
