//! Reads JSON (RFC 8259) character by character: one value, with white space around it.

mod faults;
mod tokens;

use self::faults::{bracket, comma_missing, trailing_comma, value_missing, word_fault};
use self::tokens::{InNumber, InString, is_whole, number, string};
use super::{Blame, Fault, Machine, Misplaced};
use crate::json::LookAlike;
use crate::templating::program::EscapeContext;

/// The deepest nesting of the brackets in a template's own text. The renderer bounds the nesting of values.
const DEPTH_MAX: u8 = 64;

/// The state machine. It keeps nothing outside its states.
pub(super) struct JsonMachine;

/// The open brackets, and the position among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    /// One bit for each open bracket, the innermost lowest: set for `{`.
    objects: u64,
    depth: u8,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mode {
    /// A value is required.
    Value(After),
    /// Right after `[`: a value or `]`.
    First,
    /// Right after `{`: a key or `}`.
    FirstKey,
    /// After a comma in an object.
    Key,
    /// After a key.
    Colon,
    /// After a value.
    Done,
    String(Kind, InString),
    Number(InNumber),
    /// In `true`, `false` or `null`: the remaining letters.
    Word(&'static str),
}

/// What precedes a required value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum After {
    Nothing,
    Colon,
    Comma,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Key,
    Value,
}

type Stepped = Result<(State, bool), Fault>;

impl State {
    fn to(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// How many brackets are open.
    pub(super) fn depth(self) -> u8 {
        self.depth
    }

    /// Whether this is inside a key's quotes, or right after the first of them.
    pub(super) fn in_key(self) -> bool {
        matches!(self.mode, Mode::String(Kind::Key, _))
    }

    fn in_object(self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    /// The mode after a value.
    fn done(self) -> Self {
        self.to(Mode::Done)
    }

    fn opened(self, object: bool) -> Result<Self, Fault> {
        if self.depth >= DEPTH_MAX {
            return Err(Fault::here("json_too_deep", "Brackets are nested too deeply: the maximum is 64."));
        }
        Ok(Self {
            objects: self.objects << 1 | u64::from(object),
            depth: self.depth + 1,
            mode: if object { Mode::FirstKey } else { Mode::First },
        })
    }

    fn closed(self) -> Self {
        Self { objects: self.objects >> 1, depth: self.depth - 1, mode: Mode::Done }
    }
}

impl Machine for JsonMachine {
    type State = State;

    fn start(&self) -> State {
        State { objects: 0, depth: 0, mode: Mode::Value(After::Nothing) }
    }

    fn step(&mut self, state: State, c: char) -> Stepped {
        match state.mode {
            Mode::String(kind, at) => match string(at, c)? {
                Some(at) => Ok((state.to(Mode::String(kind, at)), false)),
                None if kind == Kind::Key => Ok((state.to(Mode::Colon), false)),
                None => Ok((state.done(), false)),
            },
            Mode::Number(at) => match number(at, c)? {
                Some(at) => Ok((state.to(Mode::Number(at)), false)),
                None => between(state.done(), c),
            },
            Mode::Word(rest) => match rest.strip_prefix(c) {
                Some("") => Ok((state.done(), false)),
                Some(rest) => Ok((state.to(Mode::Word(rest)), false)),
                None => Err(word_fault()),
            },
            _ => between(state, c),
        }
    }

    fn value(&mut self, state: State) -> Result<(EscapeContext, State), Misplaced<State>> {
        let inside = |message, onward| Err(Misplaced::new("expression_in_token", message, onward));
        match state.mode {
            Mode::String(_, InString::Plain) => Ok((EscapeContext::JsonString, state)),
            Mode::Value(_) | Mode::First => Ok((EscapeContext::JsonValue { depth: state.depth }, state.done())),
            Mode::FirstKey | Mode::Key => Err(Misplaced::new(
                "json_key_unquoted",
                "A key must be in quotes: write \"{{…}}\": before its value.",
                Some(state.to(Mode::Colon)),
            )),
            Mode::Colon => Err(Misplaced::new(
                "json_colon",
                "A colon must follow a key: write : before this expression.",
                Some(state.done()),
            )),
            Mode::Done if state.depth == 0 => Err(Misplaced::new(
                "json_after_end",
                "A JSON body is one value, and it ends before this expression. Put both in a list or an object.",
                Some(state),
            )),
            Mode::Done => Err(Misplaced { fault: comma_missing(), onward: Some(state) }),
            Mode::String(..) => inside(
                "An expression is not allowed inside an escape like \\n or \\u00e9: finish the escape first. For a \
                backslash before an expression, write three.",
                None,
            ),
            Mode::Number(_) => inside(
                "A value can't be a part of a number. Put both in quotes, or write the number with the expression alone.",
                Some(state.done()),
            ),
            Mode::Word(_) => inside("An expression is not allowed inside true, false or null.", Some(state.done())),
        }
    }

    fn end(&self, state: State) -> Result<(), Fault> {
        let mode = match state.mode {
            Mode::Number(at) if is_whole(at) => Mode::Done,
            mode => mode,
        };
        match mode {
            Mode::Done if state.depth == 0 => Ok(()),
            Mode::Value(After::Nothing) => Err(Fault::here(
                "json_value_missing",
                "For some data the body is empty. A JSON body is one value: write at least null, in an {{else}} if it \
                depends on a condition.",
            )
            .at(Blame::Block)),
            Mode::Value(_) => Err(value_missing()),
            Mode::String(..) => {
                Err(Fault::here("json_unfinished", "The body ends inside a string: write \" where the string ends."))
            }
            Mode::Number(_) | Mode::Word(_) => Err(word_fault()),
            _ if state.in_object() => {
                Err(Fault::here("json_unfinished", "The body ends inside an object: write } where the object ends."))
            }
            _ => Err(Fault::here("json_unfinished", "The body ends inside a list: write ] where the list ends.")),
        }
    }
}

/// A character outside strings, numbers and words.
fn between(state: State, c: char) -> Stepped {
    if matches!(c, ' ' | '\t' | '\r' | '\n') {
        return Ok((state, false));
    }
    if let Some(found) = LookAlike::of(c) {
        return Err(Fault::here("look_alike", format!("This is {found}.")));
    }
    let marked = |state| Ok((state, true));
    match (state.mode, c) {
        (Mode::FirstKey, '}') | (Mode::First, ']') => Ok((state.closed(), false)),
        (Mode::Value(_) | Mode::First, _) => value(state, c),
        (Mode::FirstKey | Mode::Key, '"') => marked(state.to(Mode::String(Kind::Key, InString::Plain))),
        (Mode::Key, '}') => Err(trailing_comma()),
        (Mode::FirstKey | Mode::Key, ',') => {
            Err(Fault::here("json_comma", "A key is missing before this comma, or there is one comma too many."))
        }
        (Mode::FirstKey | Mode::Key, _) => {
            Err(Fault::here("json_key", "A key in quotes is required here, like \"name\": …"))
        }
        (Mode::Colon, ':') => marked(state.to(Mode::Value(After::Colon))),
        (Mode::Colon, _) => Err(Fault::here("json_colon", "A colon must follow a key.")),
        (Mode::Done, _) if state.depth == 0 => {
            Err(Fault::here("json_after_end", "A JSON body is one value, and it ends before this character."))
        }
        (Mode::Done, ',') if state.in_object() => marked(state.to(Mode::Key)),
        (Mode::Done, ',') => marked(state.to(Mode::Value(After::Comma))),
        (Mode::Done, '}') if state.in_object() => Ok((state.closed(), false)),
        (Mode::Done, ']') if !state.in_object() => Ok((state.closed(), false)),
        (Mode::Done, '}' | ']') => Err(bracket()),
        (Mode::Done, '"' | '{' | '[' | '-' | '0'..='9' | 't' | 'f' | 'n') => Err(comma_missing()),
        (Mode::Done, _) => Err(word_fault()),
        (Mode::String(..) | Mode::Number(_) | Mode::Word(_), _) => unreachable!("read by step"),
    }
}

/// The first character of a value.
fn value(state: State, c: char) -> Stepped {
    let mode = match c {
        '"' => Mode::String(Kind::Value, InString::Plain),
        '{' | '[' => return Ok((state.opened(c == '{')?, true)),
        '-' => Mode::Number(InNumber::Minus),
        '0' => Mode::Number(InNumber::Zero),
        '1'..='9' => Mode::Number(InNumber::Whole),
        't' => Mode::Word("rue"),
        'f' => Mode::Word("alse"),
        'n' => Mode::Word("ull"),
        ']' if state.mode == Mode::Value(After::Comma) => return Err(trailing_comma()),
        ',' if matches!(state.mode, Mode::First | Mode::Value(After::Comma)) => {
            return Err(Fault::here(
                "json_comma",
                "A value is missing before this comma, or there is one comma too \
                many.",
            ));
        }
        ',' | '}' | ']' => return Err(value_missing()),
        _ => return Err(word_fault()),
    };
    Ok((state.to(mode), false))
}
