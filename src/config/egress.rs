//! The keys of `[dispatch]` that restrict outgoing connections.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::reader::SettingsReader;
use crate::model::egress::{EgressRules, HostPattern, can_be_allowed, is_nat64_length};

pub(super) fn read(reader: &mut SettingsReader) -> EgressRules {
    let mut allow_networks = Vec::new();
    for text in reader.texts("dispatch.allow_networks") {
        match network(&text) {
            Ok(network) => allow_networks.push(network),
            Err(error) => reader.refuse("dispatch.allow_networks", format!("{text:?} {error}")),
        }
    }
    let allow_hosts = hosts(reader, "dispatch.allow_hosts");
    let allow_ports = reader.ports("dispatch.allow_ports");
    for port in allow_ports.iter().filter(|port| !can_be_allowed(**port)) {
        let detail = match port {
            1024.. => format!(
                "port {port} needs no entry: all ports from 1024 on may be dialled, except the bad ports of Fetch"
            ),
            _ => format!("port {port} is one of the bad ports of Fetch and is never dialled"),
        };
        reader.refuse("dispatch.allow_ports", detail);
    }
    EgressRules { allow_networks, allow_hosts, allow_ports, nat64_prefixes: nat64_prefixes(reader) }
}

/// Why a text is not a network that can be allowed, and what to write instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum AllowedNetworkError {
    #[error("is not a network; write it like 10.1.0.0/16 or fd00::/8")]
    NotANetwork,
    #[error("is an address; write {0}")]
    NoLength(IpNet),
    #[error("has bits after its first {}; write {}, or {} for the address alone", .0.prefix_len(), .0.trunc(), IpNet::from(.0.addr()))]
    HostBits(IpNet),
    #[error("never applies, since an IPv4 address inside IPv6 is checked as IPv4; write {0}")]
    Mapped(IpNet),
}

/// Reads a network. It must not stand for more than its text says.
fn network(text: &str) -> Result<IpNet, AllowedNetworkError> {
    // The standard library takes no zeros in front, which some programs read as octal.
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    let address: IpAddr = address.parse().map_err(|_| AllowedNetworkError::NotANetwork)?;
    let network: IpNet = text.parse().map_err(|_| match text.contains('/') {
        true => AllowedNetworkError::NotANetwork,
        false => AllowedNetworkError::NoLength(address.to_canonical().into()),
    })?;
    if network.addr() != network.network() {
        return Err(AllowedNetworkError::HostBits(network));
    }
    if let IpAddr::V4(inner) = address.to_canonical()
        && let Some(length) = network.prefix_len().checked_sub(96).filter(|_| address.is_ipv6())
        && let Ok(inner) = Ipv4Net::new(inner, length)
    {
        return Err(AllowedNetworkError::Mapped(inner.into()));
    }
    Ok(network)
}

fn nat64_prefixes(reader: &mut SettingsReader) -> Vec<Ipv6Net> {
    const KEY: &str = "dispatch.nat64_prefixes";
    let mut prefixes = Vec::new();
    for text in reader.texts(KEY) {
        match text.parse::<Ipv6Net>() {
            Ok(prefix) if prefix.addr() != prefix.network() => {
                reader.refuse(KEY, format!("{text:?} {}", AllowedNetworkError::HostBits(prefix.into())));
            }
            Ok(prefix) if is_nat64_length(prefix.prefix_len()) => prefixes.push(prefix),
            _ => reader.refuse(
                KEY,
                format!("{text:?} is not a prefix of NAT64; its length is 32, 40, 48, 56, 64 or 96: 2001:db8:64::/96"),
            ),
        }
    }
    prefixes
}

/// The hosts whose consent is requested, and the origin that is sent to them.
pub(super) fn read_handshake(reader: &mut SettingsReader) -> (Vec<HostPattern>, String) {
    let (hosts, origin) = (hosts(reader, "dispatch.handshake_hosts"), reader.text("dispatch.handshake_origin"));
    let is_name = |text: &str| matches!(url::Host::parse(text), Ok(url::Host::Domain(name)) if name == text);
    if !hosts.is_empty() && !is_name(&origin) {
        let detail =
            "the handshake with the hosts in `dispatch.handshake_hosts` needs an origin, such as events.example.com";
        reader.refuse_for("dispatch.handshake_origin", "dispatch.handshake_hosts", detail);
    }
    (hosts, origin)
}

/// A list of host patterns.
pub(super) fn hosts(reader: &mut SettingsReader, key: &str) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for text in reader.texts(key) {
        match HostPattern::new(&text) {
            Ok(pattern) => hosts.push(pattern),
            Err(error) => reader.refuse(key, error.to_string()),
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_says_no_more_than_its_text() {
        for (text, expected) in [
            ("10.0.0.0/8", Ok(())),
            ("10.0.0.1/32", Ok(())),
            ("0.0.0.0/0", Ok(())),
            ("::/0", Ok(())),
            ("fd00::/8", Ok(())),
            ("::1/128", Ok(())),
            ("10.0.0.1/8", Err("has bits after its first 8; write 10.0.0.0/8, or 10.0.0.1/32 for the address alone")),
            ("fd00::1/8", Err("has bits after its first 8; write fd00::/8, or fd00::1/128 for the address alone")),
            ("10.0.0.1", Err("is an address; write 10.0.0.1/32")),
            ("::1", Err("is an address; write ::1/128")),
            ("::ffff:10.0.0.1", Err("is an address; write 10.0.0.1/32")),
            ("::ffff:10.0.0.0/104", Err("since an IPv4 address inside IPv6 is checked as IPv4; write 10.0.0.0/8")),
            ("::ffff:0:0/96", Err("write 0.0.0.0/0")),
            ("010.0.0.0/8", Err("is not a network; write it like 10.1.0.0/16")),
            ("10.0.0.0/33", Err("is not a network")),
            ("10.0.0/8", Err("is not a network")),
            ("x", Err("is not a network")),
            ("", Err("is not a network")),
        ] {
            match (network(text), expected) {
                (Ok(network), Ok(())) => assert_eq!(network.to_string(), text),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }
}
