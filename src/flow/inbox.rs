//! Messages from one stage to the next one of the same thread. The actor gets one message of its mailbox for all that
//! arrive before its turn: such a message takes two allocations and some fifteen of the processor's atomic instructions,
//! which is more than the stages' own work for a small request.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::{Rc, Weak};

use actix::{Actor, Context, Handler, Message, Recipient};

/// To an actor: there is something in its inbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct InboxFilled;

/// An actor's side of its inbox. It is bounded by what its messages carry, as a mailbox would be.
pub struct Inbox<M>(Rc<InboxMessages<M>>);

struct InboxMessages<M> {
    waiting: RefCell<Vec<M>>,
    /// Without messages: its memory is used again.
    spare: Cell<Vec<M>>,
}

/// Sends to the inbox of an actor of this thread. What waits there ends with the actor.
pub struct InboxSender<M> {
    inbox: Weak<InboxMessages<M>>,
    actor: Recipient<InboxFilled>,
}

impl<M: 'static> Inbox<M> {
    /// Starts the actor that reads the inbox.
    pub fn start<A>(&self, actor: A) -> InboxSender<M>
    where
        A: Actor<Context = Context<A>> + Handler<InboxFilled>,
    {
        InboxSender { inbox: Rc::downgrade(&self.0), actor: actor.start().recipient() }
    }

    /// Takes all messages, in their order.
    pub fn drain(&self, take: impl FnMut(M)) {
        let mut messages = self.0.waiting.replace(self.0.spare.take());
        messages.drain(..).for_each(take);
        self.0.spare.set(messages);
    }
}

impl<M> InboxSender<M> {
    /// Sends a message, or returns it if the actor has ended.
    pub fn send(&self, message: M) -> Result<(), M> {
        let Some(inbox) = self.inbox.upgrade() else { return Err(message) };
        let mut waiting = inbox.waiting.borrow_mut();
        waiting.push(message);
        let is_told = if waiting.len() == 1 { self.actor.try_send(InboxFilled).is_ok() } else { self.is_connected() };
        if is_told { Ok(()) } else { waiting.pop().map_or(Ok(()), Err) }
    }

    /// Whether the actor has not ended.
    pub fn is_connected(&self) -> bool {
        self.actor.connected()
    }
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self(Rc::new(InboxMessages { waiting: RefCell::default(), spare: Cell::default() }))
    }
}

impl<M> Clone for Inbox<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<M> Clone for InboxSender<M> {
    fn clone(&self) -> Self {
        Self { inbox: Weak::clone(&self.inbox), actor: self.actor.clone() }
    }
}

impl<M> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inbox").field(&self.0.waiting.borrow().len()).finish()
    }
}

impl<M> fmt::Debug for InboxSender<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxSender").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use actix::ActorContext as _;
    use tokio::sync::mpsc;

    use super::*;
    use crate::flow::probe::soon;

    /// Passes on all numbers of its inbox at once, and ends with a zero.
    struct Batches(Inbox<usize>, mpsc::UnboundedSender<Vec<usize>>);

    impl Actor for Batches {
        type Context = Context<Self>;
    }

    impl Handler<InboxFilled> for Batches {
        type Result = ();

        fn handle(&mut self, InboxFilled: InboxFilled, context: &mut Self::Context) {
            let mut batch = Vec::new();
            self.0.drain(|number| batch.push(number));
            if batch.contains(&0) {
                context.stop();
            }
            self.1.send(batch).expect("the test listens");
        }
    }

    #[actix_rt::test]
    async fn an_actor_gets_what_arrived_before_its_turn_together() {
        let (inbox, (heard, mut hear)) = (Inbox::default(), mpsc::unbounded_channel());
        let sender = inbox.start(Batches(inbox.clone(), heard));
        for batch in [vec![1, 2, 3], vec![4], vec![5, 6]] {
            batch.iter().for_each(|number| sender.send(*number).expect("it lives"));
            assert_eq!(soon(hear.recv()).await, Some(batch));
        }
        assert!(hear.try_recv().is_err());
    }

    /// Ends without a look at its inbox.
    struct Unwilling(#[allow(dead_code, reason = "it ends with the actor")] Inbox<Rc<()>>);

    impl Actor for Unwilling {
        type Context = Context<Self>;
    }

    impl Handler<InboxFilled> for Unwilling {
        type Result = ();

        fn handle(&mut self, InboxFilled: InboxFilled, context: &mut Self::Context) {
            context.stop();
        }
    }

    #[actix_rt::test]
    async fn what_waits_ends_with_its_actor() {
        let message = Rc::new(());
        let sender = {
            let inbox = Inbox::default();
            inbox.start(Unwilling(inbox.clone()))
        };
        sender.send(Rc::clone(&message)).expect("it lives");
        soon(async {
            while Rc::strong_count(&message) > 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(sender.send(message).is_err());
    }

    #[actix_rt::test]
    async fn an_actor_that_has_ended_gets_nothing() {
        let (inbox, (heard, mut hear)) = (Inbox::default(), mpsc::unbounded_channel());
        let sender = inbox.start(Batches(inbox.clone(), heard));
        sender.send(0).expect("it lives");
        soon(hear.recv()).await.expect("the last batch");
        while sender.is_connected() {
            tokio::task::yield_now().await;
        }
        assert_eq!((sender.send(7), sender.send(8)), (Err(7), Err(8)));
    }
}
