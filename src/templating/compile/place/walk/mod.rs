//! Leads a format's state machine along every path through a template's blocks; [`super`] explains the proof. Each
//! function turns the set of states before a node into the set after it. Conditions count as independent of one another,
//! except that a loop knows its first and its last element and its index, and that the same condition has the same
//! result.

mod cache;
mod loops;
mod mistakes;
mod states;

use std::collections::HashMap;

use super::Machine;
use super::advice::{Separator, SkippedBlocks, Surroundings};
use super::conditions::{Conditions, KnownConditions};
use super::loop_positions::LoopPositions;
use crate::templating::compile::findings::DiagnosticList;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EscapeContext, IfNode, Nodes, TemplateNode, TextNode, ValueNode};
use cache::LoopCache;
use mistakes::ReportedMistakes;
use states::{StateSet, change};

/// The most states at one point. Most templates have two or three; a tag with eight attributes, each optional on its
/// own condition, reaches this number.
const STATES_MAX: usize = 256;
/// The most parts to read, on all paths together. They take some hundredths of a second.
const WORK_MAX: usize = 1_000_000;
/// How many characters are as much work as a part.
const CHARACTERS_PER_WORK: usize = 4;

/// A state, what is known of the paths that lead to it, and what is reported if it can't continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PathState<S> {
    state: S,
    /// One bit for each open separator, the innermost highest: whether its current part has more than white space.
    filled: u64,
    /// One bit for each open separator: whether an earlier part had more than white space.
    earlier: u64,
    /// The results of conditions on this path.
    decided: KnownConditions,
    /// The last character that the machine marked.
    mark: Surroundings,
    /// The blocks that were skipped since.
    passed: Option<SkippedBlocks>,
}

type States<S> = Vec<PathState<S>>;

/// The state after a text, and the mark that it leaves.
type TextEffect<S> = (S, Option<usize>);

/// The walk can't continue; the findings say why.
struct WalkStopped;

struct PlacementWalk<'w, 'p, M: Machine> {
    machine: &'w mut M,
    origins: &'w Origins<'w>,
    findings: &'w mut DiagnosticList<'p>,
    contexts: Vec<Option<EscapeContext>>,
    conditions: &'w Conditions,
    positions: LoopPositions,
    /// The blocks around the current part: each with whether it is a loop.
    around: Vec<(usize, bool)>,
    /// The number of open separators.
    level: usize,
    /// The separator between parts that is the current text.
    separating: Option<Separator>,
    /// The state after each text without mistakes, by the state before it.
    text_effects: HashMap<(usize, M::State), TextEffect<M::State>>,
    reported: ReportedMistakes,
    /// The loops inside of others.
    loops: LoopCache<PathState<M::State>>,
    work: usize,
}

/// The contexts of all expressions, by their ids.
pub(super) fn walk<M: Machine>(
    mut machine: M,
    nodes: &Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut DiagnosticList<'_>,
) -> Vec<Option<EscapeContext>> {
    let conditions = Conditions::of(nodes);
    let before = findings.count();
    let contexts = attempt(&mut machine, &conditions, nodes, writes, origins, findings);
    if conditions.is_empty() || !findings.has("too_intricate") {
        return contexts;
    }
    // Distinguishing the conditions makes too many paths. Without it there are fewer, and less is proved.
    findings.forget(before);
    attempt(&mut machine, &Conditions::default(), nodes, writes, origins, findings)
}

fn attempt<M: Machine>(
    machine: &mut M,
    conditions: &Conditions,
    nodes: &Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut DiagnosticList<'_>,
) -> Vec<Option<EscapeContext>> {
    let start = PathState {
        state: machine.start(),
        filled: 0,
        earlier: 0,
        decided: KnownConditions::default(),
        mark: Surroundings::default(),
        passed: None,
    };
    let mut walk = PlacementWalk {
        machine,
        origins,
        findings,
        contexts: vec![None; writes],
        conditions,
        positions: LoopPositions::default(),
        around: Vec::new(),
        level: 0,
        separating: None,
        text_effects: HashMap::new(),
        reported: ReportedMistakes::default(),
        loops: LoopCache::default(),
        work: 0,
    };
    if let Ok(last) = walk.nodes(nodes, vec![start]) {
        for path in last {
            if let Err(error) = walk.machine.end(path.state) {
                walk.report(&error, origins.source().len(), &path);
            }
        }
    }
    walk.contexts
}

impl<M: Machine> PlacementWalk<'_, '_, M> {
    fn nodes(&mut self, nodes: &Nodes, mut states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        for node in nodes {
            states = match node {
                TemplateNode::Text(text) => self.text(text, states)?,
                TemplateNode::Write(write) => self.write(write, states)?,
                TemplateNode::If(chosen) => self.chosen(chosen, states)?,
                TemplateNode::Each(each) => self.each(each, states)?,
                TemplateNode::With(with) => self.with(with, states)?,
                TemplateNode::Parts(parts) => self.parts(parts, states)?,
            };
            self.spend(states.len(), node)?;
        }
        Ok(states)
    }

    fn spend(&mut self, states: usize, node: &TemplateNode) -> Result<(), WalkStopped> {
        self.work += states;
        if self.work <= WORK_MAX && states <= STATES_MAX {
            return Ok(());
        }
        let at = match node {
            TemplateNode::Text(text) => self.origins.offset(text.id, 0),
            TemplateNode::Write(write) => write.at,
            TemplateNode::If(chosen) => chosen.at,
            TemplateNode::Each(each) => each.at,
            TemplateNode::With(with) => with.at,
            TemplateNode::Parts(parts) => parts.at,
        };
        self.intricate(at)
    }

    fn intricate<T>(&mut self, at: usize) -> Result<T, WalkStopped> {
        self.findings.error(
            "too_intricate",
            at,
            "The blocks up to here have too many combinations to check. Let each \
            block contain whole elements, keys or values.",
        );
        Err(WalkStopped)
    }

    fn text(&mut self, text: &TextNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let filled = if self.machine.is_blank(&text.content) { 0 } else { self.levels() };
        let mut after = StateSet::with_capacity(states.len());
        for path in states {
            let (state, mark) = match self.text_effects.get(&(text.id, path.state)) {
                Some(known) => *known,
                None => {
                    self.work += text.content.len() / CHARACTERS_PER_WORK;
                    let mistakes = self.reported.count;
                    let read = self.characters(text, &path)?;
                    // On another path the same mistake may have another cause.
                    if self.reported.count == mistakes {
                        self.text_effects.insert((text.id, path.state), read);
                    }
                    read
                }
            };
            let path = PathState { state, filled: path.filled | filled, ..path };
            let next = match mark {
                Some(mark) => PathState { mark: self.surroundings(mark), passed: None, ..path },
                None => path,
            };
            after.add(next);
        }
        Ok(after.into_states())
    }

    fn characters(&mut self, text: &TextNode, path: &PathState<M::State>) -> Result<TextEffect<M::State>, WalkStopped> {
        let mut path = *path;
        let mut mark = None;
        let at = |byte| self.origins.offset(text.id, byte);
        let mut skip = 0;
        match self.machine.prefix(path.state, &text.content) {
            Ok(None) => {}
            Ok(Some((length, state))) => (skip, path.state) = (length, state),
            Err(error) => return self.stop(&error, at(0), &path),
        }
        for (byte, c) in text.content[skip..].char_indices() {
            match self.machine.step(path.state, c) {
                Ok((state, marked)) => {
                    path.state = state;
                    if marked {
                        let marked = at(skip + byte);
                        path.mark = self.surroundings(marked);
                        path.passed = None;
                        mark = Some(marked);
                    }
                }
                Err(error) => path.state = self.mistake(error, c, at(skip + byte), &path)?,
            }
        }
        Ok((path.state, mark))
    }

    fn write(&mut self, write: &ValueNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let levels = self.levels();
        let mut after = StateSet::with_capacity(states.len());
        for path in states {
            let mut may_be_blank = true;
            let state = match self.machine.value(path.state) {
                Ok((context, state)) => {
                    may_be_blank = !matches!(context, EscapeContext::JsonValue { .. });
                    self.found(write, context);
                    state
                }
                Err(misplaced) => {
                    self.report(&misplaced.error, write.at, &path);
                    misplaced.onward.ok_or(WalkStopped)?
                }
            };
            let path = PathState { state, mark: self.surroundings(write.at), passed: None, ..path };
            after.add(PathState { filled: path.filled | levels, ..path });
            if may_be_blank {
                after.add(path);
            }
        }
        Ok(after.into_states())
    }

    /// Records an expression's context, which must be the same in all states.
    fn found(&mut self, write: &ValueNode, context: EscapeContext) {
        let known = &mut self.contexts[write.id];
        *known = Some(match (*known, context) {
            (Some(EscapeContext::JsonValue { depth: a }), EscapeContext::JsonValue { depth: b }) => {
                EscapeContext::JsonValue { depth: a.max(b) }
            }
            (Some(known), context) if known != context => {
                self.findings.error(
                    "place_varies",
                    write.at,
                    "For some data this expression is inside quotes, and for \
                    other data outside them (or in text and in a tag). Let each block contain both quotes.",
                );
                return;
            }
            _ => context,
        });
    }

    fn chosen(&mut self, chosen: &IfNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for path in states {
            let taken = self.positions.taken(chosen, self.conditions, path.decided);
            let decide = |first: bool| {
                let holds = first != chosen.negated;
                let decided = self.conditions.assume(path.decided, &chosen.condition, chosen.include_zero, holds);
                PathState { decided, ..path }
            };
            if taken != Some(false) {
                first.push(decide(true));
            }
            if taken != Some(true) {
                second.push(decide(false));
            }
        }
        self.around.push((chosen.at, false));
        let known = first.is_empty() || second.is_empty();
        let after = self.branches(chosen, first, second, known);
        self.around.pop();
        Ok(change(after?, |path| PathState { decided: self.conditions.behind(path.decided, chosen), ..path }))
    }

    fn branches(
        &mut self,
        chosen: &IfNode,
        first: States<M::State>,
        second: States<M::State>,
        known: bool,
    ) -> Result<States<M::State>, WalkStopped> {
        let mut after = StateSet::with_capacity(first.len() + second.len());
        for (part, states) in [(&chosen.then, first), (&chosen.otherwise, second)] {
            if states.is_empty() {
                continue;
            }
            let states = if known { self.nodes(part, states)? } else { self.part(part, chosen.at, states)? };
            for path in states {
                after.add(path);
            }
        }
        Ok(after.into_states())
    }

    fn part(&mut self, nodes: &Nodes, at: usize, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        if nodes.is_empty() {
            let skip =
                |path: PathState<M::State>| PathState { passed: Some(SkippedBlocks::and(path.passed, at)), ..path };
            return Ok(states.into_iter().map(skip).collect());
        }
        self.nodes(nodes, states)
    }

    fn levels(&self) -> u64 {
        (1 << self.level) - 1
    }

    fn surroundings(&self, at: usize) -> Surroundings {
        let innermost =
            |wanted: bool| self.around.iter().rev().find(|(_, is_loop)| *is_loop == wanted).map(|(at, _)| *at);
        Surroundings { at, each: innermost(true), branch: innermost(false) }
    }
}
