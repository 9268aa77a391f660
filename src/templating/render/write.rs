//! Writes a value as its escape context requires: the documented table, in code.

use super::escape::{json, percent, xml};
use super::stop::{RenderFailure, ValueRoom};
use super::value::Datum;
use crate::json::Json;
use crate::templating::program::EscapeContext;

/// Writes a value in its context, within the room that it has. `spend` is told how many bytes of it are read, before they
/// are escaped.
pub(crate) fn write(
    out: &mut Vec<u8>,
    context: EscapeContext,
    value: &Datum<'_>,
    room: ValueRoom,
    spend: impl FnOnce(usize) -> Result<(), RenderFailure>,
) -> Result<(), RenderFailure> {
    if let EscapeContext::JsonValue { depth } = context {
        let before = out.len();
        let written = value.write_json(out, usize::from(depth), before.saturating_add(room.bytes));
        written.map_err(|error| room.failure(&error))?;
        return spend(out.len() - before);
    }
    let text = value.text(room.bytes).map_err(|error| room.failure(&error))?;
    spend(text.len())?;
    escaped(out, context, &text);
    Ok(())
}

/// The text of a value that needs nothing but [`escaped`], as nearly all do: [`write()`] has the same result.
#[inline]
pub(crate) fn simple<'a>(context: EscapeContext, value: Json<'a>) -> Option<&'a str> {
    match value {
        Json::String(text) if !matches!(context, EscapeContext::JsonValue { .. }) => Some(text),
        Json::Number(digits) => Some(digits),
        _ => None,
    }
}

/// Writes a text as its context requires; as a JSON value, the digits of a number.
#[inline]
pub(crate) fn escaped(out: &mut Vec<u8>, context: EscapeContext, text: &str) {
    match context {
        EscapeContext::Text | EscapeContext::JsonValue { .. } => out.extend_from_slice(text.as_bytes()),
        EscapeContext::JsonString => json::escaped(out, text),
        EscapeContext::XmlText => xml::escaped(out, text, xml::XmlContext::Text),
        EscapeContext::XmlAttribute => xml::escaped(out, text, xml::XmlContext::Attribute),
        EscapeContext::Form | EscapeContext::UrlPath | EscapeContext::UrlQuery => percent::encode(out, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    const VALUE: EscapeContext = EscapeContext::JsonValue { depth: 0 };

    #[test]
    fn the_table_of_contexts() {
        let price = Json::Number("100.00");
        let hostile = Json::String("\"&<\n");
        let list = Document::read("[\"a\", 1]".into()).expect("JSON");
        let (list, null) = (list.root(), Json::Null);
        for (context, value, expected) in [
            (EscapeContext::Text, Datum::Data(hostile), "\"&<\n"),
            (EscapeContext::Text, Datum::Data(list), "[\"a\",1]"),
            (EscapeContext::JsonString, Datum::Data(hostile), "\\\"&<\\n"),
            (EscapeContext::JsonString, Datum::Data(list), "[\\\"a\\\",1]"),
            (EscapeContext::JsonString, Datum::Data(null), ""),
            (EscapeContext::JsonString, Datum::Missing, ""),
            (VALUE, Datum::Data(hostile), "\"\\\"&<\\n\""),
            (VALUE, Datum::Data(price), "100.00"),
            (VALUE, Datum::Data(list), "[\"a\",1]"),
            (VALUE, Datum::Data(null), "null"),
            (VALUE, Datum::Missing, "null"),
            (VALUE, Datum::Truth(true), "true"),
            (EscapeContext::XmlText, Datum::Data(hostile), "\"&amp;&lt;\n"),
            (EscapeContext::XmlAttribute, Datum::Data(hostile), "&quot;&amp;&lt;&#10;"),
            (EscapeContext::XmlAttribute, Datum::Missing, ""),
            (EscapeContext::Form, Datum::Data(hostile), "%22%26%3C%0A"),
            (EscapeContext::Form, Datum::Data(price), "100.00"),
        ] {
            let mut out = Vec::new();
            let room = ValueRoom { bytes: 100, over: RenderFailure::TooLarge };
            write(&mut out, context, &value, room, |_| Ok(())).expect("short and shallow");
            assert_eq!(String::from_utf8_lossy(&out), expected, "{context:?} {value:?}");
            if let Datum::Data(value) = value
                && let Some(text) = simple(context, value)
            {
                let mut out = Vec::new();
                escaped(&mut out, context, text);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{context:?} {value:?}");
            }
        }
    }
}
