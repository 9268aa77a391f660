//! The types of attributes: what a customer may expect to find at a path. They are descriptions; an event is never
//! refused because its data has another type.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::model::words::words;

words! {
    /// What kind of value an attribute is.
    #[derive(Serialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum AttributeType {
        /// Any text.
        String = "string",
        /// A number, whole or not.
        Number = "number",
        /// A whole number.
        Integer = "integer",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A calendar date, `2026-08-14`.
        Date = "date",
        /// A time of the day, `16:00` or `16:00:00`.
        Time = "time",
        /// A time with a date, RFC 3339: `2026-05-06T09:30:00Z`.
        DateTime = "datetime",
        /// An `http` or `https` URL.
        Url = "url",
        /// An object.
        Object = "object",
        /// An array.
        List = "list",
    }
}

impl AttributeType {
    /// How a dictionary file writes an example of this type.
    pub(super) fn example_form(self) -> &'static str {
        match self {
            Self::String => "a text in quotes",
            Self::Number => "a number without quotes, such as 1260.00",
            Self::Integer => "a whole number without quotes, such as 7",
            Self::Boolean => "true or false without quotes",
            Self::Date => "a date in quotes, such as \"2026-08-14\"",
            Self::Time => "a time in quotes, such as \"16:00\"",
            Self::DateTime => "an RFC 3339 time in quotes, such as \"2026-05-06T09:30:00Z\"",
            Self::Url => "an http or https URL in quotes, such as \"https://example.com/a\"",
            Self::Object => "a table, such as { lat = 42.3, long = 3.3 }",
            Self::List => "an array, such as [\"beach\", \"pets\"]",
        }
    }

    /// Whether a value is of this type.
    pub fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::String, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Object, Value::Object(_))
            | (Self::List, Value::Array(_)) => true,
            // Numbers keep their digits, so 7.0 differs from 7.
            (Self::Integer, Value::Number(number)) => !number.to_string().contains(['.', 'e', 'E']),
            (Self::Date, Value::String(text)) => is_date(text),
            (Self::Time, Value::String(text)) => is_time(text),
            (Self::DateTime, Value::String(text)) => is_datetime(text),
            (Self::Url, Value::String(text)) => is_url(text),
            _ => false,
        }
    }
}

// jiff accepts more forms than the dictionary documents (`20260814`, `16`, a space for the `T`), so the form is checked
// first.

fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(b, s)| match s {
            b'9' => b.is_ascii_digit(),
            _ => b == s,
        })
}

fn is_date(text: &str) -> bool {
    has_shape(text, "9999-99-99") && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_time(text: &str) -> bool {
    (has_shape(text, "99:99") || has_shape(text, "99:99:99")) && text.parse::<jiff::civil::Time>().is_ok()
}

fn is_datetime(text: &str) -> bool {
    text.get(..19).is_some_and(|start| has_shape(start, "9999-99-99T99:99:99"))
        && text.parse::<jiff::Timestamp>().is_ok()
}

fn is_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttributeType as T;
    use serde_json::json;

    #[test]
    fn values_fit_their_type_only() {
        for (kind, good, bad) in [
            (T::String, vec![json!("")], vec![json!(1), json!(null)]),
            (T::Number, vec![json!(1), json!(-0.5)], vec![json!("1"), json!(true)]),
            (T::Integer, vec![json!(7), json!(-7)], vec![json!(7.0), json!(0.5), json!("7")]),
            (T::Boolean, vec![json!(false)], vec![json!("false")]),
            (
                T::Date,
                vec![json!("2026-08-14"), json!("2028-02-29")],
                vec![
                    json!("2026-02-29"),
                    json!("20260814"),
                    json!("14.08.2026"),
                    json!("2026-08-14T00:00:00Z"),
                    json!(1_786_665_600),
                ],
            ),
            (
                T::Time,
                vec![json!("16:00"), json!("23:59:59")],
                vec![json!("24:00"), json!("4 pm"), json!("16"), json!("4:00")],
            ),
            (
                T::DateTime,
                vec![json!("2026-05-06T09:30:00Z"), json!("2026-05-06T09:30:00.5+02:00")],
                vec![
                    json!("2026-05-06T09:30:00"),
                    json!("2026-05-06 09:30:00Z"),
                    json!("2026-05-06"),
                    json!("2026-13-06T09:30:00Z"),
                ],
            ),
            (
                T::Url,
                vec![json!("https://example.com/a?b=c")],
                vec![json!("example.com"), json!("mailto:a@example.com"), json!("https://")],
            ),
            (T::Object, vec![json!({"a": 1})], vec![json!([1])]),
            (T::List, vec![json!([])], vec![json!({})]),
        ] {
            for value in good {
                assert!(kind.fits(&value), "{kind:?} {value}");
            }
            for value in bad {
                assert!(!kind.fits(&value), "{kind:?} {value}");
            }
        }
    }

    #[test]
    fn words_and_interfaces_agree() {
        for kind in T::ALL {
            assert_eq!(T::named(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("a word"), json!(kind.as_str()));
        }
        assert_eq!(T::named("String"), None);
    }
}
