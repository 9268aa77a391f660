//! The data that templates read: one for each event, shared by all its renderings. It never changes.

use crate::json::{Document, Json, NewValue};
use crate::model::attributes::Attributes;
use crate::model::event::Event;

/// What every event has.
const REQUIRED: [&str; 4] = ["type", "id", "time", "account"];

/// An event's data, with the properties of the event itself under `event`.
#[derive(Debug, Clone)]
pub struct Data {
    document: Document,
}

/// The properties of an event that templates read in addition to its data.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventProperties<'a> {
    /// `event.type`
    pub event_type: &'a str,
    /// `event.id`
    pub id: &'a str,
    /// `event.time`, RFC 3339
    pub time: &'a str,
    /// `event.account`
    pub account: &'a str,
    /// `event.source`; missing if it is empty.
    pub source: &'a str,
    /// `event.subject`, `event.datacontenttype`, and `event.` with the name of an extension attribute.
    pub attributes: Option<&'a Attributes>,
}

impl Data {
    /// The data of an event.
    pub fn of(event: Event) -> Self {
        let about = EventProperties {
            event_type: event.event_type.as_str(),
            id: &event.id,
            time: &event.time,
            account: event.account.as_str(),
            source: &event.source,
            attributes: Some(&event.attributes),
        };
        Self::with(event.data, about)
    }

    /// Data for a preview. The event's properties are added to the data's own `event` if that is an object, and replace
    /// it otherwise.
    pub fn with(data: impl Into<Document>, about: EventProperties<'_>) -> Self {
        let mut document = data.into();
        let required = REQUIRED.into_iter().zip([about.event_type, about.id, about.time, about.account]);
        let source = (!about.source.is_empty()).then_some(("source", about.source));
        let texts = required.chain(source).map(|(name, text)| (name, NewValue::Text(text)));
        let attributes = about.attributes.into_iter().flat_map(Attributes::iter);
        // Extension attributes can't replace the properties that every event has.
        let attributes = attributes.filter(|(name, _)| !REQUIRED.contains(name) && *name != "source");
        document.set_below("event", texts.chain(attributes.map(|(name, value)| (name, NewValue::Value(value)))));
        Self { document }
    }

    /// The value at the root.
    pub(crate) fn root(&self) -> Json<'_> {
        self.document.root()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_event_is_told_beside_its_data() {
        let about = EventProperties {
            event_type: "guest.created",
            id: "1",
            time: "2026-01-02T03:04:05Z",
            account: "acme",
            ..EventProperties::default()
        };
        let expected_event =
            json!({"type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z", "account": "acme"});
        for (own, expected) in [
            (json!({}), expected_event.clone()),
            (json!({"event": 3}), expected_event.clone()),
            (json!({"event": null}), expected_event.clone()),
            (
                json!({"event": {"id": "9", "more": true}}),
                json!({"id": "1", "more": true, "type": "guest.created", "time": "2026-01-02T03:04:05Z", "account": "acme"}),
            ),
        ] {
            let expected = Document::from(&json!({"event": expected}));
            assert_eq!(Data::with(&own, about).root(), expected.root());
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
        let about =
            EventProperties { id: "1", source: "/pms", attributes: Some(&attributes), ..EventProperties::default() };
        let expected_event = json!({"event": {"type": "", "id": "1", "time": "", "account": "", "source": "/pms", "subject": "7",
            "n": 1.50, "flag": true}});
        assert_eq!(Data::with(&json!({}), about).root(), Document::from(&expected_event).root());
    }
}
