//! A value while it is on its way into a body, and what it is taken for: as text, as a condition.

use std::borrow::Cow;

use serde_json::Value;

use super::escape::json::{self, TooDeep};

/// A value, of the data where it can be.
#[derive(Debug, Clone)]
pub(super) enum Datum<'a> {
    /// No such value.
    Missing,
    /// A value of the data, or one written in the template.
    Data(&'a Value),
    /// A text that a helper made, or an object's member's name.
    Text(Cow<'a, str>),
    /// What a comparison came to.
    Truth(bool),
    /// An element's place in its list, from 0.
    Index(usize),
    /// A value that is to be written as JSON even where text stands.
    Json(Cow<'a, Value>),
}

impl<'a> Datum<'a> {
    /// A text that a helper made, or nothing where it couldn't.
    pub(super) fn made(text: Option<String>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.into()))
    }

    /// The text of the value: a string itself, a number or boolean as JSON writes it, a list or
    /// object its compact JSON; of null and a missing value, nothing.
    pub(super) fn text(&self) -> Result<Cow<'_, str>, TooDeep> {
        Ok(match self {
            Self::Missing | Self::Data(Value::Null) => Cow::Borrowed(""),
            Self::Data(Value::String(text)) => Cow::Borrowed(text),
            Self::Data(Value::Bool(truth)) | Self::Truth(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Data(Value::Number(number)) => Cow::Borrowed(number.as_str()),
            Self::Data(composite) => json::compact(composite)?.into(),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Index(index) => index.to_string().into(),
            Self::Json(value) => json::compact(value)?.into(),
        })
    }

    /// The text of a string, number or boolean; nothing else has one that a helper could use.
    pub(super) fn simple_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing | Self::Data(Value::Null | Value::Array(_) | Value::Object(_)) => None,
            Self::Json(_) => None,
            simple => simple.text().ok(),
        }
    }

    /// The value of the data that this is, if it is one.
    pub(super) fn data(&self) -> Option<&'a Value> {
        match self {
            Self::Data(value) => Some(value),
            _ => None,
        }
    }

    /// How long the value is, where it is a text or a number: what going through it costs.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Data(Value::String(text)) => text.len(),
            Self::Data(Value::Number(number)) => number.as_str().len(),
            Self::Text(text) => text.len(),
            Self::Json(value) => value.as_str().map_or(0, str::len),
            _ => 0,
        }
    }

    /// Whether there is anything: not missing, not null, not an empty text.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Missing | Self::Data(Value::Null) => true,
            Self::Data(Value::String(text)) => text.is_empty(),
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Whether the value holds as a condition: not false, 0 (unless it counts), nor empty.
    pub(super) fn holds(&self, include_zero: bool) -> bool {
        match self {
            Self::Missing => false,
            Self::Data(value) => holds(value, include_zero),
            Self::Json(value) => holds(value, include_zero),
            Self::Text(text) => !text.is_empty(),
            Self::Truth(truth) => *truth,
            Self::Index(index) => include_zero || *index != 0,
        }
    }
}

fn holds(value: &Value, include_zero: bool) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        // Zero however it is written: 0, -0.00, 0e9.
        Value::Number(number) => {
            let digits = number.as_str().split(['e', 'E']).next().unwrap_or("");
            include_zero || digits.bytes().any(|digit| matches!(digit, b'1'..=b'9'))
        }
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_truths() {
        let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
        for (value, text, truth) in [
            (json!(null), "", false),
            (json!(true), "true", true),
            (json!(false), "false", false),
            (json!("a\"b"), "a\"b", true),
            (json!(""), "", false),
            (number("100.00"), "100.00", true),
            (number("-0.00"), "-0.00", false),
            (number("0e5"), "0e+5", false),
            (number("1e-9"), "1e-9", true),
            (json!([]), "[]", false),
            (json!({"a": "b"}), "{\"a\":\"b\"}", true),
        ] {
            let datum = Datum::Data(&value);
            assert_eq!(datum.text().expect("shallow"), text);
            assert_eq!(datum.holds(false), truth, "{value}");
        }
        assert_eq!(Datum::Missing.text().expect("shallow"), "");
        assert!(Datum::Data(&json!(0)).holds(true));
    }
}
