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
        '/' => PlacementError::here("json_token", "JSON has no comments. A note that is not sent is written {{! … }}."),
        _ => return None,
    })
}

pub(super) fn word_error() -> PlacementError {
    PlacementError::here(
        "json_token",
        "This is not valid JSON. Text must be in double quotes; only numbers (like -1.5), true, false and null are \
        written without quotes.",
    )
}
