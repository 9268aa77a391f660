//! Reads the members of a JSON object that a stranger wrote, and says of every mistake where it
//! is, what is wrong, and what to write instead: all of them at once, not the first.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::json::{kind, pointer};

/// One mistake in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the document.
    #[schema(example = "/where/guest/name/0")]
    pub pointer: String,
    /// What kind of mistake; stable.
    #[schema(example = "unknown_member")]
    pub code: &'static str,
    /// What is wrong and what instead, for a person.
    pub detail: String,
}

impl FieldError {
    /// A mistake at this pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// The members of one object, taken out one by one; what is left at the end was not known.
#[derive(Debug)]
pub struct Fields {
    members: Map<String, Value>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Begins with a document that must be an object; `what` names it in the error.
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

    /// Notes a mistake.
    pub fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, code, detail));
    }

    /// Takes a member out; `null` counts as absent.
    pub fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        // `shift_remove` keeps the order of the rest, which the message about them shows.
        self.members.shift_remove(name).filter(|v| !v.is_null())
    }

    /// Takes a text; a value of another type is a mistake.
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

    /// Takes a text that must be there.
    pub fn required_text(&mut self, name: &'static str) -> Option<String> {
        let missing = self.members.get(name).is_none_or(Value::is_null);
        let text = self.text(name);
        if missing {
            self.refuse(format!("/{name}"), "missing", format!("`{name}` is required"));
        }
        text
    }

    /// Takes a `true` or `false`.
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

    /// Passes a text on to what it names; its refusal becomes a mistake at that member.
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

    /// Ends the reading: members that nothing took are mistakes too. `value` is what was read;
    /// it can be `None` only where a mistake was noted.
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Vec<FieldError>> {
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
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }
}
