//! Why and where a text is not JSON. An error has a position and a kind, but never the text around it; only a character
//! that is invisible, or that looks like one of JSON's own, is named.

use std::fmt;

use super::DEPTH_MAX;
use super::look_alikes::LookAlike;

/// What is wrong at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("the JSON text ends too early,")]
    Ends,
    #[error("expected a JSON value,")]
    Value,
    #[error("expected a member's name in quotes,")]
    Name,
    #[error("expected a colon,")]
    Colon,
    #[error("expected a comma or a closing bracket,")]
    Separator,
    #[error("this is not an escape sequence of JSON,")]
    Escape,
    #[error("a control character in a string must be escaped,")]
    Control,
    #[error("this surrogate is not part of a pair,")]
    Surrogate,
    #[error("this is not a JSON number,")]
    Number,
    #[error("the JSON text is nested more than {DEPTH_MAX} deep,")]
    Depth,
    #[error("there is text after the end of the JSON value,")]
    Rest,
    #[error("the JSON text is too long,")]
    TooLong,
    #[error("this is UTF-16 or UTF-32; send the text as UTF-8,")]
    Wide,
    #[error("this is not UTF-8,")]
    NotUtf8,
    #[error("this JSON can't be read,")]
    Unread,
}

/// Why and where a text is not JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    what: SyntaxError,
    found: Option<LookAlike>,
    line: usize,
    column: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.what, self.line, self.column)?;
        match self.found {
            Some(found) => write!(f, "; this is {found}"),
            None => Ok(()),
        }
    }
}

impl Malformed {
    /// At a byte of the text.
    pub(super) fn at(text: &[u8], at: usize, what: SyntaxError) -> Self {
        LineCounter::default().malformed(text, at, what)
    }

    /// For a mistake that another JSON reader found and this one does not.
    pub(super) fn of(error: &serde_json::Error) -> Self {
        Self { what: SyntaxError::Unread, found: None, line: error.line(), column: error.column() }
    }
}

/// Counts the lines of a text, each once, for positions in ascending order.
#[derive(Debug, Default)]
pub(super) struct LineCounter {
    /// How many line breaks are before the position.
    passed: usize,
    /// Where the current line begins.
    start: usize,
    at: usize,
}

impl LineCounter {
    /// A mistake at a position that is not before the last one.
    pub(super) fn malformed(&mut self, text: &[u8], at: usize, what: SyntaxError) -> Malformed {
        let at = at.min(text.len());
        for newline in memchr::memchr_iter(b'\n', &text[self.at..at]) {
            (self.passed, self.start) = (self.passed + 1, self.at + newline + 1);
        }
        self.at = at;
        let found = first_char(&text[at..]).and_then(LookAlike::of);
        Malformed { what, found, line: 1 + self.passed, column: 1 + at - self.start }
    }
}

/// The character that the bytes begin with.
fn first_char(bytes: &[u8]) -> Option<char> {
    let some = &bytes[..bytes.len().min(4)];
    some.utf8_chunks().next()?.valid().chars().next()
}
