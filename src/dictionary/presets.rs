//! Presets: working templates for known receivers, which customers copy and change. The shipped ones are
//! compiled in; an operator's own are files of the same shape in a folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dictionary, DictionaryError, load};
use crate::model::event::EventPattern;
use crate::model::template::Format;
use crate::templating::{Limits, Setting, Severity, compile_in};

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

/// A working template for a known receiver, with what its trigger needs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Preset {
    /// Its name: that of its file.
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
    /// The events that it is made for.
    event: String,
    /// The template's format.
    #[schema(value_type = String)]
    format: String,
    /// The template's `content_type`, where it is not the format's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// The shape of the receiver's URL, with made-up parts.
    url: String,
    /// Headers that the receiver wants, with made-up values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// The template's body.
    body: String,
}

/// Why a file is no preset.
#[derive(Debug)]
struct PresetError {
    line: Option<usize>,
    what: String,
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

    /// The template's format, once its preset was checked.
    pub fn format(&self) -> Option<Format> {
        self.content.format.parse().ok()
    }

    /// The events that it is made for, once its preset was checked.
    pub fn event(&self) -> Option<EventPattern> {
        EventPattern::new(&self.content.event).ok()
    }

    fn read(name: &str, text: &str) -> Result<Self, PresetError> {
        let mut content: Content = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            PresetError {
                line: before.map(|before| before.matches('\n').count() + 1),
                what: error.message().to_owned(),
            }
        })?;
        // The line break that ends a file's last line is not the template's.
        content.body.truncate(content.body.trim_end_matches('\n').len());
        Ok(Self { name: name.to_owned(), content })
    }

    /// The first mistake: it is saved as a template by those who copy it.
    fn mistake(&self, dictionary: &Dictionary, limits: &Limits) -> Option<PresetError> {
        let whole = |what: &str| Some(PresetError { line: None, what: what.to_owned() });
        let Some(format) = self.format() else { return whole("`format` is json, xml, form or text") };
        let Some(event) = self.event() else { return whole("`event` is no event pattern") };
        let content_type = self.content.content_type.as_deref();
        let setting = Setting { event: Some(&event), content_type, ..Setting::of(dictionary) };
        let found = compile_in(format, &self.content.body, &setting, limits).diagnostics;
        let error = found.into_iter().find(|found| found.severity == Severity::Error)?;
        whole(&format!("`body`, line {}, column {}: {}", error.line, error.column, error.message))
    }
}

impl Presets {
    /// The shipped presets that the dictionary can name everything for, and those of the operator's folder.
    pub fn load(dictionary: &Dictionary, dir: Option<&Path>, limits: &Limits) -> Result<Self, Vec<DictionaryError>> {
        let mut presets = Vec::new();
        for (name, text) in SHIPPED {
            presets.extend(Preset::read(name, text).ok().filter(|preset| preset.mistake(dictionary, limits).is_none()));
        }
        let Some(dir) = dir else { return Ok(Self { presets }) };
        let (texts, mut errors) = load::read_folder(dir, "presets.dir");
        for (file, text) in texts {
            let name = Path::new(&file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let read = Preset::read(&name, &text).and_then(|preset| match preset.mistake(dictionary, limits) {
                Some(mistake) => Err(mistake),
                None => Ok(preset),
            });
            match read {
                Ok(preset) => {
                    presets.retain(|shipped: &Preset| shipped.name != name);
                    presets.push(preset);
                }
                Err(PresetError { line, what }) => {
                    let instead = "correct it; `posthaste preset` shows the shipped ones".to_owned();
                    errors.push(DictionaryError { file, line, what, instead });
                }
            }
        }
        if errors.is_empty() { Ok(Self { presets }) } else { Err(errors) }
    }

    /// All of them: the shipped ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        self.presets.iter()
    }

    /// The preset of this name.
    pub fn find(&self, name: &str) -> Option<&Preset> {
        self.presets.iter().find(|preset| preset.name == name)
    }
}

#[cfg(test)]
mod tests;
