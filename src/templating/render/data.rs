//! The data that templates read: one for each event, shared by all its renderings. It never changes.

use std::sync::{Arc, OnceLock};

use crate::json::{Document, Json, NewValue};
use crate::model::attributes::Attributes;
use crate::model::firing::EventIdentity;

/// The name of the event's properties in its data.
pub(crate) const EVENT: &str = "event";
/// What every event has.
const REQUIRED: [&str; 4] = ["type", "id", "time", "account"];

/// An event's data, with the properties of the event itself under `event`.
#[derive(Debug, Clone)]
pub struct Data {
    /// Without the properties, if there are details.
    document: Document,
    details: Option<EventDetails>,
    /// With the properties; made for the first path that reads them, as most templates have none.
    whole: OnceLock<Document>,
}

/// What an event has beside its data.
#[derive(Debug, Clone)]
pub struct EventDetails {
    /// Its account, type, source and id.
    pub identity: Arc<EventIdentity>,
    /// RFC 3339.
    pub time: Arc<str>,
    /// Properties without a place of their own.
    pub attributes: Attributes,
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

impl EventDetails {
    fn properties(&self) -> EventProperties<'_> {
        EventProperties {
            event_type: self.identity.event_type.as_str(),
            id: &self.identity.id,
            time: &self.time,
            account: self.identity.account.as_str(),
            source: &self.identity.source,
            attributes: Some(&self.attributes),
        }
    }
}

impl Data {
    /// The data of an event.
    pub fn of(document: Document, details: EventDetails) -> Self {
        Self { document, details: Some(details), whole: OnceLock::new() }
    }

    /// Data for a preview. The event's properties are added to the data's own `event` if that is an object, and replace
    /// it otherwise.
    pub fn with(data: impl Into<Document>, about: EventProperties<'_>) -> Self {
        Self { document: with_properties(data.into(), about), details: None, whole: OnceLock::new() }
    }

    /// What the event has beside its data; `None` for a preview.
    pub fn details(&self) -> Option<&EventDetails> {
        self.details.as_ref()
    }

    /// The data as the producer wrote it, where it did.
    pub fn source(&self) -> Option<&str> {
        self.document.source()
    }

    /// The value at the root. It may lack the event's properties, unless `event` is read.
    pub(crate) fn root(&self, event: bool) -> Json<'_> {
        match &self.details {
            Some(details) if event => {
                self.whole.get_or_init(|| with_properties(self.document.clone(), details.properties())).root()
            }
            _ => self.document.root(),
        }
    }
}

fn with_properties(mut document: Document, about: EventProperties<'_>) -> Document {
    let required = REQUIRED.into_iter().zip([about.event_type, about.id, about.time, about.account]);
    let source = (!about.source.is_empty()).then_some(("source", about.source));
    let texts = required.chain(source).map(|(name, text)| (name, NewValue::Text(text)));
    let attributes = about.attributes.into_iter().flat_map(Attributes::iter);
    // Extension attributes can't replace the properties that every event has.
    let attributes = attributes.filter(|(name, _)| !REQUIRED.contains(name) && *name != "source");
    document.set_below(EVENT, texts.chain(attributes.map(|(name, value)| (name, NewValue::Value(value)))));
    document
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::event::EventType;
    use crate::model::id::AccountId;

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
            assert_eq!(Data::with(&own, about).root(true), expected.root());
        }
    }

    #[test]
    fn an_event_is_told_once_it_is_read() {
        let name = |text| AccountId::new(text).expect("a name");
        let event_type = EventType::new("guest.created").expect("a type");
        let identity = EventIdentity { account: name("acme"), event_type, source: "".into(), id: "1".into() };
        let details = EventDetails {
            identity: identity.into(),
            time: "2026-01-02T03:04:05Z".into(),
            attributes: Attributes::default(),
        };
        let data = Data::of(Document::from(&json!({"event": {"more": 1}, "x": 2})), details);
        assert_eq!(data.root(false), Document::from(&json!({"event": {"more": 1}, "x": 2})).root());
        assert!(data.whole.get().is_none());
        let expected = json!({"event": {"more": 1, "type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z",
            "account": "acme"}, "x": 2});
        assert_eq!(data.root(true), Document::from(&expected).root());
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
        assert_eq!(Data::with(&json!({}), about).root(true), Document::from(&expected_event).root());
    }
}
