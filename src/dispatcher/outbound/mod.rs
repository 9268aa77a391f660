//! How a POST leaves the node. [`Outlet`] is what the rest of the Dispatcher sees; beneath it the HTTP client
//! works over a stream of our own:
//!
//! ```text
//! Outlet ── HTTP client ── Stream ──┬── Socket (TCP, TLS)
//!   │                               ├── Response: reads what the receiver sends, each byte once
//!   ├── Progress: how far it came   └── Peer: resolve, judge, race, tunnel, handshake; habits of the receiver
//!   └── Deadlines
//! ```

mod answer;
mod consent;
mod deadlines;
mod habit;
mod outlet;
mod own;
mod peer;
mod pool;
mod post;
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

pub use outlet::{Outbound, OutboundError};
pub(super) use outlet::{Outlet, Outlets, Turn};
pub use own::OwnAddresses;
pub(super) use post::Post;
pub use resolve::ResolverError;
pub(super) use resolve::system_resolver;
