//! The data that templates see: one per event, shared by all its renderings. It never changes
//! once made.

use serde_json::{Map, Value};

use crate::event::Event;

/// An event's data with what is known of the event itself under `event`.
#[derive(Debug, Clone)]
pub struct Data {
    root: Value,
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
    pub fn with(mut data: Map<String, Value>, about: About<'_>) -> Self {
        let own = data.entry("event").or_insert(Value::Null);
        if !own.is_object() {
            *own = Value::Object(Map::new());
        }
        for (name, value) in
            [("type", about.event_type), ("id", about.id), ("time", about.time), ("account", about.account)]
        {
            own[name] = Value::String(value.to_owned());
        }
        Self { root: Value::Object(data) }
    }

    /// The value at the root.
    pub(super) fn root(&self) -> &Value {
        &self.root
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
                json!({"more": true, "type": "guest.created", "id": "1", "time": "2026-01-02T03:04:05Z", "account": "acme"}),
            ),
        ] {
            let Value::Object(own) = own else { unreachable!() };
            assert_eq!(Data::with(own, about).root()["event"], expected);
        }
    }
}
