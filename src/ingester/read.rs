//! Reads events out of a body. Pure: bytes in, events and mistakes out. It never guesses: a member
//! it does not know is a mistake, since a misspelt `account` would fire another customer's triggers.

use std::sync::Arc;

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value};

use super::{Batch, cloud_event};
use crate::event::{EVENT_ID_BYTES_MAX, Event, EventType};
use crate::field::kind;
use crate::id::{AccountId, new_id};
use crate::messages::{Encoding, Refusal, Rejected};

/// What is wrong with one event: a stable code, and a sentence.
pub(super) type Mistake = (&'static str, String);

/// Reads a body. `only_account` is the one that its sender may post for.
pub(super) fn read(body: &[u8], encoding: &Encoding, only_account: Option<&AccountId>) -> Result<Batch, Refusal> {
    let reader = Reader { only_account };
    let batch = match encoding {
        Encoding::Json => match parse(body)? {
            Value::Array(items) => reader.batch(items.into_iter().map(|item| reader.event(item))),
            one => reader.batch([reader.event(one)]),
        },
        Encoding::JsonLines => {
            let lines = body.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
            reader.batch(lines.map(|line| reader.line(line)))
        }
        Encoding::CloudEvent => {
            let document = parse(body)?;
            reader.batch([cloud_event::structured(document).and_then(|event| reader.own(event))])
        }
        Encoding::CloudEvents => {
            let Value::Array(items) = parse(body)? else {
                let detail = "a batch of CloudEvents is a JSON array";
                return Err(Refusal::Malformed(detail.into()));
            };
            reader
                .batch(items.into_iter().map(|item| cloud_event::structured(item).and_then(|event| reader.own(event))))
        }
        Encoding::CloudEventData(attributes) => {
            let data = if body.is_empty() { Value::Object(Map::new()) } else { parse(body)? };
            reader.batch([cloud_event::binary(attributes, data).and_then(|event| reader.own(event))])
        }
    };
    match (batch.events.len(), batch.rejected.len()) {
        (0, 0) => Err(Refusal::NoEvents),
        (0, _) => Err(Refusal::NoGoodEvent(batch.rejected)),
        _ => Ok(batch),
    }
}

/// Parses a whole body as JSON. The error has line and column; never the body's text.
fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Malformed(describe(&error)))
}

fn describe(error: &serde_json::Error) -> String {
    if error.is_eof() {
        format!("the JSON text ends too early, at line {} column {}", error.line(), error.column())
    } else {
        format!("no JSON text: {error}")
    }
}

struct Reader<'a> {
    only_account: Option<&'a AccountId>,
}

impl Reader<'_> {
    fn batch(&self, read: impl IntoIterator<Item = Result<Event, Mistake>>) -> Batch {
        let mut batch = Batch::default();
        for (index, event) in read.into_iter().enumerate() {
            match event {
                Ok(event) => batch.events.push(event),
                Err((code, detail)) => batch.rejected.push(Rejected { index, code, detail }),
            }
        }
        batch
    }

    fn line(&self, line: &[u8]) -> Result<Event, Mistake> {
        let document = serde_json::from_slice(line);
        self.event(document.map_err(|error| ("malformed_json", describe(&error)))?)
    }

    fn event(&self, document: Value) -> Result<Event, Mistake> {
        let Value::Object(mut members) = document else {
            return Err(("wrong_type", format!("an event is a JSON object, not {}", kind(&document))));
        };
        // `swap_remove` is the cheap one; the order of what is left matters to nobody here.
        let mut take = |name| members.swap_remove(name).filter(|value| !value.is_null());
        let event_type = event_type(take("type"))?;
        let account = account(take("account"))?;
        let id = match take("id") {
            Some(id) => event_id(id)?,
            None => new_id().into(),
        };
        let time = time(take("time"))?;
        let data = data(take("data"))?;
        if let Some(name) = members.keys().next() {
            let name: String = name.chars().take(80).collect();
            let detail = format!("an event has no member {name:?}; it has type, account, id, time and data");
            return Err(("unknown_member", detail));
        }
        self.own(Event { account, event_type, id, source: "".into(), time, data })
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

pub(super) fn event_type(value: Option<Value>) -> Result<EventType, Mistake> {
    let text = text("type", value)?.ok_or_else(|| missing("type"))?;
    EventType::new(&text).map_err(|error| ("bad_event_type", error.to_string()))
}

pub(super) fn account(value: Option<Value>) -> Result<AccountId, Mistake> {
    match text("account", value)? {
        None => Ok(AccountId::default_account()),
        Some(name) => AccountId::new(&name).map_err(|error| ("bad_account", format!("`account`: {error}"))),
    }
}

pub(super) fn event_id(value: Value) -> Result<Arc<str>, Mistake> {
    let id = text("id", Some(value))?.unwrap_or_default();
    if id.is_empty() || id.len() > EVENT_ID_BYTES_MAX {
        let detail = format!("`id` has {} bytes; 1 to {EVENT_ID_BYTES_MAX} are taken", id.len());
        return Err(("bad_id", detail));
    }
    Ok(id.into())
}

/// The producer's own text where it is a time, else now, to the millisecond.
pub(super) fn time(value: Option<Value>) -> Result<Arc<str>, Mistake> {
    let Some(text) = text("time", value)? else {
        let now = Timestamp::now();
        return Ok(now.round(Unit::Millisecond).unwrap_or(now).to_string().into());
    };
    match text.parse::<Timestamp>() {
        Ok(_) if is_rfc_3339(&text) => Ok(text.into()),
        _ => Err(("bad_time", "`time` is a time as RFC 3339 writes it, such as 2026-07-01T15:00:00Z".into())),
    }
}

/// Whether the text has the shape of RFC 3339, section 5.6. The parser takes more of ISO 8601, which
/// receivers that the text is passed on to need not.
fn is_rfc_3339(text: &str) -> bool {
    let shaped = |text: &[u8], shape: &str| {
        text.len() == shape.len()
            && text.iter().zip(shape.bytes()).all(|(own, expected)| match expected {
                b'0' => own.is_ascii_digit(),
                b'T' => matches!(own, b'T' | b't' | b' '),
                b'+' => matches!(own, b'+' | b'-'),
                other => *own == other,
            })
    };
    let Some((moment, rest)) = text.as_bytes().split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let digits = rest.strip_prefix(b".").map_or(0, |rest| 1 + rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let (fraction, offset) = rest.split_at(digits);
    let zone = matches!(offset, b"Z" | b"z") || shaped(offset, "+00:00");
    shaped(moment, "0000-00-00T00:00:00") && fraction.len() != 1 && zone
}

pub(super) fn data(value: Option<Value>) -> Result<Map<String, Value>, Mistake> {
    match value {
        Some(Value::Object(members)) => Ok(members),
        Some(other) => Err(("wrong_type", format!("`data` is a JSON object, not {}", kind(&other)))),
        None => Err(missing("data")),
    }
}

pub(super) fn text(name: &str, value: Option<Value>) -> Result<Option<String>, Mistake> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(("wrong_type", format!("`{name}` is a string, not {}", kind(&other)))),
    }
}

pub(super) fn missing(name: &str) -> Mistake {
    ("missing_member", format!("`{name}` is required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Batch, Refusal> {
        read(body.as_bytes(), &Encoding::Json, None)
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
        assert_eq!(serde_json::to_string(&event.data).expect("json"), r#"{"z":1.10,"a":2}"#);
        let event = json(r#"{"type":"a","data":{}}"#).expect("an event").events.remove(0);
        assert_eq!(event.account, AccountId::default_account());
        assert!(!event.id.is_empty() && event.time.parse::<Timestamp>().is_ok());
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
    fn a_time_is_what_rfc_3339_says() {
        for (text, taken) in [
            ("2026-07-01T15:00:00Z", true),
            ("2026-07-01t15:00:00.123456789z", true),
            ("2026-07-01 15:00:00-03:30", true),
            ("2026-06-30T23:59:60Z", true),
            ("2026-07-01T15:00:00", false),
            ("2026-07-01T15:00:00.Z", false),
            ("2026-07-01T15:00:00,5Z", false),
            ("2026-07-01T15:00Z", false),
            ("20260701T150000Z", false),
            ("2026-07-01T15:00:00+0100", false),
            ("2026-07-01T15:00:00Z[Europe/Paris]", false),
            ("+002026-07-01T15:00:00Z", false),
            ("2026-02-30T00:00:00Z", false),
            ("2026-07-01T24:00:00Z", false),
            ("2026-07-0\u{661}T15:00:00Z", false),
            ("", false),
        ] {
            assert_eq!(time(Some(text.into())).is_ok(), taken, "{text}");
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
        assert!(matches!(read(b"{\"type\":\"\xff\"}", &Encoding::Json, None), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_binary_cloud_event_may_have_no_data() {
        let attributes = [("specversion", "1.0"), ("type", "a"), ("source", "s"), ("id", "1")];
        let encoding = Encoding::CloudEventData(attributes.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        assert!(read(b"", &encoding, None).expect("an event").events[0].data.is_empty());
        assert!(matches!(read(b"x", &encoding, None), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_bad_line_costs_that_line() {
        let body = b"{\"type\":\"a\",\"data\":{}}\r\n\n{\"type\"\n  \n{\"type\":\"c\",\"data\":{}}";
        let batch = read(body, &Encoding::JsonLines, None).expect("some are good");
        assert_eq!((batch.events.len(), batch.rejected.len()), (2, 1));
        assert_eq!((batch.rejected[0].index, batch.rejected[0].code), (1, "malformed_json"));
    }

    #[test]
    fn a_key_of_one_account_posts_for_that_one() {
        let own = AccountId::new("own").expect("a name");
        let body = br#"[{"type":"a","data":{},"account":"own"},{"type":"a","data":{}}]"#;
        let batch = read(body, &Encoding::Json, Some(&own)).expect("one is good");
        assert_eq!((batch.events.len(), batch.rejected[0].code), (1, "account_not_allowed"));
    }
}
