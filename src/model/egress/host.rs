//! Which host names are only valid inside a private network, and the patterns of `dispatch.allow_hosts`.

use std::fmt;

/// Suffixes that no public name server has, with the document that says so.
pub(super) const PRIVATE_SUFFIXES: [(&str, &str); 4] = [
    ("home.arpa", "RFC 8375"),
    ("internal", "ICANN resolution 2024.07.29.06"),
    ("local", "RFC 6762"),
    ("localhost", "RFC 6761, section 6.3"),
];

/// A host name without the dot that a fully qualified one may end with.
pub(super) fn without_root(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether the name, in lower case, can only be a host of a private network.
pub(super) fn is_private(host: &str) -> bool {
    let host = without_root(host);
    !host.contains('.') || PRIVATE_SUFFIXES.iter().any(|(suffix, _)| is_below(host, suffix))
}

/// Whether the name is the suffix or ends with a dot and the suffix.
fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether a name server can have the part of a name between two dots (RFC 1123, section 2.1). Underscores and others
/// are left to the URL parser.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

/// An entry of `dispatch.allow_hosts`: a name, or `*.` and a suffix, which covers every name below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: Box<str>,
    below: bool,
}

/// The text is not a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host name; write it like hooks.example.com or *.example.com")]
pub struct HostPatternError(String);

impl HostPattern {
    /// Reads `name` or `*.suffix`. The name is normalized like the host of a URL: lower case, IDNA.
    pub fn new(text: &str) -> Result<Self, HostPatternError> {
        let error = || HostPatternError(text.chars().take(80).collect());
        let (below, name) = match text.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, text),
        };
        let host = url::Host::parse(name).map_err(|_| error())?;
        let is_name = matches!(&host, url::Host::Domain(name) if !name.contains('*'));
        if !is_name && below {
            return Err(error());
        }
        let name = host.to_string();
        if name.contains('*') || is_name && !without_root(&name).split('.').all(is_label) {
            return Err(error());
        }
        Ok(Self { name: without_root(&name).into(), below })
    }

    /// Whether the pattern covers a URL's host.
    pub fn matches(&self, host: &str) -> bool {
        let host = without_root(host);
        match self.below {
            false => host == &*self.name,
            true => host.strip_suffix(&*self.name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}
