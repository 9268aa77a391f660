//! Why a rendering, or one helper in it, gives nothing.

use std::fmt;

use super::escape::json::TooDeep;

/// Why a rendering was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unrendered {
    /// The body would be longer than [`TemplateLimits::output_bytes_max`](super::super::TemplateLimits::output_bytes_max).
    TooLarge,
    /// It would take more than [`TemplateLimits::steps_max`](super::super::TemplateLimits::steps_max).
    TooManySteps,
    /// The body would be nested so deep that strict parsers refuse it.
    Malformed,
    /// Anything else.
    Failed,
}

impl Unrendered {
    /// The reason's stable word, for counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooManySteps => "too_many_steps",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Unrendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the rendered body is too long",
            Self::TooManySteps => "the rendering takes too many steps",
            Self::Malformed => "the body is nested too deep",
            Self::Failed => "the rendering failed",
        })
    }
}

impl std::error::Error for Unrendered {}

impl From<TooDeep> for Unrendered {
    fn from(_: TooDeep) -> Self {
        Self::Malformed
    }
}

/// A helper was given a value that it can't use: its result is a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// The argument or option.
    pub(crate) value: Blamed,
    /// What would have been usable: "a number".
    pub(crate) expected: &'static str,
}

/// Which of a helper's values is unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blamed {
    /// The argument at this place.
    Argument(usize),
    /// The option of this name.
    Option(&'static str),
}

/// Why a helper has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The whole rendering ends.
    Rendering(Unrendered),
    /// Only this helper's result is missing.
    Helper(Unusable),
}

impl Stop {
    /// An argument is not what is expected.
    pub(crate) fn argument(place: usize, expected: &'static str) -> Self {
        Self::Helper(Unusable { value: Blamed::Argument(place), expected })
    }

    /// An option is not what is expected.
    pub(crate) fn option(name: &'static str, expected: &'static str) -> Self {
        Self::Helper(Unusable { value: Blamed::Option(name), expected })
    }
}

impl From<Unrendered> for Stop {
    fn from(reason: Unrendered) -> Self {
        Self::Rendering(reason)
    }
}

impl From<TooDeep> for Stop {
    fn from(reason: TooDeep) -> Self {
        Self::Rendering(reason.into())
    }
}
