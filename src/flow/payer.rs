//! Whose share of the node a request uses before it is read.

use std::net::IpAddr;

/// Who uses a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    /// Requests with the key that has this hash.
    Key(u64),
    /// Requests without a key from this address; of IPv6 the first 64 bits, which one customer commonly has.
    Peer(Option<IpAddr>),
}
