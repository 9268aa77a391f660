//! Triggers: an event pattern, an optional filter, a template and a URL. A [`Trigger`] that
//! exists is valid: its URL can be dialled, its headers can be sent, its secret can sign.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::delivery::{Destination, Target};
use crate::event::EventPattern;
use crate::field::{FieldError, Fields, kind};
use crate::id::{TemplateId, TriggerId};
use crate::pattern::Pattern;

/// The longest URL, in bytes: what common servers take in a request line, with room to spare.
pub const URL_BYTES_MAX: usize = 2_048;
/// The most headers of one trigger.
pub const HEADERS_MAX: usize = 32;
/// The longest value of a header, in bytes.
pub const HEADER_VALUE_BYTES_MAX: usize = 4_096;
/// The longest display name of a trigger or template, in bytes.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;

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

/// What a customer set up: when such an event comes, send this there.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The trigger's name in its account.
    pub id: TriggerId,
    /// What people call it.
    pub name: String,
    /// Which events it listens to.
    pub event: EventPattern,
    /// Which of them fire it; `None`: all.
    pub pattern: Option<Arc<Pattern>>,
    /// What is sent.
    pub template: TemplateId,
    /// Where to, as the URL parser wrote it.
    pub url: String,
    /// Headers sent with it.
    pub headers: Vec<(String, String)>,
    /// Signs what is sent.
    pub secret: Option<Secret>,
    /// A disabled trigger is kept, and never fires.
    pub enabled: bool,
}

impl Trigger {
    /// Reads a trigger as the HTTP interface and the store write it.
    pub fn from_json(document: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(document, "a trigger")?;
        let id = fields.required_text("id");
        let id = fields.parse("id", "bad_name", id, TriggerId::new);
        let name = display_name(&mut fields);
        let event = fields.required_text("event");
        let event = fields.parse("event", "bad_event_pattern", event, EventPattern::new);
        let pattern = fields.take("where").map(|source| Pattern::new(&source));
        let pattern = match pattern {
            Some(Err(error)) => {
                fields.refuse(format!("/where{}", error.pointer), error.code, error.detail);
                None
            }
            Some(Ok(pattern)) => Some(Arc::new(pattern)),
            None => None,
        };
        let template = fields.required_text("template");
        let template = fields.parse("template", "bad_name", template, TemplateId::new);
        let url = fields.required_text("url");
        let url = fields.parse("url", "bad_url", url, parse_url);
        let headers = read_headers(&mut fields);
        let secret = fields.text("secret");
        let secret = fields.parse("secret", "bad_secret", secret, Secret::new);
        let enabled = fields.flag("enabled").unwrap_or(true);
        let trigger = match (id, event, template, url) {
            (Some(id), Some(event), Some(template), Some(url)) => {
                Some(Self { id, name, event, pattern, template, url, headers, secret, enabled })
            }
            _ => None,
        };
        fields.finish(trigger)
    }

    /// The trigger as the HTTP interface shows it: with everything but the secret.
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        members.insert("id".into(), self.id.as_str().into());
        members.insert("name".into(), self.name.as_str().into());
        members.insert("event".into(), self.event.to_string().into());
        if let Some(pattern) = &self.pattern {
            members.insert("where".into(), pattern.source().clone());
        }
        members.insert("template".into(), self.template.as_str().into());
        members.insert("url".into(), self.url.as_str().into());
        if !self.headers.is_empty() {
            let headers = self.headers.iter();
            let headers = headers.map(|(name, value)| (name.clone(), value.as_str().into()));
            members.insert("headers".into(), Value::Object(headers.collect()));
        }
        members.insert("enabled".into(), self.enabled.into());
        Value::Object(members)
    }

    /// The trigger as the store keeps it: with the secret.
    pub fn to_stored_json(&self) -> Value {
        let mut document = self.to_json();
        if let (Some(secret), Some(members)) = (&self.secret, document.as_object_mut()) {
            members.insert("secret".into(), secret.to_text().into());
        }
        document
    }

    /// What the dispatcher needs of it, made once and not per delivery.
    pub fn target(&self) -> Target {
        let target = Target::read(&self.url, &self.headers, self.secret.clone());
        target.expect("a trigger's URL and headers were read when it was")
    }
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

/// Reads the display name that triggers and templates have in common.
pub fn display_name(fields: &mut Fields) -> String {
    let name = fields.text("name").unwrap_or_default();
    if name.len() > DISPLAY_NAME_BYTES_MAX {
        fields.refuse(
            "/name",
            "too_long",
            format!("`name` has {} bytes; at most {DISPLAY_NAME_BYTES_MAX} are taken", name.len()),
        );
    }
    name
}

fn parse_url(text: &str) -> Result<String, String> {
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

fn read_headers(fields: &mut Fields) -> Vec<(String, String)> {
    let members = match fields.take("headers") {
        None => return Vec::new(),
        Some(Value::Object(members)) => members,
        Some(other) => {
            let detail = format!("`headers` is an object of strings, not {}", kind(&other));
            fields.refuse("/headers", "wrong_type", detail);
            return Vec::new();
        }
    };
    if members.len() > HEADERS_MAX {
        let detail = format!("{} headers; at most {HEADERS_MAX} are taken", members.len());
        fields.refuse("/headers", "too_many", detail);
        return Vec::new();
    }
    let mut headers: Vec<(String, String)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        let Value::String(value) = value else {
            let detail = format!("a header's value is a string, not {}", kind(&value));
            fields.refuse(pointer, "wrong_type", detail);
            continue;
        };
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            fields.refuse(pointer, "bad_header", format!("`{name}` is there twice"));
            continue;
        }
        match header(&name, &value) {
            Ok(_) => headers.push((name, value)),
            Err(detail) => fields.refuse(pointer, "bad_header", detail),
        }
    }
    headers
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
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

/// A signing secret, as the Standard Webhooks specification writes it: `whsec_` and the base64
/// of 24 to 64 bytes. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Reads `whsec_…`.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        const CURE: &str = "a secret is whsec_ and the base64 of 24 to 64 random bytes";
        let bytes = text
            .strip_prefix("whsec_")
            .and_then(|rest| BASE64.decode(rest).ok())
            .filter(|bytes| (24..=64).contains(&bytes.len()));
        bytes.map(|bytes| Self(bytes.into())).ok_or(CURE)
    }

    /// The key of the signature's HMAC.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As the store keeps it.
    pub fn to_text(&self) -> String {
        format!("whsec_{}", BASE64.encode(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn minimal() -> Value {
        json!({"id": "t", "event": "guest.created", "template": "w", "url": "https://example.com/x"})
    }

    fn codes(change: impl FnOnce(&mut Value)) -> Vec<(String, &'static str)> {
        let mut document = minimal();
        change(&mut document);
        let errors = Trigger::from_json(document).expect_err("refused");
        errors.into_iter().map(|e| (e.pointer, e.code)).collect()
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let errors = codes(|d| {
            *d = json!({"event": 7, "template": "a b", "url": "ftp://x", "headers": {"host": "x", "a b": "x"},
                        "secret": "x", "enabled": "yes", "evnt": 1});
        });
        let expected = [
            ("/id", "missing"),
            ("/event", "wrong_type"),
            ("/template", "bad_name"),
            ("/url", "bad_url"),
            ("/headers/host", "bad_header"),
            ("/headers/a b", "bad_header"),
            ("/secret", "bad_secret"),
            ("/enabled", "wrong_type"),
            ("/evnt", "unknown_member"),
        ];
        assert_eq!(errors, expected.map(|(p, c)| (p.to_owned(), c)));
    }

    #[test]
    fn urls_that_cannot_be_dialled_are_refused() {
        for bad in [
            "example.com",
            "https://",
            "http://u@h/",
            "http://u:p@h/",
            "file:///etc/passwd",
            "http://[::1",
            "http://h:99999/",
            "javascript:1",
            "http:// /",
            "",
        ] {
            assert_eq!(codes(|d| d["url"] = bad.into()), [("/url".to_owned(), "bad_url")], "{bad}");
        }
    }

    #[test]
    fn a_url_is_kept_as_the_parser_wrote_it() {
        for (given, kept) in [
            ("HTTPS://EXAMPLE.com", "https://example.com/"),
            ("http://h:80/a b#f", "http://h/a%20b"),
            ("http://2130706433/x", "http://127.0.0.1/x"),
            ("http://0x7f.1/x?a=|{}", "http://127.0.0.1/x?a=%7C%7B%7D"),
            ("http://[::1]:8080/", "http://[::1]:8080/"),
            ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ] {
            let mut document = minimal();
            document["url"] = given.into();
            let trigger = Trigger::from_json(document).expect(given);
            assert_eq!(trigger.url, kept);
            trigger.target();
        }
    }

    #[test]
    fn the_secret_is_kept_and_never_shown() {
        let mut document = minimal();
        document["secret"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let trigger = Trigger::from_json(document).expect("a trigger");
        assert!(trigger.to_json().get("secret").is_none());
        assert!(!format!("{trigger:?}").contains("MfKQ"));
        let kept = Trigger::from_json(trigger.to_stored_json()).expect("what was stored");
        assert_eq!(kept.secret, trigger.secret);
    }
}
