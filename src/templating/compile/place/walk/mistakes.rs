//! Reports the mistakes that a walk meets, each once, and finds out how the walk can continue behind them.

use std::collections::HashSet;

use super::{PathState, PlacementWalk, WalkStopped};
use crate::json::LookAlike;
use crate::templating::compile::diagnostic::Severity;
use crate::templating::compile::place::advice::{
    CorrectableMistake, MistakeContext, advice, begins_with_key, ends_with_comma, in_a_list, separating,
};
use crate::templating::compile::place::{ErrorLocation, Machine, PlacementError};

/// The most mistakes that are looked at, on all paths together: describing one takes some microseconds.
const MISTAKES_MAX: usize = 1_000;

/// What was reported.
#[derive(Debug, Default)]
pub(super) struct ReportedMistakes {
    /// How many mistakes were met, also those that are not reported again.
    pub(super) count: usize,
    /// The positions of mistakes with commas.
    commas: HashSet<usize>,
    /// Where a second value stands in place of one.
    second_values: Vec<usize>,
}

impl<M: Machine> PlacementWalk<'_, '_, M> {
    /// Reports a mistake at a character, and returns the state to continue with.
    pub(super) fn mistake(
        &mut self,
        error: PlacementError,
        c: char,
        here: usize,
        path: &PathState<M::State>,
    ) -> Result<M::State, WalkStopped> {
        if self.findings.refuse_mark(here) {
            return Err(WalkStopped);
        }
        if let Some(found) = LookAlike::of(c) {
            return self.stop(&PlacementError::here("look_alike", format!("This is {found}.")), here, path);
        }
        let (before, rest) = self.origins.source().split_at_checked(here).unwrap_or_default();
        let error = match self.separating {
            Some(_) => error,
            None => self.machine.explain(error, path.state, before, rest),
        };
        self.report(&error, here, path);
        let onward = self.machine.recover(path.state, c, rest);
        onward
            .filter(|_| self.reported.count < MISTAKES_MAX && !self.findings.is_full(Severity::Error))
            .ok_or(WalkStopped)
    }

    pub(super) fn stop<T>(
        &mut self,
        error: &PlacementError,
        here: usize,
        path: &PathState<M::State>,
    ) -> Result<T, WalkStopped> {
        self.report(error, here, path);
        Err(WalkStopped)
    }

    pub(super) fn report(&mut self, error: &PlacementError, here: usize, path: &PathState<M::State>) {
        let at = match (self.separating, error.blame) {
            (Some(_), _) if ends_with_comma(self.origins.source(), path.mark.at) => path.mark.at,
            (Some(_), _) | (None, ErrorLocation::Here) => here,
            (None, ErrorLocation::Mark) => path.mark.at,
            (None, ErrorLocation::Block) => path.passed.map_or(here, |passed| passed.first),
        };
        self.reported.count += 1;
        let source = self.origins.source();
        let is_key = source.get(here..).is_some_and(begins_with_key);
        let context = MistakeContext {
            source,
            here: self.surroundings(here),
            mark: path.mark,
            passed: path.passed,
            second_value: self.machine.has_its_value(path.state) && !is_key,
        };
        let mistake = CorrectableMistake::of(error.code);
        match mistake {
            // One block in place of two, which was advised there, mends this as well.
            Some(CorrectableMistake::ValueMissing)
                if self.reported.second_values.iter().any(|at| path.mark.at < *at && *at <= here) =>
            {
                return;
            }
            Some(CorrectableMistake::ValueMissing) | None => {}
            Some(_) if !self.reported.commas.insert(at) => return,
            Some(_) if context.second_value => self.reported.second_values.push(here),
            Some(_) => {}
        }
        let message = match self.separating {
            Some(separator) => Some(separating(error.code, separator, &context).into()),
            None => mistake.and_then(|mistake| advice(mistake, &context)),
        };
        let hint = in_a_list(error.code, &context).unwrap_or_default();
        let message: String = message.unwrap_or_else(|| format!("{}{hint}", error.message));
        self.findings.error(error.code, at, message);
    }
}
