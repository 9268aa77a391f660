//! Deliveries: a rendered body, ready to send, and where it goes.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Uri};

use crate::trigger::Secret;

/// Where deliveries of one dispatcher go: scheme, host and port of a URL. What is slow or dead
/// is a destination, never a path on it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Destination {
    /// `http` or `https`.
    pub secure: bool,
    /// The host as a URL writes it: a name, an IPv4 address, or an IPv6 address in brackets.
    pub host: Arc<str>,
    /// The port, also where the URL left it to the scheme.
    pub port: u16,
}

impl Destination {
    /// The destination of a URL; `None` where it has no host.
    pub fn of(url: &url::Url) -> Option<Self> {
        Some(Self {
            secure: url.scheme() == "https",
            host: url.host_str().filter(|host| !host.is_empty())?.into(),
            port: url.port_or_known_default()?,
        })
    }

    /// Which of `shares` threads serves it: the same one for all its deliveries.
    pub fn share(&self, shares: usize) -> usize {
        if shares < 2 {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        (hasher.finish() % shares as u64) as usize
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// What a dispatcher needs to know of a trigger, made when the trigger is saved.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whose queue and connections it uses.
    pub destination: Destination,
    /// The whole URL.
    pub uri: Uri,
    /// The trigger's own headers.
    pub headers: Box<[(HeaderName, HeaderValue)]>,
    /// Signs the delivery.
    pub secret: Option<Secret>,
}

/// One POST to make.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where it goes.
    pub target: Arc<Target>,
    /// `webhook-id`: the same for the same event and trigger, on every node.
    pub webhook_id: HeaderValue,
    /// `content-type` of the body.
    pub content_type: HeaderValue,
    /// The rendered body.
    pub body: Bytes,
}
