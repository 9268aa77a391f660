//! CloudEvents 1.0 in structured content mode: one event in the JSON event format.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{Encoding, is_json};
use crate::ingester::batch::{BatchReader, refusal};
use crate::ingester::members::{data, event_id, text};
use crate::ingester::rejection::Rejection;
use crate::json::{Document, Json};
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventIdentity};

pub(super) static CLOUD_EVENT: Encoding = Encoding {
    media_types: &["application/cloudevents+json"],
    reads_headers: false,
    schema: || Some(event_schema()),
    read: |batch, source| {
        batch.add(structured, Document::read_bytes(source.body).map_err(refusal)?);
        Ok(())
    },
};

pub(super) fn event_schema() -> Value {
    json!({"$ref": "#/components/schemas/CloudEventDocument"})
}

/// Reads an event of the JSON event format.
pub(super) fn structured(batch: &mut BatchReader<'_>, document: Document) -> Result<Event, Rejection> {
    let Some(object) = document.object() else {
        return Err(Rejection::NotObject("a CloudEvent", document.root().kind()));
    };
    let json = text("datacontenttype", object.get("datacontenttype"))?.is_none_or(is_json);
    let apart = match (object.get("data"), object.get("data_base64").filter(|encoded| *encoded != Json::Null)) {
        (Some(_), Some(_)) => {
            return Err(Rejection::DataTwice);
        }
        (Some(_), None) => None,
        (None, Some(encoded)) if json => Some(decode(encoded)?),
        (None, Some(_)) => return Err(Rejection::DataNotJson),
        (None, None) => Some(Document::empty_object()),
    };
    let mut event = attributes(batch, |name| object.get(name))?;
    for (name, value) in object.iter().filter(|(name, value)| is_own(name) && *value != Json::Null) {
        event.attributes.add(name, scalar(name, value)?)?;
    }
    let body = apart.or_else(|| document.into_member("data")).ok_or(Rejection::Missing("data"))?;
    data(body.root())?;
    Ok(Event { data: body, ..event })
}

/// All attributes of the event, without its data.
pub(super) fn attributes<'a>(
    BatchReader { names, generated, .. }: &mut BatchReader<'_>,
    take: impl Fn(&str) -> Option<Json<'a>>,
) -> Result<Event, Rejection> {
    match text("specversion", take("specversion"))? {
        Some("1.0") => {}
        Some(_) => return Err(Rejection::SpecVersion),
        None => return Err(Rejection::Missing("specversion")),
    }
    let source = text("source", take("source"))?.filter(|source| !source.is_empty());
    let (account, event_type) = names.read(take("type"), take("account"))?;
    let id = event_id(take("id").ok_or(Rejection::Missing("id"))?)?;
    Ok(Event {
        hops: 0,
        identity: EventIdentity::new(account, event_type, source.ok_or(Rejection::Missing("source"))?, id),
        id_given: true,
        time: generated.time(take("time"))?,
        attributes: Attributes::default(),
        data: Document::empty_object(),
    })
}

/// Whether an attribute has no place of its own in an event: `subject`, `datacontenttype` and extension attributes.
pub(super) fn is_own(name: &str) -> bool {
    !matches!(name, "specversion" | "type" | "source" | "id" | "time" | "account" | "data" | "data_base64")
}

/// The value of an attribute (CloudEvents 1.0, section 3.2): all types but these two are strings in JSON.
fn scalar(name: &str, value: Json<'_>) -> Result<Value, Rejection> {
    match (name, value) {
        (_, Json::String(text)) => Ok(text.into()),
        ("subject" | "datacontenttype", _) => text(name, Some(value)).map(Value::from),
        (_, Json::Bool(truth)) => Ok(truth.into()),
        (_, Json::Number(digits)) => Ok(digits.parse().map_or(Value::Null, Value::Number)),
        (_, other) => {
            let name: String = name.chars().take(80).collect();
            Err(Rejection::NotScalar(name, other.kind()))
        }
    }
}

fn decode(encoded: Json<'_>) -> Result<Document, Rejection> {
    let encoded = text("data_base64", Some(encoded))?.unwrap_or_default();
    let bytes = BASE64.decode(encoded).map_err(|_| Rejection::NotBase64)?;
    Document::read_bytes(bytes.into()).map_err(|_| Rejection::DataNotJson)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn structured(document: Value) -> Result<Event, Rejection> {
        super::structured(&mut BatchReader::new(None), Document::from(&document))
    }

    fn minimal() -> Value {
        json!({"specversion": "1.0", "type": "guest.created", "source": "/pms", "id": "1", "data": {"a": 1}})
    }

    #[test]
    fn structured_events_keep_their_attributes() {
        let mut document = minimal();
        document["account"] = "acme".into();
        document["comexampleextension"] = 7.into();
        document["subject"] = "guests/7".into();
        document["dataschema"] = Value::Null;
        let event = structured(document).expect("an event");
        let attributes: Vec<_> = event.attributes.iter().collect();
        assert_eq!(attributes, [("comexampleextension", &json!(7)), ("subject", &json!("guests/7"))]);
        assert_eq!((event.identity.account(), event.identity.source(), event.identity.id()), ("acme", "/pms", "1"));
        assert_eq!(event.data, Document::from(&json!({"a": 1})));
    }

    #[test]
    fn data_may_be_base64_or_absent() {
        let mut document = minimal();
        document.as_object_mut().expect("an object").remove("data");
        assert!(structured(document.clone()).expect("an event").data == Document::empty_object());
        document["data_base64"] = BASE64.encode("{\"a\":2}").into();
        assert_eq!(structured(document.clone()).expect("an event").data, Document::from(&json!({"a": 2})));
        document["datacontenttype"] = "image/png".into();
        assert_eq!(structured(document).expect_err("no JSON").code(), "bad_data");
    }

    #[test]
    fn each_mistake_has_its_code() {
        for (member, value, expected) in [
            ("specversion", json!("0.3"), "bad_specversion"),
            ("specversion", json!(null), "missing_member"),
            ("source", json!(""), "missing_member"),
            ("id", json!(""), "bad_id"),
            ("id", json!(null), "bad_id"),
            ("type", json!("a b"), "bad_event_type"),
            ("time", json!("x"), "bad_time"),
            ("data", json!("text"), "wrong_type"),
            ("account", json!(7), "wrong_type"),
            ("subject", json!(7), "wrong_type"),
            ("traceparent", json!({}), "wrong_type"),
        ] {
            let mut document = minimal();
            document[member] = value;
            assert_eq!(structured(document).expect_err(member).code(), expected, "{member}");
        }
    }
}
