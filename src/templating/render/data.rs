//! The data that templates read: one for each event, shared by all its renderings. It never changes.

use std::sync::{Arc, OnceLock};

use crate::json::{Document, Json, NewValue};
use crate::model::attributes::Attributes;
use crate::model::event::EventIdentity;

/// The name of the event's properties in its data.
pub(crate) const EVENT: &str = "event";
/// What every event has.
const REQUIRED: [&str; 4] = ["type", "id", "time", "account"];

/// An event's data, with the properties of the event itself under `event`.
#[derive(Debug, Clone)]
pub struct Data {
    /// Without the properties.
    document: Document,
    details: EventDetails,
    /// With the properties; made for the first path that reads them, as most templates have none. The data is moved less
    /// without its room.
    whole: OnceLock<Box<Document>>,
}

/// What an event has beside its data: under `event`, templates read its type, id, time and account, its source unless it
/// is empty, and its attributes by their names.
#[derive(Debug, Clone)]
pub struct EventDetails {
    /// Its account, type, source and id.
    pub identity: EventIdentity,
    /// RFC 3339.
    pub time: Arc<str>,
    /// Properties without a place of their own.
    pub attributes: Attributes,
}

impl Data {
    /// The data of an event.
    pub fn of(document: Document, details: EventDetails) -> Self {
        Self { document, details, whole: OnceLock::new() }
    }

    /// What the event has beside its data.
    pub fn details(&self) -> &EventDetails {
        &self.details
    }

    /// The data as the producer wrote it, where it did.
    pub fn source(&self) -> Option<&str> {
        self.document.source()
    }

    /// The value at the root. Its own `event` has the event's properties too, and is replaced if it is no object, but only
    /// if `event` is read.
    pub(crate) fn root(&self, event: bool) -> Json<'_> {
        let whole = || Box::new(with_properties(self.document.clone(), &self.details));
        if event { self.whole.get_or_init(whole).root() } else { self.document.root() }
    }
}

fn with_properties(mut document: Document, EventDetails { identity, time, attributes }: &EventDetails) -> Document {
    let required = REQUIRED.into_iter().zip([identity.event_type(), identity.id(), time, identity.account()]);
    let source = Some(("source", identity.source())).filter(|(_, source)| !source.is_empty());
    let texts = required.chain(source).map(|(name, text)| (name, NewValue::Text(text)));
    // Extension attributes can't replace the properties that every event has.
    let attributes = attributes.iter().filter(|(name, _)| !REQUIRED.contains(name) && *name != "source");
    document.set_below(EVENT, texts.chain(attributes.map(|(name, value)| (name, NewValue::Value(value)))));
    document
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::event::EventType;
    use crate::model::id::AccountId;

    fn data(own: &Value, source: &str, attributes: Attributes) -> Data {
        let account = AccountId::new("acme").expect("a name");
        let event_type = EventType::new("guest.created").expect("a type");
        let identity = EventIdentity::new(&account, &event_type, source, "1");
        let time = "2026-01-02T03:04:05Z".into();
        Data::of(Document::from(own), EventDetails { identity, time, attributes })
    }

    #[test]
    fn the_event_is_told_beside_its_data_once_it_is_read() {
        let told = json!({"type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z", "account": "acme"});
        let mut with_more = json!({"id": "1", "more": true});
        for name in REQUIRED {
            with_more[name] = told[name].clone();
        }
        for (own, expected) in [
            (json!({}), told.clone()),
            (json!({"event": 3}), told.clone()),
            (json!({"event": null}), told.clone()),
            (json!({"event": {"id": "9", "more": true}}), with_more),
        ] {
            let data = data(&own, "", Attributes::default());
            assert_eq!(data.root(false), Document::from(&own).root());
            assert!(data.whole.get().is_none());
            assert_eq!(data.root(true), Document::from(&json!({"event": expected})).root());
        }
    }

    #[test]
    fn attributes_are_told_and_take_no_other_place() {
        let mut attributes = Attributes::default();
        for (name, value) in
            [("subject", json!("7")), ("n", json!(1.50)), ("id", json!("other")), ("flag", json!(true))]
        {
            attributes.add(name, value).expect("room");
        }
        let expected = json!({"event": {"type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z",
            "account": "acme", "source": "/pms", "subject": "7", "n": 1.50, "flag": true}});
        assert_eq!(data(&json!({}), "/pms", attributes).root(true), Document::from(&expected).root());
    }
}
