//! JSON: one event object, or an array of them.

use serde_json::{Value, json};

use super::Encoding;
use crate::ingester::batch::{BatchReader, parse_each, refusal};
use crate::ingester::members::{data, event_id};
use crate::ingester::rejection::Rejection;
use crate::json::{Document, Json, ParsedContent};
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventIdentity};

pub(super) static JSON: Encoding = Encoding {
    media_types: &["application/json"],
    reads_headers: false,
    schema: || Some(json!({"oneOf": [event_schema(), {"type": "array", "items": event_schema(), "minItems": 1}]})),
    read: |batch, source| {
        match parse_each(source.body)? {
            ParsedContent::Many(items) => {
                for item in items {
                    batch.add_read(event, item.map_err(refusal)?);
                }
            }
            ParsedContent::One(one) => {
                batch.expect(1);
                batch.add(event, one);
            }
        }
        Ok(())
    },
};

pub(super) fn event_schema() -> Value {
    json!({"$ref": "#/components/schemas/EventDocument"})
}

/// The members of an event that are not null.
#[derive(Default)]
struct EventMembers<'a> {
    event_type: Option<Json<'a>>,
    account: Option<Json<'a>>,
    id: Option<Json<'a>>,
    time: Option<Json<'a>>,
    data: Option<Json<'a>>,
}

/// Reads one event. An unknown member is a mistake, since a misspelt `account` would fire another customer's triggers.
pub(super) fn event(batch: &mut BatchReader<'_>, mut document: Document) -> Result<Event, Rejection> {
    let Some(object) = document.object() else {
        return Err(Rejection::NotObject("an event", document.root().kind()));
    };
    let (mut found, mut unknown) = (EventMembers::default(), None);
    for (name, value) in object.iter() {
        let place = match name {
            "type" => &mut found.event_type,
            "account" => &mut found.account,
            "id" => &mut found.id,
            "time" => &mut found.time,
            "data" => &mut found.data,
            "specversion" if value != Json::Null => return Err(Rejection::CloudEvent),
            other => {
                unknown = unknown.or(Some(other));
                continue;
            }
        };
        *place = Some(value).filter(|value| *value != Json::Null);
    }
    let BatchReader { names, generated, .. } = batch;
    let (account, event_type) = names.read(found.event_type, found.account)?;
    let (id_given, mut room) = (found.id.is_some(), [0; _]);
    let id = match found.id {
        Some(id) => event_id(id)?,
        None => generated.new_id(&mut room),
    };
    let identity = EventIdentity::new(account, event_type, "", id);
    let time = generated.time(found.time)?;
    data(found.data.ok_or(Rejection::Missing("data"))?)?;
    if let Some(name) = unknown {
        let name: String = name.chars().take(80).collect();
        return Err(Rejection::UnknownMember(name));
    }
    document.enter("data").ok_or(Rejection::Missing("data"))?;
    Ok(Event { identity, id_given, time, attributes: Attributes::default(), hops: 0, data: document })
}
