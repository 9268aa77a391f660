//! Reads keys out of the merged layers. A key that can't be used is reported and replaced by a value within its
//! bounds, so that one reading finds every mistake.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use super::error::ConfigError;
use super::layers::Layers;
use super::listen::listen_address;

/// The merged layers, whose types the layers have checked, and the mistakes found so far.
pub(super) struct SettingsReader {
    layers: Layers,
}

impl SettingsReader {
    pub(super) fn new(layers: Layers) -> Self {
        Self { layers }
    }

    /// The merged layers, with the mistakes, and what is odd and was not used.
    pub(super) fn into_layers(self) -> Layers {
        self.layers
    }

    pub(super) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.refuse_for(name, name, detail);
    }

    /// The same for a key that is wrong because of another one. If it is a default, the source of the other is named.
    pub(super) fn refuse_for(&mut self, name: &str, cause: &str, detail: impl Into<String>) {
        let source = self.layers.source(name).or_else(|| self.layers.source(cause));
        let error = ConfigError::new(name, detail).found_in(source);
        self.layers.errors.push(error);
    }

    /// Notes that a key has no effect, if it was changed.
    pub(super) fn note_without_effect(&mut self, name: &str, reason: &str) {
        if let Some(source) = self.layers.changed_by(name) {
            let note = ConfigError::new(name, format!("has no effect: {reason}")).found_in(Some(source));
            self.layers.unused.push(note);
        }
    }

    fn value(&self, name: &str) -> &Value {
        let (section, key) = name.split_once('.').expect("keys are named section.key");
        let value = self.layers.table.get(section).and_then(|s| s.get(key));
        value.expect("the compiled-in file holds every key; a test checks them all")
    }

    /// A string; empty where nothing is set.
    pub(super) fn text(&self, name: &str) -> String {
        let text = self.value(name).as_str();
        text.expect("the layers keep a key's type").to_owned()
    }

    /// A path; `None` where the string is empty.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.text(name)).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// True or false.
    pub(super) fn flag(&self, name: &str) -> bool {
        let flag = self.value(name).as_bool();
        flag.expect("the layers keep a key's type")
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let items = self.value(name).as_array().cloned();
        let items = items.expect("the layers keep a key's type");
        let texts: Option<Vec<_>> = items.iter().map(|i| i.as_str().map(str::to_owned)).collect();
        texts.unwrap_or_else(|| {
            self.refuse(name, "expected a list of strings");
            Vec::new()
        })
    }

    /// A list of ports.
    pub(super) fn ports(&mut self, name: &str) -> Vec<u16> {
        let items = self.value(name).as_array().cloned();
        let items = items.expect("the layers keep a key's type");
        let mut ports = Vec::with_capacity(items.len());
        for item in items {
            match item.as_integer().map(|number| u16::try_from(number).map_err(|_| number)) {
                Some(Ok(port)) => ports.push(port),
                Some(Err(number)) => self.refuse(name, format!("{number} is not a port: the highest is 65535")),
                None => self.refuse(name, format!("{item} is not a port; expected a list of ports, such as [81]")),
            }
        }
        ports
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<i64>) -> usize {
        let number = self.value(name).as_integer();
        let number = number.expect("the layers keep a key's type");
        if !range.contains(&number) {
            let number = match number {
                i64::MAX => "so large a number".to_owned(),
                i64::MIN => "so small a number".to_owned(),
                _ => number.to_string(),
            };
            let detail = format!("{number} is not within {} to {}", range.start(), range.end());
            self.refuse(name, detail);
        }
        let number = number.clamp(*range.start(), *range.end());
        usize::try_from(number).expect("no range goes below zero")
    }

    /// A number per second; `None` if it is zero.
    pub(super) fn rate(&mut self, name: &str) -> Option<NonZeroU32> {
        u32::try_from(self.number(name, 0..=1_000_000_000)).ok().and_then(NonZeroU32::new)
    }

    /// Milliseconds within a range.
    pub(super) fn duration(&mut self, name: &str, range: RangeInclusive<i64>) -> Duration {
        Duration::from_millis(self.number(name, range) as u64)
    }

    /// A socket address.
    pub(super) fn address(&mut self, name: &str) -> SocketAddr {
        let text = self.text(name);
        listen_address(&text).unwrap_or_else(|error| {
            self.refuse(name, error.to_string());
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// The same; `None` where the text is empty.
    pub(super) fn optional_address(&mut self, name: &str) -> Option<SocketAddr> {
        if self.text(name).is_empty() { None } else { Some(self.address(name)) }
    }

    /// One of these words. Another text is a mistake, and is replaced by the first word.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let text = self.text(name);
        words.iter().copied().find(|word| *word == text).unwrap_or_else(|| {
            self.refuse(name, format!("{text:?} is not known; write one of {}", words.join(", ")));
            words[0]
        })
    }
}
