//! How messages name a value's type and its position in a document.

use std::borrow::Cow;

use serde_json::Value;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Type {
    /// The type of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    /// Its word, with its article.
    pub fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// The word for a value's type, with its article.
pub fn kind(value: &Value) -> &'static str {
    Type::of(value).word()
}

/// A JSON Pointer (RFC 6901) to a member of the value that another pointer names.
pub fn pointer(base: &str, name: &str) -> String {
    [base, "/", &pointer_part(name)].concat()
}

/// A member's name as a part of a JSON Pointer.
pub fn pointer_part(name: &str) -> Cow<'_, str> {
    match name.contains(['~', '/']) {
        true => name.replace('~', "~0").replace('/', "~1").into(),
        false => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_finds_its_member() {
        for name in ["", "a", "a/b", "~", "~1", "/~0/"] {
            let document = json!({"top": {name: 1}});
            assert_eq!(document.pointer(&pointer("/top", name)), Some(&json!(1)), "{name}");
        }
    }
}
