//! A mistake in the settings, with its place and its source.

use std::fmt;

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, `section.key`, or the file.
    pub place: String,
    /// What is wrong and what to write instead.
    pub detail: String,
    /// The file or the environment variable that says so; `None` where it is the default.
    pub source: Option<String>,
}

impl ConfigError {
    pub(super) fn new(place: &str, detail: impl Into<String>) -> Self {
        Self { place: place.to_owned(), detail: detail.into(), source: None }
    }

    pub(super) fn found_in(self, source: Option<&str>) -> Self {
        Self { source: source.map(str::to_owned), ..self }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " (in {source})"))
    }
}
