//! Further records of the demo's account, so that its console shows an account in use: triggers of other kinds, one
//! whose address has no server, and one that is disabled. Plain data; no person in it is real.

use serde_json::json;

use super::day::DemoTrigger;

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

/// The templates and triggers, with their URLs at this receiver, and one URL at an address without a server.
pub(super) fn setups(receiver: &str, nobody: &str) -> [DemoTrigger; 4] {
    [
        DemoTrigger::new(
            ("welcome-letter", "Welcome letter", "a letter for each confirmed booking, as text"),
            ("text", WELCOME),
            json!({"event": "booking.confirmed", "url": format!("{receiver}/letters")}),
        ),
        DemoTrigger::new(
            ("cleaning", "Cleaning", "stays of a week or more, for the cleaners' chat"),
            ("json", CLEANING),
            json!({"event": "booking.*", "where": {"inquiry": {"nights": [{"numeric": [">=", 7]}]}},
                   "url": format!("{receiver}/cleaning")}),
        ),
        DemoTrigger::new(
            ("text-message", "Text message", "text messages to guests; disabled"),
            ("form", TEXT_MESSAGE),
            json!({"event": "guest.created", "url": format!("{receiver}/text-messages"), "enabled": false}),
        ),
        DemoTrigger::new(
            ("channel-calendar", "Channel calendar", "a calendar whose server is down"),
            ("xml", BOOKED_DAYS),
            json!({"event": "booking.*", "url": format!("{nobody}/calendar")}),
        ),
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
        for DemoTrigger { id, template, mut trigger, .. } in setups("http://127.0.0.1:9000", "http://127.0.0.1:9001") {
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
