//! The deadlines of the attempts of one thread. A timer for each attempt would wake the thread whenever it is due
//! before all others; here one task looks at all of them, and sleeps until the first is due.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::flow::task_waker::TaskWaker;

/// The longest sleep. The client sets a timer of half a second for each request; while a shorter one runs, that one
/// does not wake the thread.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many attempts are ended at a time: thousands that began together would hold up all other work of the thread.
const ENDED_AT_ONCE: usize = 32;

/// All attempts have the same time.
pub(super) struct Deadlines {
    timeout: Duration,
    /// Of the workers whose attempts wait.
    seats: RefCell<Slab<Rc<SeatState>>>,
    /// Whether the task is running.
    watched: Cell<bool>,
}

/// A worker's place among the deadlines, for all of its attempts.
pub(in crate::dispatcher) struct DeadlineSeat {
    deadlines: Rc<Deadlines>,
    /// Its place, while an attempt waits: the look at all deadlines must not walk idle workers.
    key: Cell<Option<usize>>,
    state: Rc<SeatState>,
}

struct SeatState {
    worker: Rc<TaskWaker>,
    /// When the attempt began that waits; `None` once its deadline has passed.
    begun: Cell<Option<Instant>>,
}

impl Deadlines {
    pub(super) fn new(timeout: Duration) -> Rc<Self> {
        Rc::new(Self { timeout, seats: RefCell::default(), watched: Cell::new(false) })
    }

    /// For a worker.
    pub(super) fn seat(self: &Rc<Self>, worker: Rc<TaskWaker>) -> DeadlineSeat {
        let state = Rc::new(SeatState { worker, begun: Cell::new(None) });
        DeadlineSeat { deadlines: Rc::clone(self), key: Cell::new(None), state }
    }

    /// No attempt that begins while the task sleeps is due before it wakes.
    fn look_every(&self) -> Duration {
        LOOK_EVERY.min(self.timeout)
    }

    /// Wakes attempts whose deadline has passed, until there is no attempt.
    async fn watch(self: Rc<Self>) {
        loop {
            let now = Instant::now();
            let Some(first) = self.pass(now) else { break };
            tokio::time::sleep_until(first.min(now + self.look_every()).into()).await;
        }
    }

    /// When to look again; with no attempt left, the task ends.
    fn pass(&self, now: Instant) -> Option<Instant> {
        let (mut first, mut ended) = (None, 0);
        for (_, seat) in &*self.seats.borrow() {
            let Some(begun) = seat.begun.get() else { continue };
            let at = begun + self.timeout;
            if at > now {
                first = Some(first.map_or(at, |first: Instant| first.min(at)));
            } else if ended == ENDED_AT_ONCE {
                // A tick of the runtime's timer from now.
                first = Some(now);
                break;
            } else {
                seat.begun.set(None);
                seat.worker.wake();
                ended += 1;
            }
        }
        self.watched.set(first.is_some());
        first
    }
}

impl DeadlineSeat {
    /// Wakes its worker.
    pub(in crate::dispatcher) fn worker(&self) -> &Rc<TaskWaker> {
        &self.state.worker
    }

    /// The result of `exchange`, which began at this time; `None` if its deadline passes first.
    pub(super) async fn within<F: Future + Unpin>(&self, begun: Instant, exchange: F) -> Option<F::Output> {
        WithDeadline { seat: self, begun, exchange }.await
    }

    fn begin(&self, begun: Instant) {
        self.state.begun.set(Some(begun));
        self.key.set(Some(self.deadlines.seats.borrow_mut().insert(Rc::clone(&self.state))));
        if !self.deadlines.watched.replace(true) {
            actix_rt::spawn(Rc::clone(&self.deadlines).watch());
        }
    }

    fn end(&self) {
        self.state.begun.set(None);
        if let Some(key) = self.key.take() {
            self.deadlines.seats.borrow_mut().remove(key);
        }
    }
}

struct WithDeadline<'a, F> {
    seat: &'a DeadlineSeat,
    begun: Instant,
    exchange: F,
}

impl<F: Future + Unpin> Future for WithDeadline<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.exchange).poll(cx) {
            return Poll::Ready(Some(output));
        }
        if self.seat.key.get().is_none() {
            self.seat.begin(self.begun);
        } else if self.seat.state.begun.get().is_none() {
            return Poll::Ready(None);
        }
        self.seat.state.worker.waits(cx);
        Poll::Pending
    }
}

impl<F> Drop for WithDeadline<'_, F> {
    fn drop(&mut self) {
        self.seat.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The task sleeps when the first attempt has ended, and the second one begins meanwhile.
    #[actix_rt::test]
    async fn a_short_deadline_is_kept_after_an_attempt_that_ended() {
        let timeout = Duration::from_millis(5);
        let deadlines = Deadlines::new(timeout);
        let seat = deadlines.seat(Rc::default());
        for _ in 0..3 {
            let mut polls = 0;
            let ends = std::future::poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            });
            assert!(seat.within(Instant::now(), ends).await.is_some());
            assert!(deadlines.seats.borrow().is_empty(), "a worker without an attempt has no place");
            let begun = Instant::now();
            let never = seat.within(begun, std::future::pending::<()>());
            let longer = tokio::time::sleep(LOOK_EVERY / 2);
            tokio::select! {
                biased;
                ended = never => assert!(ended.is_none() && begun.elapsed() >= timeout),
                () = longer => panic!("the deadline has passed long ago"),
            }
        }
    }
}
