//! Syntax of other template languages, and its equivalent here. It only writes messages: the caller decides what is
//! refused.

mod expressions;
mod filters;
pub(super) mod marks;
mod names;
pub(super) mod placeholders;
#[cfg(test)]
mod tests;

pub(super) use self::expressions::{explain, n8n};
pub(super) use self::names::helper;

/// The most bytes of the author's text that advice repeats.
const REPEATED_BYTES_MAX: usize = 120;

/// Whether a text is a value as it is written here: a path, a number, or a text in quotes.
pub(super) fn is_value(text: &str) -> bool {
    let quoted = |quote: char| {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        inside.is_some_and(|inside| !inside.contains([quote, '\\', '{', '}']))
    };
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    let is_word = text.chars().all(letter) && !text.starts_with(['.']) && !text.ends_with('.') && !text.contains("..");
    text.len() <= REPEATED_BYTES_MAX && !text.is_empty() && (is_word || quoted('"') || quoted('\''))
}
