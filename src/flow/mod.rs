//! What passes between the stages, and what bounds it: the [`messages`] that stages send, a delivery [`in_flight`] with
//! what it holds, the [`gate`] that admits events, and the [`pressure`] that pauses a stage.

pub mod account;
pub mod background;
pub mod descriptors;
pub mod destination_state;
pub mod drill;
pub mod event_data;
pub mod fairness;
pub mod gate;
pub mod in_flight;
pub mod journal;
pub mod messages;
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
pub mod turns;
pub mod turnstile;
