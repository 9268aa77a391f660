//! The addresses that the node itself listens on. A delivery to one of them would come back as an event and fire again.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Where the node listens.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses(pub Vec<SocketAddr>);

impl OwnAddresses {
    /// Whether a connection to the address would end at the node itself.
    pub(super) fn contain(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|own| {
            let listened = own.ip().to_canonical();
            own.port() == port
                && (listened == address
                    // The system connects an unspecified address to this machine.
                    || (address.is_unspecified() && is_local(listened))
                    || (listened.is_unspecified() && is_local(address)))
        })
    }
}

/// Whether the address belongs to this machine: a socket can be bound to no other.
fn is_local(address: IpAddr) -> bool {
    address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_recognizes_all_of_its_addresses() {
        let own = |text: &str| OwnAddresses(vec![text.parse().expect("an address")]);
        for (listened, dialled, port, expected) in [
            ("127.0.0.1:8080", "127.0.0.1", 8080, true),
            ("127.0.0.1:8080", "::ffff:127.0.0.1", 8080, true),
            ("127.0.0.1:8080", "0.0.0.0", 8080, true),
            ("127.0.0.1:8080", "127.0.0.1", 8081, false),
            ("127.0.0.1:8080", "127.0.0.2", 8080, false),
            ("0.0.0.0:8080", "127.0.0.2", 8080, true),
            ("[::]:8080", "127.0.0.1", 8080, true),
            ("0.0.0.0:8080", "192.0.2.1", 8080, false),
            ("0.0.0.0:8080", "192.0.2.1", 80, false),
        ] {
            let dialled: IpAddr = dialled.parse().expect("an address");
            assert_eq!(own(listened).contain(dialled, port), expected, "{listened} {dialled}");
        }
        assert!(!OwnAddresses::default().contain("127.0.0.1".parse().expect("an address"), 8080));
    }
}
