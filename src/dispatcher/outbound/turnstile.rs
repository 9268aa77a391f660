//! New connections of one thread begin a few at a time, and accounts take turns. Thousands that begin together, after a
//! burst or when thousands of attempts end at their deadline, would delay all other work of the thread.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::flow::fairness::DeficitQueue;
use crate::model::id::AccountId;

/// How many begin before other tasks have their turn: about a millisecond.
const AT_ONCE: usize = 16;

/// Passes those that begin a connection.
pub(super) struct Turnstile(RefCell<TurnstileState>);

struct TurnstileState {
    /// Since other tasks had their turn.
    passed: usize,
    waiting: DeficitQueue<AccountId, oneshot::Sender<()>>,
    /// Whether the task that lets waiting connections begin is running.
    turning: bool,
}

impl Turnstile {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(TurnstileState { passed: 0, waiting: DeficitQueue::new(1), turning: false })))
    }

    /// Returns when a connection of this account may begin.
    pub(super) async fn pass(self: &Rc<Self>, account: &AccountId) {
        if let Some(turn) = self.enter(account) {
            // That task ends after all waiting connections have begun.
            let _ = turn.await;
        }
    }

    /// `None`: it may begin now.
    fn enter(self: &Rc<Self>, account: &AccountId) -> Option<oneshot::Receiver<()>> {
        let mut state = self.0.borrow_mut();
        if !std::mem::replace(&mut state.turning, true) {
            actix_rt::spawn(Rc::clone(self).turn());
        }
        if state.passed < AT_ONCE && state.waiting.is_empty() {
            state.passed += 1;
            return None;
        }
        let (pass, turn) = oneshot::channel();
        state.waiting.push(account, 1, pass);
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::flow::probe::soon;

    #[actix_rt::test]
    async fn a_few_begin_at_a_time_and_accounts_take_turns() {
        let (turnstile, begun) = (Turnstile::new(), Rc::new(Cell::new(0)));
        let account = |name: &str| AccountId::new(name).expect("a name");
        let begin = |account: AccountId| {
            let (turnstile, begun) = (Rc::clone(&turnstile), Rc::clone(&begun));
            async move {
                turnstile.pass(&account).await;
                begun.set(begun.get() + 1);
                begun.get()
            }
        };
        let flood: Vec<_> = (0..1_000).map(|_| actix_rt::spawn(begin(account("flood")))).collect();
        // Some have begun, and the others wait.
        tokio::task::yield_now().await;
        assert!((1..=2 * AT_ONCE).contains(&begun.get()), "{}", begun.get());
        let place = soon(begin(account("other"))).await;
        assert!(place <= 5 * AT_ONCE, "it was number {place}");
        for one in flood {
            soon(one).await.expect("no panic");
        }
        assert_eq!(begun.get(), 1_001);
        assert!(soon(begin(account("other"))).await == 1_002 && turnstile.0.borrow().waiting.is_empty());
    }
}
