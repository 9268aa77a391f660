//! CloudEvents 1.0 in batched content mode (JSON event format, section 4): a JSON array of events.

use serde_json::json;

use super::Encoding;
use super::cloud_event::{event_schema, structured};
use crate::flow::refusal::Refusal;
use crate::ingester::batch::{parse_each, refusal};
use crate::json::ParsedContent;

pub(super) static CLOUD_EVENT_BATCH: Encoding = Encoding {
    media_types: &["application/cloudevents-batch+json"],
    reads_headers: false,
    schema: || Some(json!({"type": "array", "items": event_schema(), "minItems": 1})),
    read: |batch, source| {
        let ParsedContent::Many(items) = parse_each(source.body)? else {
            return Err(Refusal::Malformed("a batch of CloudEvents must be a JSON array".to_owned()));
        };
        for item in items {
            batch.add_read(structured, item.map_err(refusal)?);
        }
        Ok(())
    },
};
