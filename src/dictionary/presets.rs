//! Presets: ready-made templates for known receivers, which customers copy and change. The shipped ones are compiled
//! in; an operator's own are files of the same form in a folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dictionary, DictionaryError, load};
use crate::model::event::EventPattern;
use crate::model::template::Format;
use crate::templating::{Setting, Severity, TemplateLimits, compile_in};

const SHIPPED: [(&str, &str); 9] = [
    ("slack", include_str!("../../config/presets/slack.toml")),
    ("discord", include_str!("../../config/presets/discord.toml")),
    ("teams", include_str!("../../config/presets/teams.toml")),
    ("google-chat", include_str!("../../config/presets/google-chat.toml")),
    ("google-form", include_str!("../../config/presets/google-form.toml")),
    ("sms-twilio", include_str!("../../config/presets/sms-twilio.toml")),
    ("soap", include_str!("../../config/presets/soap.toml")),
    ("email-text", include_str!("../../config/presets/email-text.toml")),
    ("everything", include_str!("../../config/presets/everything.toml")),
];

/// All presets of a node.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Presets {
    presets: Vec<Preset>,
}

/// A ready-made template for a known receiver, with what its trigger needs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Preset {
    /// Its name, which is its file's name.
    pub name: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Content {
    /// Receiver and purpose in a few words.
    title: String,
    /// What to know before use.
    description: String,
    /// Where the receiver documents its format.
    documentation: String,
    /// The events that it is for.
    event: String,
    /// The template's format.
    #[schema(value_type = String)]
    format: String,
    /// The template's `content_type`, if it differs from the format's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// The form of the receiver's URL, with invented parts.
    url: String,
    /// Headers that the receiver requires, with invented values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// The template's body.
    body: String,
}

impl Preset {
    /// Receiver and purpose in a few words.
    pub fn title(&self) -> &str {
        &self.content.title
    }

    /// The template's body.
    pub fn body(&self) -> &str {
        &self.content.body
    }

    /// The template's format. `Some` once the preset was checked.
    pub fn format(&self) -> Option<Format> {
        self.content.format.parse().ok()
    }

    /// The events that it is for. `Some` once the preset was checked.
    pub fn event(&self) -> Option<EventPattern> {
        EventPattern::new(&self.content.event).ok()
    }

    fn read(name: &str, text: &str) -> Result<Self, toml::de::Error> {
        let mut content: Content = toml::from_str(text)?;
        // The line break at the end of the file does not belong to the template.
        content.body.truncate(content.body.trim_end_matches('\n').len());
        Ok(Self { name: name.to_owned(), content })
    }

    /// The first mistake: whoever copies the preset saves it as a template, so it must be valid.
    fn mistake(&self, dictionary: &Dictionary, limits: &TemplateLimits) -> Option<String> {
        let Some(format) = self.format() else { return Some("`format` must be json, xml, form or text".to_owned()) };
        let Some(event) = self.event() else { return Some("`event` is not an event pattern".to_owned()) };
        let content_type = self.content.content_type.as_deref();
        let setting = Setting { event: Some(&event), content_type, ..Setting::of(dictionary) };
        let found = compile_in(format, &self.content.body, &setting, limits).diagnostics;
        let error = found.into_iter().find(|found| found.severity == Severity::Error)?;
        Some(format!("`body`, line {}, column {}: {}", error.line, error.column, error.message))
    }
}

impl Presets {
    /// The shipped presets whose tags are all in the dictionary, and those of the operator's folder.
    pub fn load(
        dictionary: &Dictionary,
        dir: Option<&Path>,
        limits: &TemplateLimits,
    ) -> Result<Self, Vec<DictionaryError>> {
        let mut presets = Vec::new();
        for (name, text) in SHIPPED {
            presets.extend(Preset::read(name, text).ok().filter(|preset| preset.mistake(dictionary, limits).is_none()));
        }
        let Some(dir) = dir else { return Ok(Self { presets }) };
        let (texts, mut errors) = load::read_folder(dir, "presets.dir");
        for (file, text) in texts {
            let name = Path::new(&file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let mistake = match Preset::read(&name, &text) {
                Ok(preset) => {
                    let mistake = preset.mistake(dictionary, limits);
                    presets.retain(|shipped: &Preset| shipped.name != name);
                    presets.push(preset);
                    mistake
                }
                Err(error) => Some(error.message().to_owned()),
            };
            if let Some(what) = mistake {
                let instead = "correct it; `posthaste preset` shows the shipped ones".to_owned();
                errors.push(DictionaryError { file, line: None, what, instead });
            }
        }
        if errors.is_empty() { Ok(Self { presets }) } else { Err(errors) }
    }

    /// All presets, the shipped ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        self.presets.iter()
    }

    /// The preset of this name.
    pub fn find(&self, name: &str) -> Option<&Preset> {
        self.presets.iter().find(|preset| preset.name == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::json::Document;
    use crate::templating::{About, Data, compile};

    /// A JSON Pointer, with a type or a constant, and the greatest number of characters or elements.
    type Required = (&'static str, &'static str, usize);

    /// What a receiver's documentation requires of a body.
    #[rustfmt::skip]
    const REQUIRED: [(&str, &[Required]); 5] = [
        ("slack", &[("/text", "string", 40_000), ("/blocks/0/type", "header", 0), ("/blocks/0/text/type", "plain_text", 0), ("/blocks/0/text/text", "string", 150), ("/blocks/1/type", "section", 0), ("/blocks/1/text/type", "plain_text", 0), ("/blocks/1/text/text", "string", 3_000)]),
        ("discord", &[("/content", "string", 2_000), ("/allowed_mentions/parse", "array", 0), ("/embeds/0/title", "string", 256), ("/embeds/0/description", "string", 4_096), ("/embeds/0/fields", "array", 25)]),
        ("teams", &[("/type", "message", 0), ("/attachments/0/contentType", "application/vnd.microsoft.card.adaptive", 0), ("/attachments/0/content/type", "AdaptiveCard", 0), ("/attachments/0/content/version", "1.4", 0), ("/attachments/0/content/body/0/type", "TextBlock", 0), ("/attachments/0/content/body/0/text", "string", 28_000), ("/attachments/0/content/body/1/type", "FactSet", 0), ("/attachments/0/content/body/1/facts", "array", 100)]),
        ("google-chat", &[("/text", "string", 32_000)]),
        ("everything", &[("/type", "string", 1_000), ("/id", "string", 1_000), ("/time", "string", 100), ("/at", "number", 0), ("/account", "string", 1_000), ("/data", "object", 0)]),
    ];

    fn hostile(value: &mut Value) {
        match value {
            Value::String(text) => *text = format!("{text}\"'<&>]]>\n{}", "é".repeat(5_000)),
            Value::Object(members) => members.values_mut().for_each(hostile),
            Value::Array(list) => list.iter_mut().for_each(hostile),
            _ => {}
        }
    }

    /// The bodies for the dictionary's sample, for the same with hostile texts, and without data.
    fn bodies(name: &str) -> Vec<String> {
        let dictionary = Dictionary::shipped();
        let presets = Presets::load(&dictionary, None, &TemplateLimits::default()).expect("shipped");
        let preset = presets.find(name).expect(name);
        let format = preset.format().expect("a format");
        let event = preset.event();
        let checked = compile(format, preset.body(), &dictionary, event.as_ref(), &TemplateLimits::default());
        assert_eq!(checked.diagnostics, [], "{name}");
        let compiled = checked.compiled.expect("accepted");
        let about = About {
            event_type: "booking.confirmed",
            id: "e1",
            time: "2026-05-07T22:30:00Z",
            account: "acme",
            ..About::default()
        };
        let sample = Value::Object(dictionary.sample(dictionary.sample_type(event.as_ref()).as_str()));
        let mut wild = sample.clone();
        hostile(&mut wild);
        let render = |data: &Value| compiled.preview(&Data::with(Document::from(data), about));
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
        for (name, required) in REQUIRED {
            for body in bodies(name) {
                let body: Value = serde_json::from_str(&body).expect(name);
                for (pointer, kind, most) in required {
                    let value = body.pointer(pointer).unwrap_or_else(|| panic!("{name}: {pointer} is missing"));
                    let fits = match *kind {
                        "string" => value.as_str().is_some_and(|text| text.chars().count() <= *most),
                        "number" => value.is_number(),
                        "array" => value.as_array().is_some_and(|list| list.len() <= *most),
                        "object" => value.is_object(),
                        constant => value.as_str() == Some(constant),
                    };
                    assert!(fits, "{name}: {pointer}: {value}");
                }
            }
        }
    }

    fn pairs(body: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }

    #[test]
    fn forms_xml_and_text_are_valid_for_their_receivers() {
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
    fn an_operators_presets_are_read_and_replace_shipped_ones() {
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
}
