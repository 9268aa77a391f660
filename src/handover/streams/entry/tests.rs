//! What is written is read, and what is not valid is refused.

use std::sync::Arc;

use super::*;
use crate::handover::streams::writer::{EntryWriter, Words};
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
    assert!(entries(StreamKind::First, Value::Array(vec![Value::Nil, Value::Int(1)])).is_empty(), "deleted meanwhile");
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
