//! How a POST leaves the node. [`Outlet`] is what the rest of the Dispatcher sees. Connections are made and bounded by a
//! pool; each is a stream. The HTTP client sends the requests of the handshake only, over streams of its own:
//!
//! ```text
//! Outlet ──┬── Pool: idle streams ────┬── Stream ──┬── Socket (TCP, TLS)
//!   │      └── HTTP client: handshake ┘            ├── Response: reads what the receiver sends, each byte once
//!   ├── Progress: how far it came                  └── Peer: resolve, check, race, tunnel; habits of the receiver
//!   ├── Deadlines: of all attempts of a thread; WallClock: when they say that they were made
//!   ├── flow::turnstile: new connections of a thread begin a few at a time
//!   └── Lookups: how many are under way, shared by accounts
//! ```

mod client_response;
mod consent;
mod deadlines;
mod habit;
mod lookups;
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
mod wall_clock;

pub(super) use deadlines::DeadlineSeat;
pub(super) use outlet::{ConsentTurn, Outlet, Outlets};
pub use outlet::{Outbound, OutboundError};
pub use own::OwnAddresses;
pub use resolve::ResolverError;
pub(super) use resolve::system_resolver;
