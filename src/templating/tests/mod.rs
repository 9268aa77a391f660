//! The engine as a whole, through what it gives the rest of the program: tables of templates that
//! are taken and of templates that are refused, with the place and the code.

mod bodies;
mod document;
mod helpers;
mod mistakes;
mod needs;
mod paths;
mod recovery;
mod reports;
mod request;

use serde_json::Value;

use super::*;
use crate::model::attributes::Attributes;
use crate::model::event::{EventIdentity, EventPattern, EventType};
use crate::model::id::AccountId;
use crate::model::template::Format;

struct Small;

impl TagLookup for Small {
    fn tag_path(&self, entity: &str, attribute: &str) -> Option<&str> {
        let tag = format!("{entity}:{attribute}").to_ascii_uppercase();
        let known = [
            ("GUEST:NAME", "guest.name"),
            ("GUEST:EMAIL", "guest.email"),
            ("INQUIRY:ARRIVE", "inquiry.arrive"),
            ("INQUIRY:COST", "inquiry.cost"),
        ];
        known.iter().find(|(name, _)| *name == tag).map(|(_, path)| *path)
    }

    fn tags(&self) -> Vec<String> {
        ["GUEST:NAME", "GUEST:EMAIL", "INQUIRY:ARRIVE", "INQUIRY:COST"].map(str::to_owned).into()
    }

    fn paths(&self, event: Option<&EventPattern>) -> Option<Vec<String>> {
        event?;
        Some(["guest.name", "guest.email", "rental.tags", "date"].map(str::to_owned).into())
    }
}

fn check(format: Format, body: &str) -> CheckedTemplate {
    compile(format, body, &Small, None, &TemplateLimits::default())
}

fn data(value: Value) -> Data {
    let Value::Object(data) = value else { panic!("data are an object") };
    Data::of(data.into(), details("acme", "guest.created", "e1", "2026-07-01T10:00:00Z"))
}

fn details(account: &str, event_type: &str, id: &str, time: &str) -> EventDetails {
    let event_type = EventType::new(event_type).expect("a type");
    let account = AccountId::new(account).expect("a name");
    let identity = EventIdentity::new(&account, &event_type, "", id);
    EventDetails { identity, time: time.into(), attributes: Attributes::default() }
}

fn render(format: Format, body: &str, value: &Value) -> String {
    let checked = check(format, body);
    let compiled = checked.compiled.unwrap_or_else(|| panic!("{body}: {:?}", checked.diagnostics));
    let rendered = compiled.render(&data(value.clone())).expect("within bounds");
    String::from_utf8(rendered.to_vec()).expect("UTF-8")
}
