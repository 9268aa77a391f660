//! The deadlines of the attempts of one thread. A timer for each attempt would wake the thread whenever it is due
//! before all others; here one task looks at all of them, and sleeps until the first is due.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

/// The longest sleep. The client sets a timer of half a second for each request; while a shorter one runs, that one
/// does not wake the thread.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How many attempts are ended at a time: thousands that began together would hold up all other work of the thread.
const ENDED_AT_ONCE: usize = 32;

/// All attempts have the same time.
pub(super) struct Deadlines {
    timeout: Duration,
    waiting: RefCell<DeadlineList>,
}

#[derive(Default)]
struct DeadlineList {
    attempts: Slab<AttemptDeadline>,
    /// Whether the task is running.
    watched: bool,
}

struct AttemptDeadline {
    at: Instant,
    /// Who waits for the exchange; `None` once the deadline has passed.
    waker: Option<Waker>,
}

impl Deadlines {
    pub(super) fn new(timeout: Duration) -> Rc<Self> {
        Rc::new(Self { timeout, waiting: RefCell::default() })
    }

    /// The result of `exchange`, which began at this time; `None` if its deadline passes first.
    pub(super) async fn within<F: Future + Unpin>(self: &Rc<Self>, begun: Instant, exchange: F) -> Option<F::Output> {
        WithDeadline { deadlines: self, begun, exchange, key: None }.await
    }

    fn begin(self: &Rc<Self>, begun: Instant, waker: Waker) -> usize {
        let mut waiting = self.waiting.borrow_mut();
        if !std::mem::replace(&mut waiting.watched, true) {
            actix_rt::spawn(Rc::clone(self).watch());
        }
        waiting.attempts.insert(AttemptDeadline { at: begun + self.timeout, waker: Some(waker) })
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
        let mut waiting = self.waiting.borrow_mut();
        let (mut first, mut ended) = (None, 0);
        for (_, attempt) in &mut waiting.attempts {
            if attempt.at > now {
                first = Some(first.map_or(attempt.at, |first: Instant| first.min(attempt.at)));
            } else if ended == ENDED_AT_ONCE {
                // A tick of the runtime's timer from now.
                first = Some(now);
                break;
            } else if let Some(waker) = attempt.waker.take() {
                waker.wake();
                ended += 1;
            }
        }
        // Attempts that were woken end before the next check.
        let first = first.or_else(|| (!waiting.attempts.is_empty()).then(|| now + self.look_every()));
        waiting.watched = first.is_some();
        first
    }
}

struct WithDeadline<'a, F> {
    deadlines: &'a Rc<Deadlines>,
    begun: Instant,
    exchange: F,
    /// The key of its attempt; `None` until it first has to wait.
    key: Option<usize>,
}

impl<F: Future + Unpin> Future for WithDeadline<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.exchange).poll(cx) {
            return Poll::Ready(Some(output));
        }
        let Some(key) = self.key else {
            self.key = Some(self.deadlines.begin(self.begun, cx.waker().clone()));
            return Poll::Pending;
        };
        let mut waiting = self.deadlines.waiting.borrow_mut();
        match &mut waiting.attempts[key].waker {
            None => Poll::Ready(None),
            Some(waker) => {
                waker.clone_from(cx.waker());
                Poll::Pending
            }
        }
    }
}

impl<F> Drop for WithDeadline<'_, F> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.waiting.borrow_mut().attempts.remove(key);
        }
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
        for _ in 0..3 {
            let mut polls = 0;
            let ends = std::future::poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
            });
            assert!(deadlines.within(Instant::now(), ends).await.is_some());
            let begun = Instant::now();
            let never = deadlines.within(begun, std::future::pending::<()>());
            let longer = tokio::time::sleep(LOOK_EVERY / 2);
            tokio::select! {
                biased;
                ended = never => assert!(ended.is_none() && begun.elapsed() >= timeout),
                () = longer => panic!("the deadline has passed long ago"),
            }
        }
    }
}
