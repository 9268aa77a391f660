//! The last stage: one `Dispatcher` for each destination, with its own queue and connections, so that a
//! dead, slow or hostile destination affects no other. [`Dispatchers`], one for each dispatch thread, starts them on
//! demand and stops idle ones.

mod attempt;
mod bounds;
mod connections;
mod outbound;
mod overflow;
mod pace;
mod parked;
mod queue;
mod rated_triggers;
mod saturation;
mod set;
mod signature;
mod tally;
mod waiting;
mod work_off;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext as _, Addr, AsyncContext as _, Context, Handler, Message, Recipient};

pub use connections::connection_pool;
pub use outbound::{Outbound, OutboundError, OwnAddresses, ResolverError};
pub use set::{DispatchSettings, Dispatchers};

use crate::flow::in_flight::StreamClaims;
use crate::flow::messages::DeliveriesRouted;
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use queue::Queue;

/// From a Dispatcher that has been idle for a while, to its parent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct IdleReport {
    destination: Destination,
    /// Distinguishes it from other Dispatchers of the same destination.
    generation: u64,
    /// How many messages it has received. If its parent has sent more, one is on its way.
    received: u64,
}

/// At a stop: give back the deliveries whose attempts have not begun and that other nodes may make.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ReleaseDeliveries;

/// Deliveries of an account to this Dispatcher's destination are parked; they can be fetched through the claims of their
/// stream.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct ParkedReport(Option<AccountId>, StreamClaims);

/// Tells an idle Dispatcher to stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct StopIdle;

/// Sends to one destination.
struct Dispatcher {
    destination: Destination,
    generation: u64,
    /// Messages that it has had; its parent reads it too.
    received: Rc<Cell<u64>>,
    queue: Rc<Queue>,
    idle_after: Duration,
    parent: Recipient<IdleReport>,
}

impl Dispatcher {
    /// Starts it with a mailbox of the final size. Setting the size when the actor runs would be too late for a burst
    /// that follows the first delivery.
    fn start_with(self, mailbox_capacity: usize) -> Addr<Self> {
        Self::create(|context| {
            context.set_mailbox_capacity(mailbox_capacity);
            self
        })
    }

    /// Checks again at the earliest time at which it could have been idle for long enough.
    fn check_again(&self, context: &mut Context<Self>, after: Duration) {
        context.run_later(after, |own, context| {
            match own.queue.idle_for(Instant::now()) {
                Some(idle) if idle >= own.idle_after => {
                    own.parent.do_send(IdleReport {
                        destination: own.destination.clone(),
                        generation: own.generation,
                        received: own.received.get(),
                    });
                    own.check_again(context, own.idle_after);
                }
                Some(idle) => own.check_again(context, own.idle_after - idle),
                None => own.check_again(context, own.idle_after),
            };
        });
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.check_again(context, self.idle_after);
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.queue.dismiss_workers();
    }
}

impl Handler<DeliveriesRouted> for Dispatcher {
    type Result = ();

    fn handle(&mut self, message: DeliveriesRouted, _: &mut Self::Context) {
        self.received.set(self.received.get() + 1);
        self.queue.take(message.0);
    }
}

impl Handler<ParkedReport> for Dispatcher {
    type Result = ();

    fn handle(&mut self, message: ParkedReport, _: &mut Self::Context) {
        self.received.set(self.received.get() + 1);
        self.queue.report_parked(message.0, &message.1);
    }
}

impl Handler<ReleaseDeliveries> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: ReleaseDeliveries, _: &mut Self::Context) {
        self.queue.let_go();
    }
}

impl Handler<StopIdle> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: StopIdle, context: &mut Self::Context) {
        context.stop();
    }
}

#[cfg(test)]
mod tests;
