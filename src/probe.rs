//! An actor that stands behind the one under test and passes on what it hears.

use actix::{Actor, Context, Handler, Message, Recipient};
use tokio::sync::mpsc;

/// Hears messages of one kind.
#[derive(Debug)]
pub(crate) struct Probe<M>(mpsc::UnboundedSender<M>);

impl<M: Message<Result = ()> + Send + Unpin + 'static> Probe<M> {
    /// Starts one on this thread.
    pub(crate) fn start() -> (Recipient<M>, mpsc::UnboundedReceiver<M>) {
        let (heard, hear) = mpsc::unbounded_channel();
        (Self(heard).start().recipient(), hear)
    }
}

impl<M: Unpin + 'static> Actor for Probe<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Send + Unpin + 'static> Handler<M> for Probe<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        let _ = self.0.send(message);
    }
}
