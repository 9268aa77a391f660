//! Which addresses are public: those that IANA's registries call globally reachable, without a few that no web receiver
//! has. Pure; it checks addresses, never names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::embedded;

/// A range that is not public, and the document that says so.
pub(super) struct Range<A: 'static> {
    pub(super) first: A,
    pub(super) bits: u8,
    /// Only read by the test that requires a reason for each row.
    #[cfg_attr(not(test), expect(dead_code))]
    pub(super) reason: &'static str,
}

const fn v4(octets: [u8; 4], bits: u8, reason: &'static str) -> Range<Ipv4Addr> {
    let [a, b, c, d] = octets;
    Range { first: Ipv4Addr::new(a, b, c, d), bits, reason }
}

const fn v6(first: [u16; 3], bits: u8, reason: &'static str) -> Range<Ipv6Addr> {
    let [a, b, c] = first;
    Range { first: Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits, reason }
}

/// IANA's IPv4 Special-Purpose Address Registry, and multicast.
pub(super) const NOT_PUBLIC_V4: [Range<Ipv4Addr>; 17] = [
    v4([0, 0, 0, 0], 8, "RFC 791, section 3.2: this network"),
    v4([10, 0, 0, 0], 8, "RFC 1918: private use"),
    v4([100, 64, 0, 0], 10, "RFC 6598: shared address space"),
    v4([127, 0, 0, 0], 8, "RFC 1122, section 3.2.1.3: loopback"),
    v4([169, 254, 0, 0], 16, "RFC 3927: link local"),
    v4([172, 16, 0, 0], 12, "RFC 1918: private use"),
    // 192.0.0.9 and 192.0.0.10 are globally reachable anycast addresses of protocols that are not HTTP.
    v4([192, 0, 0, 0], 24, "RFC 6890, section 2.1: IETF protocol assignments"),
    v4([192, 0, 2, 0], 24, "RFC 5737: documentation"),
    v4([192, 31, 196, 0], 24, "RFC 7535: AS112, a sink for queries"),
    v4([192, 52, 193, 0], 24, "RFC 7450: AMT, multicast relays"),
    v4([192, 88, 99, 0], 24, "RFC 7526: 6to4 relay anycast, deprecated"),
    v4([192, 168, 0, 0], 16, "RFC 1918: private use"),
    v4([192, 175, 48, 0], 24, "RFC 7534: AS112, a sink for queries"),
    v4([198, 18, 0, 0], 15, "RFC 2544: benchmarking"),
    v4([198, 51, 100, 0], 24, "RFC 5737: documentation"),
    v4([203, 0, 113, 0], 24, "RFC 5737: documentation"),
    v4([224, 0, 0, 0], 3, "RFC 5771: multicast; RFC 1112, section 4: reserved; RFC 8190: broadcast"),
];

/// The ranges inside global unicast that IANA's IPv6 Special-Purpose Address Registry excludes.
pub(super) const NOT_PUBLIC_V6: [Range<Ipv6Addr>; 5] = [
    v6([0x2001, 0, 0], 23, "RFC 2928: IETF protocol assignments (Teredo, benchmarking, ORCHID, AMT, AS112, DETs)"),
    v6([0x2001, 0xdb8, 0], 32, "RFC 3849: documentation"),
    v6([0x2002, 0, 0], 16, "RFC 3056: 6to4, which holds an IPv4 address"),
    v6([0x2620, 0x4f, 0x8000], 48, "RFC 7534: AS112, a sink for queries"),
    v6([0x3fff, 0, 0], 20, "RFC 9637: documentation"),
];

/// RFC 4291, section 2.4, and IANA's IPv6 Address Space registry: all other addresses are not assigned as global
/// unicast. That excludes `::/96`, `64:ff9b:1::/48`, `100::/64`, `5f00::/16`, `fc00::/7`, `fe80::/10`, `fec0::/10` and
/// `ff00::/8`.
pub(super) const GLOBAL_UNICAST: Range<Ipv6Addr> = v6([0x2000, 0, 0], 3, "RFC 4291, section 2.4: global unicast");

/// Addresses at which clouds serve credentials to any client on the machine.
pub(super) const CLOUD_METADATA: [IpAddr; 11] = [
    // Most clouds, link local.
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // Amazon: credentials of containers (ECS) and of pods (EKS), time, and name servers.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 253)),
    // Tencent.
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    // Alibaba, inside shared address space.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Oracle.
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // Azure, public by its number.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Amazon over IPv6: instances and pods.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether this is the address of a cloud's metadata service, in any IPv6 form.
pub(super) fn is_cloud_metadata(address: IpAddr) -> bool {
    let is_one = |address: IpAddr| CLOUD_METADATA.contains(&address);
    is_one(address)
        || match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => embedded::all(address).any(|inner| is_one(IpAddr::V4(inner))),
        }
}

/// Whether the address is reachable from the whole internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|range| contains_v4(range, address)),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public(IpAddr::V4(inner));
    }
    // The only form whose prefix IANA calls globally reachable: the embedded address is the one that is reached.
    if let Some(inner) = embedded::nat64_well_known(address) {
        return is_public(IpAddr::V4(inner));
    }
    contains_v6(&GLOBAL_UNICAST, address)
        && !NOT_PUBLIC_V6.iter().any(|range| contains_v6(range, address))
        // An ISATAP router of that prefix would tunnel to the IPv4 address inside.
        && embedded::isatap(address).is_none()
}

pub(super) fn contains_v4(range: &Range<Ipv4Addr>, address: Ipv4Addr) -> bool {
    (range.first.to_bits() ^ address.to_bits()) >> (32 - range.bits) == 0
}

pub(super) fn contains_v6(range: &Range<Ipv6Addr>, address: Ipv6Addr) -> bool {
    (range.first.to_bits() ^ address.to_bits()) >> (128 - range.bits) == 0
}
