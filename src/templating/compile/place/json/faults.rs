//! Messages for mistakes that are detected in more than one state.

use crate::templating::compile::place::{Blame, Fault};

pub(super) fn value_missing() -> Fault {
    Fault::here("json_value_missing", "There are data for which no value stands here. Write one, such as null, in an {{else}} where it depends on a condition.").at(Blame::Block)
}

/// The cure for a comma depends on the surrounding blocks: see `place/advice.rs`.
pub(super) fn trailing_comma() -> Fault {
    Fault::here("json_trailing_comma", "There are data for which nothing follows this comma.").at(Blame::Mark)
}

pub(super) fn comma_missing() -> Fault {
    Fault::here("json_missing_comma", "Between this and what stands before it a comma is missing.")
}

pub(super) fn bracket() -> Fault {
    Fault::here("json_bracket", "This bracket doesn't close the one that is open here.").at(Blame::Here)
}

/// A character that JSON has not, but other languages have.
pub(super) fn foreign(c: char) -> Option<Fault> {
    Some(match c {
        '\'' | '`' => Fault::here("json_token", "Quotes in JSON are double: write \" at both ends of the text."),
        '/' => Fault::here("json_token", "JSON has no comments. A note that is not sent is written {{! … }}."),
        _ => return None,
    })
}

pub(super) fn word_fault() -> Fault {
    Fault::here(
        "json_token",
        "No such thing stands in JSON. Text stands in double quotes; without quotes there are numbers (like -1.5), true, false and null.",
    )
}
