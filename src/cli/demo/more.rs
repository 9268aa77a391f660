//! What else the demo's account has while it stays up, so that its console shows an account in use: triggers of other
//! kinds, one that nobody listens to, and one that is disabled. Plain data; nobody in it is real.

use serde_json::json;

use super::day::Setup;

const WELCOME: &str = "Dear *|GUEST:FNAME|*,

your stay at *|RENTAL:NAME|* begins on {{date inquiry.arrive \"%d %B %Y\"}} and is {{inquiry.nights}} nights long.
{{#if inquiry.notes}}We have noted: {{inquiry.notes}}
{{/if}}
See you soon!";

const CLEANING: &str = r#"{
  "content": "Clean **{{rental.name}}** on {{inquiry.depart}}",
  "embeds": [{"title": "*|GUEST:NAME|*", "description": "{{inquiry.notes}}"}]
}"#;

const TEXT_MESSAGE: &str = "To=*|GUEST:PHONE|*&Body=Hello *|GUEST:FNAME|*, welcome to {{rental.name}}!";

const BOOKED_DAYS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<calendar rental="*|RENTAL:NAME|*">
  <booked from="{{inquiry.arrive}}" to="{{inquiry.depart}}"/>
</calendar>"#;

/// The templates and triggers, with their URLs at this receiver, and one at an address where nobody listens.
pub(super) fn setups(receiver: &str, nobody: &str) -> [Setup; 4] {
    [
        Setup {
            id: "welcome-letter",
            told: "a letter for each confirmed booking, as text",
            template: json!({"name": "Welcome letter", "format": "text", "body": WELCOME}),
            trigger: json!({"name": "Welcome letter", "event": "booking.confirmed", "template": "welcome-letter",
                            "url": format!("{receiver}/letters")}),
        },
        Setup {
            id: "cleaning",
            told: "stays of a week or more, for the cleaners' chat",
            template: json!({"name": "Cleaning", "format": "json", "body": CLEANING}),
            trigger: json!({"name": "Cleaning, long stays", "event": "booking.*", "template": "cleaning",
                            "where": {"inquiry": {"nights": [{"numeric": [">=", 7]}]}},
                            "url": format!("{receiver}/cleaning")}),
        },
        Setup {
            id: "text-message",
            told: "text messages to guests; disabled",
            template: json!({"name": "Text message", "format": "form", "body": TEXT_MESSAGE}),
            trigger: json!({"name": "Text message", "event": "guest.created", "template": "text-message",
                            "url": format!("{receiver}/text-messages"), "enabled": false}),
        },
        Setup {
            id: "channel-calendar",
            told: "a calendar that is out of order: nobody listens at its address",
            template: json!({"name": "Channel calendar", "format": "xml", "body": BOOKED_DAYS}),
            trigger: json!({"name": "Channel calendar", "event": "booking.*", "template": "channel-calendar",
                            "url": format!("{nobody}/calendar")}),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::Dictionary;
    use crate::model::trigger::Trigger;
    use crate::templating::{self, TemplateLimits};

    #[test]
    fn each_can_be_saved() {
        let dictionary = Dictionary::shipped();
        for Setup { id, template, mut trigger, .. } in setups("http://127.0.0.1:9000", "http://127.0.0.1:9001") {
            let (format, body) = (template["format"].as_str().expect("a format"), template["body"].as_str());
            let format = format.parse().expect("a format");
            let body = body.expect("a body");
            let checked = templating::compile(format, body, &dictionary, None, &TemplateLimits::default());
            assert!(checked.diagnostics.is_empty(), "{id}: {:?}", checked.diagnostics);
            trigger["id"] = id.into();
            Trigger::from_json(trigger).expect("a trigger");
        }
    }
}
