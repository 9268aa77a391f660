//! Who may act as the operator of a node without a key. Such a node listens on loopback only, but browsers on the
//! machine reach it too, and show pages of other sites:
//!
//! - A page can give the name of its own host a loopback address (DNS rebinding). Its requests are then of the node's
//!   origin, but name that host. So the host must be one that no public name server serves: an IP address, a name
//!   without a dot, such as `localhost`, or one of `server.hosts`.
//! - A page can send a request whose response it can't read. The browser names the page's origin in it, so that must be
//!   the node's own, or have a host of `server.hosts`.

use std::net::{IpAddr, SocketAddrV4};

use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;

use crate::http::problem::Problem;
use crate::model::egress::HostPattern;

/// Checks a request without a key. `hosts` are those of `server.hosts`.
pub(super) fn check(headers: &HeaderMap, hosts: &[HostPattern]) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    // Every browser names the host; programs that do not have no pages.
    let host = text(HOST);
    if let Some(host) = host
        && !is_own(host, hosts)
    {
        let detail = "this node has no operator key, so it accepts requests to an IP address, to a name without a dot and to \
                      the hosts in `server.hosts` only; add this one there, or set `auth.operator_key`";
        return Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", detail));
    }
    let Some(origin) = text(ORIGIN) else { return Ok(()) };
    let page = origin.split_once("://").map_or("", |(_, authority)| authority);
    if host.is_some_and(|host| host.eq_ignore_ascii_case(page)) || is_named(page, hosts) {
        return Ok(());
    }
    let detail = "this node has no operator key, so it accepts no requests from pages of other origins; add the page's host \
                  to `server.hosts`, or set `auth.operator_key`";
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail))
}

fn is_own(authority: &str, hosts: &[HostPattern]) -> bool {
    // The usual case, without the parser of authorities.
    if authority.parse::<SocketAddrV4>().is_ok() {
        return true;
    }
    let Ok(parsed) = authority.parse::<Authority>() else { return false };
    let host = parsed.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    address.parse::<IpAddr>().is_ok() || !host.contains('.') || is_named(authority, hosts)
}

fn is_named(authority: &str, hosts: &[HostPattern]) -> bool {
    let host = authority.parse::<Authority>().map(|parsed| parsed.host().to_ascii_lowercase());
    host.is_ok_and(|host| hosts.iter().any(|pattern| pattern.matches(&host)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn checked(host: Option<&str>, origin: Option<&str>) -> Option<&'static str> {
        let hosts = ["console.example", "*.corp.example"].map(|text| HostPattern::new(text).expect("a pattern"));
        let mut headers = HeaderMap::new();
        for (name, value) in [(HOST, host), (ORIGIN, origin)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).expect("a value"));
            }
        }
        check(&headers, &hosts).err().map(|problem| problem.code)
    }

    #[test]
    fn only_hosts_that_no_stranger_can_name_are_the_node_s() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost",
            "LocalHost:8080",
            "posthaste",
            "console.example",
            "Console.Example:443",
            "a.corp.example",
        ] {
            assert_eq!(checked(Some(host), None), None, "{host}");
            for origin in [format!("http://{host}"), format!("https://{host}"), "https://console.example".into()] {
                assert_eq!(checked(Some(host), Some(&origin)), None, "{host} {origin}");
            }
            for origin in
                ["null", "", "http://evil.example", "http://127.0.0.1:1", "http://console.example.evil.example"]
            {
                assert_eq!(checked(Some(host), Some(origin)), Some("origin_not_allowed"), "{host} {origin}");
            }
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "corp.example",
            "evil-console.example",
            "",
            "evil.example.",
            "a b",
            "[::1",
            "user@127.0.0.1.evil.example",
        ] {
            for origin in [None, Some("http://evil.example:8080"), Some("http://127.0.0.1")] {
                assert_eq!(checked(Some(host), origin), Some("host_not_allowed"), "{host}");
            }
        }
        assert_eq!(checked(None, None), None, "a program that names no host");
        assert_eq!(checked(None, Some("http://evil.example")), Some("origin_not_allowed"));
    }
}
