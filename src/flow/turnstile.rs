//! Spreads what is expensive to begin over the rounds of a thread's event loop: a few begin in each round, and members
//! take turns. It is for new connections, for connections on which much is read or written, and for long signatures.
//! Thousands of them together would delay all other work of the thread.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::rc::Rc;

use tokio::sync::oneshot;

use super::fairness::DeficitQueue;

/// How many begin in a round, before other tasks have their turn: a quarter of a millisecond. A delivery needs several
/// rounds.
pub const AT_ONCE: usize = 4;

/// Lets members `K` begin, a few in each round.
pub struct Turnstile<K>(RefCell<TurnstileState<K>>);

struct TurnstileState<K> {
    /// How many have begun in this round.
    passed: usize,
    waiting: DeficitQueue<K, oneshot::Sender<()>>,
    /// Whether the task runs that ends each round and lets waiting ones begin.
    turning: bool,
}

impl<K: Eq + Hash + Clone + 'static> Turnstile<K> {
    /// A turnstile at which no one waits.
    pub fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(TurnstileState { passed: 0, waiting: DeficitQueue::new(1), turning: false })))
    }

    /// Returns when a connection of this member may begin.
    pub async fn pass(self: &Rc<Self>, member: &K) {
        if let Some(turn) = self.enter(member) {
            // The task that ends rounds runs until all waiting ones have begun.
            let _ = turn.await;
        }
    }

    /// Lets a connection of this member begin now (`None`), or returns a receiver that ends when its turn has come.
    pub fn enter(self: &Rc<Self>, member: &K) -> Option<oneshot::Receiver<()>> {
        let mut state = self.0.borrow_mut();
        if !std::mem::replace(&mut state.turning, true) {
            actix_rt::spawn(Rc::clone(self).turn());
        }
        if state.passed < AT_ONCE && state.waiting.is_empty() {
            state.passed += 1;
            return None;
        }
        let (pass, turn) = oneshot::channel();
        state.waiting.push(member, 1, pass);
        Some(turn)
    }

    async fn turn(self: Rc<Self>) {
        loop {
            tokio::task::yield_now().await;
            let mut state = self.0.borrow_mut();
            state.passed = 0;
            while state.passed < AT_ONCE
                && let Some(next) = state.waiting.pop()
            {
                // Its attempt may have ended while it waited.
                state.passed += usize::from(next.send(()).is_ok());
            }
            if state.passed == 0 {
                state.turning = false;
                return;
            }
        }
    }
}

impl<K> fmt::Debug for Turnstile<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turnstile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::flow::probe::soon;

    #[actix_rt::test]
    async fn a_few_begin_at_a_time_and_members_take_turns() {
        let (turnstile, begun) = (Turnstile::new(), Rc::new(Cell::new(0)));
        let begin = |member: &'static str| {
            let (turnstile, begun) = (Rc::clone(&turnstile), Rc::clone(&begun));
            async move {
                turnstile.pass(&member).await;
                begun.set(begun.get() + 1);
                begun.get()
            }
        };
        let flood: Vec<_> = (0..1_000).map(|_| actix_rt::spawn(begin("flood"))).collect();
        // Some have begun, and the others wait.
        tokio::task::yield_now().await;
        assert!((1..=2 * AT_ONCE).contains(&begun.get()), "{}", begun.get());
        let place = soon(begin("other")).await;
        assert!(place <= 5 * AT_ONCE, "it was number {place}");
        for one in flood {
            soon(one).await.expect("no panic");
        }
        assert_eq!(begun.get(), 1_001);
        assert!(soon(begin("other")).await == 1_002 && turnstile.0.borrow().waiting.is_empty());
    }
}
