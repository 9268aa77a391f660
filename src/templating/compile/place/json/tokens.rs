//! Strings and numbers, character by character.

use super::errors::word_error;
use crate::templating::compile::place::PlacementError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StringState {
    Plain,
    /// After a backslash.
    Escape,
    /// After `\u`: how many of its digits there were, and their value.
    Digits {
        count: u8,
        value: u16,
        low: bool,
    },
    /// After the first half of a pair of `\u`.
    HighEnd,
    /// After the backslash that begins the second half.
    LowBegin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NumberState {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    ExponentDigits,
}

/// The state of a string after a character; `None` if the character ends it.
pub(super) fn string(at: StringState, c: char) -> Result<Option<StringState>, PlacementError> {
    let escape = |message| Err(PlacementError::here("json_escape", message));
    let next = match (at, c) {
        (StringState::Plain, '"') => return Ok(None),
        (StringState::Plain, '\\') => StringState::Escape,
        (StringState::Plain, '\n' | '\r') => {
            return Err(PlacementError::here(
                "json_control",
                "A string can't contain a line break: write \\n for a line break, or close the string.",
            ));
        }
        (StringState::Plain, c) if c < ' ' => {
            return Err(PlacementError::here(
                "json_control",
                "A string can't contain a control character: write \\t for a tab.",
            ));
        }
        (StringState::Plain, _) => StringState::Plain,
        (StringState::Escape, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => StringState::Plain,
        (StringState::Escape, 'u') => StringState::Digits { count: 0, value: 0, low: false },
        (StringState::Escape, _) => {
            return escape(
                "A backslash must be followed by one of \" \\ / b f n r t u. For a literal backslash, write \
                two.",
            );
        }
        (StringState::Digits { count, value, low }, c) => {
            let Some(digit) = c.to_digit(16) else {
                return escape("\\u must be followed by four hexadecimal digits.");
            };
            let value = value << 4 | u16::try_from(digit).expect("a hexadecimal digit");
            match (count, value, low) {
                (0..3, _, _) => StringState::Digits { count: count + 1, value, low },
                (_, 0xdc00..=0xdfff, true) => StringState::Plain,
                (_, 0xd800..=0xdbff, false) => StringState::HighEnd,
                (_, 0xdc00..=0xdfff, false) | (_, _, true) => return escape(HALF),
                _ => StringState::Plain,
            }
        }
        (StringState::HighEnd, '\\') => StringState::LowBegin,
        (StringState::LowBegin, 'u') => StringState::Digits { count: 0, value: 0, low: true },
        (StringState::HighEnd | StringState::LowBegin, _) => return escape(HALF),
    };
    Ok(Some(next))
}

const HALF: &str = "This \\u is one half of a surrogate pair. Write both halves, like \\ud83d\\ude00, or the character \
    itself.";

/// The state of a number after a character; `None` if the character is not part of it.
pub(super) fn number(at: NumberState, c: char) -> Result<Option<NumberState>, PlacementError> {
    use NumberState::{Exponent, ExponentDigits, Fraction, Minus, Point, Sign, Whole, Zero};
    Ok(Some(match (at, c) {
        (Minus, '0') => Zero,
        (Minus, '1'..='9') | (Whole, '0'..='9') => Whole,
        (Zero | Whole, '.') => Point,
        (Point | Fraction, '0'..='9') => Fraction,
        (Zero | Whole | Fraction, 'e' | 'E') => Exponent,
        (Exponent, '+' | '-') => Sign,
        (Exponent | Sign | ExponentDigits, '0'..='9') => ExponentDigits,
        _ if is_whole(at) && !c.is_alphanumeric() => return Ok(None),
        _ => return Err(word_error()),
    }))
}

/// Whether a number may end here.
pub(super) fn is_whole(at: NumberState) -> bool {
    use NumberState::{ExponentDigits, Fraction, Whole, Zero};
    matches!(at, Zero | Whole | Fraction | ExponentDigits)
}
