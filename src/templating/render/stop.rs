//! Why a rendering, or one helper in it, has no result.

use std::fmt;

use super::escape::json::Unwritable;

/// Why a rendering was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenderFailure {
    /// The body would be longer than [`TemplateLimits::output_bytes_max`](super::super::TemplateLimits::output_bytes_max).
    TooLarge,
    /// It would take more than [`TemplateLimits::steps_max`](super::super::TemplateLimits::steps_max).
    TooManySteps,
    /// The body would be nested so deep that strict parsers refuse it.
    Malformed,
    /// Anything else.
    Failed,
}

impl fmt::Display for RenderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the rendered body is too long",
            Self::TooManySteps => "the rendering takes too many steps",
            Self::Malformed => "the body is nested too deep",
            Self::Failed => "the rendering failed",
        })
    }
}

impl std::error::Error for RenderFailure {}

/// How long the text of one value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueRoom {
    /// In bytes.
    pub(crate) bytes: usize,
    /// What it means if it is longer.
    pub(crate) over: RenderFailure,
}

impl ValueRoom {
    /// Why the rendering ends where a value can't be written.
    pub(crate) fn failure(self, error: &Unwritable) -> RenderFailure {
        match error {
            Unwritable::TooDeep => RenderFailure::Malformed,
            Unwritable::TooLong => self.over,
        }
    }
}

/// A helper was given a value that it can't use: its result is a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnusableArgument {
    /// The argument or option.
    pub(crate) value: ArgumentLocation,
    /// What would have been usable: "a number".
    pub(crate) expected: &'static str,
}

/// Which of a helper's values is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArgumentLocation {
    /// The argument at this place.
    Argument(usize),
    /// The option of this name.
    Option(&'static str),
}

/// Why a helper has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelperFailure {
    /// The whole rendering ends.
    Rendering(RenderFailure),
    /// Only this helper's result is missing.
    Helper(UnusableArgument),
}

impl HelperFailure {
    /// An argument is not what is expected.
    pub(crate) fn argument(place: usize, expected: &'static str) -> Self {
        Self::Helper(UnusableArgument { value: ArgumentLocation::Argument(place), expected })
    }

    /// An option is not what is expected.
    pub(crate) fn option(name: &'static str, expected: &'static str) -> Self {
        Self::Helper(UnusableArgument { value: ArgumentLocation::Option(name), expected })
    }
}

impl From<RenderFailure> for HelperFailure {
    fn from(reason: RenderFailure) -> Self {
        Self::Rendering(reason)
    }
}
