//! Reads the events of a request. Pure: bytes in, events and mistakes out.

use bytes::Bytes;

use super::members::{GeneratedValues, LastNames};
use super::rejection::Rejection;
use crate::flow::refusal::{Refusal, Rejections};
use crate::json::{Document, Malformed, ParsedContent};
use crate::model::event::Event;
use crate::model::id::AccountId;

/// The most events that room is made for before they are read.
const EXPECTED_MAX: usize = 256;

/// The valid events of a request, and the mistakes of the others.
#[derive(Debug, Default, PartialEq)]
pub(super) struct EventBatch {
    pub(super) events: Vec<Event>,
    pub(super) rejected: Rejections,
}

/// Collects the events of one request.
pub(super) struct BatchReader<'a> {
    only_account: Option<&'a AccountId>,
    pub(super) names: LastNames,
    pub(super) generated: GeneratedValues,
    batch: EventBatch,
}

impl<'a> BatchReader<'a> {
    pub(super) fn new(only_account: Option<&'a AccountId>) -> Self {
        let generated = GeneratedValues::default();
        Self { only_account, names: LastNames::take(), generated, batch: EventBatch::default() }
    }

    /// About this many more events follow.
    pub(super) fn expect(&mut self, events: usize) {
        self.batch.events.reserve_exact(events.min(EXPECTED_MAX));
    }

    /// The events that were added, if at least one is valid.
    pub(super) fn finish(self) -> Result<EventBatch, Refusal> {
        self.names.keep();
        let batch = self.batch;
        match (batch.events.len(), batch.rejected.len()) {
            (0, 0) => Err(Refusal::NoEvents),
            (0, _) => Err(Refusal::NoGoodEvent(batch.rejected)),
            _ => Ok(batch),
        }
    }

    /// Adds one event, or records its rejection at its position.
    pub(super) fn add<T>(&mut self, read: impl FnOnce(&mut Self, T) -> Result<Event, Rejection>, item: T) {
        let rejection = match read(self, item) {
            Ok(event) => match self.check_account(event.identity.account()) {
                Ok(()) => return self.batch.events.push(event),
                Err(rejection) => rejection,
            },
            Err(rejection) => rejection,
        };
        let index = self.batch.events.len() + self.batch.rejected.len();
        self.batch.rejected.push(index, rejection.code(), rejection);
    }

    /// Adds an event whose document may not be JSON.
    pub(super) fn add_read(
        &mut self,
        read: impl FnOnce(&mut Self, Document) -> Result<Event, Rejection>,
        item: Result<Document, Malformed>,
    ) {
        self.add(|own, item| read(own, item?), item);
    }

    /// Whether the sender may post for this account.
    fn check_account(&self, account: &str) -> Result<(), Rejection> {
        match self.only_account {
            Some(own) if own.as_str() != account => {
                Err(Rejection::OtherAccount { own: own.clone(), other: account.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Parses JSON whose array elements are documents of their own.
pub(super) fn parse_each(text: Bytes) -> Result<ParsedContent, Refusal> {
    Document::read_each(text).map_err(refusal)
}

/// The refusal of the whole request for this mistake.
pub(super) fn refusal(malformed: Malformed) -> Refusal {
    Refusal::Malformed(malformed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingester::encoding::{Encoding, RequestContent};

    fn read_as(media_type: &str, body: &[u8], only_account: Option<&AccountId>) -> Result<EventBatch, Refusal> {
        let encoding = Encoding::select(Some(media_type), false).expect("an encoding");
        encoding.read(RequestContent { body: Bytes::copy_from_slice(body), headers: Vec::new() }, only_account)
    }

    fn json(body: &str) -> Result<EventBatch, Refusal> {
        read_as("application/json", body.as_bytes(), None)
    }

    fn code(body: &str) -> &'static str {
        match json(body) {
            Err(Refusal::NoGoodEvent(rejected)) => rejected.listed[0].code,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn given_members_are_kept_and_the_rest_is_generated() {
        let body =
            r#"{"type":"a.b","account":"acme","id":"7","time":"2026-07-01T15:00:00+02:00","data":{"z":1.10,"a":2}}"#;
        let event = json(body).expect("an event").events.remove(0);
        assert_eq!((event.identity.account(), event.identity.id()), ("acme", "7"));
        assert_eq!(&*event.time, "2026-07-01T15:00:00+02:00");
        assert_eq!(event.data, Document::read(r#"{"z":1.10,"a":2}"#.into()).expect("JSON"));
        let event = json(r#"{"type":"a","data":{}}"#).expect("an event").events.remove(0);
        assert_eq!(event.identity.account_id(), AccountId::default_account());
        assert!(!event.identity.id().is_empty() && event.time.parse::<jiff::Timestamp>().is_ok());
    }

    #[test]
    fn common_values_are_created_once_and_never_mixed_up() {
        let body = [
            ("", "x.y"),
            (r#","account":"a""#, "x.y"),
            (r#","account":"a""#, "z"),
            (r#","account":"b""#, "x y"),
            ("", "x.y"),
            (r#","account":"default""#, "x.y"),
        ]
        .map(|(account, event_type)| format!(r#"{{"type":"{event_type}"{account},"data":{{}}}}"#));
        let events = json(&format!("[{}]", body.join(","))).expect("events").events;
        let read: Vec<_> = events.iter().map(|event| (event.identity.account(), event.identity.event_type())).collect();
        assert_eq!(read, [("default", "x.y"), ("a", "x.y"), ("a", "z"), ("default", "x.y"), ("default", "x.y")]);
        assert!(events.iter().all(|event| event.time.as_ptr() == events[0].time.as_ptr()));
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
    fn invalid_json_is_malformed_and_never_quoted() {
        let deep = "[".repeat(10_000);
        for body in ["", "{", "{\"type\":\"a\",\"da", "\u{1}secret", &deep, "{}{}", "{\"a\":01}"] {
            match json(body) {
                Err(Refusal::Malformed(detail)) => assert!(!detail.contains("secret"), "{detail}"),
                other => panic!("{body}: {other:?}"),
            }
        }
        assert!(matches!(read_as("application/json", b"{\"type\":\"\xff\"}", None), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_bad_line_rejects_that_line_only() {
        let body = b"{\"type\":\"a\",\"data\":{}}\r\n\n{\"type\"\n  \n{\"type\":\"c\",\"data\":{}}";
        let batch = read_as("application/x-ndjson", body, None).expect("some are good");
        assert_eq!((batch.events.len(), batch.rejected.len()), (2, 1));
        assert_eq!((batch.rejected.listed[0].index, batch.rejected.listed[0].code), (1, "malformed_json"));
    }

    #[test]
    fn a_key_of_one_account_posts_for_that_one() {
        let own = AccountId::new("own").expect("a name");
        let body = br#"[{"type":"a","data":{},"account":"own"},{"type":"a","data":{}}]"#;
        let batch = read_as("application/json", body, Some(&own)).expect("one is good");
        assert_eq!((batch.events.len(), batch.rejected.listed[0].code), (1, "account_not_allowed"));
    }
}
