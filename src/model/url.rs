//! The URL of a trigger: parsed once, stored as its author wrote it, and dialled from that parse. [`super::egress`]
//! decides which destinations may be dialled.

use std::cell::Cell;

use bytes::Bytes;
use http::{HeaderValue, Uri};

use super::destination::Destination;

/// The longest URL, in bytes: what common servers accept in a request line, with room to spare.
pub const URL_BYTES_MAX: usize = 2_048;
/// How each begins, as a regular expression for the documents of the interface.
pub const URL_PATTERN: &str = "^[Hh][Tt][Tt][Pp][Ss]?://";

/// A URL that a request can be sent to.
#[derive(Debug, Clone)]
pub struct TriggerUrl {
    written: Box<str>,
    /// Scheme, host and port.
    pub destination: Destination,
    /// The URL for the HTTP client. Its scheme is always `http`, since the client never sees TLS.
    pub uri: Uri,
    /// The value of the `host` header.
    pub host: HeaderValue,
}

/// Why a text is not a trigger's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is not a URL.
    #[error("{0}; write it like https://example.com/hook")]
    Syntax(#[from] url::ParseError),
    /// White space or a control character, which parsers remove and readers overlook.
    #[error("it has white space at an end, or a tab or line break inside; leave them out")]
    WhiteSpace,
    /// Neither `http` nor `https`.
    #[error("the scheme is {0}; http and https are accepted")]
    Scheme(String),
    /// It names a user.
    #[error("a user name or password in a URL is not accepted; send it in a header")]
    Userinfo,
    /// It has a fragment, which no request carries.
    #[error("a fragment (#…) is not part of a request; leave it out")]
    Fragment,
    /// It has no host.
    #[error("it has no host that can be dialled")]
    NoHost,
    /// Its scheme, host or port holds an expression.
    #[error("expressions can stand in the path and the query only: where a trigger sends is fixed")]
    Destination,
    /// A request line can't hold it.
    #[error("it can't be the target of a request: {0}")]
    Target(String),
}

impl TriggerUrl {
    /// Reads a URL. Bounds and destinations are checked elsewhere, so that a URL that was saved before they became
    /// stricter can be read.
    pub fn new(text: &str) -> Result<Self, UrlError> {
        match split(text)? {
            // The final path and query are only known with the data of an event.
            Some((head, _)) => Ok(Self { written: text.into(), ..Self::plain(head)? }),
            None => Self::plain(text),
        }
    }

    /// Replaces an invalid URL in a document, so that further mistakes are reported.
    pub(crate) fn placeholder() -> Self {
        Self::plain("https://unreadable.invalid/").expect("this is a URL")
    }

    /// The scheme, host and port as written, and the rest, if that has expressions.
    pub fn expressions(&self) -> Option<(&str, &str)> {
        split(&self.written).ok().flatten()
    }

    fn plain(text: &str) -> Result<Self, UrlError> {
        let (white_space, userinfo) = (Cell::new(false), Cell::new(false));
        let violation = |violation: url::SyntaxViolation| match violation {
            url::SyntaxViolation::C0SpaceIgnored | url::SyntaxViolation::TabOrNewlineIgnored => white_space.set(true),
            url::SyntaxViolation::EmbeddedCredentials => userinfo.set(true),
            _ => {}
        };
        let url = url::Url::options().syntax_violation_callback(Some(&violation)).parse(text)?;
        if white_space.get() {
            return Err(UrlError::WhiteSpace);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlError::Scheme(url.scheme().to_owned()));
        }
        if userinfo.get() || !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        let destination = Destination::of(&url).ok_or(UrlError::NoHost)?;
        let (uri, host) = for_client(&url)?;
        Ok(Self { written: text.into(), destination, uri, host })
    }

    /// The URL as its author wrote it.
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

/// Whether a URL or a header's value holds expressions or tags.
pub fn has_expressions(text: &str) -> bool {
    text.contains("{{") || text.contains("*|")
}

/// Splits a URL with expressions after its host and port.
fn split(text: &str) -> Result<Option<(&str, &str)>, UrlError> {
    if !has_expressions(text) {
        return Ok(None);
    }
    let authority = text.find("://").map_or(0, |scheme| scheme + 3);
    let end = text[authority..].find(['/', '?', '#', '\\']).map_or(text.len(), |end| authority + end);
    let (head, rest) = text.split_at(end);
    // Parsers disagree about a path that begins with a backslash and about a text without a scheme.
    if has_expressions(head) || authority == 0 || rest.starts_with('\\') {
        return Err(UrlError::Destination);
    }
    if rest.starts_with('#') {
        return Err(UrlError::Fragment);
    }
    Ok(Some((head, rest)))
}

impl PartialEq for TriggerUrl {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for TriggerUrl {}

/// The URI and the `host` header, which share one allocation.
fn for_client(url: &url::Url) -> Result<(Uri, HeaderValue), UrlError> {
    const SCHEME: &str = "http://";
    let host = url.host_str().ok_or(UrlError::NoHost)?;
    let mut text = format!("{SCHEME}{host}");
    if let Some(port) = url.port() {
        text.push_str(&format!(":{port}"));
    }
    let authority = SCHEME.len()..text.len();
    push_encoded(&mut text, url.path());
    if let Some(query) = url.query() {
        text.push('?');
        push_encoded(&mut text, query);
    }
    let bytes = Bytes::from(text);
    let target = |error: &dyn std::fmt::Display| UrlError::Target(error.to_string());
    let host = HeaderValue::from_maybe_shared(bytes.slice(authority)).map_err(|e| target(&e))?;
    let uri = Uri::from_maybe_shared(bytes).map_err(|e| target(&e))?;
    Ok((uri, host))
}

/// The parser keeps a few characters, such as `|` in a query, that are not allowed in a request line.
fn push_encoded(text: &mut String, part: &str) {
    for c in part.chars() {
        match c {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => text.push_str(&format!("%{:02X}", u32::from(c))),
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_as_written_and_parsed_once() {
        for (given, uri, destination) in [
            ("HTTPS://EXAMPLE.com", "http://example.com/", "https://example.com:443"),
            ("http://h:80/a b", "http://h/a%20b", "http://h:80"),
            ("http://h:443/", "http://h:443/", "http://h:443"),
            ("http://2130706433/x", "http://127.0.0.1/x", "http://127.0.0.1:80"),
            ("http://0x7f.1/x?a=|{}", "http://127.0.0.1/x?a=%7C%7B%7D", "http://127.0.0.1:80"),
            ("http://[::1]:8080/", "http://[::1]:8080/", "http://[::1]:8080"),
            ("http://bücher.example/", "http://xn--bcher-kva.example/", "http://xn--bcher-kva.example:80"),
            ("http:\\\\h\\x", "http://h/x", "http://h:80"),
            ("http://h/?", "http://h/?", "http://h:80"),
        ] {
            let url = TriggerUrl::new(given).expect(given);
            assert_eq!((url.as_written(), url.uri.to_string().as_str()), (given, uri));
            assert_eq!(url.destination.to_string(), destination);
            let authority = url.uri.authority().expect("a host");
            assert_eq!(url.host.to_str().ok(), Some(authority.as_str()), "{given}");
        }
    }

    #[test]
    fn expressions_stand_behind_the_host() {
        for (given, head, rest) in [
            ("https://h/a/{{x}}?b={{y}}", "https://h", "/a/{{x}}?b={{y}}"),
            ("http://h:8080?b=*|A:B|*", "http://h:8080", "?b=*|A:B|*"),
            ("HTTPS://[::1]/{{#if x}}a{{/if}}", "HTTPS://[::1]", "/{{#if x}}a{{/if}}"),
        ] {
            let url = TriggerUrl::new(given).expect(given);
            assert_eq!((url.as_written(), url.expressions()), (given, Some((head, rest))));
            assert_eq!(url.destination, TriggerUrl::new(head).expect(head).destination);
        }
        for bad in [
            "https://{{x}}/",
            "https://h{{x}}/",
            "https://h:{{x}}/",
            "{{x}}",
            "https://*|A:B|*/",
            "{{x}}://h/",
            "https:\\\\h\\{{x}}",
        ] {
            assert_eq!(TriggerUrl::new(bad), Err(UrlError::Destination), "{bad}");
        }
        assert_eq!(TriggerUrl::new("https://u@h/{{x}}"), Err(UrlError::Userinfo));
        assert_eq!(TriggerUrl::new("https://h#{{x}}"), Err(UrlError::Fragment));
        assert_eq!(TriggerUrl::new("https://h/{x}").map(|url| url.expressions().is_some()), Ok(false));
    }

    #[test]
    fn what_no_request_can_be_made_of_is_refused() {
        for bad in ["example.com", "https://", "http://[::1", "http://h:99999/", "http:// /", "", "http://%00/"] {
            assert!(matches!(TriggerUrl::new(bad), Err(UrlError::Syntax(_))), "{bad}");
        }
        for bad in ["ftp://x", "file:///etc/passwd", "javascript:1", "data:,x", "ws://h/"] {
            assert!(matches!(TriggerUrl::new(bad), Err(UrlError::Scheme(_))), "{bad}");
        }
        for bad in ["http://u@h/", "http://u:p@h/", "http://:p@h/", "http://@h/", "http://:@h/", "http://a@b@h/"] {
            assert_eq!(TriggerUrl::new(bad), Err(UrlError::Userinfo), "{bad}");
        }
        for bad in ["http://h/#", "http://h/#x", "http://h#@x"] {
            assert_eq!(TriggerUrl::new(bad), Err(UrlError::Fragment), "{bad}");
        }
        for bad in [" http://h/", "http://h/\n", "http://h/a\tb", "http://ex\nample.com/", "\u{1}http://h/"] {
            assert_eq!(TriggerUrl::new(bad), Err(UrlError::WhiteSpace), "{bad:?}");
        }
    }
}
