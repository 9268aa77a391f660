//! NDJSON: one event object per line. A line that is not JSON is rejected alone. Blank lines are not counted.

use bytes::Bytes;
use serde_json::json;

use super::{Encoding, json};
use crate::ingester::batch::{BatchReader, parse};
use crate::ingester::members::Mistake;
use crate::model::event::Event;

pub(super) static JSON_LINES: Encoding = Encoding {
    media_types: &["application/x-ndjson", "application/ndjson", "application/jsonl"],
    reads_headers: false,
    schema: || Some(json!({"type": "string", "description": "One event object per line"})),
    read: |batch, source| {
        let body = &source.body;
        let mut start = 0;
        while start < body.len() {
            let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length);
            let text = body.slice(start..end);
            start = end + 1;
            if !text.iter().all(u8::is_ascii_whitespace) {
                batch.add(line, text);
            }
        }
        Ok(())
    },
};

fn line(batch: &mut BatchReader<'_>, text: Bytes) -> Result<Event, Mistake> {
    let document = parse(&text).map_err(|malformed| ("malformed_json", malformed.to_string()))?;
    json::event(batch, document)
}
