//! Writes the heads of responses to requests that are served directly.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{CONNECTION, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::super::response::PART_BYTES;
use crate::http::security;

/// The bytes of a usual head.
const HEAD_BYTES: usize = 512;

/// What the heads of a thread's responses share.
pub(super) struct ResponseHeads {
    /// The fields of each response, as lines.
    fields: Vec<u8>,
    /// The field `date` (RFC 9110, section 6.6.1), as a line, in this second of the Unix time.
    date: String,
    second: u64,
}

impl ResponseHeads {
    pub(super) fn new() -> Self {
        let mut fields = Vec::new();
        security::HEADERS.iter().for_each(|(name, value)| write_field(&mut fields, name, value));
        Self { fields, date: String::new(), second: 0 }
    }

    /// The head of a response with these fields and a body of this length, with room for the first part of the body behind
    /// it. If it `closes` its connection, it says so.
    pub(super) fn write<'a>(
        &mut self,
        status: StatusCode,
        fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
        body: usize,
        closes: bool,
    ) -> Vec<u8> {
        self.update_date();
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

    fn update_date(&mut self) {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if second == self.second && !self.date.is_empty() {
            return;
        }
        let now = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
        let text = now.and_then(|now| DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok());
        self.second = second;
        self.date = text.map_or_else(String::new, |text| format!("date: {text}\r\n"));
    }
}

fn write_field(head: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        head.extend_from_slice(part);
    }
}
