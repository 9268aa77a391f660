//! Writes the heads of responses to requests that are served directly.

use std::io::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::super::response::PART_BYTES;
use crate::flow::response::Receipt;
use crate::http::request::caller::written;
use crate::http::resources::events::JSON;
use crate::http::security;

/// The bytes of a usual head.
const HEAD_BYTES: usize = 512;

/// What the heads of a thread's responses share.
pub(super) struct ResponseHeads {
    /// The fields of each response, as lines.
    fields: Vec<u8>,
    /// The field `date` (RFC 9110, section 6.6.1), as a line.
    date: String,
    /// Until when that is the date.
    until: Instant,
    /// The last whole response that only says how many events were accepted, and that number.
    accepted: Option<(usize, Rc<[u8]>)>,
}

impl ResponseHeads {
    pub(super) fn new() -> Self {
        let mut fields = Vec::new();
        security::HEADERS.iter().for_each(|(name, value)| write_field(&mut fields, name, value));
        Self { fields, date: String::new(), until: Instant::now(), accepted: None }
    }

    /// The response to a request all of whose events were accepted. Most are the same as the last one.
    pub(super) fn accepted(&mut self, events: usize, now: Instant) -> Rc<[u8]> {
        self.update_date(now);
        if let Some((_, same)) = self.accepted.as_ref().filter(|(own, _)| *own == events) {
            return Rc::clone(same);
        }
        let body = written(&Receipt { accepted: events, ..Receipt::default() });
        let mut whole = self.write_accepted(body.len(), false, now);
        whole.extend_from_slice(&body);
        Rc::clone(&self.accepted.insert((events, whole.into())).1)
    }

    /// The head of the response to a request with accepted events.
    pub(super) fn write_accepted(&mut self, body: usize, closes: bool, now: Instant) -> Vec<u8> {
        self.write(StatusCode::ACCEPTED, std::iter::once((&CONTENT_TYPE, &JSON)), (body, closes), now)
    }

    /// The head of a response with these fields and a body of this length, with room for the first part of the body behind
    /// it. If it `closes` its connection, it says so.
    pub(super) fn write<'a>(
        &mut self,
        status: StatusCode,
        fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
        (body, closes): (usize, bool),
        now: Instant,
    ) -> Vec<u8> {
        self.update_date(now);
        let mut head = Vec::with_capacity(HEAD_BYTES + body.min(PART_BYTES));
        for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        // Writing to memory does not fail.
        let _ = write!(head, "content-length: {body}\r\n");
        if closes {
            write_field(&mut head, &CONNECTION, &HeaderValue::from_static("close"));
        }
        fields.filter(|(name, _)| *name != CONNECTION).for_each(|(name, value)| write_field(&mut head, name, value));
        head.extend_from_slice(&self.fields);
        head.extend_from_slice(self.date.as_bytes());
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Looks at the system's clock once a second.
    fn update_date(&mut self, now: Instant) {
        if now < self.until {
            return;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = i64::try_from(time.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok());
        let text = second.and_then(|second| DateTimePrinter::new().timestamp_to_rfc9110_string(&second).ok());
        self.until = now + (Duration::from_secs(1) - Duration::from_nanos(time.subsec_nanos().into()));
        self.date = text.map_or_else(String::new, |text| format!("date: {text}\r\n"));
        self.accepted = None;
    }
}

fn write_field(head: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        head.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_written_again_for_another_number_and_another_second() {
        let mut heads = ResponseHeads::new();
        let begun = Instant::now();
        let mut text = |events, after| {
            let whole = heads.accepted(events, begun + Duration::from_millis(after));
            String::from_utf8(whole.to_vec()).expect("text")
        };
        let one = text(1, 0);
        assert!(one.starts_with("HTTP/1.1 202 Accepted\r\ncontent-length: 28\r\ncontent-type: application/json\r\n"));
        assert!(one.contains("\r\ndate: ") && one.ends_with("\r\n\r\n{\"accepted\":1,\"rejected\":[]}"), "{one}");
        assert!(text(100, 0).ends_with("{\"accepted\":100,\"rejected\":[]}"));
        assert_eq!(text(1, 0), one);
        let Some((_, kept)) = &mut heads.accepted else { panic!("it is kept") };
        *kept = (*b"old").into();
        assert_eq!(&*heads.accepted(1, begun), b"old");
        assert!(heads.accepted(1, begun + Duration::from_secs(1)).ends_with(b"{\"accepted\":1,\"rejected\":[]}"));
    }
}
