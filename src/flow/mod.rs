//! What passes between the stages, what bounds it, and how stages share threads. Nothing here knows a stage.
//!
//! - What is passed on: the [`messages`], with an event's data ([`event_data`]) and a delivery [`in_flight`] with the
//!   [`permit`] that it holds. What is passed back: [`response`], [`refusal`] and [`destination_state`].
//! - Bounds: the [`gate`] admits events, each [`account`] has its shares and its [`rate`], a [`payer`] has its share
//!   before events are known, [`pressure`] pauses a stage, and [`descriptors`] divides sockets. [`fairness`] has the
//!   arithmetic of shares, and a [`sweep`] forgets those who hold nothing.
//! - Threads: jobs take [`turns`] within a stage, a [`turnstile`] spreads what thousands begin at once, [`background`]
//!   does long work elsewhere, and [`runtime`] is the event loop. A task that waits often keeps its [`task_waker`],
//!   and `thread_count` counts what many of them change.
//! - [`journal`] says what stages require of the journal. [`drill`] makes faults for tests.

pub mod account;
pub mod background;
pub mod descriptors;
pub mod destination_state;
pub mod drill;
pub mod event_data;
pub mod fairness;
pub mod gate;
pub mod in_flight;
pub mod inbox;
pub mod journal;
pub mod last_account;
pub mod late;
pub mod messages;
pub mod node_work;
pub mod payer;
pub mod permit;
pub mod pressure;
#[cfg(test)]
pub(crate) mod probe;
pub mod rate;
pub mod refusal;
pub mod response;
pub mod runtime;
mod share_notifier;
pub mod sweep;
pub mod task_waker;
mod thread_count;
pub mod turns;
pub mod turnstile;
