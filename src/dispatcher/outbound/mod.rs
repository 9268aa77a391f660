//! How a POST leaves the node. [`Outlet`] is what the rest of the Dispatcher sees; beneath it the HTTP client
//! works over a stream of our own:
//!
//! ```text
//! Outlet ── HTTP client ── Stream ──┬── Socket (TCP, TLS)
//!   │                               ├── Response: reads what the receiver sends, each byte once
//!   └── Progress: how far it came   └── Peer: resolve, judge, race, tunnel, handshake; habits of the receiver
//! ```

mod answer;
mod consent;
mod habit;
mod outlet;
mod own;
mod peer;
mod progress;
mod proxy;
mod race;
mod resolve;
mod response;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub(super) use outlet::Outlet;
pub use outlet::{Outbound, OutboundError};
pub use own::OwnAddresses;
pub use resolve::ResolverError;
pub(super) use resolve::{Resolver, system_resolver};
