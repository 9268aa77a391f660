//! The owner of the share of the node that a request uses while it is read, before it is known whose events it holds.

use std::net::IpAddr;

/// Who uses a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    /// Requests with the key that has this hash.
    Key(u64),
    /// Requests without a key from this peer, see [`peer_of`].
    Peer(Option<IpAddr>),
}

/// The peer that an address belongs to: the address itself; of IPv6 the first 64 bits, which one customer commonly has.
pub fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => (address.to_bits() >> 64 << 64).to_be_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_address_or_a_network() {
        for (address, peer) in
            [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
        {
            assert_eq!(Ok(peer_of(address.parse().expect("an address"))), peer.parse(), "{address}");
        }
    }
}
