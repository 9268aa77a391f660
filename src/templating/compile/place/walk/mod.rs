//! Leads a format's state machine along every path through a template's blocks. Conditions are independent of one
//! another, except that a loop knows its first and its last element and its index, and that the same condition has the
//! same result. The possible states after a part are a set; a loop is repeated until the set stops growing.

mod cache;
mod loops;
mod mistakes;
mod states;

use std::collections::HashMap;

use super::Machine;
use super::advice::{Separator, SkippedBlocks, Surroundings};
use super::conditions::{Conditions, KnownConditions};
use super::ends::Ends;
use crate::templating::compile::findings::DiagnosticList;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{EscapeContext, IfNode, Nodes, TemplateNode, TextNode, ValueNode};
use cache::LoopCache;
use mistakes::ReportedMistakes;
use states::{StateSet, change};

/// The most states at one point. Most templates have two or three; a tag with eight attributes, each optional on its
/// own condition, reaches this number.
const STATES_MAX: usize = 256;
/// The most parts to read, on all paths together. They take some hundredths of a second. Each template is read at each
/// start, so this bounds how long an account's templates delay it.
const WORK_MAX: usize = 1_000_000;
/// How many characters are as much work as a part.
const CHARACTERS_PER_WORK: usize = 4;

/// A state, and what is reported if it can't continue.
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
    places: Vec<Option<EscapeContext>>,
    conditions: &'w Conditions,
    ends: Ends,
    /// The blocks around the current part: each with whether it is a loop.
    around: Vec<(usize, bool)>,
    /// The number of open separators.
    level: usize,
    /// The separator between parts that is the current text.
    separating: Option<Separator>,
    /// The state after each text without mistakes, by the state before it.
    read: HashMap<(usize, M::State), TextEffect<M::State>>,
    reported: ReportedMistakes,
    /// The loops inside of others.
    loops: LoopCache<PathState<M::State>>,
    work: usize,
}

/// The places of all expressions, by their ids.
pub(super) fn walk<M: Machine>(
    mut machine: M,
    nodes: &Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut DiagnosticList<'_>,
) -> Vec<Option<EscapeContext>> {
    let conditions = Conditions::of(nodes);
    let before = findings.count();
    let places = attempt(&mut machine, &conditions, nodes, writes, origins, findings);
    if conditions.is_empty() || !findings.has("too_intricate") {
        return places;
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
        places: vec![None; writes],
        conditions,
        ends: Ends::default(),
        around: Vec::new(),
        level: 0,
        separating: None,
        read: HashMap::new(),
        reported: ReportedMistakes::default(),
        loops: LoopCache::default(),
        work: 0,
    };
    if let Ok(last) = walk.nodes(nodes, vec![start]) {
        for live in last {
            if let Err(error) = walk.machine.end(live.state) {
                walk.report(&error, origins.source().len(), &live);
            }
        }
    }
    walk.places
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
        let filled = if is_blank(&text.content) { 0 } else { self.levels() };
        let mut after = StateSet::with_capacity(states.len());
        for live in states {
            let (state, mark) = match self.read.get(&(text.id, live.state)) {
                Some(known) => *known,
                None => {
                    self.work += text.content.len() / CHARACTERS_PER_WORK;
                    let mistakes = self.reported.count;
                    let read = self.characters(text, &live)?;
                    // On another path the same mistake may have another cause.
                    if self.reported.count == mistakes {
                        self.read.insert((text.id, live.state), read);
                    }
                    read
                }
            };
            let live = PathState { state, filled: live.filled | filled, ..live };
            let next = match mark {
                Some(mark) => PathState { mark: self.surroundings(mark), passed: None, ..live },
                None => live,
            };
            after.add(next);
        }
        Ok(after.into_states())
    }

    fn characters(&mut self, text: &TextNode, live: &PathState<M::State>) -> Result<TextEffect<M::State>, WalkStopped> {
        let mut live = *live;
        let mut mark = None;
        let at = |byte| self.origins.offset(text.id, byte);
        let mut skip = 0;
        match self.machine.prefix(live.state, &text.content) {
            Ok(None) => {}
            Ok(Some((length, state))) => (skip, live.state) = (length, state),
            Err(error) => return self.stop(&error, at(0), &live),
        }
        for (byte, c) in text.content[skip..].char_indices() {
            match self.machine.step(live.state, c) {
                Ok((state, marked)) => {
                    live.state = state;
                    if marked {
                        let marked = at(skip + byte);
                        live.mark = self.surroundings(marked);
                        live.passed = None;
                        mark = Some(marked);
                    }
                }
                Err(error) => live.state = self.mistake(error, c, at(skip + byte), &live)?,
            }
        }
        Ok((live.state, mark))
    }

    fn write(&mut self, write: &ValueNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let levels = self.levels();
        let mut after = StateSet::with_capacity(states.len());
        for live in states {
            let mut may_be_blank = true;
            let state = match self.machine.value(live.state) {
                Ok((place, state)) => {
                    may_be_blank = !matches!(place, EscapeContext::JsonValue { .. });
                    self.found(write, place);
                    state
                }
                Err(misplaced) => {
                    self.report(&misplaced.error, write.at, &live);
                    misplaced.onward.ok_or(WalkStopped)?
                }
            };
            let live = PathState { state, mark: self.surroundings(write.at), passed: None, ..live };
            after.add(PathState { filled: live.filled | levels, ..live });
            if may_be_blank {
                after.add(live);
            }
        }
        Ok(after.into_states())
    }

    /// Records an expression's context, which must be the same on every path.
    fn found(&mut self, write: &ValueNode, place: EscapeContext) {
        let known = &mut self.places[write.id];
        *known = Some(match (*known, place) {
            (Some(EscapeContext::JsonValue { depth: a }), EscapeContext::JsonValue { depth: b }) => {
                EscapeContext::JsonValue { depth: a.max(b) }
            }
            (Some(known), place) if known != place => {
                self.findings.error(
                    "place_varies",
                    write.at,
                    "For some data this expression is inside quotes, and for \
                    other data outside them (or in text and in a tag). Let each block contain both quotes.",
                );
                return;
            }
            _ => place,
        });
    }

    fn chosen(&mut self, chosen: &IfNode, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for live in states {
            let taken = self.ends.taken(chosen, self.conditions, live.decided);
            let decide = |first: bool| {
                let holds = first != chosen.negated;
                let decided = self.conditions.assume(live.decided, &chosen.condition, chosen.include_zero, holds);
                PathState { decided, ..live }
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
        Ok(change(after?, |live| PathState { decided: self.conditions.behind(live.decided, chosen), ..live }))
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
            for live in states {
                after.add(live);
            }
        }
        Ok(after.into_states())
    }

    fn part(&mut self, nodes: &Nodes, at: usize, states: States<M::State>) -> Result<States<M::State>, WalkStopped> {
        if nodes.is_empty() {
            let skip =
                |live: PathState<M::State>| PathState { passed: Some(SkippedBlocks::and(live.passed, at)), ..live };
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

/// Whether a text is only white space, so that no separator is written for it.
fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
