//! The headers of a trigger: which are valid in a request, and the rules that are checked when a trigger is saved and
//! when it is loaded.

use http::{HeaderName, HeaderValue};

/// The most headers of one trigger.
pub const HEADERS_MAX: usize = 32;
/// The most bytes of the names and values of one trigger's headers: common servers accept 8 kB in total.
pub const HEADERS_BYTES_MAX: usize = 8_192;

/// What a header's name is, as a regular expression for the documents of the interface (RFC 9110, section 5.6.2).
pub const HEADER_NAME_PATTERN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
/// The same for its value.
pub const HEADER_VALUE_PATTERN: &str = "^[ -~]*$";

/// Headers that only Posthaste sets: they frame the request, or carry information of Posthaste.
const OWN: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "posthaste-hops",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// A trigger can't set headers with these prefixes either: they open the metadata services of clouds, or state where a
/// request comes from, which receivers trust when a proxy sends them.
const RESERVED_PREFIXES: [&str; 4] = ["metadata-flavor", "proxy-", "x-aws-ec2-metadata-token", "x-forwarded-"];

/// Why a trigger can't have a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name is not an HTTP token.
    #[error("{0:?} is not a header name")]
    Name(String),
    /// The value has a character that receivers refuse or misread.
    #[error("the value of `{0}` has a character other than visible ASCII and blank")]
    Value(String),
    /// Posthaste sets it, or no client may.
    #[error("`{0}` can't be set by a trigger")]
    Reserved(String),
    /// The content type belongs to the template.
    #[error("`{0}` can't be set by a trigger; set `content_type` of the template")]
    ContentType(String),
}

/// Reads a header that is valid in a request. EARLIER(record): a value may have a tab, which [`check_value`] refuses.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let parsed = parsed.map_err(|_| HeaderError::Name(name.chars().take(80).collect()))?;
    // Bytes above ASCII are obsolete in HTTP, and many receivers misread them.
    let is_plain = value.bytes().all(|b| b == b'\t' || (0x20..0x7f).contains(&b));
    let value = HeaderValue::from_str(value).ok().filter(|_| is_plain);
    let mut value = value.ok_or_else(|| HeaderError::Value(name.to_owned()))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// The value of a header that contains values of an event. A control character is never sent; letters beyond ASCII are
/// sent as UTF-8.
pub fn rendered(value: &str) -> Option<HeaderValue> {
    if value.contains('\t') { None } else { sent(value.trim_matches(' ')) }
}

/// The value of a header that was saved or rendered. EARLIER(record): it may have a tab.
pub fn sent(value: &str) -> Option<HeaderValue> {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether a trigger may set a header to this value.
pub fn check_value(name: &str, value: &str) -> Result<(), HeaderError> {
    if value.contains('\t') { Err(HeaderError::Value(name.to_owned())) } else { Ok(()) }
}

/// Whether a trigger may set a header of this name.
pub fn check_name(name: &str) -> Result<(), HeaderError> {
    let lower = name.to_ascii_lowercase();
    if lower == "content-type" {
        return Err(HeaderError::ContentType(name.to_owned()));
    }
    let reserved = is_own(&lower) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
    if reserved { Err(HeaderError::Reserved(name.to_owned())) } else { Ok(()) }
}

/// Whether a header of this name, in lower case, would change the request or the information of Posthaste in it. Such a
/// header is never sent, whenever it was saved.
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_trigger_may_not_set() {
        for name in OWN.into_iter().chain([
            "Host",
            "Proxy-Authorization",
            "proxy-connection",
            "X-Forwarded-For",
            "x-forwarded-proto",
            "X-aws-ec2-metadata-token",
            "x-aws-ec2-metadata-token-ttl-seconds",
            "Metadata-Flavor",
        ]) {
            assert!(check_name(name).is_err(), "{name}");
        }
        let detail = check_name("Content-Type").expect_err("refused").to_string();
        assert!(detail.contains("`content_type` of the template"), "{detail}");
        for name in ["accept", "authorization", "x-token", "x-forward", "forwarded", "proxy", "cookie"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn values_of_events_hold_no_control_characters() {
        for good in ["", "a\tb ~", "Zoë 😀"] {
            assert_eq!(sent(good).expect(good).as_bytes(), good.as_bytes());
        }
        for bad in ["a\nb", "a\rb", "\0", "\u{7f}", "\u{85}"] {
            assert!(sent(bad).is_none() && rendered(bad).is_none(), "{bad:?}");
        }
        for bad in ["a\tb", "\ta", "a\t "] {
            assert!(rendered(bad).is_none() && check_value("x", bad).is_err(), "{bad:?}");
        }
        assert_eq!(rendered("  a b ").expect("plain").as_bytes(), b"a b");
    }

    #[test]
    fn only_headers_that_a_request_can_carry_are_read() {
        assert!(header("X-Token", "a\tb ~").is_ok());
        for bad in ["", "a b", "a:b", "ä", "a\n"] {
            assert!(matches!(header(bad, "x"), Err(HeaderError::Name(_))), "{bad:?}");
        }
        for bad in ["a\nb", "a\rb", "\0", "é", "\u{7f}"] {
            assert!(matches!(header("x", bad), Err(HeaderError::Value(_))), "{bad:?}");
        }
    }
}
