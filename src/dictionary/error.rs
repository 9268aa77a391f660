//! The mistakes in a dictionary's files, for the operator who wrote them. They never quote more of a file than the
//! wrong word.

use std::fmt;
use std::sync::Arc;

/// One mistake in a dictionary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct DictionaryError {
    /// The file or the folder.
    pub file: String,
    /// The line, from 1, if it is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do instead.
    pub instead: String,
}

impl fmt::Display for DictionaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.what, self.instead)
    }
}

/// A position in the dictionary's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourcePosition {
    /// The file's name, shared by all positions in it.
    pub(super) file: Arc<str>,
    /// The line, from 1.
    pub(super) line: usize,
}

impl SourcePosition {
    /// A mistake at this position.
    pub(super) fn error(&self, what: impl Into<String>, instead: impl Into<String>) -> DictionaryError {
        DictionaryError {
            file: self.file.to_string(),
            line: Some(self.line),
            what: what.into(),
            instead: instead.into(),
        }
    }
}

impl fmt::Display for SourcePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A word of a file, as a message shows it: quoted, without line breaks, and short.
pub(super) fn shown(word: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 80;
    let mut cut: String = word.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() < word.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}
