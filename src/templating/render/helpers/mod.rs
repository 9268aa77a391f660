//! The helpers that a template may call. Each file has one group: what its helpers are called with,
//! and what they do, each a pure function of its values. None reads the clock, the environment or a
//! file. To add a helper, write its row and its function in the file of its group, and its row in
//! `docs/templates.md`.

mod arithmetic;
pub(super) mod compare;
mod conversions;
pub(super) mod dates;
mod encodings;
mod lists;
mod logic;
mod moments;
mod numbers;
mod patterns;
mod texts;

use std::borrow::Cow;

use super::args::{Args, HelperResult};
use crate::templating::program::{HelperCall, HelperId};

/// A helper: how it is called, and what it does.
#[derive(Debug)]
pub(crate) struct Helper {
    pub(crate) name: &'static str,
    /// The fewest and the most values.
    pub(crate) values: (usize, usize),
    /// The options that may be given by name.
    pub(crate) options: &'static [&'static str],
    /// The kind of its results.
    pub(crate) gives: Gives,
    /// A call, for messages.
    pub(crate) example: &'static str,
    /// What is wrong with the constants of a call, if anything.
    pub(crate) check: fn(&HelperCall) -> Option<Cow<'static, str>>,
    run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
}

/// The kind of a helper's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    Text,
    Number,
    Boolean,
    List,
    /// One of its values, or a part of one.
    Value,
    /// Text of digits and the signs that a locale adds: nothing in it needs an escape.
    Figures,
    /// Text that is safe in HTML.
    Html,
    /// A field of a CSV row.
    Csv,
}

impl Helper {
    const fn new(
        name: &'static str,
        values: (usize, usize),
        gives: Gives,
        example: &'static str,
        run: for<'a> fn(&mut Args<'_, 'a>) -> HelperResult<'a>,
    ) -> Self {
        Self { name, values, options: &[], gives, example, check: |_| None, run }
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

/// All helpers. None works without a value, so `{{date}}` can only be a field of the data.
static GROUPS: [&[Helper]; 9] = [
    dates::HELPERS,
    moments::HELPERS,
    numbers::HELPERS,
    arithmetic::HELPERS,
    conversions::HELPERS,
    texts::HELPERS,
    lists::HELPERS,
    encodings::HELPERS,
    logic::HELPERS,
];

/// All helpers.
pub(crate) fn all() -> impl Iterator<Item = &'static Helper> {
    GROUPS.iter().flat_map(|group| group.iter())
}

/// The helper of this name.
pub(crate) fn find(name: &str) -> Option<(HelperId, &'static Helper)> {
    GROUPS.iter().enumerate().find_map(|(group, helpers)| {
        let place = helpers.iter().position(|helper| helper.name == name)?;
        Some((HelperId { group, place }, &helpers[place]))
    })
}

/// The helper that a call names.
pub(crate) fn get(id: HelperId) -> &'static Helper {
    &GROUPS[id.group][id.place]
}
