//! Reads keys out of the merged layers. A key that can't be used is reported and replaced by a value within its
//! bounds, so that one reading finds every mistake.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, `section.key`, or the file.
    pub place: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

impl ConfigError {
    pub(super) fn new(place: &str, detail: impl Into<String>) -> Self {
        Self { place: place.to_owned(), detail: detail.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// The merged layers, whose types the layers have checked, and the mistakes found so far.
pub(super) struct SettingsReader {
    table: Table,
    errors: Vec<ConfigError>,
}

impl SettingsReader {
    pub(super) fn new(table: Table, errors: Vec<ConfigError>) -> Self {
        Self { table, errors }
    }

    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    pub(super) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(ConfigError::new(name, detail));
    }

    fn value(&self, name: &str) -> &Value {
        let (section, key) = name.split_once('.').expect("keys are named section.key");
        let value = self.table.get(section).and_then(|s| s.get(key));
        value.expect("the compiled-in file holds every key; a test reads them all")
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
        let ports: Option<Vec<u16>> = items.iter().map(|i| u16::try_from(i.as_integer()?).ok()).collect();
        ports.unwrap_or_else(|| {
            self.refuse(name, "expected a list of ports, such as [8443]");
            Vec::new()
        })
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<i64>) -> usize {
        let number = self.value(name).as_integer();
        let number = number.expect("the layers keep a key's type");
        if !range.contains(&number) {
            let detail = format!("{number} is not within {} to {}", range.start(), range.end());
            self.refuse(name, detail);
        }
        let number = number.clamp(*range.start(), *range.end());
        usize::try_from(number).expect("no range goes below zero")
    }

    /// Milliseconds within a range.
    /// A number in a second; zero is none.
    pub(super) fn rate(&mut self, name: &str) -> Option<NonZeroU32> {
        u32::try_from(self.number(name, 0..=1_000_000_000)).ok().and_then(NonZeroU32::new)
    }

    pub(super) fn duration(&mut self, name: &str, range: RangeInclusive<i64>) -> Duration {
        Duration::from_millis(self.number(name, range) as u64)
    }

    /// A socket address.
    pub(super) fn address(&mut self, name: &str) -> SocketAddr {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            self.refuse(name, format!("{text:?} is not an address and a port, such as 127.0.0.1:8080"));
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    /// The same; `None` where the text is empty.
    pub(super) fn optional_address(&mut self, name: &str) -> Option<SocketAddr> {
        if self.text(name).is_empty() { None } else { Some(self.address(name)) }
    }

    /// One of a few words; the first where it is none of them.
    pub(super) fn word(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let text = self.text(name);
        words.iter().copied().find(|word| *word == text).unwrap_or_else(|| {
            self.refuse(name, format!("{text:?} is not known; write one of {}", words.join(", ")));
            words[0]
        })
    }
}
