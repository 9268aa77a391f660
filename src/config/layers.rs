//! The layers of settings: the compiled-in file, the operator's file, the environment; a later one overrides an
//! earlier one. Names no key: the compiled-in file says which keys exist and what type each has.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::reader::ConfigError;

/// The compiled-in file, which holds every key.
const DEFAULTS: &str = include_str!("../../config/posthaste.toml");

/// What the names of our environment variables begin with.
const PREFIX: &str = "POSTHASTE_";

/// What an environment variable's text should have been.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Expected {
    #[error("expected a whole number")]
    Integer,
    #[error("expected true or false")]
    Boolean,
    #[error("expected a JSON list of strings or whole numbers, such as [\"a\"]")]
    List,
}

/// The compiled-in settings.
pub(super) fn defaults() -> Table {
    DEFAULTS.parse().expect("the compiled-in file is valid TOML; a test checks it")
}

/// Merges a file's settings into `base`. A mistake is left out and reported.
pub(super) fn lay_file(base: &mut Table, name: &str, text: &str, errors: &mut Vec<ConfigError>) {
    let sections: Table = match text.parse() {
        Ok(sections) => sections,
        Err(error) => {
            // The message carries line, column and the line itself.
            errors.push(ConfigError::new(name, error.to_string()));
            return;
        }
    };
    for (section, keys) in sections {
        let Value::Table(keys) = keys else {
            let detail = format!("is outside of a section; sections are {}", names(base));
            errors.push(ConfigError::new(&section, detail));
            continue;
        };
        for (key, value) in keys {
            lay(base, &section, &key, Ok(value), name, errors);
        }
    }
}

/// Merges the environment's settings into `base`. Variables without a section (`POSTHASTE_X`) are ignored.
pub(super) fn lay_environment(
    base: &mut Table,
    variables: impl Iterator<Item = (String, String)>,
    errors: &mut Vec<ConfigError>,
) {
    for (name, text) in variables {
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|n| n.split_once("__")) else {
            continue;
        };
        let (section, key) = (section.to_lowercase(), key.to_lowercase());
        let like = base.get(&section).and_then(|s| s.get(&key)).cloned();
        let value = like.map_or(Ok(Value::String(text.clone())), |like| read(&text, &like));
        lay(base, &section, &key, value, &name, errors);
    }
}

/// Reads a variable's text as the type that the key has.
fn read(text: &str, like: &Value) -> Result<Value, Expected> {
    match like {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| Expected::Integer),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| Expected::Boolean),
        Value::Array(_) => serde_json::from_str::<Vec<Json>>(text)
            .ok()
            .and_then(|items| items.iter().map(item).collect())
            .map(Value::Array)
            .ok_or(Expected::List),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn item(item: &Json) -> Option<Value> {
    item.as_str().map(Value::from).or_else(|| item.as_i64().map(Value::Integer))
}

fn lay(
    base: &mut Table,
    section: &str,
    key: &str,
    value: Result<Value, Expected>,
    source: &str,
    errors: &mut Vec<ConfigError>,
) {
    let name = format!("{section}.{key}");
    let known_sections = names(base);
    let mut refuse = |detail| errors.push(ConfigError::new(&name, format!("{detail} (in {source})")));
    let Some(keys) = base.get_mut(section).and_then(Value::as_table_mut) else {
        return refuse(format!("there is no section `{section}`; sections are {known_sections}"));
    };
    let known_keys = names(keys);
    let Some(place) = keys.get_mut(key) else {
        return refuse(format!("there is no such key; `{section}` has {known_keys}"));
    };
    match value {
        Ok(value) if value.same_type(place) => *place = value,
        Ok(value) => refuse(format!("expected {}, not {}", place.type_str(), value.type_str())),
        Err(expected) => refuse(expected.to_string()),
    }
}

fn names(table: &Table) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
