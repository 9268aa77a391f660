//! `default`, `lookup`, `json`, and type conversions: `to_number`, `to_string`, `to_boolean`.

use super::super::args::{Args, HelperResult};
use super::super::stop::HelperFailure;
use super::super::value::Datum;
use super::{Helper, ResultKind};
use crate::json::Json;

pub(super) static HELPERS: &[Helper] = &[
    Helper::new(
        "default",
        "The first value that is there and not empty",
        (2, 8),
        ResultKind::Value,
        r#"{{default guest.phone "none"}}"#,
        default,
    ),
    Helper::new(
        "lookup",
        "A member of an object, or an element of a list, by a name from the data",
        (2, 2),
        ResultKind::Value,
        "{{lookup rental.names guest.language}}",
        lookup,
    ),
    Helper::new("json", "A value as JSON text", (1, 1), ResultKind::Value, "{{json guest}}", json),
    Helper::new(
        "to_number",
        "The number that a text says",
        (1, 1),
        ResultKind::Number,
        "{{to_number invoice.amount}}",
        to_number,
    ),
    Helper::new("to_string", "The text of a value", (1, 1), ResultKind::Text, "{{to_string inquiry.id}}", to_string),
    Helper::new(
        "to_boolean",
        "true or false for yes, no, on, off, 1 and 0",
        (1, 1),
        ResultKind::Boolean,
        "{{to_boolean guest.newsletter}}",
        to_boolean,
    ),
];

/// The first value that is not blank, or the last value if all are blank.
fn default<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let mut value = Datum::Missing;
    for place in 0..args.count() {
        value = args.value(place)?;
        if !value.is_blank() {
            break;
        }
    }
    Ok(value)
}

/// A member of an object by its name, or an element of a list by its index.
fn lookup<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let within = args.value(0)?;
    let name = args.value(1)?;
    Ok(name.into_text().map_or(Datum::Missing, |name| within.member(&name)))
}

/// The value as JSON text, whatever the format of the template.
fn json<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    Ok(match args.value(0)? {
        Datum::Data(data) => Datum::Json(data),
        Datum::Text(text) => Datum::JsonText(text),
        Datum::List(list) => Datum::JsonList(list),
        other => other,
    })
}

/// The digits stay as written if they are a valid JSON number.
fn to_number<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let value = args.value(0)?;
    let number = args.decimal(&value)?.ok_or(HelperFailure::argument(0, "a number"))?;
    let text = value.into_text().ok_or(HelperFailure::argument(0, "a number"))?;
    let text = text.trim();
    let as_written = serde_json::from_str::<serde_json::Number>(text).is_ok();
    Ok(Datum::Number(if as_written { text.to_owned().into() } else { number.to_string().into() }))
}

fn to_string<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let value = args.value(0)?;
    let text = args.text_of(&value)?.into_owned();
    args.made(text)
}

fn to_boolean<'a>(args: &mut Args<'_, 'a>) -> HelperResult<'a> {
    let value = args.value(0)?;
    if let Datum::Truth(truth) | Datum::Data(Json::Bool(truth)) = value {
        return Ok(Datum::Truth(truth));
    }
    let text = value.into_text().unwrap_or_default();
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(Datum::Truth(true)),
        "false" | "no" | "off" | "0" => Ok(Datum::Truth(false)),
        _ => Err(HelperFailure::argument(0, "true, yes, on or 1, nor false, no, off or 0")),
    }
}
