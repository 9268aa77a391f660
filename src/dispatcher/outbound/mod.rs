//! How a POST leaves the node. [`Outlet`] is what the rest of the Dispatcher sees. The HTTP client makes the connections
//! and bounds their number; each is a stream of our own. The client also sends the requests of the handshake; the POSTs
//! of deliveries go to the streams themselves:
//!
//! ```text
//! Outlet ──┬── Pool: idle streams ──┬── Stream ──┬── Socket (TCP, TLS)
//!   │      └── HTTP client ─────────┘            ├── Response: reads what the receiver sends, each byte once
//!   ├── Progress: how far it came                └── Peer: resolve, check, race, tunnel; habits of the receiver
//!   ├── Deadlines: of all attempts of a thread
//!   └── flow::turnstile: new connections of a thread begin a few at a time
//! ```

mod client_response;
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
mod records;
mod resolve;
mod response;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

pub(super) use outlet::{ConsentTurn, Outlet, Outlets};
pub use outlet::{Outbound, OutboundError};
pub use own::OwnAddresses;
pub(super) use post::{DecimalDigits, Post};
pub use resolve::ResolverError;
pub(super) use resolve::system_resolver;
