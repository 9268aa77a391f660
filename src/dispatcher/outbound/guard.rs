//! Which addresses may be dialled: those that the IANA registries call globally reachable, and
//! those in networks that the operator allows. Pure; it judges addresses, never names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Judges addresses.
#[derive(Debug, Clone)]
pub(super) struct AddressGuard {
    allowed: Vec<IpNet>,
}

impl AddressGuard {
    pub(super) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether the address may be dialled.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes is dialled as IPv4, so it is judged as such.
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&address))
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

/// IANA's IPv4 Special-Purpose Address Registry (RFC 6890), multicast (RFC 5771), and one address
/// that is public by its number and a cloud's internal service by its use.
const NOT_PUBLIC_V4: [(u8, u8, u8, u8, u8); 17] = [
    (0, 0, 0, 0, 8),
    (10, 0, 0, 0, 8),
    (100, 64, 0, 0, 10),
    (127, 0, 0, 0, 8),
    (168, 63, 129, 16, 32),
    (169, 254, 0, 0, 16),
    (172, 16, 0, 0, 12),
    (192, 0, 0, 0, 24),
    (192, 0, 2, 0, 24),
    (192, 31, 196, 0, 24),
    (192, 52, 193, 0, 24),
    (192, 88, 99, 0, 24),
    (192, 168, 0, 0, 16),
    (198, 18, 0, 0, 15),
    (198, 51, 100, 0, 24),
    (203, 0, 113, 0, 24),
    // Multicast, reserved and broadcast together.
    (224, 0, 0, 0, 3),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4
        .iter()
        .any(|&(a, b, c, d, bits)| Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits).contains(&address))
}

/// What of the global unicast range 2000::/3 is set apart: protocol assignments (Teredo, ORCHID,
/// benchmarks), documentation, and 6to4, which wraps IPv4 addresses.
const NOT_PUBLIC_V6: [(u16, u16, u8); 4] = [(0x2001, 0, 23), (0x2001, 0xdb8, 32), (0x2002, 0, 16), (0x3fff, 0, 20)];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |a, b, bits| Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits).contains(&address);
    // NAT64 (RFC 6052): the IPv4 address in it is what is reached.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    within(0x2000, 0, 3) && !NOT_PUBLIC_V6.iter().any(|&(a, b, bits)| within(a, b, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(allowed: &[&str], address: &str) -> bool {
        let allowed = allowed.iter().map(|n| n.parse().expect("a network")).collect();
        AddressGuard::new(allowed).permits(address.parse().expect("an address"))
    }

    #[test]
    fn only_public_addresses() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!permits(&[], address), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2606:4700::1111",
        ] {
            assert!(permits(&[], address), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_is_that_network_and_no_more() {
        assert!(permits(&["127.0.0.0/8"], "127.0.0.1"));
        assert!(permits(&["127.0.0.0/8"], "::ffff:127.0.0.1"));
        assert!(!permits(&["127.0.0.0/8"], "::1"));
        assert!(!permits(&["10.1.0.0/16"], "10.2.0.1"));
        assert!(permits(&["10.1.0.0/16", "fd00::/8"], "fd00::1"));
    }
}
