//! The day that the demo shows: three triggers with their templates, and the events of a holiday rental from morning to
//! evening. Plain data; the people are invented. The names and notes contain characters that break carelessly
//! concatenated bodies.

use serde_json::{Value, json};

/// The account of all of it.
pub(super) const ACCOUNT: &str = "casa-lavanda";
/// The secret that signs the first trigger's deliveries. It is never printed and protects nothing.
const SECRET: &str = "whsec_cG9zdGhhc3RlLWRlbW8tb25seS1ub3QtYS1zZWNyZXQ=";

const CHAT: &str = r#"{
  "event": "*|EVENT:NAME|*",
  "guest": "*|GUEST:NAME|*",
  "rental": "{{rental.name}}",
  "nights": {{inquiry.nights}},
  "text": "{{message.text}}{{inquiry.notes}}"
}"#;

const HOUSEKEEPING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<booking id="*|INQUIRY:INQUIRY_ID|*" rental="*|RENTAL:NAME|*">
  <guest>*|GUEST:NAME|*</guest>
  <stay arrive="{{inquiry.arrive}}" depart="{{inquiry.depart}}"/>
  <note>{{inquiry.notes}}</note>
</booking>"#;

const BOOKKEEPING: &str =
    "invoice=*|INVOICE:ID|*&amount=*|INVOICE:AMOUNT|*&currency={{invoice.currency}}&payer=*|GUEST:NAME|*";

/// A template and the trigger that sends it, as the HTTP interface takes them. Both have the same id.
pub(super) struct DemoTrigger {
    /// The id of both.
    pub(super) id: &'static str,
    /// Their description.
    pub(super) description: &'static str,
    /// The template.
    pub(super) template: Value,
    /// The trigger.
    pub(super) trigger: Value,
}

impl DemoTrigger {
    /// `format` and `body` are the template's; `trigger` is what the trigger has besides its name and template.
    pub(super) fn new(
        (id, name, description): (&'static str, &str, &'static str),
        (format, body): (&str, &str),
        mut trigger: Value,
    ) -> Self {
        trigger["name"] = name.into();
        trigger["template"] = id.into();
        Self { id, description, template: json!({"name": name, "format": format, "body": body}), trigger }
    }
}

/// The triggers, with their URLs at this receiver.
pub(super) fn setups(receiver: &str) -> [DemoTrigger; 3] {
    let url = |path: &str| format!("{receiver}/{path}");
    [
        DemoTrigger::new(
            ("team-chat", "Team chat", "every event, as JSON, signed"),
            ("json", CHAT),
            json!({"event": "*", "url": url("team-chat"), "secret": SECRET}),
        ),
        DemoTrigger::new(
            ("housekeeping", "Housekeeping", "confirmed bookings above 1000, as XML"),
            ("xml", HOUSEKEEPING),
            json!({"event": "booking.confirmed", "where": {"inquiry": {"cost": [{"numeric": [">", 1000]}]}},
                   "url": url("housekeeping"), "headers": {"X-Team": "linen and keys"}}),
        ),
        DemoTrigger::new(
            ("bookkeeping", "Bookkeeping", "paid invoices, as a form"),
            ("form", BOOKKEEPING),
            json!({"event": "invoice.paid", "url": url("bookkeeping")}),
        ),
    ]
}

/// An event of the day.
pub(super) struct DemoEvent {
    /// Its description.
    pub(super) description: &'static str,
    /// The event as it is posted.
    pub(super) event: Value,
    /// The triggers that it fires.
    pub(super) fires: &'static [&'static str],
}

/// The day.
pub(super) fn happenings() -> Vec<DemoEvent> {
    let zoe = || json!({"name": "Zoë O'Brien & Söhne", "email": "zoe@example.com", "country": "IE"});
    let max = || json!({"name": "Max \"Mac\" <Müller>", "email": "max@example.com", "country": "DE"});
    let casa = || json!({"id": "r1", "name": "Casa \"Lavanda\""});
    let stay = json!({"id": "48213", "arrive": "2026-08-14", "depart": "2026-08-21", "nights": 7, "cost": 1890,
                      "notes": "Two cots, please.\nIs the \"late\" check-out < 50 €?"});
    let weekend =
        json!({"id": "48214", "arrive": "2026-09-04", "depart": "2026-09-06", "nights": 2, "cost": 380, "notes": ""});
    let short = |stay: &Value| json!({"id": stay["id"], "nights": stay["nights"]});
    let invoice = json!({"id": "INV-117", "amount": 1890, "currency": "EUR", "status": "paid"});
    let message = json!({"text": "Is *|RENTAL:NAME|* the one with {{parking}}?"});
    let demo_event = |description, event_type: &str, data, fires| DemoEvent {
        description,
        event: json!({"account": ACCOUNT, "type": event_type, "data": data}),
        fires,
    };
    vec![
        demo_event(
            "An inquiry with a line break and quotes in its note",
            "inquiry.created",
            json!({"guest": zoe(), "rental": casa(), "inquiry": stay}),
            &["team-chat"],
        ),
        demo_event(
            "The guest is added; no rental is set yet, so its value is empty",
            "guest.created",
            json!({"guest": zoe(), "inquiry": short(&stay)}),
            &["team-chat"],
        ),
        demo_event(
            "The booking is confirmed; it costs more than 1000",
            "booking.confirmed",
            json!({"guest": zoe(), "rental": casa(), "inquiry": stay}),
            &["team-chat", "housekeeping"],
        ),
        demo_event(
            "Another one is confirmed; it does not pass housekeeping's filter",
            "booking.confirmed",
            json!({"guest": max(), "rental": casa(), "inquiry": weekend}),
            &["team-chat"],
        ),
        demo_event(
            "The first guest pays",
            "invoice.paid",
            json!({"guest": zoe(), "rental": casa(), "inquiry": short(&stay), "invoice": invoice}),
            &["team-chat", "bookkeeping"],
        ),
        demo_event(
            "A message that looks like a template stays the text it is",
            "guest.message",
            json!({"guest": max(), "rental": casa(), "inquiry": short(&weekend), "message": message}),
            &["team-chat"],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{EventPattern, EventType};
    use crate::model::template::Template;
    use crate::model::trigger::Trigger;

    fn with_id(mut document: Value, id: &str) -> Value {
        document["id"] = id.into();
        document
    }

    #[test]
    fn the_setups_are_valid_and_fire_as_described() {
        let triggers = setups("http://127.0.0.1:9").map(|setup| {
            Template::from_json(with_id(setup.template, setup.id)).expect("a template");
            Trigger::from_json(with_id(setup.trigger, setup.id)).expect("a trigger")
        });
        for demo_event in happenings() {
            let event_type = demo_event.event["type"].as_str().expect("a type");
            let event_type = EventType::new(event_type).expect("a type");
            let named = |event: &EventPattern| event.matches(&event_type);
            let named: Vec<&str> = triggers.iter().filter(|t| named(&t.event)).map(|t| t.id.as_str()).collect();
            assert!(demo_event.fires.iter().all(|id| named.contains(id)), "{}", demo_event.description);
            let filtered = named.len() - demo_event.fires.len();
            assert_eq!(filtered, usize::from(demo_event.description.contains("does not pass")));
        }
    }

    #[test]
    fn every_tag_is_in_the_shipped_dictionary() {
        use crate::templating::TagLookup as _;

        let dictionary = crate::dictionary::Dictionary::shipped();
        for setup in setups("http://127.0.0.1:9") {
            let body = setup.template["body"].as_str().expect("a body").to_owned();
            for tag in body.split("*|").skip(1) {
                let (entity, attribute) = tag.split_once("|*").and_then(|(tag, _)| tag.split_once(':')).expect("a tag");
                assert!(dictionary.tag_path(entity, attribute).is_some(), "{entity}:{attribute}");
            }
        }
        for demo_event in happenings() {
            let event_type = demo_event.event["type"].as_str().expect("a type");
            assert!(dictionary.event(event_type).is_some(), "{event_type}");
        }
    }
}
