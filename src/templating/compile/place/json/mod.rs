//! Reads JSON (RFC 8259) character by character: one value, with white space around it.

mod errors;
mod tokens;

use self::errors::{
    begins_with_word, bracket, comma_missing, explained, foreign, trailing_comma, value_missing, word_error,
};
use self::tokens::{NumberState, StringState, is_whole, number, string};
use super::advice::begins_with_key;
use super::{ErrorLocation, Machine, MisplacedValue, PlacementError};
use crate::templating::program::EscapeContext;

/// The deepest nesting of the brackets in a template's own text. The renderer bounds the nesting of values.
const DEPTH_MAX: u8 = 64;

/// The state machine. It keeps nothing outside its states.
pub(super) struct JsonMachine;

/// The open brackets, and the position among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct JsonState {
    /// One bit for each open bracket, the innermost lowest: set for `{`.
    objects: u64,
    depth: u8,
    mode: JsonMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum JsonMode {
    /// A value is required.
    Value(ValuePosition),
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
    String(StringRole, StringState),
    Number(NumberState),
    /// In `true`, `false` or `null`: the remaining letters.
    Word(&'static str),
}

/// What precedes a required value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ValuePosition {
    Nothing,
    Colon,
    Comma,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum StringRole {
    Key,
    Value,
}

type JsonStep = Result<(JsonState, bool), PlacementError>;

impl JsonState {
    fn to(self, mode: JsonMode) -> Self {
        Self { mode, ..self }
    }

    /// How many brackets are open.
    pub(super) fn depth(self) -> u8 {
        self.depth
    }

    /// Whether this is inside a key's quotes, or right after the first of them.
    pub(super) fn in_key(self) -> bool {
        matches!(self.mode, JsonMode::String(StringRole::Key, _))
    }

    fn in_object(self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    /// The mode after a value.
    fn done(self) -> Self {
        self.to(JsonMode::Done)
    }

    fn opened(self, object: bool) -> Result<Self, PlacementError> {
        if self.depth >= DEPTH_MAX {
            return Err(PlacementError::here("json_too_deep", "Brackets are nested too deeply: the maximum is 64."));
        }
        Ok(Self {
            objects: self.objects << 1 | u64::from(object),
            depth: self.depth + 1,
            mode: if object { JsonMode::FirstKey } else { JsonMode::First },
        })
    }

    fn closed(self) -> Self {
        Self { objects: self.objects >> 1, depth: self.depth - 1, mode: JsonMode::Done }
    }
}

impl Machine for JsonMachine {
    type State = JsonState;

    fn start(&self) -> JsonState {
        JsonState { objects: 0, depth: 0, mode: JsonMode::Value(ValuePosition::Nothing) }
    }

    fn step(&mut self, state: JsonState, c: char) -> JsonStep {
        match state.mode {
            JsonMode::String(kind, at) => match string(at, c)? {
                Some(at) => Ok((state.to(JsonMode::String(kind, at)), false)),
                None if kind == StringRole::Key => Ok((state.to(JsonMode::Colon), false)),
                None => Ok((state.done(), false)),
            },
            JsonMode::Number(at) => match number(at, c)? {
                Some(at) => Ok((state.to(JsonMode::Number(at)), false)),
                None => between(state.done(), c),
            },
            JsonMode::Word(rest) => match rest.strip_prefix(c) {
                Some("") => Ok((state.done(), false)),
                Some(rest) => Ok((state.to(JsonMode::Word(rest)), false)),
                None => Err(word_error()),
            },
            _ => between(state, c),
        }
    }

    fn value(&mut self, state: JsonState) -> Result<(EscapeContext, JsonState), MisplacedValue<JsonState>> {
        let inside = |message, onward| Err(MisplacedValue::new("expression_in_token", message, onward));
        match state.mode {
            JsonMode::String(_, StringState::Plain) => Ok((EscapeContext::JsonString, state)),
            JsonMode::Value(_) | JsonMode::First => Ok((EscapeContext::JsonValue { depth: state.depth }, state.done())),
            JsonMode::FirstKey | JsonMode::Key => Err(MisplacedValue::new(
                "json_key_unquoted",
                "A key must be in quotes: write \"{{…}}\": before its value.",
                Some(state.to(JsonMode::Colon)),
            )),
            JsonMode::Colon => Err(MisplacedValue::new(
                "json_colon",
                "A colon must follow a key: write : before this expression.",
                Some(state.done()),
            )),
            JsonMode::Done if state.depth == 0 => Err(MisplacedValue::new(
                "json_after_end",
                "A JSON body is one value, and it ends before this expression. Put both in a list or an object.",
                Some(state),
            )),
            JsonMode::Done => Err(MisplacedValue { error: comma_missing(), onward: Some(state) }),
            JsonMode::String(..) => inside(
                "An expression is not allowed inside an escape like \\n or \\u00e9: finish the escape first. For a \
                backslash before an expression, write three.",
                None,
            ),
            JsonMode::Number(_) => inside(
                "A value can't be a part of a number. Put both in quotes, or write the number with the expression alone.",
                Some(state.done()),
            ),
            JsonMode::Word(_) => inside("An expression is not allowed inside true, false or null.", Some(state.done())),
        }
    }

    fn explain(&self, error: PlacementError, state: JsonState, before: &str, rest: &str) -> PlacementError {
        explained(error, state.mode == JsonMode::Done, before, rest)
    }

    fn recover(&mut self, state: JsonState, c: char, rest: &str) -> Option<JsonState> {
        let before = match (state.mode, c) {
            (JsonMode::Number(at), _) if is_whole(at) => return self.recover(state.done(), c, rest),
            (JsonMode::Done, '}' | ']') => return None,
            (JsonMode::Done, _) if state.depth == 0 || begins_with_word(rest) => return None,
            (JsonMode::Done, _) if !state.in_object() => state.to(JsonMode::Value(ValuePosition::Comma)),
            (JsonMode::Done, _) if begins_with_key(rest) => state.to(JsonMode::Key),
            (JsonMode::Done, _) => state.to(JsonMode::Value(ValuePosition::Colon)),
            (JsonMode::Key, '}') | (JsonMode::Value(ValuePosition::Comma), ']') => return Some(state.closed()),
            (JsonMode::Value(ValuePosition::Colon), ',' | '}' | ']') => state.done(),
            (JsonMode::Value(ValuePosition::Comma) | JsonMode::First | JsonMode::FirstKey | JsonMode::Key, ',') => {
                return Some(state);
            }
            _ => return None,
        };
        Some(self.step(before, c).ok()?.0)
    }

    fn has_its_value(&self, state: JsonState) -> bool {
        let is_value = matches!(state.mode, JsonMode::Done | JsonMode::Number(_));
        is_value && (state.depth == 0 || state.in_object())
    }

    fn end(&self, state: JsonState) -> Result<(), PlacementError> {
        let mode = match state.mode {
            JsonMode::Number(at) if is_whole(at) => JsonMode::Done,
            mode => mode,
        };
        match mode {
            JsonMode::Done if state.depth == 0 => Ok(()),
            JsonMode::Value(ValuePosition::Nothing) => Err(PlacementError::here(
                "json_value_missing",
                "For some data the body is empty. A JSON body is one value: write at least null, in an {{else}} if it \
                depends on a condition.",
            )
            .at(ErrorLocation::Block)),
            JsonMode::Value(_) => Err(value_missing()),
            JsonMode::String(..) => Err(PlacementError::here(
                "json_unfinished",
                "The body ends inside a string: write \" where the string ends.",
            )),
            JsonMode::Number(_) | JsonMode::Word(_) => Err(word_error()),
            _ if state.in_object() => Err(PlacementError::here(
                "json_unfinished",
                "The body ends inside an object: write } where the object ends.",
            )),
            _ => Err(PlacementError::here(
                "json_unfinished",
                "The body ends inside a list: write ] where the list ends.",
            )),
        }
    }
}

/// A character outside strings, numbers and words.
fn between(state: JsonState, c: char) -> JsonStep {
    if matches!(c, ' ' | '\t' | '\r' | '\n') {
        return Ok((state, false));
    }
    if let Some(error) = foreign(c) {
        return Err(error);
    }
    let marked = |state| Ok((state, true));
    match (state.mode, c) {
        (JsonMode::FirstKey, '}') | (JsonMode::First, ']') => Ok((state.closed(), false)),
        (JsonMode::Value(_) | JsonMode::First, _) => value(state, c),
        (JsonMode::FirstKey | JsonMode::Key, '"') => {
            marked(state.to(JsonMode::String(StringRole::Key, StringState::Plain)))
        }
        (JsonMode::Key, '}') => Err(trailing_comma()),
        (JsonMode::FirstKey | JsonMode::Key, ',') => Err(PlacementError::here(
            "json_comma",
            "A key is missing before this comma, or there is one comma too many.",
        )),
        (JsonMode::FirstKey | JsonMode::Key, _) => {
            Err(PlacementError::here("json_key", "A key in quotes is required here, like \"name\": …"))
        }
        (JsonMode::Colon, ':') => marked(state.to(JsonMode::Value(ValuePosition::Colon))),
        (JsonMode::Colon, _) => Err(PlacementError::here("json_colon", "A colon must follow a key.")),
        (JsonMode::Done, _) if state.depth == 0 => Err(PlacementError::here(
            "json_after_end",
            "A JSON body is one value, and it ends before this character. Remove what follows, or put all values into one list or object.",
        )),
        (JsonMode::Done, ',') if state.in_object() => marked(state.to(JsonMode::Key)),
        (JsonMode::Done, ',') => marked(state.to(JsonMode::Value(ValuePosition::Comma))),
        (JsonMode::Done, '}') if state.in_object() => Ok((state.closed(), false)),
        (JsonMode::Done, ']') if !state.in_object() => Ok((state.closed(), false)),
        (JsonMode::Done, '}' | ']') => Err(bracket()),
        (JsonMode::Done, '"' | '{' | '[' | '-' | '0'..='9' | 't' | 'f' | 'n') => Err(comma_missing()),
        (JsonMode::Done, _) => Err(word_error()),
        (JsonMode::String(..) | JsonMode::Number(_) | JsonMode::Word(_), _) => unreachable!("read by step"),
    }
}

/// The first character of a value.
fn value(state: JsonState, c: char) -> JsonStep {
    let mode = match c {
        '"' => JsonMode::String(StringRole::Value, StringState::Plain),
        '{' | '[' => return Ok((state.opened(c == '{')?, true)),
        '-' => JsonMode::Number(NumberState::Minus),
        '0' => JsonMode::Number(NumberState::Zero),
        '1'..='9' => JsonMode::Number(NumberState::Whole),
        't' => JsonMode::Word("rue"),
        'f' => JsonMode::Word("alse"),
        'n' => JsonMode::Word("ull"),
        ']' if state.mode == JsonMode::Value(ValuePosition::Comma) => return Err(trailing_comma()),
        ',' if matches!(state.mode, JsonMode::First | JsonMode::Value(ValuePosition::Comma)) => {
            return Err(PlacementError::here(
                "json_comma",
                "A value is missing before this comma, or there is one comma too \
                many.",
            ));
        }
        ',' | '}' | ']' => return Err(value_missing()),
        _ => return Err(word_error()),
    };
    Ok((state.to(mode), false))
}
