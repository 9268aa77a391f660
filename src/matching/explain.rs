//! Why a pattern does not match: the same evaluation, with an observer that records where it failed. If there were
//! several ways to match (branches of `$or`, elements of a list), it reports the one that got furthest.

use serde_json::value::RawValue;

use super::evaluate::{Observer, Subject};
use super::pattern::Pattern;
use super::program::Op;
use super::steps::{Steps, TooCostly};
use crate::json::Json;

/// The longest value that an explanation shows, in bytes of JSON.
const VALUE_BYTES_MAX: usize = 1_024;

/// The condition that failed.
#[derive(Debug)]
pub struct Mismatch {
    /// The position of its value, present or not: a JSON Pointer into the data.
    pub path: String,
    /// The list of tests as it was written.
    pub condition: Box<RawValue>,
    /// The value that was found, as JSON; `None` if there is none, or if it is long.
    pub value: Option<String>,
}

impl Pattern {
    /// Why an event with this data does not match; `None` if it matches.
    pub fn explain(&self, subject: &mut Subject<'_>, steps: &mut Steps) -> Result<Option<Mismatch>, TooCostly> {
        let mut trace = Trace::default();
        if self.observe(subject, steps, &mut trace)? {
            return Ok(None);
        }
        let furthest = trace.furthest.pop().expect("a pattern that does not match has a condition that failed");
        let condition = match self.operations[furthest.leaf] {
            Op::Leaf { source, .. } => self.text.get(source).to_owned(),
            _ => String::new(),
        };
        Ok(Some(Mismatch {
            path: pointer(&furthest.path),
            condition: RawValue::from_string(condition).expect("the list was written as JSON"),
            value: furthest.value.and_then(shown),
        }))
    }
}

/// A part of a path.
#[derive(Debug, Clone, Copy)]
enum PathPart<'p> {
    Name(&'p [u8]),
    Element(usize),
}

/// A path as a JSON Pointer.
fn pointer(path: &[PathPart<'_>]) -> String {
    let parts = path.iter().map(|part| match part {
        PathPart::Name(name) => format!("/{}", crate::json::pointer_part(&String::from_utf8_lossy(name))),
        PathPart::Element(place) => format!("/{place}"),
    });
    parts.collect()
}

/// A value as JSON, if it is short enough.
fn shown(value: Json<'_>) -> Option<String> {
    let mut json = String::new();
    write(value, &mut json)?;
    Some(json)
}

fn write(value: Json<'_>, out: &mut String) -> Option<()> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        Json::Number(digits) => out.push_str(digits),
        Json::String(text) if text.len() > VALUE_BYTES_MAX => return None,
        Json::String(text) => out.push_str(&quoted(text)),
        Json::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                out.push(if place == 0 { '[' } else { ',' });
                write(element, out)?;
            }
            out.push_str(if elements.is_empty() { "[]" } else { "]" });
        }
        Json::Object(members) => {
            for (place, (name, member)) in members.iter().enumerate() {
                out.push(if place == 0 { '{' } else { ',' });
                out.push_str(&quoted(name));
                out.push(':');
                write(member, out)?;
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
    (out.len() <= VALUE_BYTES_MAX).then_some(())
}

/// It writes no text: the same names are entered for each element of a list.
#[derive(Default)]
struct Trace<'p, 'd> {
    path: Vec<PathPart<'p>>,
    /// How many conditions held in the current attempt.
    held: usize,
    /// Failures, each further than the previous one.
    furthest: Vec<Failure<'p, 'd>>,
}

struct Failure<'p, 'd> {
    held: usize,
    path: Vec<PathPart<'p>>,
    leaf: usize,
    value: Option<Json<'d>>,
}

impl<'p, 'd> Observer<'p, 'd> for Trace<'p, 'd> {
    type Mark = (usize, usize);

    fn mark(&self) -> Self::Mark {
        (self.held, self.furthest.len())
    }

    fn retry(&mut self, (held, _): Self::Mark) {
        self.held = held;
    }

    fn forgive(&mut self, (_, failures): Self::Mark) {
        self.furthest.truncate(failures);
    }

    fn enter(&mut self, name: &'p [u8]) {
        self.path.push(PathPart::Name(name));
    }

    fn element(&mut self, place: usize) {
        self.path.push(PathPart::Element(place));
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn held(&mut self) {
        self.held += 1;
    }

    fn failed(&mut self, leaf: usize, value: Option<Json<'d>>) {
        if self.furthest.last().is_none_or(|furthest| self.held > furthest.held) {
            self.furthest.push(Failure { held: self.held, path: self.path.clone(), leaf, value });
        }
    }
}
