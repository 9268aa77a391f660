//! The last stage: one `Dispatcher` for each destination, with its own queue and connections, so that a
//! dead, slow or hostile destination affects no other. [`Dispatchers`], one for each dispatch thread, starts them on
//! demand, hands them deliveries and stops idle ones. They are on one thread, so it calls a queue directly: a message would
//! cost more than the queue does.

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

use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, Handler, Message, Recipient};

pub use connections::connection_pool;
pub use outbound::{Outbound, OutboundError, OwnAddresses, ResolverError};
pub use set::{DispatchSettings, Dispatchers};

use crate::model::destination::Destination;
use queue::Queue;

/// From a Dispatcher that has been idle for a while, to its parent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct IdleReport {
    destination: Destination,
    /// Distinguishes it from other Dispatchers of the same destination.
    generation: u64,
}

/// At a stop: give back the deliveries whose attempts have not begun and that other nodes may make.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ReleaseDeliveries;

/// Tells an idle Dispatcher to stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct StopIdle;

/// Keeps the queue of one destination, and says when it has been idle for long. Its end ends the queue's workers.
struct Dispatcher {
    destination: Destination,
    generation: u64,
    queue: Rc<Queue>,
    idle_after: Duration,
    parent: Recipient<IdleReport>,
}

impl Dispatcher {
    /// Checks again at the earliest time at which it could have been idle for long enough.
    fn check_again(&self, context: &mut Context<Self>, after: Duration) {
        context.run_later(after, |own, context| {
            match own.queue.idle_for(Instant::now()) {
                Some(idle) if idle >= own.idle_after => {
                    own.parent.do_send(IdleReport { destination: own.destination.clone(), generation: own.generation });
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

impl Handler<StopIdle> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: StopIdle, context: &mut Self::Context) {
        context.stop();
    }
}

#[cfg(test)]
mod tests;
