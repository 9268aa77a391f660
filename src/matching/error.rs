//! Why a pattern is refused.

const TOO_LARGE: &str = "pattern_too_large";

/// Where the mistake is, its kind, and the required form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct PatternError {
    /// A JSON Pointer into the pattern.
    pub pointer: String,
    /// The kind of mistake. Stable.
    pub code: &'static str,
    /// What is wrong and what to write instead.
    pub detail: String,
}

impl PatternError {
    pub(super) fn new(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code, detail: detail.into() }
    }

    /// The form is wrong.
    pub(super) fn shape(pointer: &str, detail: impl Into<String>) -> Self {
        Self::new(pointer, "bad_pattern", detail)
    }

    /// The pattern exceeds a bound.
    pub(super) fn too_large(pointer: &str, detail: impl Into<String>) -> Self {
        Self::new(pointer, TOO_LARGE, detail)
    }

    /// Whether the pattern is too large, so that no more of it is read.
    pub(super) fn is_of_size(&self) -> bool {
        self.code == TOO_LARGE
    }
}
