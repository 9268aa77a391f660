//! Reads the members of a JSON object from outside, and reports for every mistake its position, what is wrong, and what
//! to write instead: all mistakes at once, not only the first.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::json::{kind, pointer};

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) into the document.
    #[schema(example = "/where/guest/name/0")]
    pub pointer: String,
    /// The kind of mistake. Stable.
    #[schema(example = "unknown_member")]
    pub code: &'static str,
    /// What is wrong and what to write instead, for a person.
    pub detail: String,
}

impl FieldError {
    /// A mistake at this pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// Adds the members that the caller reads itself to those that the document may have, if this is about an unknown
    /// one.
    pub fn also_known(mut self, names: &[&str]) -> Self {
        if self.code == "unknown_member" && self.pointer.matches('/').count() == 1 {
            self.detail = format!("{}, {}", self.detail, names.join(", "));
        }
        self
    }
}

/// The members of one object, taken one by one. Those that are left at the end are unknown.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Starts with a document that must be an object; `what` names it in the error.
    pub fn new(document: Value, what: &str) -> Result<Self, Vec<FieldError>> {
        match document {
            Value::Object(members) => Ok(Self { members, known: Vec::new(), errors: Vec::new() }),
            other => Err(vec![FieldError::new(
                "",
                "wrong_type",
                format!("{what} must be a JSON object, not {}", kind(&other)),
            )]),
        }
    }

    /// Records a mistake.
    pub fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, code, detail));
    }

    /// Takes a member; `null` counts as absent.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        // `shift_remove` keeps the order of the others, which the message about them shows.
        self.members.shift_remove(name).filter(|v| !v.is_null())
    }

    /// Takes an optional string.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => {
                self.refuse(
                    format!("/{name}"),
                    "wrong_type",
                    format!("`{name}` must be a string, not {}", kind(&other)),
                );
                None
            }
        }
    }

    /// Takes a required string.
    pub fn required_text(&mut self, name: &'static str) -> Option<String> {
        let missing = self.members.get(name).is_none_or(Value::is_null);
        let text = self.text(name);
        if missing {
            self.refuse(format!("/{name}"), "missing", format!("`{name}` is required"));
        }
        text
    }

    /// Takes an optional `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => {
                self.refuse(
                    format!("/{name}"),
                    "wrong_type",
                    format!("`{name}` must be true or false, not {}", kind(&other)),
                );
                None
            }
        }
    }

    /// Converts a text; an error becomes a mistake at that member.
    pub fn parse<T, E: std::fmt::Display>(
        &mut self,
        name: &'static str,
        code: &'static str,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&text?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(format!("/{name}"), code, format!("`{name}`: {error}"));
                None
            }
        }
    }

    /// Ends the reading: all other members are mistakes.
    pub fn end(mut self) -> Vec<FieldError> {
        for name in self.members.keys() {
            self.errors.push(FieldError::new(
                pointer("", name),
                "unknown_member",
                format!(
                    "`{}` is not known here; known are {}",
                    name.chars().take(80).collect::<String>(),
                    self.known.join(", ")
                ),
            ));
        }
        self.errors
    }

    /// The same, and returns the value. `value` may be `None` only if a mistake was recorded.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        let errors = self.end();
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => Err(errors),
        }
    }
}
