//! A delivery as an entry of a stream, and back. What is read may come from anywhere, so it is
//! judged as a trigger is when it is saved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderValue;

use crate::delivery::{Delivery, Target};
use crate::messages::EntryId;
use crate::redis::Value;
use crate::trigger::Secret;

/// Targets that are remembered, so that a busy trigger's URL and headers are not read anew for each
/// of its deliveries. Past it all are forgotten.
const TARGETS_MAX: usize = 4_096;

/// The names of an entry's fields.
const URL: &str = "url";
const HEADERS: &str = "headers";
const SECRET: &str = "secret";
const WEBHOOK_ID: &str = "webhook-id";
const CONTENT_TYPE: &str = "content-type";
const BODY: &str = "body";
const ACCEPTED_AT: &str = "accepted-at";
const REPLY: &str = "reply";

/// An entry as it came.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) id: EntryId,
    url: Option<Vec<u8>>,
    headers: Option<Vec<u8>>,
    secret: Option<Vec<u8>>,
    webhook_id: Option<Vec<u8>>,
    content_type: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    accepted_at: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
}

impl Entry {
    /// Where a field's value belongs; the last of two counts. Others belong to somebody else.
    fn field(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        let fields = [
            (URL, &mut self.url),
            (HEADERS, &mut self.headers),
            (SECRET, &mut self.secret),
            (WEBHOOK_ID, &mut self.webhook_id),
            (CONTENT_TYPE, &mut self.content_type),
            (BODY, &mut self.body),
            (ACCEPTED_AT, &mut self.accepted_at),
            (REPLY, &mut self.reply),
        ];
        fields.into_iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value)
    }
}

/// What an entry says.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) delivery: Delivery,
    pub(super) accepted_at: Instant,
    /// Who waits for the outcome.
    pub(super) reply: Option<String>,
}

/// Says the field names and values of a delivery, in the order in which they are written.
pub(super) fn write(
    delivery: &Delivery,
    accepted_at: Instant,
    reply: Option<&str>,
    mut field: impl FnMut(&'static str, &[u8]),
) {
    let target = &delivery.target;
    let accepted_at = unix_millis().saturating_sub(accepted_at.elapsed().as_millis() as u64);
    field(URL, target.uri.to_string().as_bytes());
    field(WEBHOOK_ID, delivery.webhook_id.as_bytes());
    field(CONTENT_TYPE, delivery.content_type.as_bytes());
    field(ACCEPTED_AT, accepted_at.to_string().as_bytes());
    field(BODY, &delivery.body);
    if !target.headers.is_empty() {
        let headers = target.headers.iter();
        let headers: Vec<(&str, &str)> =
            headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
        field(HEADERS, &serde_json::to_vec(&headers).expect("pairs of strings are JSON"));
    }
    if let Some(secret) = &target.secret {
        field(SECRET, secret.to_text().as_bytes());
    }
    if let Some(reply) = reply {
        field(REPLY, reply.as_bytes());
    }
}

/// Reads the list of entries that `XREADGROUP` gives for one stream, and `XCLAIM` at all. One that
/// was deleted meanwhile is left out.
pub(super) fn entries(value: Value) -> Vec<Entry> {
    let Value::Array(items) = value else { return Vec::new() };
    items.into_iter().filter_map(entry).collect()
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let Value::BulkString(id) = id else { return None };
    let id = entry_id(std::str::from_utf8(&id).ok()?)?;
    let mut entry = Entry { id, ..Entry::default() };
    let Value::Array(fields) = fields else { return Some(entry) };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        if let (Value::BulkString(name), Value::BulkString(value)) = (name, value)
            && let Some(field) = entry.field(&name)
        {
            *field = Some(value);
        }
    }
    Some(entry)
}

pub(super) fn entry_id(text: &str) -> Option<EntryId> {
    let (milliseconds, number) = text.split_once('-')?;
    Some(EntryId(milliseconds.parse().ok()?, number.parse().ok()?))
}

pub(super) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}

/// Reads entries, and remembers the targets that it has read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    targets: HashMap<Vec<u8>, Arc<Target>>,
    /// The one read last, and what it was read of: most neighbours go the same way.
    last: Option<(Vec<u8>, Arc<Target>)>,
    key: Vec<u8>,
}

impl Reader {
    /// Says what an entry is, or in words that hold nothing of it, why it is none.
    pub(super) fn read(&mut self, entry: Entry) -> Result<Read, &'static str> {
        let target = self.target(&entry)?;
        let value = |bytes: Option<Vec<u8>>| HeaderValue::from_maybe_shared(Bytes::from(bytes?)).ok();
        let webhook_id = value(entry.webhook_id).ok_or("`webhook-id` is missing or no header's value")?;
        let content_type = value(entry.content_type).ok_or("`content-type` is missing or no header's value")?;
        let body = entry.body.ok_or("`body` is missing")?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let accepted = entry.accepted_at.and_then(text).and_then(|text| text.parse().ok());
        let age = Duration::from_millis(unix_millis().saturating_sub(accepted.unwrap_or(entry.id.0)));
        Ok(Read {
            delivery: Delivery { target, webhook_id, content_type, body: body.into() },
            accepted_at: Instant::now().checked_sub(age).unwrap_or_else(Instant::now),
            reply: entry.reply.and_then(text),
        })
    }

    fn target(&mut self, entry: &Entry) -> Result<Arc<Target>, &'static str> {
        self.key.clear();
        for value in [&entry.url, &entry.headers, &entry.secret] {
            let value = value.as_deref().unwrap_or_default();
            self.key.extend_from_slice(&(value.len() as u64).to_le_bytes());
            self.key.extend_from_slice(value);
        }
        if let Some((key, target)) = &self.last
            && *key == self.key
        {
            return Ok(Arc::clone(target));
        }
        let target = match self.targets.get(&self.key) {
            Some(target) => Arc::clone(target),
            None => {
                let target = Arc::new(read_target(entry)?);
                if self.targets.len() >= TARGETS_MAX {
                    self.targets.clear();
                }
                self.targets.insert(self.key.clone(), Arc::clone(&target));
                target
            }
        };
        self.last = Some((self.key.clone(), Arc::clone(&target)));
        Ok(target)
    }
}

fn read_target(entry: &Entry) -> Result<Target, &'static str> {
    let text = |value: &Option<Vec<u8>>| {
        value.as_deref().map(|bytes| std::str::from_utf8(bytes).unwrap_or_default().to_owned())
    };
    let url = text(&entry.url).ok_or("`url` is missing")?;
    let headers: Vec<(String, String)> = match &entry.headers {
        Some(headers) => serde_json::from_slice(headers).map_err(|_| "`headers` is no JSON list of pairs")?,
        None => Vec::new(),
    };
    let secret = text(&entry.secret).map(|text| Secret::new(&text)).transpose().map_err(|_| "`secret` is no secret")?;
    Target::read(&url, &headers, secret).map_err(|_| "`url` or `headers` would not be taken in a trigger")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery() -> Delivery {
        let headers = [("x-token".to_owned(), "t".to_owned())];
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        Delivery {
            target: Arc::new(Target::read("https://h:1/a?b=%7C", &headers, Some(secret)).expect("a target")),
            webhook_id: HeaderValue::from_static("msg_1"),
            content_type: HeaderValue::from_static("text/plain"),
            body: Bytes::from_static(b"\0\xff{}"),
        }
    }

    fn written(delivery: &Delivery, reply: Option<&str>) -> Vec<(&'static str, Vec<u8>)> {
        let mut fields = Vec::new();
        write(delivery, Instant::now(), reply, |name, value| fields.push((name, value.to_vec())));
        fields
    }

    fn as_value(id: &str, fields: Vec<(&str, Vec<u8>)>) -> Value {
        let fields = fields
            .into_iter()
            .flat_map(|(name, value)| [Value::BulkString(name.as_bytes().to_vec()), Value::BulkString(value)]);
        Value::Array(vec![Value::Array(vec![Value::BulkString(id.into()), Value::Array(fields.collect())])])
    }

    #[test]
    fn what_is_written_is_read() {
        let given = delivery();
        let value = as_value("12-3", written(&given, Some("r")));
        let mut reader = Reader::default();
        let entry = entries(value).remove(0);
        assert_eq!(entry.id, EntryId(12, 3));
        let read = reader.read(entry).expect("an entry");
        assert_eq!((&read.delivery.body, &read.delivery.webhook_id), (&given.body, &given.webhook_id));
        let (target, expected) = (&read.delivery.target, &given.target);
        assert_eq!((&target.uri, &target.destination), (&expected.uri, &expected.destination));
        assert_eq!((&target.headers, &target.secret), (&expected.headers, &expected.secret));
        assert_eq!(read.reply.as_deref(), Some("r"));
        let again = entries(as_value("13-0", written(&given, None))).remove(0);
        let again = reader.read(again).expect("an entry");
        assert!(Arc::ptr_eq(&again.delivery.target, target), "a target is read once");
    }

    #[test]
    fn what_is_no_delivery_is_refused_in_words_of_ours() {
        let mut reader = Reader::default();
        let whole = written(&delivery(), None);
        for (name, value) in [
            (URL, Some("ftp://h/")),
            (URL, Some("http://user:hunter2@h/")),
            (URL, None),
            (HEADERS, Some("{\"a\":1}")),
            (HEADERS, Some("[[\"host\",\"hunter2\"]]")),
            (SECRET, Some("hunter2")),
            (WEBHOOK_ID, Some("a\nb")),
            (CONTENT_TYPE, None),
            (BODY, None),
        ] {
            let mut fields: Vec<_> = whole.iter().filter(|(own, _)| *own != name).cloned().collect();
            fields.extend(value.map(|value| (name, value.as_bytes().to_vec())));
            let entry = entries(as_value("1-1", fields)).remove(0);
            let reason = reader.read(entry).expect_err(name);
            assert!(!reason.contains("hunter2"), "{reason}");
        }
        assert!(entries(Value::Nil).is_empty());
        assert!(entries(Value::Array(vec![Value::Nil, Value::Int(1)])).is_empty(), "deleted meanwhile");
    }
}
