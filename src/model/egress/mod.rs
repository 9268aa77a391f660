//! What may be dialled. The same rules check a URL when a trigger is saved, a saved trigger when it is loaded, and
//! every address when a connection is made. Pure: they resolve nothing.

mod address;
mod embedded;
mod host;
mod port;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

pub use embedded::is_nat64_length;
pub use host::{HostPattern, HostPatternError};

use crate::model::destination::Destination;

/// Whether a setting may allow the port: the check of entries of `dispatch.allow_ports`.
pub fn can_be_allowed(port: u16) -> bool {
    port < 1024 && !port::is_bad(port)
}

/// What the operator allows in addition to public addresses and the ports of the web.
#[derive(Debug, Clone, Default)]
pub struct EgressRules {
    /// `dispatch.allow_networks`.
    pub allow_networks: Vec<IpNet>,
    /// `dispatch.allow_hosts`.
    pub allow_hosts: Vec<HostPattern>,
    /// `dispatch.allow_ports`.
    pub allow_ports: Vec<u16>,
    /// `dispatch.nat64_prefixes`: through them the operator's network reaches IPv4 addresses.
    pub nat64_prefixes: Vec<Ipv6Net>,
}

/// Why a destination may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EgressRefused {
    /// The port belongs to another protocol, or is reserved for system services.
    #[error("port {0} may not be dialled; 80, 443 and most of 1024 to 65535 may, others by `dispatch.allow_ports`")]
    Port(u16),
    /// The name is only valid inside a private network.
    #[error("the host {0:?} is a name of a private network; the operator allows it by `dispatch.allow_hosts`")]
    PrivateName(String),
    /// The host is an address that is not public.
    #[error("{0} is not a public address; the operator allows it by `dispatch.allow_networks`")]
    Address(IpAddr),
    /// The host is an address that a translator of the operator's network makes into one that is not public.
    #[error("{0} stands for {1}, which is not a public address (`dispatch.nat64_prefixes`)")]
    Translated(IpAddr, IpAddr),
    /// The host is the address of a cloud's metadata service.
    #[error("{0} serves the credentials of a cloud; only its own entry in `dispatch.allow_networks` allows it")]
    CloudMetadata(IpAddr),
}

impl EgressRules {
    /// Checks everything that needs no look-up: the port, the form of the name, and an address in the URL itself.
    pub fn check(&self, destination: &Destination) -> Result<(), EgressRefused> {
        if !self.permits_port(destination.port) {
            return Err(EgressRefused::Port(destination.port));
        }
        let host = &destination.host;
        match destination.address() {
            Some(address) => self.check_address(host, address),
            None if host::is_private(host) && self.allow_networks.is_empty() && !self.names(host) => {
                Err(EgressRefused::PrivateName(host.to_string()))
            }
            None => Ok(()),
        }
    }

    /// Checks an address that the URL's host was resolved to.
    pub fn check_address(&self, host: &str, address: IpAddr) -> Result<(), EgressRefused> {
        // An IPv4 address embedded in IPv6 is dialled as IPv4.
        let address = address.to_canonical();
        // What a translator reaches is not the address itself, so no setting for that address opens it.
        if let Some(inner) = self.translated(address)
            && (address::is_cloud_metadata(inner) || !address::is_public(inner))
        {
            return Err(EgressRefused::Translated(address, inner));
        }
        if address::is_cloud_metadata(address) {
            let named = |network: &IpNet| network.addr() == address && network.prefix_len() == network.max_prefix_len();
            return match self.allow_networks.iter().any(named) {
                true => Ok(()),
                false => Err(EgressRefused::CloudMetadata(address)),
            };
        }
        let allowed = address::is_public(address)
            || self.allow_networks.iter().any(|network| network.contains(&address))
            || self.names(host);
        if allowed { Ok(()) } else { Err(EgressRefused::Address(address)) }
    }

    /// The IPv4 address that a translator of the operator's network would reach for the address.
    fn translated(&self, address: IpAddr) -> Option<IpAddr> {
        let IpAddr::V6(address) = address else { return None };
        let prefix = self.nat64_prefixes.iter().find(|prefix| prefix.contains(&address))?;
        Some(IpAddr::V4(embedded::behind(address, prefix.prefix_len())))
    }

    fn permits_port(&self, port: u16) -> bool {
        port::is_open(port) || (self.allow_ports.contains(&port) && can_be_allowed(port))
    }

    /// Whether the operator allows the host by name.
    fn names(&self, host: &str) -> bool {
        self.allow_hosts.iter().any(|pattern| pattern.matches(host))
    }
}
