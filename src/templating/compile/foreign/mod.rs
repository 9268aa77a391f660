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
pub(super) use self::names::{helper, instead_of_helper};

use super::tags;

/// The most bytes of the author's text that advice repeats.
const REPEATED_BYTES_MAX: usize = 120;

/// Whether a word is a number in a notation of other languages, such as `1e2`, `0x1F` or `1_000`, and would be taken for
/// a name here.
pub(super) fn is_other_number(word: &str) -> bool {
    let digits = |text: &str, is_digit: fn(&u8) -> bool| {
        let begins = text.bytes().next().is_some_and(|first| is_digit(&first));
        begins && text.bytes().all(|b| is_digit(&b) || b == b'_')
    };
    let unsigned = word.trim_start_matches(['-', '+']);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return digits(hex, u8::is_ascii_hexdigit);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let decimal = |text: &str| digits(text, u8::is_ascii_digit);
    let exponent_holds = exponent.is_none_or(|text| decimal(text.trim_start_matches(['-', '+'])));
    (exponent.is_some() || word.contains('_')) && decimal(whole) && fraction.is_none_or(decimal) && exponent_holds
}

/// Whether a text is a value as it is written here: a path, a tag as the parser has it, a number, or a text in quotes.
pub(super) fn is_value(text: &str) -> bool {
    let quoted = |quote: char| {
        let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        inside.is_some_and(|inside| !inside.contains([quote, '\\', '{', '}']))
    };
    let is_tag = tags::of_name(text).is_some();
    let letter = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    let is_word = text.chars().all(letter) && !text.starts_with(['.']) && !text.ends_with('.') && !text.contains("..");
    text.len() <= REPEATED_BYTES_MAX && !text.is_empty() && (is_word || is_tag || quoted('"') || quoted('\''))
}
