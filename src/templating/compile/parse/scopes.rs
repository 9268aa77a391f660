//! The blocks that are open at an expression, and the meaning of names in them.

use std::num::NonZeroU32;

use super::super::foreign;
use super::super::paths;
use super::super::scan::PLACEHOLDER;
use super::super::tags::{self, TAG_CLOSE, TAG_OPEN};
use super::{ParserState, refused};
use crate::json::DEPTH_MAX;
use crate::templating::program::{DataPath, Expression, Local, LocalName};

/// One block that changes what `this` is.
#[derive(Debug, Default)]
pub(super) struct BlockScope {
    pub(super) is_loop: bool,
    /// The path of `this` from the root, where it is one.
    pub(super) path: Option<Vec<String>>,
    /// The names after `as`, for the value and for its place.
    pub(super) value_name: Option<String>,
    pub(super) place_name: Option<String>,
}

/// The root and the blocks in it, from the outside.
#[derive(Debug)]
pub(super) struct Scopes(Vec<BlockScope>);

impl Default for Scopes {
    fn default() -> Self {
        Self(vec![BlockScope { path: Some(Vec::new()), ..BlockScope::default() }])
    }
}

impl Scopes {
    pub(super) fn push(&mut self, scope: BlockScope) {
        self.0.push(scope);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    fn innermost(&self) -> usize {
        self.0.len() - 1
    }

    pub(super) fn loops(&self) -> usize {
        self.0.iter().filter(|scope| scope.is_loop).count()
    }

    /// The path from the root for steps from a scope's `this`. One that is longer than data is deep has no value, and is not
    /// followed on: each expression below it would copy and compare all of its names.
    fn absolute(&self, scope: usize, steps: &[String]) -> Option<Vec<String>> {
        let path = self.0[scope].path.as_ref()?;
        (path.len() + steps.len() <= DEPTH_MAX).then(|| [path.as_slice(), steps].concat())
    }

    /// What a name after `as` means here, if it is one.
    fn named(&self, name: &str) -> Option<(usize, bool)> {
        self.0.iter().enumerate().rev().find_map(|(i, scope)| {
            let is = |own: &Option<String>| own.as_deref() == Some(name);
            if is(&scope.value_name) { Some((i, true)) } else { is(&scope.place_name).then_some((i, false)) }
        })
    }
}

impl ParserState<'_, '_, '_, '_> {
    /// The value of a tag, by its path from the root.
    pub(super) fn tag(&mut self, tag: &str, at: usize) -> Expression {
        match self.known.tag(tag, at, self.findings) {
            Some(names) => self.path_of(0, &names),
            None => refused(),
        }
    }

    /// A path as written in an expression.
    pub(super) fn path(&mut self, text: &str, at: usize) -> Expression {
        self.path_from_root(text, at).0
    }

    /// A path as written in an expression, and the same path from the root, if there is one.
    pub(super) fn path_from_root(&mut self, text: &str, at: usize) -> (Expression, Option<Vec<String>>) {
        if let Some(tag) = tags::of_name(text) {
            return match self.known.tag(tag, at, self.findings) {
                Some(names) => (self.path_of(0, &names), Some(names)),
                None => (refused(), None),
            };
        }
        if text.contains([TAG_OPEN, TAG_CLOSE]) {
            self.findings.error("syntax", at, "A tag is a whole path: nothing can precede or follow it in a path.");
            return (refused(), None);
        }
        if text.starts_with(PLACEHOLDER) {
            return (refused(), None);
        }
        let foreign = foreign::n8n(text);
        let is_foreign = foreign.is_some();
        if let Some(message) = foreign {
            self.findings.warning("foreign_syntax", at, message);
        }
        let written = paths::read(text);
        if written.local {
            return (self.local(&written, at), None);
        }
        let mut steps = written.steps;
        let free = !written.root && !written.explicit && written.ups == 0;
        let named = steps.first().filter(|_| free).and_then(|name| self.scopes.named(name));
        let scope = match named {
            Some((scope, false)) if steps.len() == 1 => {
                let what = LocalName::KeyOrIndex;
                return (Expression::Local(Local { scope, what }), None);
            }
            Some((scope, _)) => {
                steps.remove(0);
                scope
            }
            None if written.root => 0,
            None => match self.scopes.innermost().checked_sub(written.ups) {
                Some(scope) => scope,
                None => {
                    self.findings.error(
                        "above_root",
                        at,
                        format!(
                            "{text} leads outside the data: each ../ leaves one \
                        {{{{#each}}}} or {{{{#with}}}}, and there are {} here.",
                            self.scopes.innermost()
                        ),
                    );
                    return (refused(), None);
                }
            },
        };
        if steps.len() > DEPTH_MAX {
            let message = format!(
                "This path has {} names, and data is at most {DEPTH_MAX} deep: it is always empty.",
                steps.len()
            );
            self.findings.warning("unknown_path", at, message);
        }
        let absolute = self.scopes.absolute(scope, &steps);
        if let Some(path) = absolute.as_ref().filter(|_| !is_foreign) {
            self.known.path(path, at, self.findings);
        }
        (self.path_of(scope, &steps), absolute)
    }

    fn path_of(&mut self, scope: usize, names: &[String]) -> Expression {
        Expression::Path(DataPath::new(scope, names, |object| {
            let next = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
            *self.objects.entry(object.to_vec()).or_insert(NonZeroU32::MIN.saturating_add(next))
        }))
    }

    /// `@index` and its like.
    fn local(&mut self, written: &paths::PathParts, at: usize) -> Expression {
        let what = match written.steps.as_slice() {
            [name] => match name.as_str() {
                "first" => Some(LocalName::First),
                "last" => Some(LocalName::Last),
                "index" => Some(LocalName::Index),
                "key" => Some(LocalName::Key),
                _ => None,
            },
            _ => None,
        };
        let Some(what) = what else {
            self.findings.error(
                "unknown_local",
                at,
                "@ must be followed by first, last, index or key (in an {{#each}}), or by root. @index begins with 0: {{add @index 1}} begins with 1.",
            );
            return refused();
        };
        let from = self.scopes.innermost().checked_sub(written.ups);
        let scope = from.and_then(|from| self.scopes.0[..=from].iter().rposition(|scope| scope.is_loop));
        match scope {
            Some(scope) => Expression::Local(Local { scope, what }),
            None => {
                self.findings.error(
                    "unknown_local",
                    at,
                    "@first, @last, @index and @key exist only inside an {{#each}}.",
                );
                refused()
            }
        }
    }
}
