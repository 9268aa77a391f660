//! How a POST leaves the node: connections, TLS and the address guard.

mod client;

pub use client::Outbound;
pub(super) use client::{AddressRefused, resolver};
