//! `upper`, `lower`, `trim`, `truncate`, `join`: helpers on text.

use std::borrow::Cow;

use crate::json::Json;
use crate::templating::value::Datum;

/// In capitals.
pub(in crate::templating) fn upper(value: &Datum<'_>) -> Option<String> {
    Some(value.simple_text()?.to_uppercase())
}

/// In small letters.
pub(in crate::templating) fn lower(value: &Datum<'_>) -> Option<String> {
    Some(value.simple_text()?.to_lowercase())
}

/// Without white space at both ends.
pub(in crate::templating) fn trim(value: &Datum<'_>) -> Option<String> {
    Some(value.simple_text()?.trim().to_owned())
}

/// Not more than so many characters; what is cut ends with `end`, which counts.
pub(in crate::templating) fn truncate(value: &Datum<'_>, characters: usize, end: &str) -> Option<String> {
    let text = value.simple_text()?;
    if text.chars().nth(characters).is_none() {
        return Some(text.into_owned());
    }
    let kept = characters.saturating_sub(end.chars().count());
    let start: String = text.chars().take(kept).collect();
    let end: String = end.chars().take(characters).collect();
    Some(start.trim_end().to_owned() + &end)
}

/// The joined text would be longer than a body may be.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::templating) struct TooLong;

/// The elements' texts with a separator between them, if they are not longer together than said.
pub(in crate::templating) fn join(
    value: &Datum<'_>,
    separator: &str,
    bytes_max: usize,
) -> Result<Option<String>, TooLong> {
    let Some(Json::Array(list)) = value.data() else {
        return Ok(value.simple_text().map(Cow::into_owned));
    };
    let mut out = String::new();
    for (i, element) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(separator);
        }
        let element = Datum::Data(element);
        let Ok(text) = element.text() else {
            return Ok(None);
        };
        out.push_str(&text);
        if out.len() > bytes_max {
            return Err(TooLong);
        }
    }
    Ok(Some(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;

    #[test]
    fn texts() {
        let value = Datum::Data(Json::String(" Straße "));
        assert_eq!(upper(&value).as_deref(), Some(" STRASSE "));
        assert_eq!(lower(&value).as_deref(), Some(" straße "));
        assert_eq!(trim(&value).as_deref(), Some("Straße"));
        assert_eq!(upper(&Datum::Data(Document::empty_object().root())), None);
        assert_eq!(upper(&Datum::Missing), None);
        assert_eq!(upper(&Datum::Data(Json::Bool(true))).as_deref(), Some("TRUE"));
    }

    #[test]
    fn cutting_counts_characters() {
        for (text, characters, end, expected) in [
            ("Grüße", 5, "…", "Grüße"),
            ("Grüße!", 5, "…", "Grüß…"),
            ("a b c", 3, "…", "a…"),
            ("abc", 0, "…", ""),
            ("abc", 2, "", "ab"),
            ("abcdef", 2, "...", ".."),
            ("", 0, "…", ""),
        ] {
            let cut = truncate(&Datum::Data(Json::String(text)), characters, end);
            assert_eq!(cut.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn lists_are_joined() {
        for (value, expected) in [
            ("[\"pool\", 2, null, [\"x\"]]", Ok(Some("pool, 2, , [\"x\"]".to_owned()))),
            ("\"one\"", Ok(Some("one".to_owned()))),
            ("{}", Ok(None)),
            ("[\"twenty letters of \", \"it\"]", Err(TooLong)),
        ] {
            let document = Document::read(value.into()).expect("JSON");
            assert_eq!(join(&Datum::Data(document.root()), ", ", 20), expected, "{value}");
        }
    }
}
