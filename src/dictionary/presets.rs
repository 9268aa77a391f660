//! Presets: ready-made templates for known receivers, which customers copy and change. The shipped ones are compiled
//! in; an operator's own are files of the same form in a folder.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dictionary, DictionaryError, load};
use crate::model::event::EventPattern;
use crate::model::template::Format;
use crate::templating::{CompileContext, Severity, TemplateLimits, compile_in};

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
    content: PresetContent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresetContent {
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
        let mut content: PresetContent = toml::from_str(text)?;
        // The line break at the end of the file does not belong to the template.
        content.body.truncate(content.body.trim_end_matches('\n').len());
        Ok(Self { name: name.to_owned(), content })
    }

    /// The first mistake. A preset is copied and saved as a template, so it must be valid.
    fn mistake(&self, dictionary: &Dictionary, limits: &TemplateLimits) -> Option<String> {
        let Some(format) = self.format() else { return Some("`format` must be json, xml, form or text".to_owned()) };
        let Some(event) = self.event() else { return Some("`event` is not an event pattern".to_owned()) };
        let content_type = self.content.content_type.as_deref();
        let setting = CompileContext { event: Some(&event), content_type, ..CompileContext::of(dictionary) };
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
        let (own, mut errors) = read_own(dir);
        for (file, preset) in own {
            if let Some(what) = preset.mistake(dictionary, limits) {
                errors.push(mistake(file, None, what));
            }
            presets.retain(|shipped: &Preset| shipped.name != preset.name);
            presets.push(preset);
        }
        if errors.is_empty() { Ok(Self { presets }) } else { Err(errors) }
    }

    /// The mistakes in the operator's folder that can be found without a dictionary.
    pub fn mistakes(dir: &Path) -> Vec<DictionaryError> {
        read_own(dir).1
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

/// Reads the operator's presets, each with the name of its file, and the mistakes in their form.
fn read_own(dir: &Path) -> (Vec<(String, Preset)>, Vec<DictionaryError>) {
    let (texts, mut errors) = load::read_folder(dir, "presets.dir");
    let mut presets = Vec::with_capacity(texts.len());
    for (file, text) in texts {
        let name = Path::new(&file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        match Preset::read(&name, &text) {
            Ok(preset) => presets.push((file, preset)),
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map(|before| before.matches('\n').count() + 1);
                errors.push(mistake(file, line, error.message().to_owned()));
            }
        }
    }
    (presets, errors)
}

fn mistake(file: String, line: Option<usize>, what: String) -> DictionaryError {
    let instead = "correct it; `posthaste preset` shows the shipped ones".to_owned();
    DictionaryError { file, line, what, instead }
}

#[cfg(test)]
mod tests;
