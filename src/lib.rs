//! Posthaste: events in over HTTP, each customer's own template rendered, one HTTP POST out.
//!
//! The modules in the order in which an event meets them: [`http`] takes a request in, the
//! [`ingester`] makes events of its body, the [`matcher`] finds the triggers that fire, the
//! [`renderer`] writes each one's body, and the [`dispatcher`] of its destination sends it.
//! [`engine`] wires them. What they speak of (accounts, events, triggers, templates,
//! deliveries) are plain data that know no framework. `ARCHITECTURE.md` tells the rest.

pub mod admission;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod dispatcher;
pub mod duplicates;
pub mod engine;
pub mod event;
pub mod field;
pub mod http;
pub mod id;
pub mod ingester;
pub mod json;
pub mod key;
pub mod live;
pub mod log;
pub mod matcher;
pub mod messages;
pub mod metrics;
pub mod pattern;
pub mod pressure;
#[cfg(test)]
mod probe;
pub mod redis;
pub mod renderer;
pub mod store;
pub mod streams;
pub mod template;
pub mod templating;
pub mod ticket;
pub mod trigger;
