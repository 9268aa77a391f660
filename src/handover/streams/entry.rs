//! Converts deliveries to entries of a stream and back. Any program can write entries, so they are validated like a
//! trigger that is saved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderValue;

use super::firing_text::{FiringReader, firing_text};
use super::target_text::{KnownTarget, NotADelivery, read_target, target_text};
use crate::flow::in_flight::{EntryId, StreamKind};
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::id::AccountId;
use crate::redis::Value;

/// The most targets that are cached, so that a busy trigger's URL and headers are parsed once. At this number the cache
/// is emptied.
const TARGETS_MAX: usize = 4_096;

/// The names of an entry's fields.
const TARGET: &str = "target";
const WEBHOOK_ID: &str = "webhook-id";
const BODY: &str = "body";
const REPLY: &str = "reply";
const HOPS: &str = "hops";
/// What fired, as JSON: account, event type, event source, event id, trigger. The node that adds an entry with it counts
/// it for its account, and the one that removes it counts it out. Other programs leave it out.
const FIRING: &str = "firing";

/// An entry as it was read.
#[derive(Debug)]
pub(super) struct StreamEntry {
    pub(super) id: EntryId,
    target: Option<Vec<u8>>,
    webhook_id: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
    hops: Option<Vec<u8>>,
    firing: Option<Vec<u8>>,
}

impl StreamEntry {
    /// Bytes of its body.
    pub(super) fn size(&self) -> usize {
        self.body.as_ref().map_or(0, Vec::len)
    }

    /// The slot of a field's value; the last of two equal fields counts. Other programs may add other fields.
    fn field(&mut self, name: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        let fields = [
            (TARGET, &mut self.target),
            (WEBHOOK_ID, &mut self.webhook_id),
            (BODY, &mut self.body),
            (REPLY, &mut self.reply),
            (HOPS, &mut self.hops),
            (FIRING, &mut self.firing),
        ];
        fields.into_iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value)
    }
}

/// The content of an entry.
#[derive(Debug)]
pub(super) struct EntryContent {
    pub(super) account: AccountId,
    pub(super) delivery: Delivery,
    /// When Redis received it.
    pub(super) accepted_at: Instant,
    /// The list for the outcome, if someone waits for it.
    pub(super) reply: Option<String>,
}

impl EntryContent {
    /// The account that the entry counts for.
    pub(super) fn counts_for(&self) -> Option<AccountId> {
        self.delivery.firing.is_some().then(|| self.account.clone())
    }
}

/// Whether the entry of a delivery has the field for its hops.
pub(super) fn writes_hops(delivery: &Delivery) -> bool {
    delivery.hops != 1
}

/// Writes entries, and caches the target that it wrote last: consecutive deliveries usually share it.
#[derive(Debug, Default)]
pub(super) struct EntryWriter {
    last: Option<(KnownTarget, Vec<u8>)>,
}

impl EntryWriter {
    /// Writes the field names and values of a delivery.
    pub(super) fn write(
        &mut self,
        account: &AccountId,
        delivery: &Delivery,
        reply: Option<&str>,
        mut field: impl FnMut(&'static str, &[u8]),
    ) {
        field(TARGET, self.target(account, delivery));
        field(WEBHOOK_ID, delivery.webhook_id.as_bytes());
        field(BODY, &delivery.body);
        // Without the field it is 1.
        if writes_hops(delivery) {
            field(HOPS, delivery.hops.to_string().as_bytes());
        }
        field(FIRING, &delivery.firing.as_ref().map(firing_text).unwrap_or_default());
        if let Some(reply) = reply {
            field(REPLY, reply.as_bytes());
        }
    }

    fn target(&mut self, account: &AccountId, Delivery { target, content_type, .. }: &Delivery) -> &[u8] {
        let known = self
            .last
            .take()
            .filter(|(known, _)| Arc::ptr_eq(&known.target, target) && known.content_type == *content_type);
        let written = || {
            let account = account.clone();
            let text = target_text(&account, target, content_type);
            (KnownTarget { account, target: Arc::clone(target), content_type: content_type.clone() }, text)
        };
        &self.last.insert(known.unwrap_or_else(written)).1
    }
}

/// Reads a list of entries of a stream, as `XREADGROUP` returns it for one stream and `XCLAIM` as a whole. An entry that was
/// deleted meanwhile is left out.
pub(super) fn entries(stream: StreamKind, value: Value) -> Vec<StreamEntry> {
    let Value::Array(items) = value else { return Vec::new() };
    items.into_iter().filter_map(|item| entry(stream, item)).collect()
}

/// The entries of both streams.
pub(super) fn entries_of_both([first, bulk]: [Value; 2]) -> [Vec<StreamEntry>; 2] {
    [entries(StreamKind::First, first), entries(StreamKind::Bulk, bulk)]
}

fn entry(stream: StreamKind, value: Value) -> Option<StreamEntry> {
    let Value::Array(parts) = value else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let Value::BulkString(id) = id else { return None };
    let id = EntryId::read(stream, std::str::from_utf8(&id).ok()?)?;
    let (target, webhook_id, body, reply, hops, firing) = Default::default();
    let mut entry = StreamEntry { id, target, webhook_id, body, reply, hops, firing };
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

pub(super) fn unix_millis() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_millis() as u64
}

/// Reads entries, and caches the targets that it has read.
#[derive(Debug, Default)]
pub(super) struct EntryReader {
    targets: HashMap<Vec<u8>, KnownTarget>,
    /// The last target and its text: consecutive deliveries usually share it.
    last: Option<(Vec<u8>, KnownTarget)>,
    firings: FiringReader,
}

impl EntryReader {
    /// Reads an entry.
    pub(super) fn read(&mut self, entry: StreamEntry) -> Result<EntryContent, NotADelivery> {
        let target = entry.target.ok_or(NotADelivery::NoTarget)?;
        let KnownTarget { account, target, content_type } = self.target(target)?;
        let webhook_id = entry.webhook_id.and_then(|value| HeaderValue::from_maybe_shared(Bytes::from(value)).ok());
        let webhook_id = WebhookId::Read(webhook_id.ok_or(NotADelivery::WebhookId)?);
        let body = entry.body.ok_or(NotADelivery::NoBody)?.into();
        let hops = entry.hops.map_or(Some(1), |hops| std::str::from_utf8(&hops).ok()?.parse().ok());
        let hops = hops.ok_or(NotADelivery::Hops)?;
        let age = Duration::from_millis(unix_millis().saturating_sub(entry.id.millis));
        Ok(EntryContent {
            account,
            delivery: Delivery {
                firing: entry.firing.and_then(|text| self.firings.read(&text)),
                target,
                webhook_id,
                content_type,
                body,
                hops,
            },
            accepted_at: Instant::now().checked_sub(age).unwrap_or_else(Instant::now),
            reply: entry.reply.and_then(|key| String::from_utf8(key).ok()),
        })
    }

    fn target(&mut self, text: Vec<u8>) -> Result<KnownTarget, NotADelivery> {
        if let Some((last, known)) = &self.last
            && *last == text
        {
            return Ok(known.clone());
        }
        let known = match self.targets.get(&text) {
            Some(known) => known.clone(),
            None => {
                let known = read_target(&text)?;
                if self.targets.len() >= TARGETS_MAX {
                    self.targets.clear();
                }
                self.targets.insert(text.clone(), known.clone());
                known
            }
        };
        self.last = Some((text, known.clone()));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{EventIdentity, EventType};
    use crate::model::firing::FiringId;
    use crate::model::id::TriggerId;
    use crate::model::secret::Secret;
    use crate::model::target::Target;

    fn account() -> AccountId {
        AccountId::new("acme").expect("a name")
    }

    fn delivery() -> Delivery {
        let headers = [("x-token".to_owned(), "t".to_owned())];
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let event_type = EventType::new("guest.created").expect("a type");
        let event = EventIdentity::new(&AccountId::new("a").expect("a name"), &event_type, "", "\"1\"");
        let mut target = Target::read("https://h:1/a?b=%7C", &headers, vec![secret]).expect("a target");
        target.rate = Some((TriggerId::new("t").expect("a name"), std::num::NonZeroU32::MIN));
        Delivery {
            firing: Some(FiringId { event, trigger: TriggerId::new("t").expect("a name") }),
            target: Arc::new(target),
            webhook_id: WebhookId::Read(HeaderValue::from_static("msg_1")),
            content_type: HeaderValue::from_static("text/plain"),
            body: Bytes::from_static(b"\0\xff{}"),
            hops: 3,
        }
    }

    fn written(delivery: &Delivery, reply: Option<&str>) -> Vec<(&'static str, Vec<u8>)> {
        let mut fields = Vec::new();
        EntryWriter::default().write(&account(), delivery, reply, |name, value| fields.push((name, value.to_vec())));
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
        let mut reader = EntryReader::default();
        let entry = entries(StreamKind::First, value).remove(0);
        assert_eq!(entry.id, EntryId { stream: StreamKind::First, millis: 12, number: 3 });
        let read = reader.read(entry).expect("an entry");
        assert_eq!((&read.delivery.body, &read.delivery.webhook_id), (&given.body, &given.webhook_id));
        assert_eq!((&read.delivery.content_type, read.account), (&given.content_type, account()));
        assert_eq!(read.delivery.firing, given.firing);
        let (target, expected) = (&read.delivery.target, &given.target);
        assert!(target.rate.is_some() && target.rate == expected.rate);
        assert_eq!((&target.uri, &target.destination), (&expected.uri, &expected.destination));
        assert_eq!((&target.headers, &target.secrets), (&expected.headers, &expected.secrets));
        assert_eq!((read.reply.as_deref(), read.delivery.hops), (Some("r"), 3));
        let again = entries(StreamKind::First, as_value("13-0", written(&given, None))).remove(0);
        let again = reader.read(again).expect("an entry");
        assert!(Arc::ptr_eq(&again.delivery.target, target), "a target is read once");
    }

    #[test]
    fn an_entry_without_optional_fields_is_read() {
        let target = r#"{"url":"http://h/","content-type":"a/b","secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#;
        let fields = vec![(TARGET, target.into()), (WEBHOOK_ID, b"msg_1".to_vec()), (BODY, Vec::new())];
        let read = EntryReader::default()
            .read(entries(StreamKind::First, as_value("1-1", fields)).remove(0))
            .expect("an entry")
            .delivery;
        assert_eq!((read.hops, read.target.secrets.len(), read.target.secrets[0].until), (1, 1, None));
    }

    #[test]
    fn an_invalid_entry_is_refused_with_a_fixed_text() {
        let mut reader = EntryReader::default();
        let whole = written(&delivery(), None);
        for (name, value) in [
            (TARGET, Some(r#"{"url":"ftp://h/","content-type":"a/b"}"#)),
            (TARGET, Some(r#"{"url":"http://user:hunter2@h/","content-type":"a/b"}"#)),
            (TARGET, Some(r#"{"url":"http://hunter2/"}"#)),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","headers":{"hunter2":1}}"#)),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","headers":[["a b","hunter2"]]}"#)),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","headers":[["Host","hunter2"]]}"#)),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","secrets":[{"key":"hunter2"}]}"#)),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","secret":"hunter2"}"#)),
            (TARGET, Some("{\"url\":\"http://h/\",\"content-type\":\"hunter2\\n\"}")),
            (TARGET, Some(r#"{"url":"http://h/","content-type":"a/b","account":"hunter2 "}"#)),
            (TARGET, Some("http://hunter2/")),
            (TARGET, None),
            (WEBHOOK_ID, Some("a\nb")),
            (WEBHOOK_ID, None),
            (BODY, None),
            (HOPS, Some("hunter2")),
            (HOPS, Some("256")),
        ] {
            let mut fields: Vec<_> = whole.iter().filter(|(own, _)| *own != name).cloned().collect();
            fields.extend(value.map(|value| (name, value.as_bytes().to_vec())));
            let entry = entries(StreamKind::First, as_value("1-1", fields)).remove(0);
            let reason = reader.read(entry).expect_err(name).to_string();
            assert!(reason.contains(name) && !reason.contains("hunter2"), "{reason}");
        }
        assert!(entries(StreamKind::First, Value::Nil).is_empty());
        assert!(
            entries(StreamKind::First, Value::Array(vec![Value::Nil, Value::Int(1)])).is_empty(),
            "deleted meanwhile"
        );
    }

    #[test]
    fn a_writer_caches_only_what_is_equal() {
        let given = delivery();
        let mut others = [given.clone(), given.clone(), given.clone()];
        others[1].content_type = HeaderValue::from_static("text/html");
        others[2].target = Arc::new(Target::read("http://g/", &[], Vec::new()).expect("a target"));
        let (mut writer, mut reader) = (EntryWriter::default(), EntryReader::default());
        for given in [&given].into_iter().chain(&others).chain([&given]) {
            let mut fields = Vec::new();
            writer.write(&account(), given, None, |name, value| fields.push((name, value.to_vec())));
            let read =
                reader.read(entries(StreamKind::First, as_value("1-1", fields)).remove(0)).expect("an entry").delivery;
            assert_eq!((&read.content_type, &read.target.uri), (&given.content_type, &given.target.uri));
        }
    }
}
