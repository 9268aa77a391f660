//! The position of a path in each loop around it, and the conditions whose result is known without data: those on
//! `@first`, `@last` and `@index`, and those that are decided on the path.

use super::conditions::{Conditions, KnownConditions};
use crate::templating::program::{Expression, HelperCall, IfNode, LocalName, Nodes, TemplateNode};
use crate::templating::render::helpers;

/// A comparison of an index with a number.
type IndexComparison = fn(&usize, &usize) -> bool;

/// The most classes into which a loop's indexes are divided by comparisons of `@index`.
const BOUNDARIES_MAX: usize = 8;

/// The position of an element in its loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoopPosition {
    /// The smallest index.
    pub(super) from: usize,
    /// The index after the largest; `None` without a largest.
    pub(super) to: Option<usize>,
    /// Whether it is the last element.
    pub(super) last: bool,
}

/// The position in each open block, the root first. Only an `each` has one; the root and a `with` have none.
#[derive(Debug, Clone)]
pub(super) struct LoopPositions(Vec<Option<LoopPosition>>);

impl Default for LoopPositions {
    fn default() -> Self {
        Self(vec![None])
    }
}

impl LoopPositions {
    pub(super) fn enter(&mut self, position: Option<LoopPosition>) {
        self.0.push(position);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// How many blocks are open; the number of the next one's scope.
    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Whether an `if` takes its first part, if that is known.
    pub(super) fn taken(&self, chosen: &IfNode, conditions: &Conditions, decided: KnownConditions) -> Option<bool> {
        let holds = self.holds(&chosen.condition, chosen.include_zero, conditions, decided)?;
        Some(holds != chosen.negated)
    }

    fn holds(
        &self,
        condition: &Expression,
        include_zero: bool,
        conditions: &Conditions,
        decided: KnownConditions,
    ) -> Option<bool> {
        if let Some(holds) = conditions.find(condition, include_zero).and_then(|id| decided.get(id)) {
            return Some(holds);
        }
        match condition {
            Expression::Local(local) => {
                let position = (*self.0.get(local.scope)?)?;
                match local.what {
                    LocalName::First => position.compare(0, usize::eq),
                    LocalName::Last => Some(position.last),
                    LocalName::Index if include_zero => Some(true),
                    LocalName::Index => position.compare(0, usize::ne),
                    LocalName::Key | LocalName::KeyOrIndex => None,
                }
            }
            Expression::Call(call) => {
                let mut parts = call.arguments.iter().map(|part| self.holds(part, false, conditions, decided));
                match helpers::get(call.helper).name {
                    "not" => parts.next()?.map(|holds| !holds),
                    "and" => all(parts, true),
                    "or" => all(parts, false),
                    _ => {
                        let (scope, compare, number) = comparison(call)?;
                        (*self.0.get(scope)?)?.compare(number, compare)
                    }
                }
            }
            Expression::Path(_) | Expression::Literal(_) => None,
        }
    }
}

impl LoopPosition {
    /// The result of a comparison of the index, if it is the same for the whole class.
    fn compare(self, number: usize, holds: IndexComparison) -> Option<bool> {
        let first = holds(&self.from, &number);
        // A comparison's result changes only at the number and after it, which are boundaries of classes.
        let inside = self.from < number && self.to.is_none_or(|to| to > number)
            || self.from == number && self.to != Some(number + 1);
        (!inside).then_some(first)
    }
}

/// `@index` compared with a whole number: the loop, the comparison, the number.
fn comparison(call: &HelperCall) -> Option<(usize, IndexComparison, usize)> {
    let index = |place: usize| match call.arguments.get(place)? {
        Expression::Local(local) if local.what == LocalName::Index => Some(local.scope),
        _ => None,
    };
    let number = |place: usize| call.constant_number(place)?.parse::<usize>().ok();
    let name = helpers::get(call.helper).name;
    let straight: IndexComparison = match name {
        "lt" => usize::lt,
        "lte" => usize::le,
        "gt" => usize::gt,
        "gte" => usize::ge,
        "eq" => usize::eq,
        "ne" => usize::ne,
        _ => return None,
    };
    if let (Some(scope), Some(number)) = (index(0), number(1)) {
        return Some((scope, straight, number));
    }
    let mirrored: IndexComparison = match name {
        "lt" => usize::gt,
        "lte" => usize::ge,
        "gt" => usize::lt,
        "gte" => usize::le,
        _ => straight,
    };
    Some((index(1)?, mirrored, number(0)?))
}

/// The classes of a loop's indexes within which each comparison has one result: first index and end, in order.
pub(super) fn classes(body: &Nodes, scope: usize) -> Vec<(usize, Option<usize>)> {
    let mut boundaries = vec![0, 1];
    collect(body, scope, &mut boundaries);
    boundaries.sort_unstable();
    boundaries.dedup();
    // Beyond the bound, comparisons of larger indexes are not known.
    boundaries.truncate(BOUNDARIES_MAX);
    let ends = boundaries[1..].iter().copied().map(Some).chain([None]);
    boundaries.iter().copied().zip(ends).collect()
}

fn collect(nodes: &Nodes, scope: usize, boundaries: &mut Vec<usize>) {
    for node in nodes {
        if let TemplateNode::If(chosen) = node {
            numbers(&chosen.condition, scope, boundaries);
        }
        for inner in node.inner() {
            collect(inner, scope, boundaries);
        }
    }
}

fn numbers(condition: &Expression, scope: usize, boundaries: &mut Vec<usize>) {
    let Expression::Call(call) = condition else { return };
    if let Some((own, _, number)) = comparison(call)
        && own == scope
        && number < usize::MAX
    {
        boundaries.extend([number, number + 1]);
    }
    for argument in &call.arguments {
        numbers(argument, scope, boundaries);
    }
}

/// `and` for `true`, `or` for `false`: one part with the other result decides it.
fn all(parts: impl Iterator<Item = Option<bool>>, truth: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part {
            Some(holds) if holds != truth => return Some(!truth),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(truth)
}
