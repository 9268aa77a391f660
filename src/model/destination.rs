//! Destinations. Deliveries are queued for each host and port: a host can be slow, dead or refused, and then all of its
//! paths are.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

/// Seeded for each process: customers choose the hosts, and must not be able to choose the hashes.
static HASHES: LazyLock<foldhash::quality::RandomState> = LazyLock::new(foldhash::quality::RandomState::default);

/// The destination of deliveries: scheme, host and port of a URL. Each has one Dispatcher.
///
/// Maps compare destinations far more often than destinations are made, and the text of a host is elsewhere in memory.
/// So the hash is made once, and destinations are ordered by it: the order has no meaning, but it is the same
/// throughout a process.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Destination {
    hash: u64,
    /// `https`, not `http`.
    pub secure: bool,
    /// The host as the URL parser normalizes it: a name in lower case and IDNA, an IPv4 address, or an IPv6 address in
    /// brackets.
    pub host: Arc<str>,
    /// The port; the scheme's default if the URL has none.
    pub port: u16,
}

impl Destination {
    /// The destination with this host, as the URL parser normalizes it.
    pub fn new(secure: bool, host: &str, port: u16) -> Self {
        Self { hash: HASHES.hash_one((secure, host, port)), secure, host: host.into(), port }
    }

    /// The destination of a URL; `None` if it has no host.
    pub fn of(url: &url::Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.is_empty())?;
        Some(Self::new(url.scheme() == "https", host, url.port_or_known_default()?))
    }

    /// The host's address, if the host is an address and not a name.
    pub fn address(&self) -> Option<IpAddr> {
        self.bare_host().parse().ok()
    }

    /// The host without the brackets of an IPv6 address.
    pub fn bare_host(&self) -> &str {
        let inner = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(&self.host)
    }

    /// Identifies the destination. It never changes, since it is stored and compared later.
    pub fn fingerprint(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(self.host.as_bytes(), u64::from(self.port) << 1 | u64::from(self.secure))
    }

    /// Which of `shares` threads serves it: always the same one.
    pub fn share(&self, shares: usize) -> usize {
        (self.hash % shares.max(1) as u64) as usize
    }
}

impl Hash for Destination {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
