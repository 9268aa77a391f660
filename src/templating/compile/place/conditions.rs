//! Conditions that a template evaluates more than once. On the same values, they have the same result each time.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::templating::program::{Expression, IfNode, Nodes, TemplateNode};
use crate::templating::render::helpers;

/// The most conditions that are distinguished.
const CONDITIONS_MAX: usize = 64;

/// The results of conditions on the current path, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct KnownConditions {
    known: u64,
    holds: u64,
}

impl KnownConditions {
    pub(super) fn get(self, id: usize) -> Option<bool> {
        (self.known >> id & 1 == 1).then_some(self.holds >> id & 1 == 1)
    }

    pub(super) fn with(self, id: usize, holds: bool) -> Self {
        let bit = 1 << id;
        Self { known: self.known | bit, holds: if holds { self.holds | bit } else { self.holds & !bit } }
    }

    fn without(self, ids: u64) -> Self {
        Self { known: self.known & !ids, holds: self.holds & !ids }
    }
}

/// The conditions that a template evaluates more than once.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    ids: HashMap<String, usize>,
    /// The innermost block whose value each condition reads.
    scopes: Vec<usize>,
    /// The position of each condition's last evaluation.
    last: Vec<usize>,
}

impl Conditions {
    pub(super) fn of(nodes: &Nodes) -> Self {
        let mut uses = ConditionUses::new();
        collect(nodes, &mut uses);
        let mut repeated: Vec<_> = uses.into_iter().filter(|(_, (times, ..))| *times > 1).collect();
        repeated.sort_by_key(|(_, (_, last, _))| *last);
        repeated.truncate(CONDITIONS_MAX);
        let mut conditions = Self::default();
        for (id, (key, (_, last, scope))) in repeated.into_iter().enumerate() {
            conditions.ids.insert(key, id);
            conditions.scopes.push(scope);
            conditions.last.push(last);
        }
        conditions
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The number of a condition.
    pub(super) fn find(&self, condition: &Expression, include_zero: bool) -> Option<usize> {
        if self.is_empty() { None } else { self.ids.get(&key(condition, include_zero)).copied() }
    }

    /// The known results after this one: the condition itself, and what follows from it.
    pub(super) fn assume(
        &self,
        decided: KnownConditions,
        condition: &Expression,
        include_zero: bool,
        holds: bool,
    ) -> KnownConditions {
        let decided = match self.find(condition, include_zero) {
            Some(id) => decided.with(id, holds),
            None => decided,
        };
        let Some((junction, parts)) = junction(condition) else { return decided };
        match junction {
            ConditionOperator::Not => self.assume_all(decided, parts, !holds),
            ConditionOperator::And if holds => self.assume_all(decided, parts, true),
            ConditionOperator::Or if !holds => self.assume_all(decided, parts, false),
            ConditionOperator::And | ConditionOperator::Or => self.assume_last(decided, parts, holds),
        }
    }

    fn assume_all(&self, decided: KnownConditions, parts: &[Expression], holds: bool) -> KnownConditions {
        parts.iter().fold(decided, |decided, part| self.assume(decided, part, false, holds))
    }

    /// If all parts but one are known to have the other result, that one determined the result.
    fn assume_last(&self, decided: KnownConditions, parts: &[Expression], holds: bool) -> KnownConditions {
        let known = |part: &&Expression| self.find(part, false).and_then(|id| decided.get(id)) == Some(!holds);
        let mut others = parts.iter().filter(|part| !known(part));
        match (others.next(), others.next()) {
            (Some(part), None) => self.assume(decided, part, false, holds),
            _ => decided,
        }
    }

    /// The results that are still needed after an `if`.
    pub(super) fn behind(&self, decided: KnownConditions, chosen: &IfNode) -> KnownConditions {
        self.without(decided, |id| self.last[id] <= chosen.at)
    }

    /// The results that stay valid when a block with another `this` begins or ends.
    pub(super) fn outside(&self, decided: KnownConditions, scope: usize) -> KnownConditions {
        self.without(decided, |id| self.scopes[id] >= scope)
    }

    fn without(&self, decided: KnownConditions, gone: impl Fn(usize) -> bool) -> KnownConditions {
        if decided == KnownConditions::default() {
            return decided;
        }
        let ids = (0..self.last.len()).filter(|id| gone(*id)).fold(0, |ids, id| ids | 1 << id);
        decided.without(ids)
    }
}

enum ConditionOperator {
    Not,
    And,
    Or,
}

/// The conditions that a condition consists of.
fn junction(condition: &Expression) -> Option<(ConditionOperator, &[Expression])> {
    let Expression::Call(call) = condition else { return None };
    let junction = match helpers::get(call.helper).name {
        "not" => ConditionOperator::Not,
        "and" => ConditionOperator::And,
        "or" => ConditionOperator::Or,
        _ => return None,
    };
    Some((junction, &call.arguments))
}

/// How often each condition is evaluated, where it is evaluated last, and the innermost block that it reads.
type ConditionUses = HashMap<String, (usize, usize, usize)>;

fn collect(nodes: &Nodes, uses: &mut ConditionUses) {
    for node in nodes {
        if let TemplateNode::If(chosen) = node {
            ask(&chosen.condition, chosen.include_zero, chosen.at, uses);
        }
        for inner in node.inner() {
            collect(inner, uses);
        }
    }
}

fn ask(condition: &Expression, include_zero: bool, at: usize, uses: &mut ConditionUses) {
    let scope = scope(condition);
    let (times, last, _) = uses.entry(key(condition, include_zero)).or_insert((0, at, scope));
    *times += 1;
    *last = at.max(*last);
    for part in junction(condition).map_or(&[][..], |(_, parts)| parts) {
        ask(part, false, at, uses);
    }
}

/// The key of a condition: equal for the same condition on the same values.
fn key(condition: &Expression, include_zero: bool) -> String {
    let mut key = String::new();
    if include_zero {
        key.push('0');
    }
    write_key(condition, &mut key);
    key
}

fn write_key(expression: &Expression, key: &mut String) {
    // Writing to a String can't fail.
    let _ = match expression {
        Expression::Path(path) => {
            let names: Vec<&str> = path.steps.iter().map(|step| &*step.name).collect();
            write!(key, "{}{names:?}", path.scope)
        }
        Expression::Local(local) => write!(key, "{}@{:?}", local.scope, local.what),
        Expression::Literal(literal) => write!(key, "{:?}", literal.root()),
        Expression::Call(call) => {
            let _ = write!(key, "({:?}", call.helper);
            for argument in &call.arguments {
                key.push(' ');
                write_key(argument, key);
            }
            for (name, value) in &call.options {
                let _ = write!(key, " {name}=");
                write_key(value, key);
            }
            write!(key, ")")
        }
    };
}

/// The innermost block whose value a condition reads; 0 is the root.
fn scope(expression: &Expression) -> usize {
    match expression {
        Expression::Path(path) => path.scope,
        Expression::Local(local) => local.scope,
        Expression::Literal(_) => 0,
        Expression::Call(call) => {
            let options = call.options.iter().map(|(_, value)| value);
            call.arguments.iter().chain(options).map(scope).max().unwrap_or(0)
        }
    }
}
