//! The data that templates see: one per event, shared by all its renderings. It never changes
//! once made.

use crate::json::{Document, Json};
use crate::model::event::Event;

/// An event's data with what is known of the event itself under `event`.
#[derive(Debug, Clone)]
pub struct Data {
    document: Document,
}

/// What a template sees of the event beside its data.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `event.type`
    pub event_type: &'a str,
    /// `event.id`
    pub id: &'a str,
    /// `event.time`, RFC 3339
    pub time: &'a str,
    /// `event.account`
    pub account: &'a str,
}

impl Data {
    /// The data of an event.
    pub fn of(event: Event) -> Self {
        let about = About {
            event_type: event.event_type.as_str(),
            id: &event.id,
            time: &event.time,
            account: event.account.as_str(),
        };
        Self::with(event.data, about)
    }

    /// Data for a preview. The four members of `event` are set in the data's own `event` where
    /// that is an object, and stand in its place where it is anything else.
    pub fn with(data: impl Into<Document>, about: About<'_>) -> Self {
        let mut document = data.into();
        let told = [("type", about.event_type), ("id", about.id), ("time", about.time), ("account", about.account)];
        document.set_below("event", &told);
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
        let about = About { event_type: "guest.created", id: "1", time: "2026-01-02T03:04:05Z", account: "acme" };
        let told = json!({"type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z", "account": "acme"});
        for (own, expected) in [
            (json!({}), told.clone()),
            (json!({"event": 3}), told.clone()),
            (json!({"event": null}), told.clone()),
            (
                json!({"event": {"id": "9", "more": true}}),
                json!({"id": "1", "more": true, "type": "guest.created", "time": "2026-01-02T03:04:05Z", "account": "acme"}),
            ),
        ] {
            let expected = Document::from(&json!({"event": expected}));
            assert_eq!(Data::with(&own, about).root(), expected.root());
        }
    }
}
