//! A value on its way into a body, and its interpretation: as text, as a condition.

use std::borrow::Cow;
use std::rc::Rc;

use super::escape::json::{self, Unwritable};
use crate::json::{DEPTH_MAX, Json};

/// A value, borrowed from the data if possible.
#[derive(Debug, Clone)]
pub(crate) enum Datum<'a> {
    /// No such value.
    Missing,
    /// A value of the data, or one written in the template.
    Data(Json<'a>),
    /// A text that a helper made, or an object's member's name.
    Text(Cow<'a, str>),
    /// A number that a helper made, as JSON writes it.
    Number(Cow<'a, str>),
    /// A list that a helper made.
    List(Rc<[Datum<'a>]>),
    /// A boolean that a helper made.
    Truth(bool),
    /// An element's place in its list, from 0.
    Index(usize),
    /// A value that is written as JSON also in text.
    Json(Json<'a>),
    /// The same for a text that a helper made.
    JsonText(Cow<'a, str>),
    /// The same for a list that a helper made.
    JsonList(Rc<[Datum<'a>]>),
}

impl<'a> Datum<'a> {
    /// The text of the value: a string itself, a number or boolean as JSON writes it, a list or object as compact JSON;
    /// null and a missing value have an empty text. That of a list or object has not many more than `bytes_max` bytes.
    #[inline]
    pub(crate) fn text(&self, bytes_max: usize) -> Result<Cow<'_, str>, Unwritable> {
        Ok(match self {
            Self::Missing | Self::Data(Json::Null) => Cow::Borrowed(""),
            Self::Data(Json::String(text)) => Cow::Borrowed(text),
            Self::Data(Json::Bool(truth)) | Self::Truth(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
            Self::Data(Json::Number(digits)) => Cow::Borrowed(digits),
            Self::Data(composite) => json::compact(*composite, bytes_max)?.into(),
            Self::Text(text) | Self::Number(text) => Cow::Borrowed(text),
            Self::Index(index) => index.to_string().into(),
            Self::List(_) | Self::JsonList(_) => self.to_json(bytes_max)?.into(),
            Self::Json(value) => json::compact(*value, bytes_max)?.into(),
            Self::JsonText(text) => json::quoted(text).into(),
        })
    }

    /// The text of a string, number or boolean. Other values have no text for helpers.
    pub(crate) fn into_text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Data(Json::String(text) | Json::Number(text)) => Cow::Borrowed(text),
            Self::Data(Json::Bool(truth)) | Self::Truth(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
            Self::Text(text) | Self::Number(text) => text,
            Self::Index(index) => index.to_string().into(),
            Self::Missing | Self::Data(Json::Null | Json::Array(_) | Json::Object(_)) => return None,
            Self::List(_) | Self::Json(_) | Self::JsonText(_) | Self::JsonList(_) => return None,
        })
    }

    /// The text, where the value is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Data(Json::String(text)) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the value is a text.
    pub(crate) fn is_text(&self) -> bool {
        self.as_text().is_some()
    }

    /// Whether the value is a number.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Data(Json::Number(_)) | Self::Number(_) | Self::Index(_))
    }

    /// A member of an object, or an element of a list by its place; `length` is how many elements a list has.
    pub(crate) fn member(&self, name: &str) -> Datum<'a> {
        self.step(name, name.parse().ok())
    }

    /// Like [`Self::member`], with the name already parsed as an index.
    pub(crate) fn step(&self, name: &str, index: Option<usize>) -> Datum<'a> {
        let length = |length: usize| if name == "length" { Self::Index(length) } else { Self::Missing };
        match (self, index) {
            (Self::Data(Json::Object(members)), _) => members.get(name).map_or(Self::Missing, Self::Data),
            (Self::Data(Json::Array(list)), Some(index)) => list.get(index).map_or(Self::Missing, Self::Data),
            (Self::Data(Json::Array(list)), None) => length(list.len()),
            (Self::List(list), Some(index)) => list.get(index).cloned().unwrap_or(Self::Missing),
            (Self::List(list), None) => length(list.len()),
            _ => Self::Missing,
        }
    }

    /// The value as compact JSON, of not many more than `bytes_max` bytes.
    pub(crate) fn to_json(&self, bytes_max: usize) -> Result<String, Unwritable> {
        let mut out = Vec::new();
        self.write_json(&mut out, 0, bytes_max)?;
        Ok(String::from_utf8(out).expect("JSON made of strings is UTF-8"))
    }

    /// Writes the value as compact JSON, at a position inside `depth` brackets. A missing one is `null`. An element that
    /// begins behind `end` is not written.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>, depth: usize, end: usize) -> Result<(), Unwritable> {
        if out.len() > end {
            return Err(Unwritable::TooLong);
        }
        match self {
            Self::Missing => out.extend_from_slice(b"null"),
            Self::Data(data) | Self::Json(data) => return json::value(out, *data, depth, end),
            Self::Text(text) | Self::JsonText(text) => json::string(out, text),
            Self::Number(digits) => out.extend_from_slice(digits.as_bytes()),
            Self::Truth(true) => out.extend_from_slice(b"true"),
            Self::Truth(false) => out.extend_from_slice(b"false"),
            Self::Index(index) => out.extend_from_slice(index.to_string().as_bytes()),
            Self::List(list) | Self::JsonList(list) => {
                if depth >= DEPTH_MAX {
                    return Err(Unwritable::TooDeep);
                }
                out.push(b'[');
                for (i, element) in list.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    element.write_json(out, depth + 1, end)?;
                }
                out.push(b']');
            }
        }
        Ok(())
    }

    /// The length of a text or a number: the cost of reading it.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Data(Json::String(text) | Json::Number(text)) => text.len(),
            Self::Text(text) | Self::Number(text) | Self::JsonText(text) => text.len(),
            Self::Json(value) => value.as_str().map_or(0, str::len),
            _ => 0,
        }
    }

    /// Whether there is no content: missing, null, or an empty text.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Missing | Self::Data(Json::Null) => true,
            Self::Data(Json::String(text)) => text.is_empty(),
            Self::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Whether the value counts as true: not false, not 0 (unless it counts), not empty.
    pub(crate) fn holds(&self, include_zero: bool) -> bool {
        match self {
            Self::Missing => false,
            Self::Data(value) | Self::Json(value) => holds(*value, include_zero),
            Self::Text(text) | Self::JsonText(text) => !text.is_empty(),
            Self::Number(digits) => holds(Json::Number(digits), include_zero),
            Self::List(list) | Self::JsonList(list) => !list.is_empty(),
            Self::Truth(truth) => *truth,
            Self::Index(index) => include_zero || *index != 0,
        }
    }
}

fn holds(value: Json<'_>, include_zero: bool) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(truth) => truth,
        // Zero however it is written: 0, -0.00, 0e9.
        Json::Number(digits) => {
            let digits = digits.split(['e', 'E']).next().unwrap_or("");
            include_zero || digits.bytes().any(|digit| matches!(digit, b'1'..=b'9'))
        }
        Json::String(text) => !text.is_empty(),
        Json::Array(list) => !list.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn each_value_has_a_text_and_counts_as_true_or_false() {
        for (value, text, truth) in [
            ("null", "", false),
            ("true", "true", true),
            ("false", "false", false),
            ("\"a\\\"b\"", "a\"b", true),
            ("\"\"", "", false),
            ("100.00", "100.00", true),
            ("-0.00", "-0.00", false),
            ("0e5", "0e5", false),
            ("1e-9", "1e-9", true),
            ("[ ]", "[]", false),
            ("{ \"a\" : \"b\" }", "{\"a\":\"b\"}", true),
        ] {
            let document = Document::read(value.into()).expect("JSON");
            let datum = Datum::Data(document.root());
            assert_eq!(datum.text(usize::MAX).expect("shallow"), text);
            assert_eq!(datum.holds(false), truth, "{value}");
        }
        assert_eq!(Datum::Missing.text(0).expect("shallow"), "");
        assert!(Datum::Data(Json::Number("0")).holds(true));
    }
}
