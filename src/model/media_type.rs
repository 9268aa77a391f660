//! Media types (RFC 9110, section 8.3.1) as requests, events and templates name them.

use std::borrow::Cow;

/// `type/subtype`, followed by parameters, which the receiver interprets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType<'a> {
    essence: &'a str,
    parameters: &'a str,
}

/// What a template's content type is, as a regular expression for the documents of the interface. It can't say that no
/// name is repeated.
pub const MEDIA_TYPE_PATTERN: &str = concat!(
    "^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+( *; *([!#$%&'*+.^_`|~0-9A-Za-z-]+=",
    r#"([!#$%&'*+.^_`|~0-9A-Za-z-]+|"([ !#-\[\]-~]|\\[ -~])*"))?)* *$"#
);

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
        let mut parameters = self.parts().filter_map(|parameter| parameter.split_once('='));
        let (_, value) = parameters.find(|(own, _)| own.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().trim_matches('"'))
    }

    /// Whether its parameters follow RFC 9110, section 5.6.6, and each name is there once. What requests send is read
    /// more leniently.
    pub fn has_valid_parameters(&self) -> bool {
        let mut names: Vec<&str> = Vec::new();
        let mut parts = self.parts().map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
        parts.all(|part| {
            let Some((name, value)) = part.split_once('=') else { return false };
            let is_new = names.iter().all(|own| !own.eq_ignore_ascii_case(name));
            names.push(name);
            is_new && is_token(name) && (is_token(value) || is_quoted(value))
        })
    }

    /// What is between the semicolons outside of quotes.
    fn parts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (mut quoted, mut escaped) = (false, false);
        self.parameters.split(move |c| {
            let ends = c == ';' && !quoted;
            quoted ^= c == '"' && !escaped;
            escaped = c == '\\' && quoted && !escaped;
            ends
        })
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

/// A quoted string of printable ASCII (RFC 9110, section 5.6.4).
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let plain = inner.bytes().all(|byte| {
        let allowed = escaped || byte != b'"';
        escaped = byte == b'\\' && !escaped;
        allowed && matches!(byte, b' '..=b'~')
    });
    plain && !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_parameters_are_accepted() {
        for (parameters, valid) in [
            ("", true),
            (";", true),
            ("; ; charset=utf-8 ;", true),
            ("; a=b;c=\"; d=\\\"e\"; f=g", true),
            ("; ;; =;\"", false),
            ("; a", false),
            ("; a=", false),
            ("; a = b", false),
            ("; a=b c", false),
            ("; a=\"b", false),
            ("; a=\"b\\\"", false),
            ("; a=\"b\"c\"", false),
            ("; charset=utf-8; Charset=iso-8859-1", false),
        ] {
            let text = format!("application/json{parameters}");
            let read = MediaType::parse(&text).expect("a media type");
            assert_eq!(read.has_valid_parameters(), valid, "{text}");
        }
        assert_eq!(MediaType::parse("a/b; x=\";charset=x\"").expect("a media type").parameter("charset"), None);
    }

    #[test]
    fn the_essence_and_the_parameters_are_read() {
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
