//! Where a trigger sends: the URL, parsed once, its destination, and the headers that go with each delivery.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Uri};

use super::secret::Secret;

/// The longest URL, in bytes: what common servers take in a request line, with room to spare.
pub const URL_BYTES_MAX: usize = 2_048;
/// The longest value of a header, in bytes.
pub const HEADER_VALUE_BYTES_MAX: usize = 4_096;

/// Headers that a trigger can't set: they frame the request, or say what Posthaste says itself.
const RESERVED_HEADERS: [&str; 17] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

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

impl Target {
    /// Reads the URL and the headers of a trigger. An error says why a trigger can't have them.
    pub fn read(url: &str, headers: &[(String, String)], secret: Option<Secret>) -> Result<Self, String> {
        let text = parse_url(url)?;
        let url = url::Url::parse(&text).map_err(|e| e.to_string())?;
        Ok(Self {
            destination: Destination::of(&url).ok_or("it has no host that can be dialled")?,
            uri: text.parse().map_err(|e: http::uri::InvalidUri| e.to_string())?,
            headers: headers.iter().map(|h| header(&h.0, &h.1)).collect::<Result<_, _>>()?,
            secret,
        })
    }
}

pub(super) fn parse_url(text: &str) -> Result<String, String> {
    if text.len() > URL_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {URL_BYTES_MAX} are taken", text.len()));
    }
    let mut url = url::Url::parse(text).map_err(|e| format!("{e}; write it like https://example.com/hook"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme is {}; http and https are taken", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password in a URL is not taken; send it in a header".into());
    }
    if Destination::of(&url).is_none() {
        return Err("it has no host that can be dialled".into());
    }
    url.set_fragment(None);
    // The parser leaves a few characters, such as `|` in a query, that a request line can't hold.
    let text: String = url
        .as_str()
        .chars()
        .map(|c| match c {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
                format!("%{:02X}", u32::from(c))
            }
            _ => c.to_string(),
        })
        .collect();
    match text.parse::<http::Uri>() {
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header name"))?;
    if RESERVED_HEADERS.contains(&parsed.as_str()) {
        return Err(format!("`{name}` is set by Posthaste and can't be set here"));
    }
    if value.len() > HEADER_VALUE_BYTES_MAX {
        return Err(format!("the value has {} bytes; at most {HEADER_VALUE_BYTES_MAX} are taken", value.len()));
    }
    // Obsolete bytes above ASCII are legal in HTTP and misread by many; refused.
    if !value.bytes().all(|b| b == b'\t' || (0x20..0x7f).contains(&b)) {
        return Err(format!("the value of `{name}` has a character that a header can't hold"));
    }
    let mut value = HeaderValue::from_str(value).map_err(|e| e.to_string())?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
