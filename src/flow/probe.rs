//! An actor that stands behind the one under test and passes on what it hears, and the patience of a
//! test that waits for it.

use std::time::Duration;

use actix::{Actor, ActorContext as _, Context, Handler, Message, Recipient};
use tokio::sync::mpsc;

/// Waits for what must come; a test fails that waits in vain.
pub(crate) async fn soon<F: Future>(coming: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), coming).await.expect("it did not come")
}

/// Hears messages of one kind.
#[derive(Debug)]
pub(crate) struct Probe<M>(mpsc::UnboundedSender<M>);

impl<M: Message<Result = ()> + Send + Unpin + 'static> Probe<M> {
    /// Starts one on this thread.
    pub(crate) fn start() -> (Recipient<M>, mpsc::UnboundedReceiver<M>) {
        let (heard, hear) = mpsc::unbounded_channel();
        (Self(heard).start().recipient(), hear)
    }

    /// The address of one that has ended.
    pub(crate) async fn gone() -> Recipient<M> {
        let (heard, _) = mpsc::unbounded_channel();
        let gone = Self(heard).start().recipient();
        while gone.connected() {
            tokio::task::yield_now().await;
        }
        gone
    }
}

impl<M: Unpin + 'static> Actor for Probe<M> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // There is nobody to pass anything on to.
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
