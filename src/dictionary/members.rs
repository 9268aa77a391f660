//! Takes the members of a TOML table one by one, and reports for every mistake its position and what to write instead.
//! Knows TOML's values but not what a dictionary means by them.

use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{DictionaryError, SourcePosition, shown};
use crate::json::nearest::likely as nearest;

/// One file's text, which finds the line of a byte.
pub(super) struct FileLines {
    file: Arc<str>,
    line_starts: Vec<usize>,
}

impl FileLines {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let starts = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { file: file.into(), line_starts: std::iter::once(0).chain(starts).collect() }
    }

    /// The position of a byte of the text.
    pub(super) fn place(&self, byte: usize) -> SourcePosition {
        SourcePosition { file: self.file.clone(), line: self.line_starts.partition_point(|start| *start <= byte) }
    }
}

/// A value and its position.
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: SourcePosition,
}

/// The members of one table. Those that are left at the end are unknown.
pub(super) struct TableMembers<'a, 'i> {
    source: &'a FileLines,
    errors: &'a mut Vec<DictionaryError>,
    table: DeTable<'i>,
    /// Where the table begins.
    pub(super) place: SourcePosition,
    what: &'static str,
    known: Vec<&'static str>,
}

impl<'a, 'i> TableMembers<'a, 'i> {
    /// Starts with a table; `what` names it in messages.
    pub(super) fn new(
        source: &'a FileLines,
        errors: &'a mut Vec<DictionaryError>,
        table: Spanned<DeTable<'i>>,
        what: &'static str,
    ) -> Self {
        Self {
            place: source.place(table.span().start),
            source,
            errors,
            table: table.into_inner(),
            what,
            known: Vec::new(),
        }
    }

    /// Records a mistake.
    pub(super) fn refuse(&mut self, place: &SourcePosition, what: String, instead: impl Into<String>) {
        self.errors.push(place.error(what, instead));
    }

    fn take(&mut self, name: &'static str) -> Option<Located<DeValue<'i>>> {
        self.known.push(name);
        let value = self.table.remove(name)?;
        Some(Located { place: self.source.place(value.span().start), value: value.into_inner() })
    }

    /// Takes a required member.
    fn required(&mut self, name: &'static str, instead: &str) -> Option<Located<DeValue<'i>>> {
        let member = self.take(name);
        if member.is_none() {
            let place = self.place.clone();
            self.refuse(&place, format!("{} has no `{name}`", self.what), instead);
        }
        member
    }

    /// Takes a required text that must not be empty.
    pub(super) fn text(&mut self, name: &'static str, instead: &str) -> Option<Located<String>> {
        let Located { value, place } = self.required(name, instead)?;
        match value {
            DeValue::String(text) if !text.trim().is_empty() => Some(Located { value: text.into_owned(), place }),
            DeValue::String(_) => {
                self.refuse(&place, format!("`{name}` is empty"), instead);
                None
            }
            other => {
                let what = format!("`{name}` must be a text in quotes, not {}", kind(&other));
                self.refuse(&place, what, instead);
                None
            }
        }
    }

    /// Takes a required list of texts, which may be empty.
    pub(super) fn texts(&mut self, name: &'static str, instead: &str) -> Vec<Located<String>> {
        match self.required(name, instead) {
            Some(list) => self.list(name, list, instead),
            None => Vec::new(),
        }
    }

    /// Takes an optional list of texts.
    pub(super) fn texts_if_any(&mut self, name: &'static str, instead: &str) -> Vec<Located<String>> {
        match self.take(name) {
            Some(list) => self.list(name, list, instead),
            None => Vec::new(),
        }
    }

    fn list(&mut self, name: &str, list: Located<DeValue<'_>>, instead: &str) -> Vec<Located<String>> {
        let Located { value, place } = list;
        let DeValue::Array(items) = value else {
            let what = format!("`{name}` must be a list of texts, not {}", kind(&value));
            self.refuse(&place, what, instead);
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let place = self.source.place(item.span().start);
            match item.into_inner() {
                DeValue::String(text) => texts.push(Located { value: text.into_owned(), place }),
                other => {
                    let what = format!("`{name}` must be a list of texts; one is {}", kind(&other));
                    self.refuse(&place, what, instead);
                }
            }
        }
        texts
    }

    /// Takes an optional `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            None => false,
            Some(Located { value: DeValue::Boolean(flag), .. }) => flag,
            Some(Located { value, place }) => {
                let what = format!("`{name}` must be true or false, not {}", kind(&value));
                self.refuse(&place, what, "write it without quotes, or leave it out");
                false
            }
        }
    }

    /// Takes a required value of any type, as JSON.
    pub(super) fn json(&mut self, name: &'static str, instead: &str) -> Option<Located<Value>> {
        let Located { value, place } = self.required(name, instead)?;
        match to_json(value) {
            Ok(value) => Some(Located { value, place }),
            Err(what) => {
                self.refuse(&place, format!("`{name}` {what}"), instead);
                None
            }
        }
    }

    /// Takes the tables under `[[name]]`, if any.
    pub(super) fn tables(&mut self, name: &'static str, instead: &str) -> Vec<Spanned<DeTable<'i>>> {
        let Some(Located { value, place }) = self.take(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value else {
            let what = format!("`{name}` is {}", kind(&value));
            self.refuse(&place, what, instead);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => tables.push(Spanned::new(span, table)),
                other => {
                    let place = self.source.place(span.start);
                    self.refuse(&place, format!("one `{name}` is {}", kind(&other)), instead);
                }
            }
        }
        tables
    }

    /// Ends the reading: all other members are mistakes.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            let place = self.source.place(key.span().start);
            let instead = match nearest(key.get_ref(), self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are {}", self.known.join(", ")),
            };
            let what = format!("{} has no member {}", self.what, shown(key.get_ref()));
            self.errors.push(place.error(what, instead));
        }
    }
}

/// Why an event can't carry a TOML value.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum NotJson {
    #[error("is a number that is not decimal")]
    NotDecimal,
    #[error("is a number that JSON can't write")]
    NotANumber,
    #[error("is a date or time without quotes")]
    Time,
}

/// A TOML value as the JSON that an event would carry. Numbers keep their digits.
fn to_json(value: DeValue<'_>) -> Result<Value, NotJson> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(flag) => Value::Bool(flag),
        DeValue::Integer(integer) if integer.radix() == 10 => number(integer.as_str())?,
        DeValue::Integer(_) => return Err(NotJson::NotDecimal),
        DeValue::Float(float) => number(float.as_str())?,
        DeValue::Datetime(_) => return Err(NotJson::Time),
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| to_json(item.into_inner())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let mut members = Map::new();
            for (key, value) in table {
                let value = to_json(value.into_inner())?;
                members.insert(key.into_inner().into_owned(), value);
            }
            Value::Object(members)
        }
    })
}

fn number(text: &str) -> Result<Value, NotJson> {
    text.trim_start_matches('+').parse::<Number>().map(Value::Number).map_err(|_| NotJson::NotANumber)
}

/// The name of a value's type, with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
