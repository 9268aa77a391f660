//! `cidr`: networks of IPv4 and IPv6 addresses. An IPv4 address in IPv6 form (`::ffff:10.0.0.1`) is that IPv4 address.
//! The parser is strict: `010.0.0.1` and `1.2.3.4 ` are not addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The bits before an IPv4 address in its IPv6 form.
const MAPPED_BITS: u8 = 96;
/// The longest text of an address.
const ADDRESS_BYTES_MAX: usize = 45;

/// A network, with its host bits cleared. IPv4 addresses are in the last four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    is_v4: bool,
    /// The length of the prefix, of 32 or 128 bits.
    length: u8,
    bytes: [u8; 16],
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NetworkError {
    #[error("a network is an address and a length, such as 10.0.0.0/8 or 2001:db8::/32")]
    Form,
    #[error("the length must be a number without leading zeros")]
    Length,
    #[error("the length of an IPv4 network must be 0 to 32")]
    LengthV4,
    #[error("the length of an IPv6 network must be 0 to 128")]
    LengthV6,
}

/// An address in the form in which networks are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NetworkAddress {
    is_v4: bool,
    bits: u128,
}

impl NetworkAddress {
    /// Reads an address; `None` if the text is not one.
    pub(super) fn new(text: &str) -> Option<Self> {
        let first = *text.as_bytes().first()?;
        if text.len() > ADDRESS_BYTES_MAX || !(first.is_ascii_hexdigit() || first == b':') {
            return None;
        }
        let address: IpAddr = text.parse().ok()?;
        Some(match address.to_canonical() {
            IpAddr::V4(v4) => Self { is_v4: true, bits: u32::from(v4).into() },
            IpAddr::V6(v6) => Self { is_v4: false, bits: v6.into() },
        })
    }

    /// The network of this length that contains it; `None` if the length or kind does not fit.
    pub(super) fn network(self, is_v4: bool, length: u8) -> Option<Network> {
        let width = if self.is_v4 { 32 } else { 128 };
        if self.is_v4 != is_v4 || length > width {
            return None;
        }
        let host = u32::from(width - length);
        let bits = if host == 128 { 0 } else { self.bits >> host << host };
        Some(Network { is_v4, length, bytes: bits.to_be_bytes() })
    }
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`.
    pub(super) fn new(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError::Form)?;
        let plain = length.bytes().all(|byte| byte.is_ascii_digit()) && (length.len() == 1 || !length.starts_with('0'));
        let length: u8 = length.parse().ok().filter(|_| plain).ok_or(NetworkError::Length)?;
        if let Ok(v4) = address.parse::<Ipv4Addr>() {
            let address = NetworkAddress { is_v4: true, bits: u32::from(v4).into() };
            return address.network(true, length).ok_or(NetworkError::LengthV4);
        }
        let v6: Ipv6Addr = address.parse().map_err(|_| NetworkError::Form)?;
        match v6.to_ipv4_mapped() {
            Some(v4) if (MAPPED_BITS..=128).contains(&length) => {
                let address = NetworkAddress { is_v4: true, bits: u32::from(v4).into() };
                address.network(true, length - MAPPED_BITS).ok_or(NetworkError::Form)
            }
            _ => {
                let address = NetworkAddress { is_v4: false, bits: v6.into() };
                address.network(false, length).ok_or(NetworkError::LengthV6)
            }
        }
    }

    /// Whether an address is in it.
    pub(super) fn holds(self, address: NetworkAddress) -> bool {
        address.network(self.is_v4, self.length) == Some(self)
    }

    /// Its identity: whether it is IPv4, its length, its bits.
    pub(super) fn parts(&self) -> (bool, u8, &[u8; 16]) {
        (self.is_v4, self.length, &self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_say() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.9.9.9/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("10.0.0.1/32", "10.0.0.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::1/128", "0:0:0:0:0:0:0:1", true),
            ("2001:db8::/63", "2001:DB8:0:1::", true),
            ("2001:db8::/64", "2001:DB8:0:1::", false),
            ("10.0.0.0/8", "::ffff:a00:1", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:0:0/96", "9.9.9.9", true),
            ("10.0.0.0/8", "010.0.0.1", false),
            ("10.0.0.0/8", "10.0.0.1 ", false),
            ("10.0.0.0/8", "10.0.0", false),
            ("10.0.0.0/8", "", false),
            ("fe80::/10", "fe80::1%eth0", false),
        ] {
            let network = Network::new(network).expect(network);
            assert_eq!(
                NetworkAddress::new(address).is_some_and(|a| network.holds(a)),
                expected,
                "{network:?} {address}"
            );
        }
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/8/",
            "010.0.0.0/8",
            "::/129",
            "a/8",
            "10.0.0/8",
        ] {
            assert!(Network::new(bad).is_err(), "{bad}");
        }
    }
}
