//! Posthaste: events in over HTTP, each customer's own template rendered, one HTTP POST out.
//!
//! The modules in the order in which an event meets them: [`http`] takes a request in, the
//! [`ingester`] makes events of its body, the [`matcher`] finds the triggers that fire, the
//! [`renderer`] writes each one's body, and the [`dispatcher`] of its destination sends it.
//! [`engine`] wires them. What they speak of (accounts, events, triggers, templates,
//! deliveries) are plain data that know no framework. `ARCHITECTURE.md` tells the rest.

pub mod delivery;
pub mod event;
pub mod field;
pub mod id;
pub mod pattern;
pub mod template;
pub mod templating;
pub mod trigger;
