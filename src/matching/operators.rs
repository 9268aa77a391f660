//! The tests of a list: plain values and operators such as `{"prefix": "a"}`. This file reads them and decides whether
//! they hold. To add an operator, add its operation to [`Op`], and its row, its reading and its decision here. An
//! index key for it, in `index/witness.rs`, is optional: without one, its filter is evaluated for every event.

use serde_json::{Map, Value};

use super::decimal::ParsedNumber;
use super::error::PatternError;
use super::folding::{self, folded};
use super::network::{Network, NetworkAddress};
use super::program::{Comparison, Number, Op, OperationText, PatternSpan, PatternText, small};
use super::read::PatternReader;
use super::steps::{BYTES_PER_STEP, FOLDED_BYTES_PER_STEP, Steps, TooCostly};
use super::wildcard;
use crate::json::{kind, nearest};

/// An operator, as messages and warnings describe it.
struct Operator {
    name: &'static str,
    /// How it is written.
    form: &'static str,
    /// The type of the values that it can hold of; `None` if there are several.
    tested: Option<TestedType>,
}

const OPERATORS: [Operator; 8] = {
    const fn operator(name: &'static str, tested: Option<TestedType>, form: &'static str) -> Operator {
        Operator { name, form, tested }
    }
    let (text, number) = (Some(TestedType::Text), Some(TestedType::Number));
    [
        operator("prefix", text, r#"{"prefix": "a"} or {"prefix": {"equals-ignore-case": "a"}}"#),
        operator("suffix", text, r#"{"suffix": "a"} or {"suffix": {"equals-ignore-case": "a"}}"#),
        operator("equals-ignore-case", text, r#"{"equals-ignore-case": "a"}"#),
        operator("wildcard", text, r#"{"wildcard": "a*b"}; \* and \\ stand for * and \"#),
        operator(
            "anything-but",
            None,
            "{\"anything-but\": \"a\"}, a number, a list of strings or a list of numbers, or {\"anything-but\": \
             {\"prefix\": \"a\"}}, or suffix, equals-ignore-case or wildcard in its place, each with a string or a \
             list of strings",
        ),
        operator(
            "numeric",
            number,
            r#"{"numeric": [">", 5]} or a range, {"numeric": [">=", 1, "<", 5]}; = < <= > >= are known"#,
        ),
        operator("exists", None, r#"{"exists": true} or {"exists": false}"#),
        operator("cidr", text, r#"{"cidr": "10.0.0.0/8"} or {"cidr": "2001:db8::/32"}"#),
    ]
};

/// The types of scalars that tests are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestedType {
    /// A text.
    Text,
    /// A number.
    Number,
    /// true or false.
    Boolean,
}

/// The type of the values that a test can hold of; `None` if there are several, or it is null.
pub fn scalar_of(test: &Value) -> Option<TestedType> {
    match test {
        Value::String(_) => Some(TestedType::Text),
        Value::Number(_) => Some(TestedType::Number),
        Value::Bool(_) => Some(TestedType::Boolean),
        Value::Object(members) => find(members.keys().next()?)?.tested,
        Value::Null | Value::Array(_) => None,
    }
}

/// Whether an operator has this name.
pub fn is_operator(name: &str) -> bool {
    find(name).is_some()
}

fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == name)
}

/// All names, in the order of the documentation.
fn names() -> String {
    let [first @ .., last] = OPERATORS.map(|operator| operator.name);
    format!("{} and {last}", first.join(", "))
}

/// How an operator is written.
fn form(name: &str) -> &'static str {
    find(name).map_or("", |operator| operator.form)
}

/// Follows the mistake of a filter that was written in the shape of data with a list of objects.
const MEMBERS_OF_ELEMENTS: &str = " To test members of the objects in a list, write no list around them: \
                                   {\"rooms\": {\"beds\": [2]}} matches if one of the rooms has 2 beds";

pub(super) fn wrong(at: &str, name: &str, found: &Value) -> PatternError {
    PatternError::shape(at, format!("`{name}` does not take {} here; write {}", kind(found), form(name)))
}

fn unknown(at: &str, name: &str, argument: &Value) -> PatternError {
    let mut detail = format!(
        "there is no operator of this name; known are {}, each the only member of its object: {{\"prefix\": \"a\"}}.",
        names()
    );
    if let Some(known) = nearest::likely(name, OPERATORS.map(|operator| operator.name)) {
        detail += &format!(" Did you mean `{known}`? Write {}", form(known));
    } else if matches!(argument, Value::Array(_) | Value::Object(_)) {
        detail += MEMBERS_OF_ELEMENTS;
    }
    PatternError::new(at, "unknown_matcher", detail)
}

impl PatternReader {
    /// Whether an operator has this name.
    pub(super) fn is_operator(name: &str) -> bool {
        is_operator(name)
    }

    /// Reads one test of a list.
    pub(super) fn test(&mut self, item: &Value, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        self.count(1, at)?;
        let op = match item {
            Value::Null => Op::Null,
            Value::Bool(truth) => Op::Bool(*truth),
            Value::String(_) => Op::Text(self.words()),
            Value::Number(_) => Op::Number(self.number(at)?),
            Value::Object(members) => return self.operator(members, at, tests),
            Value::Array(_) => {
                let detail = "a list within a list is no test; write its values side by side: [\"a\", \"b\"]";
                return Err(PatternError::shape(at, detail));
            }
        };
        tests.push(op);
        Ok(())
    }

    fn operator(&mut self, members: &Map<String, Value>, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        let mut only = members.iter();
        let (Some((name, argument)), None) = (only.next(), only.next()) else {
            let mut detail =
                "an operator is an object with one member, such as {\"prefix\": \"a\"}; more than one stand \
                              side by side in the list."
                    .to_owned();
            if members.values().any(Value::is_array) {
                detail += MEMBERS_OF_ELEMENTS;
            }
            return Err(PatternError::shape(at, detail));
        };
        let at = crate::json::pointer(at, name);
        match name.as_str() {
            "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => self.text_test(name, argument, &at, tests),
            "numeric" => self.numeric(argument, &at, tests),
            "anything-but" => self.anything_but(argument, &at, tests),
            "exists" => match argument {
                // Evaluated once, before the elements of a list.
                Value::Bool(wanted) => {
                    tests.insert(0, Op::Exists(*wanted));
                    Ok(())
                }
                other => Err(wrong(&at, name, other)),
            },
            "cidr" => {
                let Value::String(text) = argument else { return Err(wrong(&at, name, argument)) };
                self.scalar();
                let network =
                    Network::new(text).map_err(|error| PatternError::new(&at, "bad_cidr", error.to_string()))?;
                tests.push(Op::Within(network));
                Ok(())
            }
            _ => Err(unknown(&at, name, argument)),
        }
    }

    /// The operators with a text; `prefix` and `suffix` also have a form without case.
    pub(super) fn text_test(
        &mut self,
        name: &str,
        argument: &Value,
        at: &str,
        tests: &mut Vec<Op>,
    ) -> Result<(), PatternError> {
        if let (true, Value::Object(members)) = (matches!(name, "prefix" | "suffix"), argument) {
            let mut only = members.iter();
            let (Some((inner, Value::String(text))), None) = (only.next(), only.next()) else {
                return Err(wrong(at, name, argument));
            };
            if inner != "equals-ignore-case" {
                return Err(wrong(at, name, argument));
            }
            self.scalar();
            let words = self.texts.make(&folded(text));
            tests.push(if name == "prefix" { Op::PrefixFolded(words) } else { Op::SuffixFolded(words) });
            return Ok(());
        }
        let Value::String(text) = argument else { return Err(wrong(at, name, argument)) };
        let words = self.words();
        match name {
            "prefix" => tests.push(Op::Prefix(words)),
            "suffix" => tests.push(Op::Suffix(words)),
            "equals-ignore-case" => {
                let words = self.texts.make(&folded(text));
                tests.push(Op::EqualFolded(words));
            }
            _ => self.wildcard(text, at, tests)?,
        }
        Ok(())
    }

    fn wildcard(&mut self, text: &str, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        let pieces =
            wildcard::pieces(text).map_err(|error| PatternError::new(at, "bad_wildcard", error.to_string()))?;
        if let [whole] = pieces.as_slice() {
            let words = self.texts.make(whole);
            tests.push(Op::Text(words));
            return Ok(());
        }
        // Each `*` is looked for.
        self.count(pieces.len() - 1, at)?;
        tests.push(Op::Wildcard(small(pieces.len())));
        for piece in pieces {
            let words = self.texts.make(&piece);
            tests.push(Op::Piece(words));
        }
        Ok(())
    }

    fn numeric(&mut self, argument: &Value, at: &str, tests: &mut Vec<Op>) -> Result<(), PatternError> {
        let Value::Array(words) = argument else { return Err(wrong(at, "numeric", argument)) };
        let bad = |detail: &str| PatternError::shape(at, format!("{detail}; write {}", form("numeric")));
        if !matches!(words.len(), 2 | 4) {
            return Err(bad("`numeric` takes one comparison or two"));
        }
        let mut bounds = Vec::with_capacity(2);
        for pair in words.chunks_exact(2) {
            let comparison = pair[0].as_str().and_then(Comparison::new);
            let comparison = comparison.ok_or_else(|| bad("a comparison is missing or not known"))?;
            self.scalar();
            if !pair[1].is_number() {
                return Err(bad("a comparison needs a number"));
            }
            bounds.push((comparison, self.number(at)?));
        }
        if let [(low, from), (high, to)] = bounds.as_slice() {
            use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
            if !matches!((low, high), (Greater | GreaterOrEqual, Less | LessOrEqual)) {
                return Err(bad("a range begins with > or >= and ends with < or <="));
            }
            let (from, to) = (self.texts.decimal(*from), self.texts.decimal(*to));
            if from == to && matches!((low, high), (GreaterOrEqual, LessOrEqual)) {
                let detail = format!("the range holds one number only; write {{\"numeric\": [\"=\", {}]}}", words[1]);
                return Err(PatternError::shape(at, detail));
            }
            if from >= to {
                return Err(bad("the range is empty"));
            }
        }
        tests.push(match bounds.as_slice() {
            [(Comparison::Equal, number)] => Op::Number(*number),
            bounds => Op::Range { bounds: bounds.len() as u8 },
        });
        if matches!(tests.last(), Some(Op::Range { .. })) {
            tests.extend(bounds.into_iter().map(|(comparison, number)| Op::Bound(comparison, number)));
        }
        Ok(())
    }

    pub(super) fn number(&mut self, at: &str) -> Result<Number, PatternError> {
        let place = self.scalar();
        Number::new(&self.texts, place).ok_or_else(|| {
            let detail = "the number's exponent is beyond a thousand million, which no event's number reaches";
            PatternError::new(at, "number_out_of_range", detail)
        })
    }

    /// The next string of the list.
    pub(super) fn words(&mut self) -> OperationText {
        let span = self.scalar();
        self.texts.part(span)
    }

    /// The span of the next string or number of the list.
    fn scalar(&mut self) -> PatternSpan {
        self.scalars.pop_front().expect("each string and number of the list was noted when it was written")
    }
}

/// A value that is tested.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'d> {
    Null,
    Bool(bool),
    Number(ParsedNumber<'d>),
    Text(&'d str),
}

/// Whether a test holds for a value. `following` are the operations after it, the first of which may belong to it.
#[inline]
pub(super) fn holds(
    op: &Op,
    following: &[Op],
    texts: &PatternText,
    value: Scalar<'_>,
    steps: &mut Steps,
) -> Result<bool, TooCostly> {
    Ok(match (op, value) {
        (Op::Null, Scalar::Null) => true,
        (Op::Bool(own), Scalar::Bool(truth)) => *own == truth,
        (Op::Number(own), Scalar::Number(number)) => {
            steps.take(number.tail.len() / BYTES_PER_STEP)?;
            texts.decimal(*own) == number
        }
        (Op::Range { bounds }, Scalar::Number(number)) => {
            steps.take(number.tail.len() / BYTES_PER_STEP)?;
            following[..usize::from(*bounds)].iter().all(|bound| match bound {
                Op::Bound(comparison, own) => comparison.holds(number, texts.decimal(*own)),
                _ => false,
            })
        }
        (Op::Text(own), Scalar::Text(text)) => texts.bytes_of(own) == text.as_bytes(),
        (Op::Prefix(own), Scalar::Text(text)) => text.as_bytes().starts_with(texts.bytes_of(own)),
        (Op::Suffix(own), Scalar::Text(text)) => text.as_bytes().ends_with(texts.bytes_of(own)),
        (Op::EqualFolded(own), Scalar::Text(text)) => folding::equal(text, to_fold(texts.text_of(own), steps)?),
        (Op::PrefixFolded(own), Scalar::Text(text)) => folding::begins(text, to_fold(texts.text_of(own), steps)?),
        (Op::SuffixFolded(own), Scalar::Text(text)) => folding::ends(text, to_fold(texts.text_of(own), steps)?),
        (Op::Wildcard(pieces), Scalar::Text(text)) => {
            steps.take(*pieces as usize + text.len() / BYTES_PER_STEP)?;
            wildcard::matches(text, following[..*pieces as usize].iter().map(|piece| texts.piece(piece)))
        }
        (Op::Within(network), Scalar::Text(text)) => NetworkAddress::new(text).is_some_and(|a| network.holds(a)),
        _ => false,
    })
}

/// A text of the pattern, after charging its comparison without case.
fn to_fold<'p>(own: &'p str, steps: &mut Steps) -> Result<&'p str, TooCostly> {
    steps.take(own.len() / FOLDED_BYTES_PER_STEP)?;
    Ok(own)
}

impl Comparison {
    fn new(word: &str) -> Option<Self> {
        Some(match word {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }
}
