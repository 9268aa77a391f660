//! Addresses to listen on, as people write them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads an address and a port. `localhost` is the loopback address of IPv4; no other name is looked up, since which of
/// its addresses is meant would be a guess.
pub fn listen_address(text: &str) -> Result<SocketAddr, NotAnAddress> {
    let localhost = |(host, port): (&str, &str)| {
        let port = port.parse().ok().filter(|_| host.eq_ignore_ascii_case("localhost"))?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    };
    let named = || text.rsplit_once(':').and_then(localhost);
    text.parse().ok().or_else(named).ok_or_else(|| NotAnAddress(text.chars().take(80).collect()))
}

/// A text that names no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address and a port; write them like 127.0.0.1:8080, localhost:8080, [::1]:8080 or 0.0.0.0:8080"
)]
pub struct NotAnAddress(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_port_are_read_and_others_explained() {
        for (text, expected) in [
            ("127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("localhost:9000", Some("127.0.0.1:9000")),
            ("LocalHost:0", Some("127.0.0.1:0")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("9000", None),
            ("localhost", None),
            ("localhost:70000", None),
            ("example.com:80", None),
            (":9000", None),
            ("", None),
        ] {
            let read = listen_address(text);
            assert_eq!(read.clone().ok().map(|address| address.to_string()).as_deref(), expected, "{text}");
            assert!(read.is_ok() || read.expect_err("checked").to_string().contains("localhost:8080"), "{text}");
        }
    }
}
