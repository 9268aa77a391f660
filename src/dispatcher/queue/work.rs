//! The workers of a destination: tasks that make one attempt after the other. A worker for which nothing is queued waits
//! for the next delivery, since starting a task for each single delivery takes longer than queueing it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use futures_util::FutureExt as _;

use super::{NextAttempt, Queue};
use crate::dispatcher::attempt::record;
use crate::dispatcher::outbound::DeadlineSeat;
use crate::flow::journal::AttemptStart;
use crate::flow::task_waker::TaskWaker;

/// How many workers of one destination wait at most: enough for what usually begins at the same moment.
const IDLE_MAX: usize = 32;

/// The workers that wait.
#[derive(Default)]
pub(super) struct IdleWorkers {
    waiting: RefCell<Vec<Rc<WorkerSlot>>>,
    /// No worker waits any more.
    closed: Cell<bool>,
}

/// Where a waiting worker gets its next delivery.
#[derive(Default)]
struct WorkerSlot {
    job: Cell<Option<NextAttempt>>,
    worker: Rc<TaskWaker>,
}

impl IdleWorkers {
    /// Hands a delivery to a waiting worker, or returns it if there is none.
    fn hand(&self, job: NextAttempt) -> Option<NextAttempt> {
        let Some(slot) = self.waiting.borrow_mut().pop() else { return Some(job) };
        match &job.group {
            Some(group) => group.wake_after(AttemptStart::Soon, &slot.worker),
            None => slot.worker.wake(),
        }
        slot.job.set(Some(job));
        None
    }

    /// The next delivery for a worker; `None` if it is to end.
    async fn next(&self, slot: &Rc<WorkerSlot>) -> Option<NextAttempt> {
        if self.closed.get() || self.waiting.borrow().len() >= IDLE_MAX {
            return None;
        }
        self.waiting.borrow_mut().push(Rc::clone(slot));
        poll_fn(|context| match slot.job.take() {
            Some(job) => Poll::Ready(Some(job)),
            None if self.closed.get() => Poll::Ready(None),
            None => {
                slot.worker.waits(context);
                Poll::Pending
            }
        })
        .await
    }

    fn close(&self) {
        self.closed.set(true);
        self.waiting.take().iter().for_each(|slot| slot.worker.wake());
    }
}

/// A worker that has an attempt in flight, until this is dropped, also by a panic.
struct WorkerPlace<'a>(&'a Queue);

impl Drop for WorkerPlace<'_> {
    fn drop(&mut self) {
        self.0.workers.set(self.0.workers.get() - 1);
    }
}

impl Queue {
    /// Begins an attempt. What the journal has to record first is recorded before a worker is woken.
    pub(super) fn start(self: &Rc<Self>, next: NextAttempt) {
        let NextAttempt { queued, attempt, since, group } = next;
        let recorded = match &queued.claim {
            Some(_) => Some((queued, group)),
            None => record(self.journal.as_deref(), &self.metrics, queued, since),
        };
        let Some((queued, group)) = recorded else { return };
        self.workers.set(self.workers.get() + 1);
        if let Some(job) = self.idle.hand(NextAttempt { queued, attempt, since, group }) {
            actix_rt::spawn(Rc::clone(self).work(job));
        }
    }

    /// Ends the workers that wait, which keep the queue and its connections. The others end after their attempts.
    pub(in crate::dispatcher) fn dismiss_workers(&self) {
        self.idle.close();
    }

    async fn work(self: Rc<Self>, first: NextAttempt) {
        let (slot, mut next) = (Rc::<WorkerSlot>::default(), Some(first));
        let seat = self.outlet.seat(Rc::clone(&slot.worker));
        while let Some(job) = next {
            // A panic beside an attempt costs the delivery with which it happens. Others may wait for this worker.
            if AssertUnwindSafe(self.work_from(job, &seat)).catch_unwind().await.is_err() {
                tracing::error!(destination = %self.destination, "a panic ended a worker of a Dispatcher; others go on");
                self.stalled.set(false);
                self.fetch_parked();
                self.start_more_safely();
            }
            next = self.idle.next(&slot).await;
        }
    }

    /// Sends this delivery and then queued ones, until the queue is empty.
    async fn work_from(self: &Rc<Self>, first: NextAttempt, seat: &DeadlineSeat) {
        let place = WorkerPlace(self);
        let mut next = Some(first);
        while let Some(NextAttempt { queued, attempt, since, group }) = next {
            let (ended, has_waited) = has_waited(pin!(self.send((queued, group), since, seat))).await;
            drop(attempt);
            // A receiver that responds at once must not keep the thread for its own deliveries.
            if !has_waited && !self.waiting.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            let now = ended.map_or_else(Instant::now, |ended| ended.at);
            let goes_on = self.connections.may_go_on(self.workers.get(), now);
            next = if goes_on { self.next(ended, now) } else { None };
            if !goes_on && self.connections.are_open() {
                // It gave its connection to another destination.
                self.outlet.close_oldest();
            }
            self.start_more(now);
        }
        self.stalled.set(false);
        drop(place);
        self.fetch_parked();
    }
}

/// The output of a future, and whether the future was pending before. The future is borrowed: an argument of its own size
/// would be stored a second time.
async fn has_waited<F: Future>(mut future: Pin<&mut F>) -> (F::Output, bool) {
    let mut has_waited = false;
    let output = poll_fn(|context| {
        let poll = future.as_mut().poll(context);
        has_waited |= poll.is_pending();
        poll
    });
    let output = output.await;
    (output, has_waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<A, B, O>(_: impl Fn(A, B) -> O) -> usize {
        size_of::<O>()
    }

    /// Each of thousands of destinations may have many, and each new one is moved several times.
    #[test]
    fn a_worker_takes_little_memory() {
        let size = size_of_output(Queue::work);
        assert!(size <= 4_096, "{size} bytes");
    }

    #[actix_rt::test]
    async fn it_says_whether_a_future_was_pending() {
        assert_eq!(has_waited(pin!(std::future::ready(1))).await, (1, false));
        assert_eq!(has_waited(pin!(tokio::task::yield_now())).await, ((), true));
    }
}
