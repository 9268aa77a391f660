//! What conditions on a loop's first and last element come to: the one thing about conditions
//! that is known without data.

use crate::templating::program::{Expression, If, LocalName};
use crate::templating::render::helpers;

/// The open `each` and `with` blocks, from the outside, with the root before them: for a loop,
/// whether the element is the first, and whether it is the last.
#[derive(Debug, Clone)]
pub(super) struct Ends(Vec<Option<(bool, bool)>>);

impl Default for Ends {
    fn default() -> Self {
        Self(vec![None])
    }
}

impl Ends {
    pub(super) fn enter(&mut self, ends: Option<(bool, bool)>) {
        self.0.push(ends);
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Whether an `if` takes its first part, where that is known.
    pub(super) fn taken(&self, chosen: &If) -> Option<bool> {
        let holds = self.holds(&chosen.condition, chosen.include_zero)?;
        Some(holds != chosen.negated)
    }

    fn holds(&self, condition: &Expression, include_zero: bool) -> Option<bool> {
        match condition {
            Expression::Local(local) => {
                let (first, last) = (*self.0.get(local.scope)?)?;
                match local.what {
                    LocalName::First => Some(first),
                    LocalName::Last => Some(last),
                    LocalName::Index if include_zero => Some(true),
                    LocalName::Index => Some(!first),
                    LocalName::Key | LocalName::KeyOrIndex => None,
                }
            }
            Expression::Call(call) => {
                let mut parts = call.arguments.iter().map(|part| self.holds(part, false));
                match helpers::get(call.helper).name {
                    "not" => parts.next()?.map(|holds| !holds),
                    "and" => all(parts, true),
                    "or" => all(parts, false),
                    _ => None,
                }
            }
            Expression::Path(_) | Expression::Literal(_) => None,
        }
    }
}

/// `and` for `true`, `or` for `false`: one part with the other truth settles it.
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
