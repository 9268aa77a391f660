//! Completes a document from the trigger that it replaces. Values of headers and keys of secrets are never shown, so a
//! document that was read, changed and sent back has `null` or an id in their place.

use serde_json::{Map, Value};

use super::{Trigger, parts};
use crate::model::field::FieldError;
use crate::model::url::TriggerUrl;

/// Restores saved values that a document leaves out: `null` as a header's value, an entry of `secrets` without a key,
/// and missing `secrets`. Header values are only kept if the destination stays the same, so that no credential is sent
/// to another host; those that must be sent are mistakes, and the document is left without them. Returns whether
/// anything was changed, and the mistakes.
pub fn complete(document: &mut Map<String, Value>, old: &Trigger) -> (bool, Vec<FieldError>) {
    let before = document.clone();
    let errors = keep_headers(document, old);
    keep_secrets(document, old);
    (*document != before, errors)
}

fn keep_headers(document: &mut Map<String, Value>, old: &Trigger) -> Vec<FieldError> {
    let url = document.get("url").and_then(Value::as_str).map(TriggerUrl::new);
    // An invalid URL is refused for that reason.
    let moves = url.is_some_and(|url| url.is_ok_and(|url| url.destination != old.url.destination));
    let Some(Value::Object(headers)) = document.get_mut("headers") else { return Vec::new() };
    let mut errors = Vec::new();
    headers.retain(|name, value| {
        let kept = || old.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let Some((_, kept)) = value.is_null().then(kept).flatten() else { return true };
        if moves {
            let detail = format!(
                "`{name}`: the destination changes from {}, and a value that was saved for it is not sent to another host; \
                 send the value again",
                old.url.destination
            );
            errors.push(FieldError::new(parts::header_pointer(name), parts::VALUE_REQUIRED, detail));
            return false;
        }
        *value = kept.as_str().into();
        true
    });
    errors
}

fn keep_secrets(document: &mut Map<String, Value>, old: &Trigger) {
    if !document.contains_key("secret") && !document.contains_key("secrets") {
        if !old.secrets.is_empty() {
            let (name, list) = parts::stored_secrets(&old.secrets);
            document.insert(name.into(), list);
        }
        return;
    }
    // The short form with `null` removes the saved secrets, even beside the list that was shown.
    let is_taken_away = document.get("secret").is_some_and(Value::is_null);
    let Some(Value::Array(list)) = document.get_mut("secrets") else { return };
    if is_taken_away {
        list.retain(|entry| entry.get("key").is_some());
    }
    for entry in list.iter_mut().filter_map(Value::as_object_mut) {
        let id = entry.get("id").and_then(Value::as_str);
        let has_key = entry.get("key").is_some_and(|key| !key.is_null());
        let kept = id.filter(|_| !has_key).and_then(|id| old.secrets.iter().find(|own| own.id() == id));
        if let Some(kept) = kept {
            entry.insert("key".into(), kept.to_text().into());
        }
    }
}
