//! Walks the blocks that change `this`, and those that put separators between parts.

use super::states::{StateSet, change};
use super::{Machine, PathState, PlacementWalk, States, WalkStopped};
use crate::templating::compile::place::advice::Separator;
use crate::templating::compile::place::loop_positions::{LoopPosition, classes};
use crate::templating::program::{EachNode, Expression, Nodes, PartsNode, TemplateNode, TextNode, WithNode};

/// The most rounds through a loop until the states must repeat.
const ROUNDS_MAX: usize = 16;
/// The deepest nesting of separators: each needs one bit of a word.
const LEVELS_MAX: usize = 60;

/// Whether a condition in a part of a loop asks for the position of a loop around it; `scope` is the loop's own.
fn depends_on_outer_loops(part: &Nodes, scope: usize) -> bool {
    fn asks(condition: &Expression, scope: usize) -> bool {
        match condition {
            Expression::Local(local) => local.scope < scope,
            Expression::Call(call) => call.arguments.iter().any(|argument| asks(argument, scope)),
            Expression::Path(_) | Expression::Literal(_) => false,
        }
    }
    part.iter().any(|node| {
        let own = matches!(node, TemplateNode::If(chosen) if asks(&chosen.condition, scope));
        own || node.inner().into_iter().any(|inner| depends_on_outer_loops(inner, scope))
    })
}

impl<M: Machine> PlacementWalk<'_, '_, M> {
    pub(super) fn with(&mut self, with: &WithNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let body = self.scoped(None, states.clone(), |walk, states| walk.part(&with.body, with.at, states));
        let body = body?;
        let otherwise = self.part(&with.otherwise, with.at, states)?;
        Ok(body.into_iter().chain(otherwise).collect::<StateSet<_>>().into_states())
    }

    /// Reads a part with another `this`. Decided conditions on its values hold only inside.
    fn scoped(
        &mut self,
        position: Option<LoopPosition>,
        states: States<M::State>,
        read: impl FnOnce(&mut Self, States<M::State>) -> Result<States<M::State>, WalkStopped>,
    ) -> Result<States<M::State>, WalkStopped> {
        let scope = self.positions.depth();
        let conditions = self.conditions;
        let outside =
            |path: PathState<M::State>| PathState { decided: conditions.outside(path.decided, scope), ..path };
        self.positions.enter(position);
        let after = read(self, change(states, outside));
        self.positions.leave();
        Ok(change(after?, outside))
    }

    /// A loop inside of others is met again and again: for the same states it is walked once.
    pub(super) fn each(&mut self, each: &EachNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        if self.around.iter().all(|(_, is_loop)| !is_loop) {
            return self.walk_each(each, states);
        }
        let scope = self.positions.depth();
        let depends = || [&each.body, &each.otherwise].iter().any(|part| depends_on_outer_loops(part, scope));
        if self.loops.is_dependent(each.at, depends) {
            return self.walk_each(each, states);
        }
        if let Some(after) = self.loops.get(each.at, &states) {
            return Ok(after);
        }
        let after = self.walk_each(each, states.clone())?;
        self.loops.keep(each.at, states, &after);
        Ok(after)
    }

    fn walk_each(&mut self, each: &EachNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let otherwise = self.part(&each.otherwise, each.at, states.clone())?;
        self.around.push((each.at, true));
        let looped = match each.separator {
            Some(_) => self.separated(each.at, states, |walk, states| walk.elements(each, states)),
            None => self.elements(each, states),
        };
        self.around.pop();
        Ok(otherwise.into_iter().chain(looped?).collect::<StateSet<_>>().into_states())
    }

    /// One element or more.
    fn elements(&mut self, each: &EachNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let mut after = StateSet::with_capacity(states.len());
        let mut entry = states;
        for (from, to) in classes(&each.body, self.positions.depth()) {
            let position = |last| LoopPosition { from, to, last };
            let several = to != Some(from + 1);
            let first = self.element(each, position(false), entry.clone())?;
            let mut fresh = if several { first.clone() } else { Vec::new() };
            let mut between: StateSet<M::State> = first.into_iter().collect();
            let mut rounds = 0;
            while !fresh.is_empty() {
                rounds += 1;
                if rounds > ROUNDS_MAX {
                    self.findings.error(
                        "each_unbalanced",
                        each.at,
                        "Each element opens something that it doesn't \
                        close, or closes what it didn't open. Balance them inside {{#each}}.",
                    );
                    return Err(WalkStopped);
                }
                let grown = self.element(each, position(false), fresh)?;
                fresh = Vec::new();
                for path in grown {
                    if between.add(path) {
                        fresh.push(path);
                    }
                }
            }
            let between_last = if several { between.as_slice() } else { &[] };
            let last: StateSet<M::State> = entry.iter().chain(between_last).copied().collect();
            for path in self.element(each, position(true), last.into_states())? {
                after.add(path);
            }
            entry = between.into_states();
        }
        Ok(after.into_states())
    }

    fn element(
        &mut self,
        each: &EachNode,
        position: LoopPosition,
        states: States<M::State>,
    ) -> Result<States<M::State>, WalkStopped> {
        self.scoped(Some(position), states, |walk, states| match &each.separator {
            Some(separator) => walk.separate(&separator.text, &each.body, states),
            None => walk.nodes(&each.body, states),
        })
    }

    pub(super) fn parts(
        &mut self,
        parts: &PartsNode,
        states: States<M::State>,
    ) -> Result<States<M::State>, WalkStopped> {
        self.separated(parts.at, states, |walk, mut states| {
            for part in &parts.parts {
                states = walk.separate(&parts.separator.text, part, states)?;
            }
            Ok(states)
        })
    }

    /// Reads a block that has a separator. Its level of separators ends with it.
    fn separated(
        &mut self,
        at: usize,
        states: States<M::State>,
        read: impl FnOnce(&mut Self, States<M::State>) -> Result<States<M::State>, WalkStopped>,
    ) -> Result<States<M::State>, WalkStopped> {
        if self.level == LEVELS_MAX {
            return self.intricate(at);
        }
        self.level += 1;
        let after = read(self, states);
        self.level -= 1;
        let levels = self.levels();
        Ok(change(after?, |path| PathState { filled: path.filled & levels, earlier: path.earlier & levels, ..path }))
    }

    /// Reads one part, with the separator before it if there is an earlier part. A blank part writes nothing.
    fn separate(
        &mut self,
        separator: &TextNode,
        part: &Nodes,
        states: States<M::State>,
    ) -> Result<States<M::State>, WalkStopped> {
        let level = 1 << (self.level - 1);
        let mut after = StateSet::with_capacity(states.len());
        for entry in states {
            let mut begin = vec![PathState { filled: entry.filled & !level, ..entry }];
            if entry.earlier & level != 0 {
                let outer = self.separating.replace(Separator::of(&separator.content));
                let read = self.text(separator, begin);
                self.separating = outer;
                begin = read?;
                for path in &mut begin {
                    path.filled &= !level;
                }
            }
            for path in self.nodes(part, begin)? {
                let blank = path.filled & level == 0;
                after.add(if blank { entry } else { PathState { earlier: path.earlier | level, ..path } });
            }
        }
        Ok(after.into_states())
    }
}
