//! Test helpers: an actor that takes the place of the next stage and passes its messages to the test, and a wait with a
//! deadline.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Duration;

use actix::{Actor, ActorContext as _, Context, Handler, Message, Recipient};
use tokio::sync::mpsc;

use super::inbox::{Inbox, InboxFilled, InboxSender};
use super::journal::JournaledEvent;

/// In place of a journal's entry: remembers which of its firings have ended without an attempt.
#[derive(Debug, Default)]
pub(crate) struct EndedFirings(pub(crate) Mutex<Vec<u32>>);

impl JournaledEvent for EndedFirings {
    fn ended(self: Arc<Self>, index: u32) {
        self.0.lock().expect("whole").push(index);
    }

    fn own(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Counts how often a task would have been woken.
#[derive(Debug, Default)]
pub(crate) struct Wakes(pub(crate) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for a future; panics after the deadline.
pub(crate) async fn soon<F: Future>(coming: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), coming).await.expect("the future did not complete in time")
}

/// Receives messages of one kind.
#[derive(Debug)]
pub(crate) struct Probe<M>(mpsc::UnboundedSender<M>);

impl<M: Message<Result = ()> + Send + Unpin + 'static> Probe<M> {
    /// Starts one on this thread.
    pub(crate) fn start() -> (Recipient<M>, mpsc::UnboundedReceiver<M>) {
        let (heard, hear) = mpsc::unbounded_channel();
        (Self(heard).start().recipient(), hear)
    }

    /// The address of an actor that has ended.
    pub(crate) async fn gone() -> Recipient<M> {
        let (heard, _) = mpsc::unbounded_channel();
        let gone = Self(heard).start().recipient();
        while gone.connected() {
            tokio::task::yield_now().await;
        }
        gone
    }
}

/// The same behind an inbox.
pub(crate) struct InboxProbe<M>(Inbox<M>, mpsc::UnboundedSender<M>);

impl<M: 'static> Probe<M> {
    /// Starts one on this thread that reads an inbox.
    pub(crate) fn start_behind_inbox() -> (InboxSender<M>, mpsc::UnboundedReceiver<M>) {
        let ((heard, hear), inbox) = (mpsc::unbounded_channel(), Inbox::default());
        (inbox.start(InboxProbe(inbox.clone(), heard)), hear)
    }

    /// The inbox of an actor that has ended.
    pub(crate) async fn gone_behind_inbox() -> InboxSender<M> {
        let (gone, _) = Self::start_behind_inbox();
        while gone.is_connected() {
            tokio::task::yield_now().await;
        }
        gone
    }
}

impl<M: 'static> Actor for InboxProbe<M> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The test no longer listens.
        if self.1.is_closed() {
            context.stop();
        }
    }
}

impl<M: 'static> Handler<InboxFilled> for InboxProbe<M> {
    type Result = ();

    fn handle(&mut self, InboxFilled: InboxFilled, _: &mut Self::Context) {
        self.0.drain(|message| {
            let _ = self.1.send(message);
        });
    }
}

impl<M: Unpin + 'static> Actor for Probe<M> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // The test no longer listens.
        if self.0.is_closed() {
            context.stop();
        }
    }
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Handler<M> for Probe<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        let _ = self.0.send(message);
    }
}
