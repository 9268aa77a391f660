//! Reads a form (`application/x-www-form-urlencoded`): pairs of key and value. Any text is a form. This proves that values
//! can't add or remove pairs.

use super::{ErrorLocation, Machine, MisplacedValue, PlacementError};
use crate::templating::program::EscapeContext;
use crate::templating::render::escape::percent;

/// The state machine. It keeps nothing outside its states.
pub(super) struct FormMachine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FormState {
    /// At the beginning of a pair.
    Begin,
    /// In a key that contains the author's text.
    Key,
    /// In a key that consists of values only.
    KeyOfValues,
    /// After the `=`.
    Value,
}

impl Machine for FormMachine {
    type State = FormState;

    fn start(&self) -> FormState {
        FormState::Begin
    }

    fn step(&mut self, state: FormState, c: char) -> Result<(FormState, bool), PlacementError> {
        let next = match (state, c) {
            (FormState::KeyOfValues, '&') => return Err(lone_key()),
            (_, '&') => FormState::Begin,
            (FormState::Value, _) | (_, '=') => FormState::Value,
            _ => FormState::Key,
        };
        Ok((next, false))
    }

    fn value(&mut self, state: FormState) -> Result<(EscapeContext, FormState), MisplacedValue<FormState>> {
        let next = match state {
            FormState::Begin => FormState::KeyOfValues,
            same => same,
        };
        Ok((EscapeContext::Form, next))
    }

    fn is_blank(&self, text: &str) -> bool {
        percent::is_blank(percent::constant(text).as_bytes())
    }

    fn end(&self, state: FormState) -> Result<(), PlacementError> {
        match state {
            FormState::KeyOfValues => Err(lone_key()),
            _ => Ok(()),
        }
    }
}

fn lone_key() -> PlacementError {
    PlacementError::here(
        "form_lone_key",
        "A pair that is only an expression is lost if its value is empty. Write name={{…}}.",
    )
    .at(ErrorLocation::Mark)
}
