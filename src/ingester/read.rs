//! Reads events out of a body. Pure: bytes in, events and mistakes out. It never guesses: a member
//! it does not know is a mistake, since a misspelt `account` would fire another customer's triggers.

use bytes::Bytes;
use bytestring::ByteString;

use super::members::{Members, Mistake, data, event_id, missing};
use super::{Batch, cloud_event};
use crate::flow::messages::Encoding;
use crate::flow::response::{Refusal, Rejected};
use crate::json::{Document, Json, Malformed, Parsed};
use crate::model::event::Event;
use crate::model::id::{AccountId, new_event_id};

/// Reads a body. `only_account` is the one that its sender may post for.
pub(super) fn read(body: &Bytes, encoding: &Encoding, only_account: Option<&AccountId>) -> Result<Batch, Refusal> {
    let mut reader = Reader { only_account, members: Members::default(), batch: Batch::default() };
    match encoding {
        Encoding::Json => match parse_each(body)? {
            Parsed::Many(items) => items.into_iter().for_each(|item| reader.add(Reader::event, item)),
            Parsed::One(one) => reader.add(Reader::event, one),
        },
        Encoding::JsonLines => reader.lines(body),
        Encoding::CloudEvent => reader.add(Reader::cloud_event, parse(body).map_err(refusal)?),
        Encoding::CloudEvents => {
            let Parsed::Many(items) = parse_each(body)? else {
                let detail = "a batch of CloudEvents is a JSON array";
                return Err(Refusal::Malformed(detail.into()));
            };
            items.into_iter().for_each(|item| reader.add(Reader::cloud_event, item));
        }
        Encoding::CloudEventData(attributes) => {
            let data = if body.is_empty() { Document::empty_object() } else { parse(body).map_err(refusal)? };
            reader.add(|reader, data| cloud_event::binary(&mut reader.members, attributes, data), data);
        }
    }
    let batch = reader.batch;
    match (batch.events.len(), batch.rejected.len()) {
        (0, 0) => Err(Refusal::NoEvents),
        (0, _) => Err(Refusal::NoGoodEvent(batch.rejected)),
        _ => Ok(batch),
    }
}

/// Parses a body as JSON. The error has line and column; never the body's text.
pub(super) fn parse(body: &Bytes) -> Result<Document, Malformed> {
    Document::read(text(body)?)
}

fn parse_each(body: &Bytes) -> Result<Parsed, Refusal> {
    text(body).and_then(Document::read_each).map_err(refusal)
}

fn text(body: &Bytes) -> Result<ByteString, Malformed> {
    ByteString::try_from(body.clone()).map_err(|error| Malformed::not_utf8(body, error.valid_up_to()))
}

fn refusal(malformed: Malformed) -> Refusal {
    Refusal::Malformed(malformed.to_string())
}

struct Reader<'a> {
    only_account: Option<&'a AccountId>,
    members: Members,
    batch: Batch,
}

impl Reader<'_> {
    fn lines(&mut self, body: &Bytes) {
        let mut start = 0;
        while start < body.len() {
            let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length);
            let line = body.slice(start..end);
            start = end + 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.add(Self::line, line);
            }
        }
    }

    /// Reads one event, or notes the mistake at its place.
    fn add<T>(&mut self, read: impl FnOnce(&mut Self, T) -> Result<Event, Mistake>, item: T) {
        match read(self, item).and_then(|event| self.own(event)) {
            Ok(event) => self.batch.events.push(event),
            Err((code, detail)) => {
                let index = self.batch.events.len() + self.batch.rejected.len();
                self.batch.rejected.push(Rejected { index, code, detail });
            }
        }
    }

    fn line(&mut self, line: Bytes) -> Result<Event, Mistake> {
        self.event(parse(&line).map_err(|malformed| ("malformed_json", malformed.to_string()))?)
    }

    fn cloud_event(&mut self, document: Document) -> Result<Event, Mistake> {
        cloud_event::structured(&mut self.members, document)
    }

    fn event(&mut self, document: Document) -> Result<Event, Mistake> {
        let Some(object) = document.object() else {
            return Err(("wrong_type", format!("an event is a JSON object, not {}", document.root().kind())));
        };
        let take = |name| object.get(name).filter(|value| *value != Json::Null);
        let event_type = self.members.event_type(take("type"))?;
        let account = self.members.account(take("account"))?;
        let given = take("id");
        let id_given = given.is_some();
        let id = match given {
            Some(id) => event_id(id)?,
            None => new_event_id(),
        };
        let time = self.members.time(take("time"))?;
        data(take("data").ok_or_else(|| missing("data"))?)?;
        let known = |name: &str| matches!(name, "type" | "account" | "id" | "time" | "data");
        if let Some((name, _)) = object.iter().find(|(name, _)| !known(name)) {
            let name: String = name.chars().take(80).collect();
            let detail = format!("an event has no member {name:?}; it has type, account, id, time and data");
            return Err(("unknown_member", detail));
        }
        let data = document.into_member("data").ok_or_else(|| missing("data"))?;
        Ok(Event { account, event_type, id, id_given, source: self.members.no_source(), time, data })
    }

    /// Takes the event if its account is the sender's.
    fn own(&self, event: Event) -> Result<Event, Mistake> {
        match self.only_account {
            Some(own) if *own != event.account => {
                let detail = format!("this key posts events of the account {own} only, not of {}", event.account);
                Err(("account_not_allowed", detail))
            }
            _ => Ok(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Batch, Refusal> {
        read(&Bytes::copy_from_slice(body.as_bytes()), &Encoding::Json, None)
    }

    fn code(body: &str) -> &'static str {
        match json(body) {
            Err(Refusal::NoGoodEvent(rejected)) => rejected[0].code,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn what_is_given_is_kept_and_the_rest_is_made() {
        let body =
            r#"{"type":"a.b","account":"acme","id":"7","time":"2026-07-01T15:00:00+02:00","data":{"z":1.10,"a":2}}"#;
        let event = json(body).expect("an event").events.remove(0);
        assert_eq!((event.account.as_str(), &*event.id), ("acme", "7"));
        assert_eq!(&*event.time, "2026-07-01T15:00:00+02:00");
        assert_eq!(event.data, Document::read(r#"{"z":1.10,"a":2}"#.into()).expect("JSON"));
        let event = json(r#"{"type":"a","data":{}}"#).expect("an event").events.remove(0);
        assert_eq!(event.account, AccountId::default_account());
        assert!(!event.id.is_empty() && event.time.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (body, expected) in [
            (r"[]", None),
            (r"7", Some("wrong_type")),
            (r#"{"data":{}}"#, Some("missing_member")),
            (r#"{"type":"a"}"#, Some("missing_member")),
            (r#"{"type":"a","data":[]}"#, Some("wrong_type")),
            (r#"{"type":7,"data":{}}"#, Some("wrong_type")),
            (r#"{"type":"a b","data":{}}"#, Some("bad_event_type")),
            (r#"{"type":"a","data":{},"account":"a/b"}"#, Some("bad_account")),
            (r#"{"type":"a","data":{},"id":""}"#, Some("bad_id")),
            (r#"{"type":"a","data":{},"id":7}"#, Some("wrong_type")),
            (r#"{"type":"a","data":{},"time":"yesterday"}"#, Some("bad_time")),
            (r#"{"type":"a","data":{},"acount":"x"}"#, Some("unknown_member")),
        ] {
            match expected {
                Some(expected) => assert_eq!(code(body), expected, "{body}"),
                None => assert_eq!(json(body), Err(Refusal::NoEvents)),
            }
        }
    }

    #[test]
    fn what_is_no_json_is_malformed_and_never_repeated() {
        let deep = "[".repeat(10_000);
        for body in ["", "{", "{\"type\":\"a\",\"da", "\u{1}secret", &deep, "{}{}", "{\"a\":01}"] {
            match json(body) {
                Err(Refusal::Malformed(detail)) => assert!(!detail.contains("secret"), "{detail}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        assert!(matches!(
            read(&Bytes::from_static(b"{\"type\":\"\xff\"}"), &Encoding::Json, None),
            Err(Refusal::Malformed(_))
        ));
    }

    #[test]
    fn a_binary_cloud_event_may_have_no_data() {
        let attributes = [("specversion", "1.0"), ("type", "a"), ("source", "s"), ("id", "1")];
        let encoding = Encoding::CloudEventData(attributes.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        let data = read(&Bytes::new(), &encoding, None).expect("an event").events.remove(0).data;
        assert_eq!(data, Document::empty_object());
        assert!(matches!(read(&Bytes::from_static(b"x"), &encoding, None), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_bad_line_costs_that_line() {
        let body = b"{\"type\":\"a\",\"data\":{}}\r\n\n{\"type\"\n  \n{\"type\":\"c\",\"data\":{}}";
        let batch = read(&Bytes::from_static(body), &Encoding::JsonLines, None).expect("some are good");
        assert_eq!((batch.events.len(), batch.rejected.len()), (2, 1));
        assert_eq!((batch.rejected[0].index, batch.rejected[0].code), (1, "malformed_json"));
    }

    #[test]
    fn a_key_of_one_account_posts_for_that_one() {
        let own = AccountId::new("own").expect("a name");
        let body = br#"[{"type":"a","data":{},"account":"own"},{"type":"a","data":{}}]"#;
        let batch = read(&Bytes::from_static(body), &Encoding::Json, Some(&own)).expect("one is good");
        assert_eq!((batch.events.len(), batch.rejected[0].code), (1, "account_not_allowed"));
    }
}
