//! The encodings of a request's events, one file for each: its media types, its reader, and its description in the
//! OpenAPI document. To add one, write its file and list it in [`ALL`].

mod cloud_event;
mod cloud_event_batch;
mod cloud_event_binary;
mod json;
mod json_lines;

use bytes::Bytes;
use serde_json::Value;

use super::batch::{BatchReader, EventBatch};
use crate::flow::refusal::Refusal;
use crate::model::id::AccountId;
use crate::model::media_type::MediaType;

/// A way to encode the events of a request.
#[derive(Debug)]
pub struct Encoding {
    /// Its media types in lower case. Documents name the first one.
    pub media_types: &'static [&'static str],
    /// Whether a part of the event is sent in headers whose names begin with `ce-`.
    pub reads_headers: bool,
    /// The JSON schema of a body; `None` if the body is any JSON value.
    pub schema: fn() -> Option<Value>,
    read: fn(&mut BatchReader<'_>, RequestContent) -> Result<(), Refusal>,
}

/// The content of a request: its body and, if the encoding reads headers, those that carry attributes of a CloudEvent.
#[derive(Debug, Clone, Default)]
pub struct RequestContent {
    /// The body.
    pub body: Bytes,
    /// Names of attributes in lower case, and their values unchanged.
    pub headers: Vec<(String, Bytes)>,
}

/// All encodings, in the order of the documents.
pub static ALL: [&Encoding; 5] = [
    &json::JSON,
    &json_lines::JSON_LINES,
    &cloud_event::CLOUD_EVENT,
    &cloud_event_batch::CLOUD_EVENT_BATCH,
    &cloud_event_binary::CLOUD_EVENT_BINARY,
];

/// A media type that no encoding has; the text lists those that are supported.
#[derive(Debug, PartialEq, Eq)]
pub struct UnsupportedMediaType(pub String);

impl Encoding {
    /// Reads a request's events. The sender may post only for `only_account`, if that is given.
    pub(super) fn read(&self, source: RequestContent, only_account: Option<&AccountId>) -> Result<EventBatch, Refusal> {
        let mut reader = BatchReader::new(only_account);
        (self.read)(&mut reader, source)?;
        reader.finish()
    }

    /// The encoding of a request, from its media type in lower case and without parameters. `has_attributes`: it has
    /// the header `ce-specversion`, and so may be a CloudEvent in binary mode.
    pub fn select(media_type: Option<&str>, has_attributes: bool) -> Result<&'static Self, UnsupportedMediaType> {
        let by_type = media_type.and_then(|own| ALL.into_iter().find(|one| one.media_types.contains(&own)));
        match by_type {
            Some(structured) if structured.media_types[0].starts_with("application/cloudevents") => Ok(structured),
            _ if has_attributes => match media_type {
                None => Ok(&cloud_event_binary::CLOUD_EVENT_BINARY),
                Some(own) if is_json(own) => Ok(&cloud_event_binary::CLOUD_EVENT_BINARY),
                Some(_) => Err(UnsupportedMediaType("JSON data in a binary CloudEvent".to_owned())),
            },
            Some(encoding) => Ok(encoding),
            None => {
                let types: Vec<&str> = ALL.iter().filter_map(|one| one.media_types.first().copied()).collect();
                Err(UnsupportedMediaType(format!("{}, and CloudEvents in binary mode", types.join(", "))))
            }
        }
    }
}

/// Whether a media type, with or without parameters, is JSON.
fn is_json(media_type: &str) -> bool {
    MediaType::parse(media_type.trim()).is_some_and(|media_type| media_type.is_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(media_type: &str, has_attributes: bool) -> Option<&'static str> {
        let encoding = Encoding::select(Some(media_type), has_attributes).ok()?;
        Some(encoding.media_types.first().copied().unwrap_or("binary"))
    }

    #[test]
    fn the_media_type_selects_and_attributes_make_json_a_binary_event() {
        for (media_type, has_attributes, expected) in [
            ("application/json", false, Some("application/json")),
            ("application/ndjson", false, Some("application/x-ndjson")),
            ("application/jsonl", false, Some("application/x-ndjson")),
            ("application/cloudevents+json", false, Some("application/cloudevents+json")),
            ("application/cloudevents+json", true, Some("application/cloudevents+json")),
            ("application/cloudevents-batch+json", true, Some("application/cloudevents-batch+json")),
            ("application/json", true, Some("binary")),
            ("application/vnd.x+json", true, Some("binary")),
            ("application/vnd.x+json", false, None),
            ("text/plain", true, None),
            ("text/plain", false, None),
        ] {
            assert_eq!(selected(media_type, has_attributes), expected, "{media_type} {has_attributes}");
        }
        assert!(Encoding::select(None, true).is_ok_and(|encoding| encoding.reads_headers));
        let UnsupportedMediaType(taken) = Encoding::select(None, false).expect_err("no media type");
        assert!(taken.starts_with("application/json, application/x-ndjson, "), "{taken}");
    }
}
