//! Reads a form (`application/x-www-form-urlencoded`): pairs of key and value. Any text is one;
//! what is proved here is that values can't make or lose pairs.

use super::{Blame, Fault, Machine, Misplaced};
use crate::templating::program::EscapeContext;

/// The machine; all it knows is in its states.
pub(super) struct Form;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// At the beginning of a pair.
    Begin,
    /// In a key with text of the author's.
    Key,
    /// In a key that is made of values alone.
    KeyOfValues,
    /// After the `=`.
    Value,
}

impl Machine for Form {
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
    Fault::here(
        "form_lone_key",
        "A pair made of an expression alone is lost when its value is empty. Write name={{…}}.",
    )
    .at(Blame::Mark)
}
