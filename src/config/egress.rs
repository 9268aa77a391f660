//! The keys of `[dispatch]` that say what may be dialled.

use ipnet::IpNet;

use super::reader::Reader;
use crate::model::egress::{EgressRules, HostPattern, can_be_allowed};

pub(super) fn read(reader: &mut Reader) -> EgressRules {
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
    let mut allow_hosts = Vec::new();
    for text in reader.texts("dispatch.allow_hosts") {
        match HostPattern::new(&text) {
            Ok(pattern) => allow_hosts.push(pattern),
            Err(error) => reader.refuse("dispatch.allow_hosts", error.to_string()),
        }
    }
    let allow_ports = reader.ports("dispatch.allow_ports");
    for port in allow_ports.iter().filter(|port| !can_be_allowed(**port)) {
        let detail = match port {
            1024.. => format!("port {port} needs no entry: from 1024 on all may be dialled but the bad ports of Fetch"),
            _ => format!("port {port} is one of the bad ports of Fetch and is never dialled"),
        };
        reader.refuse("dispatch.allow_ports", detail);
    }
    EgressRules { allow_networks, allow_hosts, allow_ports }
}
