//! Compares values. Numbers are compared by value, even if one of them is a text. Texts are compared character by
//! character, which also orders dates like 2026-07-01.

use std::cmp::Ordering;

use super::super::decimal::Decimal;
use super::super::stop::RenderFailure;
use super::super::value::Datum;
use crate::json::Json;

/// Reads the number in a value, at its cost.
pub(crate) type ReadNumber<'n> = &'n mut dyn FnMut(&Datum<'_>) -> Result<Option<Decimal>, RenderFailure>;

/// Whether two values are equal. Null equals a missing value; lists and objects are never equal.
pub(crate) fn equal(a: &Datum<'_>, b: &Datum<'_>, number: ReadNumber<'_>) -> Result<bool, RenderFailure> {
    match (kind(a), kind(b)) {
        (ValueKind::Nothing, ValueKind::Nothing) => Ok(true),
        (ValueKind::Truth(a), ValueKind::Truth(b)) => Ok(a == b),
        _ => Ok(order(a, b, number)? == Some(Ordering::Equal)),
    }
}

/// The order of two numbers or two texts; `None` for other values.
pub(crate) fn order(a: &Datum<'_>, b: &Datum<'_>, number: ReadNumber<'_>) -> Result<Option<Ordering>, RenderFailure> {
    Ok(match (kind(a), kind(b)) {
        (ValueKind::Text, ValueKind::Text) => a.as_text().zip(b.as_text()).map(|(a, b)| a.cmp(b)),
        (ValueKind::Number, ValueKind::Number | ValueKind::Text) | (ValueKind::Text, ValueKind::Number) => {
            number(a)?.zip(number(b)?).map(|(a, b)| a.cmp(&b))
        }
        _ => None,
    })
}

/// The sort key of a value. Numbers come first, missing values last; lists and objects keep their order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SortKey<'k> {
    Number(Decimal),
    Text(&'k str),
    Truth(bool),
    Composite,
    Nothing,
}

impl<'k> SortKey<'k> {
    /// The key of a value.
    pub(crate) fn of(value: &'k Datum<'_>, number: ReadNumber<'_>) -> Result<Self, RenderFailure> {
        Ok(match kind(value) {
            // A number with too many digits can't be compared.
            ValueKind::Number => number(value)?.map_or(Self::Composite, Self::Number),
            ValueKind::Text => Self::Text(value.as_text().unwrap_or("")),
            ValueKind::Truth(truth) => Self::Truth(truth),
            ValueKind::Composite => Self::Composite,
            ValueKind::Nothing => Self::Nothing,
        })
    }

    /// The steps that a comparison takes beside its own.
    pub(crate) fn steps(&self) -> usize {
        match self {
            Self::Number(number) => number.steps(),
            _ => 0,
        }
    }
}

enum ValueKind {
    Nothing,
    Truth(bool),
    Number,
    Text,
    Composite,
}

fn kind(value: &Datum<'_>) -> ValueKind {
    match value {
        Datum::Missing | Datum::Data(Json::Null) => ValueKind::Nothing,
        Datum::Truth(truth) => ValueKind::Truth(*truth),
        Datum::Data(Json::Bool(truth)) => ValueKind::Truth(*truth),
        Datum::Index(_) | Datum::Number(_) | Datum::Data(Json::Number(_)) => ValueKind::Number,
        Datum::Text(_) | Datum::Data(Json::String(_)) => ValueKind::Text,
        Datum::Data(Json::Array(_) | Json::Object(_))
        | Datum::List(_)
        | Datum::Json(_)
        | Datum::JsonText(_)
        | Datum::JsonList(_) => ValueKind::Composite,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::Document;

    #[test]
    fn values_are_compared() {
        use Ordering::{Equal, Greater, Less};
        let mut number = |value: &Datum<'_>| Ok(Decimal::of(value));
        for (a, b, same, expected) in [
            (json!(7), json!(7.0), true, Some(Equal)),
            (json!("7"), json!(7), true, Some(Equal)),
            (json!("7"), json!("7.0"), false, Some(Less)),
            (json!(10), json!("9"), false, Some(Greater)),
            (json!("10"), json!("9"), false, Some(Less)),
            (json!("2026-07-01"), json!("2026-06-30"), false, Some(Greater)),
            (json!(null), json!(null), true, None),
            (json!(null), json!(""), false, None),
            (json!(null), json!(0), false, None),
            (json!(true), json!(true), true, None),
            (json!(true), json!("true"), false, None),
            (json!([1]), json!([1]), false, None),
            (json!("x"), json!(1), false, None),
        ] {
            let (a, b) = (Document::from(&a), Document::from(&b));
            let (a, b) = (Datum::Data(a.root()), Datum::Data(b.root()));
            assert_eq!(equal(&a, &b, &mut number), Ok(same), "{a:?} {b:?}");
            assert_eq!(order(&a, &b, &mut number), Ok(expected), "{a:?} {b:?}");
        }
        assert_eq!(equal(&Datum::Missing, &Datum::Data(Json::Null), &mut number), Ok(true));
    }
}
