//! IPv4 addresses inside IPv6 addresses: each form in which a router, a translator or a tunnel would
//! reach the IPv4 address. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Every IPv4 address that the address may contain. Some addresses can be interpreted in several forms.
pub(super) fn all(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let single = [
        address.to_ipv4_mapped(),
        compatible(address),
        translated(address),
        nat64_well_known(address),
        six_to_four(address),
        isatap(address),
    ];
    single.into_iter().flatten().chain(teredo(address).into_iter().flatten()).chain(nat64_local(address))
}

/// `::a.b.c.d` (RFC 4291, section 2.5.5.1).
fn compatible(address: Ipv6Addr) -> Option<Ipv4Addr> {
    (address.to_bits() >> 32 == 0).then(|| low(address))
}

/// `::ffff:0:a.b.c.d` (RFC 2765, section 2.1).
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    (address.to_bits() >> 32 == 0xffff_0000).then(|| low(address))
}

/// `64:ff9b::a.b.c.d` (RFC 6052, section 2.1).
pub(super) fn nat64_well_known(address: Ipv6Addr) -> Option<Ipv4Addr> {
    (address.to_bits() >> 32 == 0x0064_ff9b << 64).then(|| low(address))
}

/// Inside `64:ff9b:1::/48`, the prefix for private translators (RFC 8215): the IPv4 address follows a prefix of 48, 56,
/// 64 or 96 bits, and bits 64 to 71 are left out (RFC 6052, section 2.2).
fn nat64_local(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let prefixes: &[u8] = if address.to_bits() >> 80 == 0x0064_ff9b_0001 { &[48, 56, 64, 96] } else { &[] };
    prefixes.iter().map(move |prefix| behind(address, *prefix))
}

/// Whether a translator's prefix can have this many bits (RFC 6052, section 2.2).
pub fn is_nat64_length(bits: u8) -> bool {
    matches!(bits, 32 | 40 | 48 | 56 | 64 | 96)
}

/// The IPv4 address behind a translator's prefix of this many bits. Bits 64 to 71 are left out (RFC 6052, section 2.2).
pub(super) fn behind(address: Ipv6Addr, prefix_bits: u8) -> Ipv4Addr {
    let bits = address.to_bits();
    // 120 bits. A prefix of 96 bits is followed by no gap.
    let without_gap = (bits >> 64) << 56 | (bits & ((1 << 56) - 1));
    let inner = if prefix_bits >= 96 { bits } else { without_gap >> (88 - u32::from(prefix_bits)) };
    Ipv4Addr::from_bits(inner as u32)
}

/// `2002:ab:cd::` (RFC 3056, section 2).
fn six_to_four(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    (bits >> 112 == 0x2002).then(|| Ipv4Addr::from_bits((bits >> 80) as u32))
}

/// `2001:0:server:flags:port:client`, the client's address with its bits inverted (RFC 4380, section 4).
fn teredo(address: Ipv6Addr) -> Option<[Ipv4Addr; 2]> {
    let bits = address.to_bits();
    (bits >> 96 == 0x2001_0000).then(|| [Ipv4Addr::from_bits((bits >> 64) as u32), Ipv4Addr::from_bits(!(bits as u32))])
}

/// `prefix:0:5efe:a.b.c.d` or `prefix:200:5efe:a.b.c.d`, in any prefix (RFC 5214, section 6.1).
pub(super) fn isatap(address: Ipv6Addr) -> Option<Ipv4Addr> {
    // All bits except those for universal and group identifiers.
    let identifier = (address.to_bits() >> 32) as u32 & !0x0300_0000;
    (identifier == 0x0000_5efe).then(|| low(address))
}

fn low(address: Ipv6Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(address.to_bits() as u32)
}
