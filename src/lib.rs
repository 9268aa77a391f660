//! Posthaste: an event comes in over HTTP, each customer's own template is rendered, one HTTP POST goes out.
//!
//! An event passes the stages in this order: [`http`] accepts the request, the [`ingester`] reads events from its
//! body, the [`matcher`] finds the triggers that fire, the [`renderer`] writes one body for each firing,
//! [`handover`] passes each delivery to a node that sends, and the [`dispatcher`] of its destination sends it.
//! [`node`] wires the stages. [`flow`] holds what passes between them, [`model`] the plain data. [`matching`] and
//! [`templating`] are the two languages that customers write. `ARCHITECTURE.md` gives the overview.

// Without Redis, what only deliveries between nodes need is unused.
#![cfg_attr(not(feature = "redis"), allow(dead_code, unused_imports))]

pub mod cli;
pub mod config;
pub mod dictionary;
pub mod dispatcher;
pub mod flow;
pub mod handover;
pub mod http;
pub mod ingester;
pub mod json;
pub mod live;
pub mod matcher;
pub mod matching;
pub mod model;
pub mod node;
#[cfg(feature = "redis")]
pub mod redis;
pub mod renderer;
pub mod store;
pub mod telemetry;
pub mod templating;
