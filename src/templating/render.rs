//! Walks a program once, with one event's data, into one buffer. Every part costs steps, so that
//! no template runs long, and the buffer is bounded. It never looks at the author's text again:
//! that was proved when the template was saved.

use std::borrow::Cow;

use super::Unrendered;
use super::escape::json::TooDeep;
use super::limits::Limits;
use super::program::{Each, Expression, If, LocalName, Node, Nodes, Path, Step, With};
use super::value::Datum;
use super::write::write;
use crate::json::Json;

/// How many bytes of a value are gone through for one step.
pub(super) const BYTES_PER_STEP: usize = 64;

/// A rendering under way.
pub(super) struct Run<'a> {
    out: Vec<u8>,
    output_bytes_max: usize,
    steps_left: usize,
    root: Json<'a>,
    /// The open `each` and `with` blocks, from the outside.
    scopes: Vec<Scope<'a>>,
}

struct Scope<'a> {
    this: Datum<'a>,
    key: Option<&'a str>,
    index: usize,
    last: bool,
}

impl From<TooDeep> for Unrendered {
    fn from(_: TooDeep) -> Self {
        Self::Malformed
    }
}

/// Renders a program. The first buffer has so many bytes.
pub(super) fn render<'a>(
    nodes: &'a Nodes,
    root: Json<'a>,
    limits: &Limits,
    bytes_expected: usize,
) -> Result<Vec<u8>, Unrendered> {
    let mut run = Run {
        out: Vec::with_capacity(bytes_expected.min(limits.output_bytes_max)),
        output_bytes_max: limits.output_bytes_max,
        steps_left: limits.steps_max,
        root,
        scopes: Vec::new(),
    };
    run.nodes(nodes)?;
    Ok(run.out)
}

impl<'a> Run<'a> {
    /// Pays for work.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Unrendered> {
        match self.steps_left.checked_sub(steps) {
            Some(left) => self.steps_left = left,
            None => return Err(Unrendered::TooManySteps),
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &'a Nodes) -> Result<(), Unrendered> {
        for node in nodes {
            self.spend(1)?;
            match node {
                Node::Text(text) => self.out.extend_from_slice(text.content.as_bytes()),
                Node::Write(part) => {
                    let value = self.evaluate(&part.value)?;
                    let bytes = write(&mut self.out, part.place, &value)?;
                    self.spend(bytes / BYTES_PER_STEP)?;
                }
                Node::If(chosen) => self.chosen(chosen)?,
                Node::Each(each) => self.each(each)?,
                Node::With(with) => self.with(with)?,
            }
            if self.out.len() > self.output_bytes_max {
                return Err(Unrendered::TooLarge);
            }
        }
        Ok(())
    }

    fn chosen(&mut self, chosen: &'a If) -> Result<(), Unrendered> {
        let holds = self.holds(&chosen.condition, chosen.include_zero)?;
        if holds == chosen.negated { self.nodes(&chosen.otherwise) } else { self.nodes(&chosen.then) }
    }

    /// Whether an expression's value holds. A number is gone through digit by digit, at its price.
    pub(super) fn holds(&mut self, expression: &'a Expression, include_zero: bool) -> Result<bool, Unrendered> {
        let value = self.evaluate(expression)?;
        self.truth(&value, include_zero)
    }

    fn truth(&mut self, value: &Datum<'a>, include_zero: bool) -> Result<bool, Unrendered> {
        if let Datum::Data(Json::Number(digits)) = value {
            self.spend(digits.len() / BYTES_PER_STEP)?;
        }
        Ok(value.holds(include_zero))
    }

    fn with(&mut self, with: &'a With) -> Result<(), Unrendered> {
        let value = self.evaluate(&with.value)?;
        if !self.truth(&value, false)? {
            return self.nodes(&with.otherwise);
        }
        self.element(&with.body, value, None, 0, false)
    }

    fn each(&mut self, each: &'a Each) -> Result<(), Unrendered> {
        let value = self.evaluate(&each.list)?;
        match value.data() {
            Some(Json::Array(list)) if !list.is_empty() => {
                for (index, element) in list.iter().enumerate() {
                    let last = index + 1 == list.len();
                    self.element(&each.body, Datum::Data(element), None, index, last)?;
                }
                Ok(())
            }
            Some(Json::Object(members)) if !members.is_empty() => {
                for (index, (key, member)) in members.iter().enumerate() {
                    let last = index + 1 == members.len();
                    self.element(&each.body, Datum::Data(member), Some(key), index, last)?;
                }
                Ok(())
            }
            _ => self.nodes(&each.otherwise),
        }
    }

    fn element(
        &mut self,
        body: &'a Nodes,
        this: Datum<'a>,
        key: Option<&'a str>,
        index: usize,
        last: bool,
    ) -> Result<(), Unrendered> {
        self.spend(1)?;
        self.scopes.push(Scope { this, key, index, last });
        let done = self.nodes(body);
        self.scopes.pop();
        done
    }

    /// What an expression comes to.
    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Result<Datum<'a>, Unrendered> {
        Ok(match expression {
            Expression::Path(path) => return self.path(path),
            Expression::Literal(literal) => Datum::Data(literal.root()),
            Expression::Call(call) => {
                self.spend(1)?;
                return self.call(call);
            }
            Expression::Local(local) => {
                // The root has no entry of its own, so the outermost block is 1.
                let scope = &self.scopes[local.scope - 1];
                let key = || scope.key.map(|key| Datum::Text(Cow::Borrowed(key)));
                match local.what {
                    LocalName::First => Datum::Truth(scope.index == 0),
                    LocalName::Last => Datum::Truth(scope.last),
                    LocalName::Index => Datum::Index(scope.index),
                    LocalName::Key => key().unwrap_or(Datum::Missing),
                    LocalName::KeyOrIndex => key().unwrap_or(Datum::Index(scope.index)),
                }
            }
        })
    }

    fn path(&mut self, path: &'a Path) -> Result<Datum<'a>, Unrendered> {
        self.spend(path.bytes / BYTES_PER_STEP)?;
        let start = match path.scope.checked_sub(1) {
            None => self.root,
            Some(block) => match &self.scopes[block].this {
                Datum::Data(value) => *value,
                made if path.steps.is_empty() => {
                    let made = made.clone();
                    self.spend(made.bytes() / BYTES_PER_STEP)?;
                    return Ok(made);
                }
                _ => return Ok(Datum::Missing),
            },
        };
        Ok(path.steps.iter().try_fold(start, step).map_or(Datum::Missing, Datum::Data))
    }

    /// How many bytes a text may get on its way into the body.
    pub(super) fn output_bytes_max(&self) -> usize {
        self.output_bytes_max
    }
}

fn step<'a>(value: Json<'a>, step: &Step) -> Option<Json<'a>> {
    match value {
        Json::Object(members) => members.get(&step.name),
        Json::Array(list) => list.get(step.index?),
        _ => None,
    }
}
