//! How a POST leaves the node: connections, TLS and the address guard.

mod client;
mod guard;

pub use client::Outbound;
pub(super) use client::{AddressRefused, resolver};
