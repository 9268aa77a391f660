//! The shipped presets against what their receivers document, and an operator's own.

use serde_json::{Value, json};

use super::*;
use crate::json::{Document, kind};
use crate::model::attributes::Attributes;
use crate::model::event::{EventIdentity, EventType};
use crate::model::id::AccountId;
use crate::templating::{Data, EventDetails, compile};

/// What each receiver documents of its format, as a JSON schema in our words: every member that it knows and we send,
/// what must be there, and its bounds. An unknown member is a mistake.
const SCHEMAS: [(&str, &str); 5] = [
    ("slack", include_str!("../../../tests/presets/slack.json")),
    ("discord", include_str!("../../../tests/presets/discord.json")),
    ("teams", include_str!("../../../tests/presets/teams.json")),
    ("google-chat", include_str!("../../../tests/presets/google-chat.json")),
    ("everything", include_str!("../../../tests/presets/everything.json")),
];

/// Holds a value against a schema of the keywords that are used here, and names the first place that does not fit.
fn misfit(schema: &Value, value: &Value, place: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("{place}: {what}: {value}"));
    let most = |keyword: &str| schema[keyword].as_u64().map_or(usize::MAX, |most| most as usize);
    if let Some(shapes) = schema["oneOf"].as_array() {
        let fitting = shapes.iter().filter(|shape| misfit(shape, value, place).is_none()).count();
        return if fitting == 1 { None } else { wrong(&format!("{fitting} of the shapes fit")) };
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return wrong("not the constant");
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return wrong("none of the words");
    }
    if schema["type"].as_str().is_some_and(|wanted| !kind(value).ends_with(wanted)) {
        return wrong("of another type");
    }
    if value.to_string().len() > most("bytesMax") {
        return wrong("too many bytes");
    }
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            if length > most("maxLength") || (length as u64) < schema["minLength"].as_u64().unwrap_or(0) {
                return wrong("too long or too short");
            }
            None
        }
        Value::Array(elements) => {
            if elements.len() > most("maxItems") || (elements.len() as u64) < schema["minItems"].as_u64().unwrap_or(0) {
                return wrong("too many or too few");
            }
            let mut elements = elements.iter().enumerate();
            elements.find_map(|(at, element)| misfit(&schema["items"], element, &format!("{place}/{at}")))
        }
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !members.contains_key(name) {
                    return wrong(&format!("{name} is missing"));
                }
            }
            members.iter().find_map(|(name, member)| match schema["properties"].get(name) {
                Some(schema) => misfit(schema, member, &format!("{place}/{name}")),
                None if schema["additionalProperties"] == false => wrong(&format!("{name} is not known")),
                None => None,
            })
        }
        _ => None,
    }
}

fn hostile(value: &mut Value) {
    match value {
        Value::String(text) => *text = format!("{text}\"'<&>]]>\n{}", "é".repeat(5_000)),
        Value::Object(members) => members.values_mut().for_each(hostile),
        Value::Array(list) => list.iter_mut().for_each(hostile),
        _ => {}
    }
}

/// The bodies for the dictionary's sample, the same with hostile texts, and no data.
fn bodies(name: &str) -> Vec<String> {
    let dictionary = Dictionary::shipped();
    let presets = Presets::load(&dictionary, None, &TemplateLimits::default()).expect("shipped");
    let preset = presets.find(name).expect(name);
    let format = preset.format().expect("a format");
    let event = preset.event();
    let checked = compile(format, preset.body(), &dictionary, event.as_ref(), &TemplateLimits::default());
    assert_eq!(checked.diagnostics, [], "{name}");
    let compiled = checked.compiled.expect("accepted");
    let event_type = EventType::new("booking.confirmed").expect("a type");
    let account = AccountId::new("acme").expect("a name");
    let identity = EventIdentity::new(&account, &event_type, "", "e1");
    let details = EventDetails { identity, time: "2026-05-07T22:30:00Z".into(), attributes: Attributes::default() };
    let sample = Value::Object(dictionary.sample(dictionary.sample_type(event.as_ref()).as_str()));
    let mut wild = sample.clone();
    hostile(&mut wild);
    let render = |data: &Value| compiled.preview(&Data::of(Document::from(data), details.clone()));
    assert_eq!(render(&sample).1, [], "{name}");
    let trials = [sample, wild, Value::Object(serde_json::Map::new())];
    let text = |data: &Value| String::from_utf8(render(data).0.expect("within bounds").to_vec()).expect("UTF-8");
    trials.iter().map(text).collect()
}

#[test]
fn every_shipped_preset_sends_what_its_receiver_documents() {
    let presets = Presets::load(&Dictionary::shipped(), None, &TemplateLimits::default()).expect("shipped");
    let names: Vec<_> = presets.iter().map(|preset| preset.name.as_str()).collect();
    assert_eq!(names, SHIPPED.map(|(name, _)| name));
    for (name, schema) in SCHEMAS {
        let schema: Value = serde_json::from_str(schema).expect(name);
        for body in bodies(name) {
            let body: Value = serde_json::from_str(&body).expect(name);
            assert_eq!(misfit(&schema, &body, name), None);
        }
    }
}

/// A schema that accepts anything would prove nothing.
#[test]
fn the_schemas_refuse_what_receivers_refuse() {
    let schema = |name: &str| SCHEMAS.iter().find(|(own, _)| *own == name).map(|(_, text)| serde_json::from_str(text));
    let sample = |name: &str| serde_json::from_str(&bodies(name)[0]).expect("JSON");
    for (name, pointer, value) in [
        ("slack", "/blocks/0/text/type", json!("mrkdwn")),
        ("slack", "/blocks/0/text/text", json!("x".repeat(151))),
        ("slack", "/blocks/1/text/text", json!("")),
        ("slack", "/blocks/1/type", json!("paragraph")),
        ("discord", "/embeds/0/title", json!("x".repeat(257))),
        ("discord", "/embeds/0/fields/0/value", json!("")),
        ("discord", "/allowed_mentions/parse", json!(["all"])),
        ("teams", "/attachments/0/contentType", json!("application/json")),
        ("teams", "/attachments/0/content/body/1/facts/0", json!({"name": "a", "value": "b"})),
        ("teams", "/attachments/0/content/body/0/size", json!("huge")),
        ("google-chat", "/text", json!("x".repeat(32_000))),
        ("everything", "/at", json!("1778193000")),
    ] {
        let mut body: Value = sample(name);
        *body.pointer_mut(pointer).expect(pointer) = value;
        let schema: Value = schema(name).expect(name).expect("JSON");
        assert!(misfit(&schema, &body, name).is_some(), "{name} {pointer}");
    }
}

fn pairs(body: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

#[test]
fn forms_xml_and_text_are_what_their_receivers_read() {
    for body in bodies("sms-twilio") {
        let pairs = pairs(&body);
        assert_eq!(pairs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["From", "To", "Body"]);
        assert!(pairs[2].1.chars().count() <= 160, "{}", pairs[2].1);
    }
    for body in bodies("google-form") {
        let names: Vec<_> = pairs(&body).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["entry.1001", "entry.1002", "entry.1003", "entry.1004", "entry.1005"]);
    }
    for body in bodies("soap") {
        let mut reader = quick_xml::Reader::from_str(&body);
        let mut names = Vec::new();
        loop {
            match reader.read_event().expect("XML") {
                quick_xml::events::Event::Start(start) => names.push(start.name().as_ref().to_owned()),
                quick_xml::events::Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(names[..2], ["soap:Envelope", "soap:Body"]);
    }
    assert!(bodies("email-text")[0].starts_with("New booking: "));
}

#[test]
fn an_operator_s_presets_are_read_and_replace_shipped_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let head =
        "title = \"T\"\ndescription = \"D\"\ndocumentation = \"\"\nevent = \"*\"\nformat = \"json\"\nurl = \"\"\n";
    let preset = |body: &str| format!("{head}body = {body:?}\n");
    write("slack.toml", &preset("{\"own\": 1}"));
    write("ours.toml", &preset("[]"));
    let load = || Presets::load(&Dictionary::shipped(), Some(folder.path()), &TemplateLimits::default());
    let presets = load().expect("read");
    assert_eq!(presets.find("slack").map(Preset::body), Some("{\"own\": 1}"));
    assert_eq!((presets.find("ours").map(Preset::title), presets.iter().count()), (Some("T"), SHIPPED.len() + 1));
    write("ours.toml", &preset("{\"a\": *|GUEST:NMAE|*}"));
    write("other.toml", "title = 1");
    let errors: Vec<_> = load().expect_err("refused").iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2);
    assert!(errors[0].contains("other.toml") && errors[1].contains("GUEST:NAME"), "{errors:?}");
}
