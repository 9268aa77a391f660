//! JSON: one event object, or an array of them.

use serde_json::{Value, json};

use super::Encoding;
use crate::ingester::batch::{BatchReader, parse_each, refusal};
use crate::ingester::members::{data, event_id};
use crate::ingester::rejection::Rejection;
use crate::json::{Document, Json, ParsedContent};
use crate::model::attributes::Attributes;
use crate::model::event::Event;
use crate::model::id::new_event_id;

pub(super) static JSON: Encoding = Encoding {
    media_types: &["application/json"],
    reads_headers: false,
    schema: || Some(json!({"oneOf": [event_schema(), {"type": "array", "items": event_schema(), "minItems": 1}]})),
    read: |batch, source| {
        match parse_each(&source.body)? {
            ParsedContent::Many(items) => {
                for item in items {
                    batch.add_read(event, item.map_err(refusal)?);
                }
            }
            ParsedContent::One(one) => batch.add(event, one),
        }
        Ok(())
    },
};

pub(super) fn event_schema() -> Value {
    json!({"$ref": "#/components/schemas/EventDocument"})
}

/// Reads one event. An unknown member is a mistake, since a misspelt `account` would fire another customer's triggers.
pub(super) fn event(batch: &mut BatchReader<'_>, document: Document) -> Result<Event, Rejection> {
    let Some(object) = document.object() else {
        return Err(Rejection::NotObject("an event", document.root().kind()));
    };
    let take = |name| object.get(name).filter(|value| *value != Json::Null);
    if take("specversion").is_some() {
        return Err(Rejection::CloudEvent);
    }
    let members = &mut batch.members;
    let event_type = members.event_type(take("type"))?;
    let account = members.account(take("account"))?;
    let given = take("id");
    let id_given = given.is_some();
    let id = match given {
        Some(id) => event_id(id)?,
        None => new_event_id(),
    };
    let time = members.time(take("time"))?;
    data(take("data").ok_or(Rejection::Missing("data"))?)?;
    let known = |name: &str| matches!(name, "type" | "account" | "id" | "time" | "data");
    if let Some((name, _)) = object.iter().find(|(name, _)| !known(name)) {
        let name: String = name.chars().take(80).collect();
        return Err(Rejection::UnknownMember(name));
    }
    let source = members.no_source();
    let data = document.into_member("data").ok_or(Rejection::Missing("data"))?;
    let attributes = Attributes::default();
    Ok(Event { account, event_type, id, id_given, source, time, attributes, hops: 0, data })
}
