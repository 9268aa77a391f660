//! Tests of the dictionary: look-ups, shipped files, and mistakes.

mod folder;
mod mistakes;
mod shipped;

use serde_json::{Value, json};

use super::*;

/// Two events, two entities, one of them Posthaste's own, and every form of path.
const SMALL: &str = r#"
[[event]]
type = "order.placed"
description = "An order was placed."
entities = ["order"]

[[event]]
type = "order.note.added"
description = "A note was added."
entities = ["NOTE", "Meta"]

[[event]]
type = "shop.closed"
description = "The shop closed."
entities = []

[[entity]]
name = "Order"
description = "An order."

[[entity.attribute]]
tag = "TOTAL"
path = "order.total"
type = "number"
description = "What it costs."
example = 100.00

[[entity.attribute]]
tag = "SUM"
path = "order.total"
type = "number"
description = "The same by its old name."
example = 100.00

[[entity.attribute]]
tag = "STREET"
path = "order.ship.to.street"
type = "string"
description = "Street."
example = "1 Long Road"

[[entity.attribute]]
tag = "SHIP"
path = "order.ship"
type = "object"
description = "Everything about shipping."
example = { to = { city = "Ghent" }, fast = true }

[[entity]]
name = "NOTE"
description = "A note."

[[entity.attribute]]
tag = "TEXT"
path = "note"
type = "string"
description = "Its text."
example = "hi"

[[entity]]
name = "META"
description = "The event itself."
from_engine = true

[[entity.attribute]]
tag = "KIND"
path = "event.type"
type = "string"
description = "The type."
example = "order.placed"
"#;

fn read(texts: &[(&str, &str)]) -> Result<Dictionary, Vec<DictionaryError>> {
    let texts = texts.iter().map(|(f, t)| ((*f).into(), (*t).into()));
    Dictionary::from_texts(&texts.collect::<Vec<_>>(), Vec::new())
}

fn small() -> Dictionary {
    read(&[("small.toml", SMALL)]).expect("a dictionary")
}

#[test]
fn a_tag_is_found_in_any_case() {
    let dictionary = small();
    for (entity, attribute, path) in [
        ("ORDER", "TOTAL", Some("order.total")),
        ("order", "Total", Some("order.total")),
        ("order", "sum", Some("order.total")),
        ("note", "text", Some("note")),
        ("meta", "kind", Some("event.type")),
        ("order", "text", None),
        ("order:total", "", None),
        ("", "", None),
    ] {
        assert_eq!(dictionary.tag_path(entity, attribute), path, "{entity}:{attribute}");
    }
    let tags = ["Order:TOTAL", "Order:SUM", "Order:STREET", "Order:SHIP", "NOTE:TEXT", "META:KIND"];
    assert_eq!(dictionary.tags(), tags);
    let shipped = Dictionary::shipped();
    for (entity, attribute, meant) in [
        ("INQUIRY", "ID", Some("INQUIRY:INQUIRY_ID")),
        ("INQUIRY", "total", Some("INQUIRY:COST")),
        ("booking", "Price", Some("INQUIRY:COST")),
        ("CUSTOMER", "FNAME", Some("GUEST:FNAME")),
        ("INQUIRY", "WEATHER", None),
        ("WEATHER", "NAME", None),
    ] {
        assert_eq!(shipped.tag_meant(entity, attribute).as_deref(), meant, "{entity}:{attribute}");
    }
}

#[test]
fn paths_are_those_of_the_events_that_the_pattern_names() {
    let dictionary = small();
    let order = ["order.total", "order.ship.to.street", "order.ship"];
    for (pattern, own) in [
        ("order.placed", Some(order.to_vec())),
        ("order.note.*", Some(vec!["note"])),
        ("shop.closed", Some(vec![])),
        ("order.*", Some([order.as_slice(), &["note"]].concat())),
        ("*", Some([order.as_slice(), &["note"]].concat())),
        ("order.eaten", None),
        ("weather.*", None),
    ] {
        let pattern = EventPattern::new(pattern).expect("a pattern");
        let mut found = dictionary.paths(Some(&pattern));
        let mut expected = own.map(|own| [own.as_slice(), &EVENT_PATHS].concat());
        // The order is undefined; each path must be there once.
        found.iter_mut().for_each(|paths| paths.sort());
        expected.iter_mut().for_each(|paths| paths.sort());
        let expected = expected.map(|e| e.into_iter().map(str::to_owned).collect());
        assert_eq!(found, expected, "{pattern}");
    }
    let all = dictionary.paths(None).expect("all paths");
    assert_eq!(all.len(), 4 + EVENT_PATHS.len(), "{all:?}");
}

#[test]
fn a_sample_is_made_of_examples_and_leaves_out_the_reserved_member() {
    let dictionary = small();
    // Parsed from text and not written with `json!`, which would turn 100.00 into 100.0.
    let read = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
    let order =
        r#"{"order": {"ship": {"fast": true, "to": {"city": "Ghent", "street": "1 Long Road"}}, "total": 100.00}}"#;
    let mut everything = read(order);
    everything["note"] = "hi".into();
    for (event_type, expected) in [
        ("order.placed", read(order)),
        ("order.note.added", json!({"note": "hi"})),
        ("shop.closed", json!({})),
        ("nobody.knows", everything.clone()),
        ("no type", everything),
    ] {
        let sample = Value::Object(dictionary.sample(event_type));
        assert_eq!(sample, expected, "{event_type}");
    }
}

#[test]
fn an_event_carries_posthastes_entity_once_and_last() {
    let dictionary = small();
    for (event_type, entities) in [
        ("order.placed", vec!["Order", "META"]),
        ("order.note.added", vec!["NOTE", "META"]),
        ("shop.closed", vec!["META"]),
    ] {
        let event = dictionary.event(event_type).expect("a known type");
        assert_eq!(event.entities, entities, "{event_type}");
    }
    assert!(dictionary.event("nobody.knows").is_none());
    assert!(dictionary.event("no type").is_none());
}

#[test]
fn the_views_have_the_form_of_the_interface() {
    let dictionary = small();
    let view = serde_json::to_value(dictionary.view()).expect("JSON");
    assert_eq!(
        view["events"][1],
        json!({"type": "order.note.added", "description": "A note was added.", "entities": ["NOTE", "META"]})
    );
    assert_eq!(
        view["entities"][1],
        json!({"name": "NOTE", "description": "A note.", "tags": [
            {"tag": "*|NOTE:TEXT|*", "path": "note", "type": "string", "description": "Its text.", "example": "hi"},
        ]})
    );
    let helpers = view["helpers"].as_array().expect("a list");
    let upper = helpers.iter().find(|helper| helper["name"] == "upper").expect("there");
    let expected = json!({
        "name": "upper",
        "group": "Text",
        "description": "A text in capitals",
        "example": "{{upper guest.country}}",
        "options": [],
    });
    assert_eq!(*upper, expected);
    let event = dictionary.event_view("order.note.added").expect("known");
    let event = serde_json::to_value(event).expect("JSON");
    let members: Vec<&String> = event.as_object().expect("an object").keys().collect();
    let expected = ["type", "description", "entities", "tags", "sample"];
    assert_eq!(members, expected);
    assert_eq!(event["sample"], json!({"note": "hi"}));
    assert_eq!(event["tags"][1]["tag"], "*|META:KIND|*");
    assert!(dictionary.event_view("nobody.knows").is_none());
}
