//! Reads CloudEvents 1.0 (the JSON event format and the HTTP protocol binding). Extension
//! attributes other than `account` are legal and of no use here; they are left aside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::members::{Members, Mistake, data, event_id, missing, text};
use super::read::parse;
use crate::json::{Document, Json};
use crate::model::event::Event;

/// Reads an event of the JSON event format.
pub(super) fn structured(members: &mut Members, document: Document) -> Result<Event, Mistake> {
    let Some(object) = document.object() else {
        return Err(("wrong_type", format!("a CloudEvent is a JSON object, not {}", document.root().kind())));
    };
    let json = text("datacontenttype", object.get("datacontenttype"))?.is_none_or(is_json);
    let apart = match (object.get("data"), object.get("data_base64")) {
        (Some(_), Some(_)) => {
            return Err(("bad_data", "a CloudEvent has `data` or `data_base64`, not both".into()));
        }
        (Some(_), None) => None,
        (None, Some(encoded)) if json => Some(decode(encoded)?),
        (None, Some(_)) => return Err(not_json()),
        (None, None) => Some(Document::empty_object()),
    };
    let event = event(members, |name| object.get(name))?;
    let body = apart.or_else(|| document.into_member("data")).ok_or_else(|| missing("data"))?;
    data(body.root())?;
    Ok(Event { data: body, ..event })
}

/// Reads an event of the binary content mode: its attributes, and its data, which is the body.
pub(super) fn binary(members: &mut Members, attributes: &[(String, String)], body: Document) -> Result<Event, Mistake> {
    let find = |name: &str| attributes.iter().find(|(own, _)| own == name);
    let event = event(members, |name| find(name).map(|(_, value)| Json::String(value)))?;
    data(body.root())?;
    Ok(Event { data: body, ..event })
}

/// Whether a content type says JSON (RFC 6839).
pub(super) fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// All of the event but its data.
fn event<'a>(members: &mut Members, take: impl Fn(&str) -> Option<Json<'a>>) -> Result<Event, Mistake> {
    match text("specversion", take("specversion"))? {
        Some("1.0") => {}
        Some(_) => return Err(("bad_specversion", "`specversion` is 1.0".into())),
        None => return Err(missing("specversion")),
    }
    let source = text("source", take("source"))?.filter(|source| !source.is_empty());
    Ok(Event {
        event_type: members.event_type(take("type"))?,
        account: members.account(take("account"))?,
        id: event_id(take("id").ok_or_else(|| missing("id"))?)?,
        id_given: true,
        source: source.ok_or_else(|| missing("source"))?.into(),
        time: members.time(take("time"))?,
        data: Document::empty_object(),
    })
}

fn decode(encoded: Json<'_>) -> Result<Document, Mistake> {
    let encoded = text("data_base64", Some(encoded))?.unwrap_or_default();
    let bytes = BASE64.decode(encoded).map_err(|_| ("bad_data", "`data_base64` is not base64".to_owned()))?;
    parse(&bytes.into()).map_err(|_| not_json())
}

fn not_json() -> Mistake {
    ("bad_data", "the data is not JSON; a template needs a JSON object".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn structured(document: Value) -> Result<Event, Mistake> {
        super::structured(&mut Members::default(), Document::from(&document))
    }

    fn minimal() -> Value {
        json!({"specversion": "1.0", "type": "guest.created", "source": "/pms", "id": "1", "data": {"a": 1}})
    }

    #[test]
    fn structured_events_keep_their_attributes() {
        let mut document = minimal();
        document["account"] = "acme".into();
        document["comexampleextension"] = 7.into();
        let event = structured(document).expect("an event");
        assert_eq!((event.account.as_str(), &*event.source, &*event.id), ("acme", "/pms", "1"));
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
        assert_eq!(structured(document).expect_err("no JSON").0, "bad_data");
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
        ] {
            let mut document = minimal();
            document[member] = value;
            assert_eq!(structured(document).expect_err(member).0, expected, "{member}");
        }
    }

    #[test]
    fn binary_events_take_their_attributes_from_headers() {
        let attributes = [("specversion", "1.0"), ("type", "a"), ("source", "s"), ("id", "1"), ("account", "x")];
        let attributes = attributes.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let event = binary(&mut Members::default(), &attributes, Document::from(&json!({"a": 1}))).expect("an event");
        assert_eq!(event.account.as_str(), "x");
        assert_eq!(
            binary(&mut Members::default(), &attributes[1..], Document::empty_object()).expect_err("no version").0,
            "missing_member"
        );
    }
}
