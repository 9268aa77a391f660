//! NDJSON: one event object per line. A line that is not JSON is rejected alone. Blank lines are not counted.

use serde_json::json;

use super::{Encoding, json};
use crate::flow::refusal::Refusal;
use crate::json::{ReceivedParts, is_wide};

pub(super) static JSON_LINES: Encoding = Encoding {
    media_types: &["application/x-ndjson", "application/ndjson", "application/jsonl"],
    reads_headers: false,
    schema: || Some(json!({"type": "string", "description": "One event object per line"})),
    read: |batch, source| {
        let body = source.body;
        // A line break has more bytes than one there.
        if is_wide(&body) {
            return Err(Refusal::Malformed("the lines are UTF-16 or UTF-32; send them as UTF-8".to_owned()));
        }
        let parts = ReceivedParts::new(body.clone());
        let mut start = 0;
        while start < body.len() {
            let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |length| start + length);
            let line = start..end;
            if start == 0 {
                // The others are probably about as long.
                batch.expect(body.len() / (end + 1));
            }
            start = end + 1;
            if !body[line.clone()].iter().all(u8::is_ascii_whitespace) {
                batch.add(|batch, line| json::event(batch, parts.read(line)?), line);
            }
        }
        Ok(())
    },
};
