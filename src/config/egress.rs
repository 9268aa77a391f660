//! The keys of `[dispatch]` that restrict outgoing connections.

use ipnet::{IpNet, Ipv6Net};

use super::reader::SettingsReader;
use crate::model::egress::{EgressRules, HostPattern, can_be_allowed, is_nat64_length};

pub(super) fn read(reader: &mut SettingsReader) -> EgressRules {
    let mut allow_networks = Vec::new();
    for text in reader.texts("dispatch.allow_networks") {
        match text.parse::<IpNet>() {
            Ok(network) => allow_networks.push(network),
            Err(_) => reader.refuse(
                "dispatch.allow_networks",
                format!("{text:?} is not a network; write it like 10.1.0.0/16 or fd00::/8"),
            ),
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

fn nat64_prefixes(reader: &mut SettingsReader) -> Vec<Ipv6Net> {
    const KEY: &str = "dispatch.nat64_prefixes";
    let mut prefixes = Vec::new();
    for text in reader.texts(KEY) {
        match text.parse::<Ipv6Net>() {
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
        reader.refuse("dispatch.handshake_origin", detail);
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
