//! Messages for mistakes that are detected in more than one state.

use crate::templating::compile::place::{ErrorLocation, PlacementError};

pub(super) fn value_missing() -> PlacementError {
    PlacementError::here(
        "json_value_missing",
        "For some data a value is missing here. Write one, such as null, in an {{else}} \
        if it depends on a condition.",
    )
    .at(ErrorLocation::Block)
}

/// The fix for a comma depends on the surrounding blocks: see `place/advice.rs`.
pub(super) fn trailing_comma() -> PlacementError {
    PlacementError::here("json_trailing_comma", "For some data nothing follows this comma.").at(ErrorLocation::Mark)
}

pub(super) fn comma_missing() -> PlacementError {
    PlacementError::here("json_missing_comma", "A comma is missing before this.")
}

pub(super) fn bracket() -> PlacementError {
    PlacementError::here("json_bracket", "This bracket doesn't match the open bracket.").at(ErrorLocation::Here)
}

/// A character that JSON has not, but other languages have.
pub(super) fn foreign(c: char) -> Option<PlacementError> {
    Some(match c {
        '\'' | '`' => {
            PlacementError::here("json_token", "Quotes in JSON are double: write \" at both ends of the text.")
        }
        '/' | '#' => {
            PlacementError::here("json_token", "JSON has no comments. A note that is not sent is written {{! … }}.")
        }
        _ => return None,
    })
}

/// Whether a text begins with a word that is no value of JSON's.
pub(super) fn begins_with_word(rest: &str) -> bool {
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    rest.starts_with(char::is_alphabetic) && !matches!(&rest[..end], "true" | "false" | "null")
}

/// A mistake at the begin of `rest`, as the text around it explains it. `after_value`: a value ends right before it.
pub(super) fn explained(error: PlacementError, after_value: bool, before: &str, rest: &str) -> PlacementError {
    let is_token = matches!(error.code, "json_token" | "json_missing_comma");
    let token = |message| PlacementError::here("json_token", message);
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("").to_ascii_lowercase();
    match error.code {
        "json_after_end" if rest.starts_with(['}', ']']) => {
            PlacementError::here("json_after_end", "There is one closing bracket too many: remove this one.")
        }
        _ if is_token && after_value && rest.starts_with(';') => {
            token("Values are separated by commas: write , in place of ;.")
        }
        _ if is_token && after_value && begins_with_word(rest) && before.ends_with('"') => token(
            "The text before this ends at the quote. If the quote belongs to the text, write \\\"; if it was to begin another \
            text, the one before lacks its \" at the end.",
        ),
        "json_missing_comma" if after_value && begins_with_word(rest) => token(FOLLOWS),
        "json_token" if after_value && !rest.starts_with(['\'', '`', '/', '#']) => token(FOLLOWS),
        "json_token" if matches!(word.as_str(), "true" | "false" | "null" | "none" | "nil" | "undefined" | "nan") => {
            token("JSON has the words true, false and null, written in small letters, and no others.")
        }
        "json_token" if before.trim().is_empty() && begins_with_word(rest) => token(
            "A JSON body is one value, like {\"text\": \"…\"}; text must be in double quotes. For a body of plain text, \
            choose the format text.",
        ),
        _ => error,
    }
}

const FOLLOWS: &str = "This follows a value. What belongs to the value must be in the same double quotes, as in \
    \"{{inquiry.cost}} EUR\".";

pub(super) fn word_error() -> PlacementError {
    PlacementError::here(
        "json_token",
        "This is not valid JSON. Text must be in double quotes; only numbers (like -1.5), true, false and null are \
        written without quotes.",
    )
}
