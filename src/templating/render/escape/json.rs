//! Writes JSON (RFC 8259): values, compact, and text inside a string's quotes.

use crate::json::{DEPTH_MAX, Json, plain_bytes};

/// Why a value can't be written.
#[derive(Debug)]
pub(crate) enum Unwritable {
    /// It would be nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// It would be longer than it may be. The rest of it was not looked at.
    TooLong,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// For each byte that a string can't contain, the letter after the backslash.
static ESCAPES: [u8; 256] = escapes();

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

/// Text for the inside of a string.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_bytes(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        let escape = ESCAPES[usize::from(byte)];
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(&[b'0', b'0', digits[0], digits[1]]);
        }
        rest = after;
    }
}

/// A string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

/// A string with its quotes, as a text of its own.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    string(&mut out, text);
    String::from_utf8(out).expect("JSON made of strings is UTF-8")
}

/// A value as compact JSON text, of not many more than `bytes_max` bytes.
pub(crate) fn compact(value: Json<'_>, bytes_max: usize) -> Result<String, Unwritable> {
    let mut out = Vec::new();
    self::value(&mut out, value, 0, bytes_max)?;
    Ok(String::from_utf8(out).expect("JSON made of strings is UTF-8"))
}

/// A value as compact JSON, at a position inside `depth` brackets. An element or member that begins behind `end` is not
/// written.
pub(crate) fn value(out: &mut Vec<u8>, value: Json<'_>, depth: usize, end: usize) -> Result<(), Unwritable> {
    if out.len() > end {
        return Err(Unwritable::TooLong);
    }
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(digits) => out.extend_from_slice(digits.as_bytes()),
        Json::String(text) => string(out, text),
        Json::Array(_) | Json::Object(_) if depth >= DEPTH_MAX => return Err(Unwritable::TooDeep),
        Json::Array(list) => {
            out.push(b'[');
            for (i, element) in list.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                self::value(out, element, depth + 1, end)?;
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                string(out, name);
                out.push(b':');
                self::value(out, member, depth + 1, end)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Document;

    fn compact(value: &Value) -> Result<String, Unwritable> {
        super::compact(Document::from(value).root(), usize::MAX)
    }

    #[test]
    fn every_scalar_reads_back() {
        for first in (0..=0x10ffff).step_by(0x1000) {
            let text: String = (first..first + 0x1000).filter_map(char::from_u32).collect();
            let mut out = Vec::new();
            string(&mut out, &text);
            let back: String = serde_json::from_slice(&out).expect("JSON");
            assert_eq!(back, text);
        }
    }

    #[test]
    fn values_are_written_as_serde_json_does() {
        for value in [
            json!({"a": [1, "x\n\"\u{1}", null, true, {}], "": []}),
            serde_json::from_str("[100.00,1e+400,-0,123456789012345678901234567890]").expect("JSON"),
        ] {
            assert_eq!(compact(&value).expect("shallow"), value.to_string());
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = json!(1);
        for _ in 0..DEPTH_MAX {
            deep = json!([deep]);
        }
        compact(&deep).expect("the deepest value is written");
        serde_json::from_str::<Value>(&compact(&deep).expect("just fits")).expect("parsers take it");
        assert!(matches!(compact(&json!([deep])), Err(Unwritable::TooDeep)));
    }

    #[test]
    fn no_more_is_written_than_may_be() {
        let long = Document::from(&json!([[1, 2], {"a": "x".repeat(9)}, 3, 4]));
        for (bytes_max, fits) in [(0, false), (26, false), (27, true), (usize::MAX, true)] {
            assert_eq!(super::compact(long.root(), bytes_max).is_ok(), fits, "{bytes_max}");
        }
    }
}
