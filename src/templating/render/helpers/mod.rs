//! The helpers that a template may call. Each file has one group: its table of helpers with their arguments, and their
//! functions. A helper is a pure function of its values: it never reads the clock, the environment or a file. To add a
//! helper, write its row and its function in the file of its group, its results in `templating/tests/helpers.rs`, and
//! its row in `docs/templates.md`.

mod arithmetic;
pub(super) mod compare;
mod conversions;
pub(super) mod dates;
mod encodings;
mod lists;
mod logic;
mod moments;
mod names;
mod numbers;
mod patterns;
mod texts;
pub(crate) mod view;

use std::borrow::Cow;

use super::args::{Args, HelperResult};
use crate::templating::program::{HelperCall, HelperId};

/// A helper: its arguments and its function.
#[derive(Debug)]
pub(crate) struct Helper {
    pub(crate) name: &'static str,
    /// What it gives, for people.
    pub(crate) description: &'static str,
    /// The minimum and the maximum number of values.
    pub(crate) values: (usize, usize),
    /// The names of its options.
    pub(crate) options: &'static [&'static str],
    /// The type of its results.
    pub(crate) gives: ResultKind,
    /// An example call, for messages.
    pub(crate) example: &'static str,
    /// Finds a mistake in the constant arguments of a call.
    pub(crate) check: fn(&HelperCall) -> Option<Cow<'static, str>>,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
}

/// The type of a helper's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultKind {
    Text,
    Number,
    Boolean,
    List,
    /// One of the arguments, or a part of one.
    Value,
    /// Digits with a locale's separators and symbols. No format needs to escape it.
    Figures,
    /// Text that is safe in HTML.
    Html,
    /// A field of a CSV row.
    Csv,
}

impl Helper {
    const fn new(
        name: &'static str,
        description: &'static str,
        values: (usize, usize),
        gives: ResultKind,
        example: &'static str,
        run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
    ) -> Self {
        Self { name, description, values, options: &[], gives, example, check: |_| None, run }
    }

    const fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    const fn check(self, check: fn(&HelperCall) -> Option<Cow<'static, str>>) -> Self {
        Self { check, ..self }
    }

    /// Calls the helper.
    pub(crate) fn run<'a>(&self, args: &mut Args<'_, 'a>) -> HelperResult<'a> {
        (self.run)(args)
    }
}

/// All helpers, by group. Each needs at least one value, so `{{date}}` is always a field of the data.
static GROUPS: [(&str, &[Helper]); 9] = [
    ("Dates", dates::HELPERS),
    ("Dates", moments::HELPERS),
    ("Numbers", numbers::HELPERS),
    ("Numbers", arithmetic::HELPERS),
    ("Values", conversions::HELPERS),
    ("Text", texts::HELPERS),
    ("Lists", lists::HELPERS),
    ("Encodings", encodings::HELPERS),
    ("Conditions", logic::HELPERS),
];

/// All helpers.
pub(crate) fn all() -> impl Iterator<Item = &'static Helper> {
    GROUPS.iter().flat_map(|(_, helpers)| helpers.iter())
}

/// The helper with this name.
pub(crate) fn find(name: &str) -> Option<(HelperId, &'static Helper)> {
    GROUPS.iter().enumerate().find_map(|(group, (_, helpers))| {
        let place = helpers.iter().position(|helper| helper.name == name)?;
        Some((HelperId { group, place }, &helpers[place]))
    })
}

/// The helper of a call.
pub(crate) fn get(id: HelperId) -> &'static Helper {
    &GROUPS[id.group].1[id.place]
}
