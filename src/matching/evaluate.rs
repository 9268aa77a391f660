//! Evaluates a pattern on the data of an event: without an allocation, within a budget of steps, and with an observer
//! that `explain` uses and that the compiler removes for matching.
//!
//! A list matches if one of its elements does. A field below a list is looked up in each element, and all conditions
//! below one member have to hold in the same element.

use std::collections::HashMap;

use super::decimal::ParsedNumber;
use super::operators::{self, Scalar};
use super::pattern::Pattern;
use super::program::{FieldShape, Op};
use super::steps::{BYTES_PER_STEP, Steps, TooCostly};
use crate::json::{Json, Object};

/// Numbers with a longer text are cached, so that each is parsed once for an event. Parsing a shorter one is as fast as
/// a look-up.
const NUMBER_BYTES_UNREMEMBERED: usize = 32;

/// The data of an event during the evaluation of patterns.
#[derive(Debug)]
pub struct Subject<'d> {
    pub(super) data: Object<'d>,
    numbers: LongNumbers,
}

/// Long numbers of some data that were parsed, by the address of their text: each with its text's later digits, as the
/// place of the first and their number.
#[derive(Debug, Default)]
pub(super) struct LongNumbers(HashMap<usize, (ParsedNumber<'static>, usize, usize), foldhash::fast::FixedState>);

impl<'d> Subject<'d> {
    /// The data of one event.
    pub fn new(data: Object<'d>) -> Self {
        Self::resume(data, LongNumbers::default())
    }

    /// The same data again, with what was parsed of it.
    pub(super) fn resume(data: Object<'d>, numbers: LongNumbers) -> Self {
        Self { data, numbers }
    }

    /// What was parsed.
    pub(super) fn into_numbers(self) -> LongNumbers {
        self.numbers
    }

    /// Parses a number; a long one only once.
    pub(super) fn number(&mut self, text: &'d str, steps: &mut Steps) -> Result<ParsedNumber<'d>, TooCostly> {
        if text.len() <= NUMBER_BYTES_UNREMEMBERED {
            return Ok(ParsedNumber::new(text));
        }
        let key = text.as_ptr() as usize;
        if let Some((number, first, digits)) = self.numbers.0.get(&key) {
            return Ok(ParsedNumber { tail: &text[*first..first + digits], ..*number });
        }
        steps.take(text.len() / BYTES_PER_STEP)?;
        let number = ParsedNumber::new(text);
        let first = if number.tail.is_empty() { 0 } else { number.tail.as_ptr() as usize - key };
        self.numbers.0.insert(key, (ParsedNumber { tail: "", ..number }, first, number.tail.len()));
        Ok(number)
    }
}

/// Follows an evaluation. By default it does nothing.
pub(super) trait Observer<'p, 'd> {
    /// A state to return to.
    type Mark: Copy;
    fn mark(&self) -> Self::Mark;
    /// One of several alternatives begins; they share the mark.
    fn retry(&mut self, _: Self::Mark) {}
    /// One of the alternatives held, so that failures since the mark do not count.
    fn forgive(&mut self, _: Self::Mark) {}
    fn enter(&mut self, _name: &'p [u8]) {}
    fn element(&mut self, _: usize) {}
    fn leave(&mut self) {}
    fn held(&mut self) {}
    fn failed(&mut self, _leaf: usize, _: Option<Json<'d>>) {}
}

struct NoObserver;

impl Observer<'_, '_> for NoObserver {
    type Mark = ();
    fn mark(&self) {}
}

impl Pattern {
    /// Whether an event with this data matches.
    pub fn matches(&self, subject: &mut Subject<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
        Evaluation { pattern: self, operations: &self.operations, subject, steps, observer: &mut NoObserver }.all()
    }

    pub(super) fn observe<'p, 'd, O: Observer<'p, 'd>>(
        &'p self,
        subject: &mut Subject<'d>,
        steps: &mut Steps,
        observer: &mut O,
    ) -> Result<bool, TooCostly> {
        Evaluation { pattern: self, operations: &self.operations, subject, steps, observer }.all()
    }
}

type EvaluationResult = Result<bool, TooCostly>;

struct Evaluation<'p, 'a, 'd, O> {
    pattern: &'p Pattern,
    /// The operations of the pattern.
    operations: &'p [Op],
    subject: &'a mut Subject<'d>,
    steps: &'a mut Steps,
    observer: &'a mut O,
}

impl<'p, 'd, O: Observer<'p, 'd>> Evaluation<'p, '_, 'd, O> {
    fn all(&mut self) -> EvaluationResult {
        let data = Json::Object(self.subject.data);
        self.level(0, self.operations.len(), Some(data))
    }

    /// Whether all operations from `at` to `end` hold for an object, or for a value without members.
    fn level(&mut self, mut at: usize, end: usize, value: Option<Json<'d>>) -> EvaluationResult {
        while at < end {
            let (pattern, operations) = (self.pattern, self.operations);
            let (holds, next) = match &operations[at] {
                Op::Field { name, next, below } => {
                    self.steps.take(1)?;
                    let name = pattern.text.bytes_of(name);
                    let member = value.and_then(|value| value.member(name));
                    self.observer.enter(name);
                    let next = *next as usize;
                    let holds = match below {
                        FieldShape::Leaf => self.leaf(at + 1, member)?,
                        FieldShape::Level => self.below(at + 1, next, member)?,
                        FieldShape::Mixed => self.mixed(at + 1, next, member)?,
                    };
                    self.observer.leave();
                    (holds, next)
                }
                Op::Any { next } => (self.any(at + 1, *next as usize, value)?, *next as usize),
                _ => (false, end),
            };
            if !holds {
                return Ok(false);
            }
            at = next;
        }
        Ok(true)
    }

    /// Whether one branch holds.
    fn any(&mut self, mut at: usize, end: usize, value: Option<Json<'d>>) -> EvaluationResult {
        let mark = self.observer.mark();
        while at < end {
            let next = Op::next(self.operations, at);
            self.observer.retry(mark);
            if self.level(at + 1, next, value)? {
                self.observer.forgive(mark);
                return Ok(true);
            }
            at = next;
        }
        Ok(false)
    }

    /// Whether all operations hold below a member: in the same element, if it is a list.
    fn below(&mut self, at: usize, end: usize, value: Option<Json<'d>>) -> EvaluationResult {
        match value {
            Some(Json::Array(elements)) if !elements.is_empty() => {
                let mark = self.observer.mark();
                for (place, element) in elements.iter().enumerate() {
                    self.steps.take(1)?;
                    self.observer.retry(mark);
                    self.observer.element(place);
                    let holds = self.below(at, end, Some(element))?;
                    self.observer.leave();
                    if holds {
                        self.observer.forgive(mark);
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            value => self.level(at, end, value),
        }
    }

    /// Whether one test of a leaf holds for a value, or for an element of a list.
    fn leaf(&mut self, at: usize, value: Option<Json<'d>>) -> EvaluationResult {
        let holds = match self.existence(at, value)? {
            (true, _) => true,
            (false, first) => self.scalar_holds(first, Op::next(self.operations, at), value)?,
        };
        if holds {
            self.observer.held();
        } else {
            self.observer.failed(at, value);
        }
        Ok(holds)
    }

    /// Whether a test for existence holds, and where the other tests begin.
    fn existence(&mut self, leaf: usize, value: Option<Json<'d>>) -> Result<(bool, usize), TooCostly> {
        let mut at = leaf + 1;
        while let Some(Op::Exists(wanted)) = self.operations.get(at) {
            let exists = match value {
                Some(value) => self.has_scalar(value)?,
                None => false,
            };
            if exists == *wanted {
                return Ok((true, at));
            }
            at += 1;
        }
        Ok((false, at))
    }

    /// Only scalars count as existing: objects and empty lists do not.
    fn has_scalar(&mut self, value: Json<'d>) -> EvaluationResult {
        self.steps.take(1)?;
        match value {
            Json::Object(_) => Ok(false),
            Json::Array(elements) => {
                for element in elements.iter() {
                    if self.has_scalar(element)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn scalar_holds(&mut self, first: usize, end: usize, value: Option<Json<'d>>) -> EvaluationResult {
        match value {
            None | Some(Json::Object(_)) => Ok(false),
            Some(Json::Array(elements)) => {
                for element in elements.iter() {
                    self.steps.take(1)?;
                    if self.scalar_holds(first, end, Some(element))? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Some(Json::Number(text)) => {
                let number = self.subject.number(text, self.steps)?;
                self.some_test(first, end, Scalar::Number(number))
            }
            Some(Json::String(text)) => self.some_test(first, end, Scalar::Text(text)),
            Some(Json::Bool(truth)) => self.some_test(first, end, Scalar::Bool(truth)),
            Some(Json::Null) => self.some_test(first, end, Scalar::Null),
        }
    }

    fn some_test(&mut self, mut at: usize, end: usize, value: Scalar<'d>) -> EvaluationResult {
        while at < end {
            self.steps.take(1)?;
            if self.test(at, value)? {
                return Ok(true);
            }
            at = Op::next(self.operations, at);
        }
        Ok(false)
    }

    fn test(&mut self, at: usize, value: Scalar<'d>) -> EvaluationResult {
        match &self.operations[at] {
            Op::AnythingBut { operations } => {
                let first = at + 1;
                Ok(!self.some_test(first, first + *operations as usize, value)?)
            }
            op => operators::holds(op, &self.operations[at + 1..], &self.pattern.text, value, self.steps),
        }
    }

    /// Lists of tests of a member, and conditions below it: all must hold in the same element, if it is a list.
    fn mixed(&mut self, at: usize, end: usize, value: Option<Json<'d>>) -> EvaluationResult {
        let mut pending = 0_u64;
        let (mut leaf, mut place) = (at, 0_u32);
        while leaf < end && matches!(self.operations[leaf], Op::Leaf { .. }) {
            // Beyond the capacity of the set, each list is evaluated on its own.
            let next = Op::next(self.operations, leaf);
            if place >= u64::BITS {
                if !self.leaf(leaf, value)? {
                    return Ok(false);
                }
            } else if !self.existence(leaf, value)?.0 {
                pending |= 1 << place;
            }
            (leaf, place) = (next, place + 1);
        }
        let holds = self.mixed_value(at, leaf, end, value, pending)?;
        if !holds && pending != 0 {
            self.observer.failed(at, value);
        }
        Ok(holds)
    }

    /// `pending`: which of the lists of tests from `leaves` on are not met yet.
    fn mixed_value(
        &mut self,
        leaves: usize,
        level: usize,
        end: usize,
        value: Option<Json<'d>>,
        pending: u64,
    ) -> EvaluationResult {
        match value {
            Some(Json::Array(elements)) if !elements.is_empty() => {
                let mut pending = pending;
                let is_scalar = |element: &Json<'_>| !matches!(element, Json::Array(_) | Json::Object(_));
                for element in elements.iter().filter(is_scalar) {
                    self.steps.take(1)?;
                    if pending != 0 {
                        pending = self.met(leaves, level, element, pending)?;
                    }
                }
                // A scalar has no members, so that only conditions of absence can hold below it.
                let scalars = elements.iter().any(|element| is_scalar(&element));
                if scalars && pending == 0 && self.level(level, end, None)? {
                    return Ok(true);
                }
                for element in elements.iter().filter(|element| !is_scalar(element)) {
                    self.steps.take(1)?;
                    if self.mixed_value(leaves, level, end, Some(element), pending)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Some(Json::Array(_) | Json::Object(_)) | None => Ok(pending == 0 && self.level(level, end, value)?),
            Some(scalar) => Ok(self.met(leaves, level, scalar, pending)? == 0 && self.level(level, end, None)?),
        }
    }

    /// Which lists of tests are still unmet after this scalar.
    fn met(&mut self, leaves: usize, level: usize, scalar: Json<'d>, mut pending: u64) -> Result<u64, TooCostly> {
        let (mut leaf, mut place) = (leaves, 0_u32);
        while leaf < level && place < u64::BITS {
            let next = Op::next(self.operations, leaf);
            if pending & 1 << place != 0 && self.scalar_holds(leaf + 1, next, Some(scalar))? {
                pending &= !(1 << place);
            }
            (leaf, place) = (next, place + 1);
        }
        Ok(pending)
    }
}
