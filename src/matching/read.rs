//! Parses a pattern: JSON into fields, `$or` and lists of tests. Each mistake is reported with its position and the
//! required form.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::error::PatternError;
use super::program::{Op, OperationText, PatternSpan, Texts};
use crate::json::kind;

/// The deepest nesting of objects in a pattern.
const DEPTH_MAX: usize = 32;
/// The most mistakes that are reported for one pattern.
const MISTAKES_MAX: usize = 20;
/// The most values in one pattern, as it was written.
const VALUES_MAX: usize = 1_000;

/// Names that event-ruler reserves within `$or`, since they are or may become operators: a branch such as `{"prefix":
/// ["x"]}` is a misplaced operator and would never match.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

const OR_SHAPE: &str = "`$or` takes a list of two or more patterns, one of which must match: \
                        \"$or\": [{\"nights\": [{\"numeric\": [\">\", 7]}]}, {\"guests\": [{\"numeric\": [\">\", 4]}]}]";

/// All items must hold.
pub(super) type PatternLevel = Vec<PatternItem>;

/// A part of a pattern.
#[derive(Debug, Clone)]
pub(super) enum PatternItem {
    /// A member of the event's data, by the number of its name.
    Field(u32, MemberCondition),
    /// One of the branches must hold. `at` is the JSON Pointer of the `$or`.
    Or { at: String, branches: Vec<PatternLevel> },
}

/// The condition of a member.
#[derive(Debug, Clone)]
pub(super) enum MemberCondition {
    /// One of the tests of this leaf.
    Leaf(usize),
    /// All of this level, for an object.
    Level(PatternLevel),
}

/// A list of tests.
#[derive(Debug)]
pub(super) struct TestList {
    /// The list as it was written.
    pub(super) source: PatternSpan,
    pub(super) tests: Vec<Op>,
}

/// The contents of a pattern so far, and the state of the parser.
#[derive(Debug, Default)]
pub(super) struct PatternReader {
    pub(super) texts: Texts,
    pub(super) names: Vec<OperationText>,
    pub(super) leaves: Vec<TestList>,
    /// EARLIER(record): the first construct that must not be saved again.
    pub(super) complaint: Option<PatternError>,
    mistakes: Vec<PatternError>,
    numbers_of_names: HashMap<String, u32, foldhash::fast::RandomState>,
    values: usize,
    /// The spans of the strings and numbers of the current list in the source, in order.
    pub(super) scalars: VecDeque<PatternSpan>,
}

/// The beginning of a value, for a message.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

impl PatternReader {
    /// Parses a whole pattern, or returns every mistake.
    pub(super) fn read(&mut self, source: &Value) -> Result<PatternLevel, Vec<PatternError>> {
        let read = match source {
            Value::Object(members) => self.level(members, "", 1, false),
            other => {
                let detail =
                    format!("a pattern is an object, such as {{\"status\": [\"confirmed\"]}}, not {}", kind(other));
                Err(PatternError::shape("", detail))
            }
        };
        let mut mistakes = std::mem::take(&mut self.mistakes);
        match read {
            Ok(level) if mistakes.is_empty() => Ok(level),
            Ok(_) => Err(mistakes),
            Err(last) => {
                mistakes.push(last);
                Err(mistakes)
            }
        }
    }

    /// Records a mistake, so that parsing continues; returns one after which it can't.
    fn refuse(&mut self, error: PatternError) -> Result<(), PatternError> {
        if error.is_of_size() || self.mistakes.len() + 1 >= MISTAKES_MAX {
            return Err(error);
        }
        self.mistakes.push(error);
        Ok(())
    }

    fn level(
        &mut self,
        members: &Map<String, Value>,
        at: &str,
        depth: usize,
        in_or: bool,
    ) -> Result<PatternLevel, PatternError> {
        if members.is_empty() {
            return Err(PatternError::shape(at, "an empty object matches nothing; leave it out"));
        }
        if depth > DEPTH_MAX {
            return Err(PatternError::too_large(at, format!("objects are nested more than {DEPTH_MAX} deep")));
        }
        self.texts.source.push('{');
        let mut items = Vec::with_capacity(members.len());
        for (place, (name, value)) in members.iter().enumerate() {
            if place > 0 {
                self.texts.source.push(',');
            }
            match self.member(name, value, &crate::json::pointer(at, name), (depth, in_or)) {
                Ok(item) => items.push(item),
                Err(error) => self.refuse(error)?,
            }
        }
        self.texts.source.push('}');
        Ok(items)
    }

    fn member(
        &mut self,
        name: &str,
        value: &Value,
        at: &str,
        (depth, in_or): (usize, bool),
    ) -> Result<PatternItem, PatternError> {
        let span = self.string(name);
        self.texts.source.push(':');
        if name == "$or" {
            return Ok(PatternItem::Or { at: at.to_owned(), branches: self.branches(value, at, depth)? });
        }
        if in_or && RESERVED.contains(&name) {
            let detail = format!("`{name}` can't name a field within `$or`; {OR_SHAPE}");
            return Err(PatternError::shape(at, detail));
        }
        let body = match value {
            Value::Object(inner) => MemberCondition::Level(self.level(inner, at, depth + 1, in_or)?),
            Value::Array(list) => MemberCondition::Leaf(self.leaf(list, at)?),
            other if Self::is_operator(name) => {
                let detail =
                    format!("`{name}` is an operator only within a list; write [{{\"{name}\": {}}}]", shown(other));
                return Err(PatternError::shape(at, detail));
            }
            other => {
                let detail = format!(
                    "a field takes a list of values or an object, not {}; write [{}]",
                    kind(other),
                    shown(other)
                );
                return Err(PatternError::shape(at, detail));
            }
        };
        Ok(PatternItem::Field(self.name(name, span), body))
    }

    fn branches(&mut self, value: &Value, at: &str, depth: usize) -> Result<Vec<PatternLevel>, PatternError> {
        let list = match value {
            Value::Array(list) if list.len() >= 2 => list,
            _ => return Err(PatternError::shape(at, OR_SHAPE)),
        };
        self.texts.source.push('[');
        let mut branches = Vec::with_capacity(list.len());
        for (place, branch) in list.iter().enumerate() {
            if place > 0 {
                self.texts.source.push(',');
            }
            let at = format!("{at}/{place}");
            let read = match branch {
                Value::Object(members) => self.level(members, &at, depth + 1, true),
                _ => Err(PatternError::shape(&at, OR_SHAPE)),
            };
            match read {
                Ok(level) => branches.push(level),
                Err(error) => self.refuse(error)?,
            }
        }
        self.texts.source.push(']');
        Ok(branches)
    }

    fn leaf(&mut self, list: &[Value], at: &str) -> Result<usize, PatternError> {
        if list.is_empty() {
            let detail = "an empty list matches nothing; name a value, such as [\"confirmed\"], or leave the field out";
            return Err(PatternError::shape(at, detail));
        }
        let start = self.texts.source.len();
        self.scalars.clear();
        self.list(list);
        let source = PatternSpan::source(start, self.texts.source.len() - start);
        let mut tests = Vec::with_capacity(list.len());
        for (place, item) in list.iter().enumerate() {
            self.test(item, &format!("{at}/{place}"), &mut tests)?;
        }
        self.leaves.push(TestList { source, tests });
        Ok(self.leaves.len() - 1)
    }

    /// Counts values of the pattern.
    pub(super) fn count(&mut self, more: usize, at: &str) -> Result<(), PatternError> {
        self.values += more;
        if self.values > VALUES_MAX {
            let detail = format!("the pattern has more than {VALUES_MAX} values; each `*` of a wildcard counts as one");
            return Err(PatternError::too_large(at, detail));
        }
        Ok(())
    }

    /// Writes a string into the source and returns the span of its text.
    fn string(&mut self, text: &str) -> PatternSpan {
        let source = &mut self.texts.source;
        if text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | ..b' ')) {
            source.push_str(&Value::from(text).to_string());
            return self.texts.store(text);
        }
        let start = source.len() + 1;
        source.extend(["\"", text, "\""]);
        PatternSpan::source(start, text.len())
    }

    fn list(&mut self, list: &[Value]) {
        self.texts.source.push('[');
        for (place, value) in list.iter().enumerate() {
            if place > 0 {
                self.texts.source.push(',');
            }
            self.value(value);
        }
        self.texts.source.push(']');
    }

    /// Writes a value into the source and records the spans of its scalars.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => self.texts.source.push_str(&value.to_string()),
            Value::Number(number) => {
                let start = self.texts.source.len();
                self.texts.source.push_str(number.as_str());
                self.scalars.push_back(PatternSpan::source(start, number.as_str().len()));
            }
            Value::String(text) => {
                let span = self.string(text);
                self.scalars.push_back(span);
            }
            Value::Array(list) => self.list(list),
            Value::Object(members) => {
                self.texts.source.push('{');
                for (place, (name, value)) in members.iter().enumerate() {
                    if place > 0 {
                        self.texts.source.push(',');
                    }
                    self.string(name);
                    self.texts.source.push(':');
                    self.value(value);
                }
                self.texts.source.push('}');
            }
        }
    }

    fn name(&mut self, name: &str, span: PatternSpan) -> u32 {
        let (names, texts) = (&mut self.names, &self.texts);
        *self.numbers_of_names.entry(name.to_owned()).or_insert_with(|| {
            names.push(texts.part(span));
            super::program::small(names.len() - 1)
        })
    }
}
