//! Reads and writes the headers and the secrets of a trigger's document.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::json::{kind, whole_number};
use crate::matching::Pattern;
use crate::model::field::Fields;
use crate::model::headers::header;
use crate::model::rfc_3339;
use crate::model::secret::{SECRETS_MAX, Secret};

/// The code of a header whose value must be sent.
pub(super) const VALUE_REQUIRED: &str = "header_value_required";

/// The JSON Pointer of a header.
pub fn header_pointer(name: &str) -> String {
    crate::json::pointer("/headers", name)
}

/// Reads `where`.
pub(super) fn read_filter(fields: &mut Fields) -> Option<Pattern> {
    match Pattern::examine(&fields.take("where")?) {
        Ok(pattern) => Some(pattern),
        Err(errors) => {
            for error in errors {
                fields.refuse(format!("/where{}", error.pointer), error.code, error.detail);
            }
            None
        }
    }
}

pub(super) fn read_headers(fields: &mut Fields) -> Vec<(String, String)> {
    let members = match fields.take("headers") {
        None => return Vec::new(),
        Some(Value::Object(members)) => members,
        Some(other) => {
            let detail = format!("`headers` must be an object of strings, not {}", kind(&other));
            fields.refuse("/headers", "wrong_type", detail);
            return Vec::new();
        }
    };
    let mut headers: Vec<(String, String)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let pointer = header_pointer(&name);
        let value = match value {
            Value::String(value) => value,
            Value::Null => {
                let detail = format!("`{name}`: `null` keeps the saved value, but none is saved; send the value");
                fields.refuse(pointer, VALUE_REQUIRED, detail);
                continue;
            }
            other => {
                let detail = format!("a header's value must be a string, not {}", kind(&other));
                fields.refuse(pointer, "wrong_type", detail);
                continue;
            }
        };
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            fields.refuse(pointer, "bad_header", format!("`{name}` is repeated"));
            continue;
        }
        match header(&name, &value) {
            Ok(_) => headers.push((name, value)),
            Err(error) => fields.refuse(pointer, "bad_header", error.to_string()),
        }
    }
    headers
}

/// Reads `secrets`, or `secret`, the short form of one secret that does not expire.
pub(super) fn read_secrets(fields: &mut Fields) -> Vec<Secret> {
    let short = fields.text("secret");
    let was_short = short.is_some();
    let short = fields.parse("secret", "bad_secret", short, Secret::new);
    let list = match fields.take("secrets") {
        None => return short.into_iter().collect(),
        Some(Value::Array(list)) => list,
        Some(other) => {
            let detail = format!("`secrets` must be a list of objects, not {}", kind(&other));
            fields.refuse("/secrets", "wrong_type", detail);
            return Vec::new();
        }
    };
    if was_short {
        let detail = "`secret` is short for `secrets` with one entry; write one of them";
        fields.refuse("/secret", "bad_secret", detail);
    }
    if list.len() > SECRETS_MAX {
        let detail = format!("{} secrets; at most {SECRETS_MAX} are accepted", list.len());
        fields.refuse("/secrets", "too_many", detail);
        return Vec::new();
    }
    let mut secrets: Vec<Secret> = Vec::with_capacity(list.len());
    for (index, document) in list.into_iter().enumerate() {
        let Some(secret) = read_secret(fields, index, document) else { continue };
        if secrets.iter().any(|other| other.as_bytes() == secret.as_bytes()) {
            fields.refuse(format!("/secrets/{index}"), "bad_secret", "this secret is repeated");
            continue;
        }
        secrets.push(secret);
    }
    secrets
}

/// `None` only if a mistake was recorded.
fn read_secret(fields: &mut Fields, index: usize, document: Value) -> Option<Secret> {
    let read = Fields::new(document, "a secret").and_then(|mut members| {
        let id = members.text("id");
        let key = members.text("key");
        if key.is_none() {
            let detail = match &id {
                Some(id) => format!("no secret with the id {id:?} is saved; send its `key`"),
                None => "`key` is required".to_owned(),
            };
            members.refuse("/key", "missing", detail);
        }
        let secret = members.parse("key", "bad_secret", key, Secret::new);
        if let (Some(id), Some(secret)) = (&id, &secret)
            && *id != secret.id()
        {
            members.refuse("/id", "bad_secret", "`id` is not that of `key`; leave it out");
        }
        let until = members.text("until");
        let until = members.parse("until", "bad_time", until, |text| {
            rfc_3339::read(text).ok_or("a time must be in the form of RFC 3339, such as 2030-01-31T12:00:00Z")
        });
        members.finish(secret.map(|secret| secret.with_end(until)))
    });
    match read {
        Ok(secret) => Some(secret),
        Err(errors) => {
            for error in errors {
                fields.refuse(format!("/secrets/{index}{}", error.pointer), error.code, error.detail);
            }
            None
        }
    }
}

/// The secrets without their keys, as the HTTP interface shows them.
pub(super) fn shown_secrets(secrets: &[Secret]) -> (&'static str, Value) {
    ("secrets", list(secrets, "id", Secret::id, rfc_3339::write))
}

/// The secrets with their keys. EARLIER(node): a single one that does not expire has the short form, the only one that
/// is read there.
pub(super) fn stored_secrets(secrets: &[Secret]) -> (&'static str, Value) {
    match secrets {
        [only] if only.until.is_none() => ("secret", only.to_text().into()),
        secrets => ("secrets", list(secrets, "key", Secret::to_text, |until| until.to_string())),
    }
}

fn list(secrets: &[Secret], name: &str, text: fn(&Secret) -> String, time: fn(Timestamp) -> String) -> Value {
    let entry = |secret: &Secret| {
        let mut members = Map::new();
        members.insert(name.into(), text(secret).into());
        if let Some(until) = secret.until {
            members.insert("until".into(), time(until).into());
        }
        Value::Object(members)
    };
    secrets.iter().map(entry).collect()
}

/// Reads `rate_per_s`.
pub(super) fn read_rate(fields: &mut Fields) -> Option<NonZeroU32> {
    let value = fields.take("rate_per_s")?;
    let rate = whole_number(&value).and_then(|rate| u32::try_from(rate).ok()).and_then(NonZeroU32::new);
    if rate.is_none() {
        let detail = "`rate_per_s` must be a whole number from 1 to 4294967295; leave it out for no limit";
        fields.refuse("/rate_per_s", "bad_rate", detail);
    }
    rate
}
