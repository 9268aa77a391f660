//! Media types (RFC 9110, section 8.3.1) as requests, events and templates name them.

use std::borrow::Cow;

/// `type/subtype`, followed by parameters, which the receiver interprets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType<'a> {
    essence: &'a str,
    parameters: &'a str,
}

/// What a template's content type is, as a regular expression for the documents of the interface.
pub const MEDIA_TYPE_PATTERN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+ *(;[ -~]*)?$";

impl<'a> MediaType<'a> {
    /// Reads a media type; `None` if it is malformed.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        let essence = essence.trim_end();
        let (kind, subtype) = essence.split_once('/')?;
        (is_token(kind) && is_token(subtype)).then_some(Self { essence, parameters })
    }

    /// `type/subtype` in lower case.
    pub fn essence(&self) -> Cow<'a, str> {
        if self.essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.essence.to_ascii_lowercase().into()
        } else {
            self.essence.into()
        }
    }

    /// The value of a parameter, without quotes. Names are compared without regard to case.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut parameters = self.parameters.split(';').filter_map(|parameter| parameter.split_once('='));
        let (_, value) = parameters.find(|(own, _)| own.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches('"'))
    }

    /// Whether its content is JSON (RFC 6839).
    pub fn is_json(&self) -> bool {
        let essence = self.essence();
        essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
    }
}

fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_media_types() {
        for (text, essence, charset, is_json) in [
            ("a/b", "a/b", None, false),
            ("Application/JSON", "application/json", None, true),
            ("text/json; x=y", "text/json", None, true),
            ("application/vnd.x+json ;charset=utf-8", "application/vnd.x+json", Some("utf-8"), true),
            ("a/b;a=b; Charset = \"UTF-8\"", "a/b", Some("UTF-8"), false),
            ("a/b; v=\"charset\"", "a/b", None, false),
            ("a/b; charset=", "a/b", Some(""), false),
            ("a/b; charset", "a/b", None, false),
        ] {
            let read = MediaType::parse(text).expect(text);
            let found = (read.essence(), read.parameter("charset"), read.is_json());
            assert_eq!(found, (essence.into(), charset, is_json), "{text}");
        }
        for text in ["", "json", "/", "a/", "/b", "a/b/c", "a b/c", " a/b", "a/b\r\nx: y", "a/é"] {
            assert_eq!(MediaType::parse(text), None, "{text:?}");
        }
    }
}
