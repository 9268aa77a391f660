//! Reads a form (`application/x-www-form-urlencoded`): pairs of key and value. Any text is a form. This proves that values
//! can't add or remove pairs.

use super::{Blame, Fault, Machine, Misplaced};
use crate::templating::program::EscapeContext;

/// The state machine. It keeps nothing outside its states.
pub(super) struct FormMachine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
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
    type State = State;

    fn start(&self) -> State {
        State::Begin
    }

    fn step(&mut self, state: State, c: char) -> Result<(State, bool), Fault> {
        let next = match (state, c) {
            (State::KeyOfValues, '&') => return Err(lone_key()),
            (_, '&') => State::Begin,
            (State::Value, _) | (_, '=') => State::Value,
            _ => State::Key,
        };
        Ok((next, false))
    }

    fn value(&mut self, state: State) -> Result<(EscapeContext, State), Misplaced<State>> {
        let next = match state {
            State::Begin => State::KeyOfValues,
            same => same,
        };
        Ok((EscapeContext::Form, next))
    }

    fn end(&self, state: State) -> Result<(), Fault> {
        match state {
            State::KeyOfValues => Err(lone_key()),
            _ => Ok(()),
        }
    }
}

fn lone_key() -> Fault {
    Fault::here("form_lone_key", "A pair that is only an expression is lost if its value is empty. Write name={{…}}.")
        .at(Blame::Mark)
}
