//! Triggers: an event pattern, an optional filter, a template and a URL. A [`Trigger`] that
//! exists is valid: its URL can be dialled, its headers can be sent, its secret can sign.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::matching::Pattern;
use crate::model::event::EventPattern;
use crate::model::field::{FieldError, Fields, kind};
use crate::model::id::{TemplateId, TriggerId};
use crate::model::secret::Secret;
use crate::model::target::{Target, header, parse_url};

/// The most headers of one trigger.
pub const HEADERS_MAX: usize = 32;
/// The longest display name of a trigger or template, in bytes.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;

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
            members.insert("where".into(), pattern.source());
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
