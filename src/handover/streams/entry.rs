//! Reads deliveries from the entries of a stream. Any program can write entries, so they are validated like a trigger that
//! is saved.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use smallvec::{SmallVec, smallvec};

use super::STREAMS;
use super::firing_text::FiringReader;
use super::pack;
use super::target_text::{KnownTarget, NotADelivery, read_target};
use crate::flow::in_flight::{EntryId, PackPart, StreamKind};
use crate::model::delivery::{Delivery, WebhookId};
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::redis::Value;

/// The most targets that are cached, so that a busy trigger's URL and headers are parsed once. At this number the cache
/// is emptied.
const TARGETS_MAX: usize = 4_096;

/// The names of an entry's fields.
pub(super) const TARGET: &str = "target";
pub(super) const WEBHOOK_ID: &str = "webhook-id";
pub(super) const BODY: &str = "body";
pub(super) const REPLY: &str = "reply";
pub(super) const HOPS: &str = "hops";
/// What fired, as JSON: account, event type, event source, event id, trigger. The node that adds an entry with it counts
/// it for its account, and the one that removes it counts it out. Other programs leave it out.
pub(super) const FIRING: &str = "firing";
/// In the place of all but the target: several deliveries.
pub(super) const PACK: &str = "pack";
/// When the delivery was accepted, in milliseconds since the Unix epoch, if that is not the time of the entry's id.
const SINCE: &str = "since";

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
    pack: Option<Vec<u8>>,
    since: Option<Vec<u8>>,
    /// Which of its deliveries were won before, from the lowest bit on.
    won: u32,
}

impl StreamEntry {
    /// Bytes of its body, or of its pack.
    pub(super) fn size(&self) -> usize {
        self.body.as_ref().or(self.pack.as_ref()).map_or(0, Vec::len)
    }

    /// How many deliveries it was added with.
    pub(super) fn parts(&self) -> u8 {
        match &self.pack {
            Some(pack) if self.id.stream == StreamKind::Packs => pack::number(pack),
            _ => 1,
        }
    }

    /// How many deliveries wait in it.
    pub(super) fn deliveries(&self) -> usize {
        usize::from(self.parts()).saturating_sub(self.won.count_ones() as usize)
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
            (PACK, &mut self.pack),
            (SINCE, &mut self.since),
        ];
        fields.into_iter().find(|(own, _)| own.as_bytes() == name).map(|(_, value)| value)
    }
}

/// Deliveries of one entry.
pub(super) type Deliveries = SmallVec<[(PackPart, EntryContent); 1]>;

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

/// Reads a list of entries of a stream, as `XREADGROUP` returns it for one stream and `XCLAIM` as a whole. An entry that was
/// deleted meanwhile is left out.
pub(super) fn entries(stream: StreamKind, value: Value) -> Vec<StreamEntry> {
    let Value::Array(items) = value else { return Vec::new() };
    items.into_iter().filter_map(|item| entry(stream, item)).collect()
}

/// The entries of each stream, in the order of [`StreamKind::ALL`].
pub(super) fn entries_of_each(streams: [Value; STREAMS]) -> [Vec<StreamEntry>; STREAMS] {
    let mut kinds = StreamKind::ALL.into_iter();
    streams.map(|value| kinds.next().map(|kind| entries(kind, value)).unwrap_or_default())
}

/// An entry is its id and its fields; scripts add to a pack which of its deliveries were won.
fn entry(stream: StreamKind, value: Value) -> Option<StreamEntry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), Some(fields), won) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let id = EntryId::read(stream, std::str::from_utf8(&id).ok()?)?;
    let won = if let Some(Value::Int(won)) = won { u32::try_from(won).unwrap_or_default() } else { 0 };
    let (target, webhook_id, body, reply, hops, firing, pack, since) = Default::default();
    let mut entry = StreamEntry { id, target, webhook_id, body, reply, hops, firing, pack, since, won };
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

fn content(
    KnownTarget { account, target, content_type }: KnownTarget,
    (webhook_id, firing, body, hops): (Bytes, Option<FiringId>, Bytes, u8),
    accepted_at: Instant,
) -> Result<EntryContent, NotADelivery> {
    let webhook_id = HeaderValue::from_maybe_shared(webhook_id).map_err(|_| NotADelivery::WebhookId)?;
    let delivery = Delivery { firing, target, webhook_id: WebhookId::Read(webhook_id), content_type, body, hops };
    Ok(EntryContent { account, delivery, accepted_at, reply: None })
}

fn accepted_at(millis: u64) -> Instant {
    let age = Duration::from_millis(unix_millis().saturating_sub(millis));
    Instant::now().checked_sub(age).unwrap_or_else(Instant::now)
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
    /// Reads the deliveries of an entry that were not won before.
    pub(super) fn read_all(&mut self, entry: StreamEntry) -> Result<Deliveries, NotADelivery> {
        match entry.id.stream {
            StreamKind::Packs => self.read_pack(entry),
            StreamKind::First | StreamKind::Bulk => Ok(smallvec![(PackPart::ONLY, self.read(entry)?)]),
        }
    }

    fn read(&mut self, entry: StreamEntry) -> Result<EntryContent, NotADelivery> {
        let known = self.target(entry.target.ok_or(NotADelivery::NoTarget)?)?;
        let hops = entry.hops.map_or(Some(1), |hops| std::str::from_utf8(&hops).ok()?.parse().ok());
        let since = entry.since.and_then(|since| std::str::from_utf8(&since).ok()?.parse().ok());
        let accepted_at = accepted_at(since.unwrap_or(entry.id.millis));
        let webhook_id = Bytes::from(entry.webhook_id.ok_or(NotADelivery::WebhookId)?);
        let body = entry.body.ok_or(NotADelivery::NoBody)?.into();
        let hops = hops.ok_or(NotADelivery::Hops)?;
        let firing = entry.firing.and_then(|text| self.firings.read(&text));
        let mut read = content(known, (webhook_id, firing, body, hops), accepted_at)?;
        read.reply = entry.reply.and_then(|key| String::from_utf8(key).ok());
        Ok(read)
    }

    fn read_pack(&mut self, entry: StreamEntry) -> Result<Deliveries, NotADelivery> {
        let known = self.target(entry.target.ok_or(NotADelivery::NoTarget)?)?;
        let parts = entry.pack.and_then(pack::read).ok_or(NotADelivery::Pack)?;
        let (of, accepted_at) = (parts.len() as u8, accepted_at(entry.id.millis));
        let first = self.firings.read(&parts[0].firing);
        let waiting = (0..).zip(parts).filter(|(index, _)| entry.won >> index & 1 == 0);
        let read = waiting.map(|(index, part)| {
            let firing = self.firings.read_after(first.as_ref(), &part.firing);
            let parts = (part.webhook_id, firing, part.body, part.hops);
            Ok((PackPart { index, of }, content(known.clone(), parts, accepted_at)?))
        });
        read.collect()
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
    use std::sync::Arc;

    use super::super::writer::{EntryWriter, Words};
    use super::*;
    use crate::model::event::{EventIdentity, EventType};
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

    fn written(delivery: &Delivery, reply: Option<&str>) -> Vec<(String, Vec<u8>)> {
        let mut words = Words::default();
        EntryWriter::default().write(&mut words, &account(), delivery, reply);
        fields(&words)
    }

    fn fields(words: &Words) -> Vec<(String, Vec<u8>)> {
        let words: Vec<&[u8]> = words.iter().collect();
        let name = |word: &[u8]| String::from_utf8(word.to_vec()).expect("a name");
        words.chunks(2).map(|pair| (name(pair[0]), pair[1].to_vec())).collect()
    }

    fn as_value(id: &str, fields: Vec<(impl AsRef<str>, Vec<u8>)>) -> Value {
        let fields = fields
            .into_iter()
            .flat_map(|(name, value)| [Value::BulkString(name.as_ref().into()), Value::BulkString(value)]);
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
            fields.extend(value.map(|value| (name.to_owned(), value.as_bytes().to_vec())));
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
            let mut words = Words::default();
            writer.write(&mut words, &account(), given, None);
            let entry = entries(StreamKind::First, as_value("1-1", fields(&words))).remove(0);
            let read = reader.read(entry).expect("an entry").delivery;
            assert_eq!((&read.content_type, &read.target.uri), (&given.content_type, &given.target.uri));
        }
    }

    /// Deliveries of two targets, and what a reader makes of the entries that they are written in.
    #[test]
    fn what_is_packed_is_read_but_for_what_was_won() {
        let given = delivery();
        let mut others = vec![given.clone(); 17];
        others.push(Delivery { content_type: HeaderValue::from_static("text/html"), hops: 1, ..given.clone() });
        let (mut words, mut writer, mut open) = (Words::default(), EntryWriter::default(), None);
        for delivery in &others {
            writer.pack(&mut words, &mut open, &account(), delivery);
        }
        let fields = fields(&words);
        assert_eq!(fields.len(), 6, "packs of 16, 1 and 1");
        let read = |fields: &[(String, Vec<u8>)], won| {
            let mut entry = entries(StreamKind::Packs, as_value("12-3", fields.to_vec())).remove(0);
            entry.won = won;
            (entry.parts(), entry.deliveries(), EntryReader::default().read_all(entry))
        };
        let (parts, waiting, all) = read(&fields[..2], 0);
        let all = all.expect("a pack");
        assert_eq!((parts, waiting, all.len()), (16, 16, 16));
        assert!(fields[1].1.windows(4).any(|bytes| bytes == b"=\"1\""), "but for the first one a firing is short");
        for (number, (part, read)) in all.iter().enumerate() {
            assert_eq!((usize::from(part.index), part.of), (number, 16));
            assert_eq!((&read.delivery.body, &read.delivery.webhook_id), (&given.body, &given.webhook_id));
            assert_eq!((&read.delivery.firing, read.delivery.hops), (&given.firing, 3));
            assert_eq!((read.counts_for(), &read.reply), (Some(account()), &None));
        }
        let (_, waiting, some) = read(&fields[..2], 0b0111_1111_0111_1110);
        let some: Vec<u8> = some.expect("a pack").iter().map(|(part, _)| part.index).collect();
        assert_eq!((waiting, some), (3, vec![0, 7, 15]));
        let (_, waiting, none) = read(&fields[..2], u32::from(u16::MAX));
        assert_eq!((waiting, none.expect("a pack").len()), (0, 0));
        let (.., last) = read(&fields[4..], 0);
        let last = last.expect("a pack");
        assert_eq!((last.len(), &last[0].1.delivery.content_type), (1, &HeaderValue::from_static("text/html")));
        assert_eq!(read(&fields[..1], 0).2.expect_err("no pack"), NotADelivery::Pack);
        let cut = [fields[0].clone(), ("pack".to_owned(), fields[1].1[..40].to_vec())];
        assert_eq!(read(&cut, 0).2.expect_err("a cut pack"), NotADelivery::Pack);
    }

    #[test]
    fn an_entry_of_a_pack_that_was_parked_is_as_old_as_the_pack() {
        let mut fields = written(&delivery(), None);
        fields.push((SINCE.to_owned(), (unix_millis() - 60_000).to_string().into_bytes()));
        let id = format!("{}-0", unix_millis());
        let read = EntryReader::default().read(entries(StreamKind::Bulk, as_value(&id, fields)).remove(0));
        assert!(read.expect("an entry").accepted_at.elapsed() >= Duration::from_secs(59));
    }
}
