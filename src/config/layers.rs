//! The layers of settings: the compiled-in file, the operator's file, the environment; a later one overrides an
//! earlier one. Names no key: the compiled-in file says which keys exist and what type each has.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::num::{IntErrorKind, ParseIntError};

use serde_json::Value as Json;
use toml::{Table, Value};

use super::error::ConfigError;
use crate::json::nearest::{edits, likely};
use crate::json::{LookAlike, Malformed, read_value};

/// The compiled-in file, which holds every key.
const DEFAULTS: &str = include_str!("../../config/posthaste.toml");

/// What the names of our environment variables begin with.
const PREFIX: &str = "POSTHASTE_";

/// How many letters of a variable may differ from the one that was meant, apart from underscores.
const SLIPS_MAX: usize = 2;

/// What an environment variable's text should have been.
#[derive(Debug, Clone, thiserror::Error)]
enum ExpectedValue {
    #[error("it is not UTF-8")]
    Utf8,
    #[error("expected a whole number")]
    Integer,

    #[error("expected true or false")]
    Boolean,
    #[error("expected a JSON list of strings or whole numbers, such as [\"a\"]")]
    List,
    #[error("expected a JSON list, such as [\"a\"]: {0}")]
    Json(#[from] Malformed),
}

/// The file or variable that set a key, `section.key`; none for defaults.
pub(super) type SettingSources = HashMap<String, String>;

/// The merged layers.
pub(super) struct Layers {
    pub(super) table: Table,
    pub(super) errors: Vec<ConfigError>,
    /// Environment variables that resemble one of Posthaste's and are not, and keys that were changed without effect.
    pub(super) unused: Vec<ConfigError>,
    pub(super) sources: SettingSources,
}

impl Layers {
    /// The compiled-in settings.
    pub(super) fn defaults() -> Self {
        Self { table: default_table(), errors: Vec::new(), unused: Vec::new(), sources: HashMap::new() }
    }

    /// The file or the variable that changed a key from its default.
    pub(super) fn changed_by(&self, key: &str) -> Option<&str> {
        let (section, name) = key.split_once('.')?;
        let differs = self.table[section].get(name) != default_table()[section].get(name);
        self.source(key).filter(|_| differs)
    }

    /// The file or the variable that set a key.
    pub(super) fn source(&self, key: &str) -> Option<&str> {
        self.sources.get(key).map(String::as_str)
    }

    /// Merges a file's settings. A mistake is left out and reported.
    pub(super) fn lay_file(&mut self, name: &str, text: &str) {
        let sections: Table = match text.parse() {
            Ok(sections) => sections,
            // The message carries line, column and the line itself.
            Err(error) => {
                let found = error.span().and_then(|span| LookAlike::in_line(text, span.start));
                let found = found.map_or_else(String::new, |found| format!("this is {found}"));
                return self.errors.push(ConfigError::new(name, format!("{error}{found}")));
            }
        };
        for (section, keys) in sections {
            let Value::Table(keys) = keys else {
                let detail = match self.table.contains_key(&section) {
                    true => {
                        format!("it is a section and not a list or a value; write [{section}] once, in single brackets")
                    }
                    false => format!("is outside of a section; sections are {}", names(&self.table)),
                };
                self.errors.push(ConfigError::new(&section, detail).found_in(Some(name)));
                continue;
            };
            for (key, value) in keys {
                self.lay(&section, &key, Ok(value), name);
            }
        }
    }

    /// Merges the environment's settings.
    pub(super) fn lay_environment(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
        for (name, text) in variables {
            let name = name.to_string_lossy();
            let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|n| n.split_once("__")) else {
                self.unused.extend(near_miss(&name, &self.table));
                continue;
            };
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            let like = self.table.get(&section).and_then(|s| s.get(&key)).cloned();
            let value = like.map_or(Ok(Value::Boolean(false)), |like| read(&text, &like));
            if let Some(detail) = self.other_spelling(&section, &key, value.as_ref().ok(), &name) {
                let place = format!("{section}.{key}");
                self.errors.push(ConfigError::new(&place, detail).found_in(Some(&name)));
                continue;
            }
            self.lay(&section, &key, value, &name);
        }
    }

    /// A mistake where another variable, which differs in upper and lower case only, sets the key to another value: the
    /// order of the environment is no one's choice.
    fn other_spelling(&self, section: &str, key: &str, value: Option<&Value>, name: &str) -> Option<String> {
        let other =
            self.source(&format!("{section}.{key}")).filter(|other| other.starts_with(PREFIX) && *other != name)?;
        let differs = value != self.table.get(section)?.get(key);
        differs.then(|| {
            let (first, second) = if other < name { (other, name) } else { (name, other) };
            format!("{first} and {second} set it to different values; unset one of them")
        })
    }

    fn lay(&mut self, section: &str, key: &str, value: Result<Value, ExpectedValue>, source: &str) {
        let name = format!("{section}.{key}");
        let errors = &mut self.errors;
        let mut refuse = |detail| errors.push(ConfigError::new(&name, detail).found_in(Some(source)));
        let Some(keys) = self.table.get(section).and_then(Value::as_table) else {
            let (known, meant) = (names(&self.table), meant(section, &self.table));
            return refuse(format!("there is no section `{section}`;{meant} sections are {known}"));
        };
        let Some(place) = keys.get(key) else {
            let (known, meant) = (names(keys), meant(key, keys));
            return refuse(format!("there is no such key;{meant} `{section}` has {known}"));
        };
        match value {
            Ok(value) if value.same_type(place) => {
                self.table[section][key] = value;
                self.sources.insert(name, source.to_owned());
            }
            Ok(value) => refuse(format!("expected {}, not {}", place.type_str(), value.type_str())),
            Err(expected) => refuse(expected.to_string()),
        }
    }
}

fn default_table() -> Table {
    DEFAULTS.parse().expect("the compiled-in file is valid TOML; a test checks it")
}

/// What a variable that names no key most likely meant. A program of another kind may use names that begin as ours do
/// (Kubernetes sets `POSTHASTE_SERVICE_HOST` beside a service of that name), so this is no mistake by itself.
fn near_miss(name: &str, table: &Table) -> Option<ConfigError> {
    let letters = |name: &str| name.chars().filter(|c| *c != '_').collect::<String>().to_uppercase();
    let own = letters(name);
    let keys = table.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flatten();
        keys.map(move |(key, _)| format!("{PREFIX}{section}__{key}").to_uppercase())
    });
    let near = keys.filter(|key| letters(key).len().abs_diff(own.len()) <= SLIPS_MAX);
    let meant = near.map(|key| (edits(&own, &letters(&key)), key)).min()?;
    (meant.0 <= SLIPS_MAX).then(|| {
        let detail = format!("this environment variable is not used; did you mean {}?", meant.1);
        ConfigError::new(&name.chars().take(80).collect::<String>(), detail)
    })
}

/// The name that a misspelt one meant, as a part of a sentence.
fn meant(name: &str, known: &Table) -> String {
    let found = likely(name, known.keys().map(String::as_str));
    found.map_or_else(String::new, |found| format!(" did you mean `{found}`?"))
}

/// Reads a variable's text as the type that the key has.
fn read(text: &OsStr, like: &Value) -> Result<Value, ExpectedValue> {
    let text = text.to_str().ok_or(ExpectedValue::Utf8)?;
    match like {
        Value::Integer(_) => integer(text).map(Value::Integer).ok_or(ExpectedValue::Integer),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| ExpectedValue::Boolean),
        Value::Array(_) => list(&read_value(text.as_bytes())?).ok_or(ExpectedValue::List),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// A whole number. One that is too large for its type is replaced by the largest, which is past every bound.
fn integer(text: &str) -> Option<i64> {
    text.parse().map_or_else(
        |error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => Some(i64::MAX),
            IntErrorKind::NegOverflow => Some(i64::MIN),
            _ => None,
        },
        Some,
    )
}

fn list(list: &Json) -> Option<Value> {
    list.as_array()?.iter().map(item).collect::<Option<Vec<_>>>().map(Value::Array)
}

fn item(item: &Json) -> Option<Value> {
    item.as_str().map(Value::from).or_else(|| item.as_i64().map(Value::Integer))
}

fn names(table: &Table) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
