//! Leads a format's machine along every way through a template's blocks. Conditions are taken as
//! independent of one another, except that a loop knows its first and its last element. The states
//! that the machine can be in after a part are a set; a loop is walked until the set grows no more.

use std::collections::HashMap;

use super::ends::Ends;
use super::{Blame, Fault, Machine};
use crate::templating::compile::findings::Findings;
use crate::templating::compile::origin::Origins;
use crate::templating::program::{Each, If, Node, Nodes, Place, Text, With, Write};

/// The most states at one point. Most templates have two or three; a tag with eight attributes,
/// each left out on a condition of its own, has these.
const STATES_MAX: usize = 256;
/// The most rounds through a loop until the states must repeat.
const ROUNDS_MAX: usize = 16;
/// The most characters and parts to go over, all ways together: about a tenth of a second.
const WORK_MAX: usize = 4_000_000;

/// A state, and what is shown when it can't go on.
#[derive(Debug, Clone, Copy)]
struct Live<S> {
    state: S,
    /// The last character that the machine marked.
    mark: usize,
    /// The last block that was passed by.
    passed: Option<usize>,
}

type States<S> = Vec<Live<S>>;

/// What a text makes of a state, and the mark that it leaves.
type Read<S> = (S, Option<usize>);

/// The walk can't go on; why is among the findings.
struct Stopped;

struct Walk<'w, 'p, M: Machine> {
    machine: M,
    origins: &'w Origins<'w>,
    findings: &'w mut Findings<'p>,
    places: Vec<Option<Place>>,
    ends: Ends,
    /// What a text makes of a state, and the mark it leaves.
    read: HashMap<(usize, M::State), Read<M::State>>,
    work: usize,
}

/// The places of all expressions, by their ids.
pub(super) fn walk<M: Machine>(
    machine: M,
    nodes: &Nodes,
    writes: usize,
    origins: &Origins<'_>,
    findings: &mut Findings<'_>,
) -> Vec<Option<Place>> {
    let start = Live { state: machine.start(), mark: 0, passed: None };
    let mut walk = Walk {
        machine,
        origins,
        findings,
        places: vec![None; writes],
        ends: Ends::default(),
        read: HashMap::new(),
        work: 0,
    };
    if let Ok(last) = walk.nodes(nodes, vec![start]) {
        for live in last {
            if let Err(fault) = walk.machine.end(live.state) {
                walk.report(&fault, origins.source().len(), &live);
            }
        }
    }
    walk.places
}

impl<M: Machine> Walk<'_, '_, M> {
    fn nodes(&mut self, nodes: &Nodes, mut states: States<M::State>) -> Result<States<M::State>, Stopped> {
        for node in nodes {
            states = match node {
                Node::Text(text) => self.text(text, states)?,
                Node::Write(write) => self.write(write, states)?,
                Node::If(chosen) => self.chosen(chosen, states)?,
                Node::Each(each) => self.each(each, states)?,
                Node::With(with) => self.with(with, states)?,
            };
            self.spend(states.len(), node)?;
        }
        Ok(states)
    }

    fn spend(&mut self, work: usize, node: &Node) -> Result<(), Stopped> {
        self.work += work;
        if self.work <= WORK_MAX && work <= STATES_MAX {
            return Ok(());
        }
        let at = match node {
            Node::Text(text) => self.origins.offset(text.id, 0),
            Node::Write(write) => write.at,
            Node::If(chosen) => chosen.at,
            Node::Each(each) => each.at,
            Node::With(with) => with.at,
        };
        self.findings.error("too_intricate", at, "The blocks up to here can make too many different bodies to check them all. Let each block hold whole elements, keys or values.");
        Err(Stopped)
    }

    fn text(&mut self, text: &Text, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        let mut after = Vec::with_capacity(states.len());
        for live in states {
            let (state, mark) = match self.read.get(&(text.id, live.state)) {
                Some(known) => *known,
                None => {
                    self.work += text.content.len();
                    let read = self.characters(text, &live)?;
                    self.read.insert((text.id, live.state), read);
                    read
                }
            };
            let next = match mark {
                Some(mark) => Live { state, mark, passed: None },
                None => Live { state, ..live },
            };
            add(&mut after, next);
        }
        Ok(after)
    }

    fn characters(&mut self, text: &Text, live: &Live<M::State>) -> Result<Read<M::State>, Stopped> {
        let mut live = *live;
        let mut mark = None;
        let at = |byte| self.origins.offset(text.id, byte);
        let mut skip = 0;
        match self.machine.prefix(live.state, &text.content) {
            Ok(None) => {}
            Ok(Some((length, state))) => (skip, live.state) = (length, state),
            Err(fault) => return self.stop(&fault, at(0), &live),
        }
        for (byte, c) in text.content[skip..].char_indices() {
            match self.machine.step(live.state, c) {
                Ok((state, marked)) => {
                    live.state = state;
                    if marked {
                        live.mark = at(skip + byte);
                        live.passed = None;
                        mark = Some(live.mark);
                    }
                }
                Err(fault) => return self.stop(&fault, at(skip + byte), &live),
            }
        }
        Ok((live.state, mark))
    }

    fn write(&mut self, write: &Write, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        let mut after = Vec::with_capacity(states.len());
        for live in states {
            let state = match self.machine.value(live.state) {
                Ok((place, state)) => {
                    self.found(write, place);
                    state
                }
                Err(misplaced) => {
                    self.report(&misplaced.fault, write.at, &live);
                    misplaced.onward.ok_or(Stopped)?
                }
            };
            let mark = write.at;
            add(&mut after, Live { state, mark, ..live });
        }
        Ok(after)
    }

    /// Keeps an expression's place; it has to be the same on every way.
    fn found(&mut self, write: &Write, place: Place) {
        let known = &mut self.places[write.id];
        *known = Some(match (*known, place) {
            (Some(Place::JsonValue { depth: a }), Place::JsonValue { depth: b }) => {
                Place::JsonValue { depth: a.max(b) }
            }
            (Some(known), place) if known != place => {
                self.findings.error("place_varies", write.at, "For some data this expression stands inside quotes and for others outside them (or in text and in a tag). Let each block hold the quotes on both sides.");
                return;
            }
            _ => place,
        });
    }

    fn chosen(&mut self, chosen: &If, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        match self.ends.taken(chosen) {
            Some(true) => self.nodes(&chosen.then, states),
            Some(false) => self.nodes(&chosen.otherwise, states),
            None => self.either(&chosen.then, &chosen.otherwise, chosen.at, states),
        }
    }

    /// Either of two parts, for all we know.
    fn either(
        &mut self,
        one: &Nodes,
        other: &Nodes,
        at: usize,
        states: States<M::State>,
    ) -> Result<States<M::State>, Stopped> {
        let mut after = self.part(one, at, states.clone())?;
        for live in self.part(other, at, states)? {
            add(&mut after, live);
        }
        Ok(after)
    }

    fn part(&mut self, nodes: &Nodes, at: usize, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        if nodes.is_empty() {
            let passed = Some(at);
            return Ok(states.into_iter().map(|live| Live { passed, ..live }).collect());
        }
        self.nodes(nodes, states)
    }

    fn with(&mut self, with: &With, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        self.ends.enter(None);
        let body = self.part(&with.body, with.at, states.clone());
        self.ends.leave();
        let mut after = body?;
        for live in self.part(&with.otherwise, with.at, states)? {
            add(&mut after, live);
        }
        Ok(after)
    }

    fn each(&mut self, each: &Each, states: States<M::State>) -> Result<States<M::State>, Stopped> {
        let mut after = self.part(&each.otherwise, each.at, states.clone())?;
        let only = self.element(each, (true, true), states.clone())?;
        let mut between = self.element(each, (true, false), states)?;
        let mut fresh = between.clone();
        let mut rounds = 0;
        while !fresh.is_empty() {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                self.findings.error("each_unbalanced", each.at, "Each element opens something that it doesn't close, or closes what it didn't open. Let the part inside {{#each}} be whole.");
                return Err(Stopped);
            }
            let grown = self.element(each, (false, false), fresh)?;
            fresh = Vec::new();
            for live in grown {
                if add(&mut between, live) {
                    fresh.push(live);
                }
            }
        }
        let last = self.element(each, (false, true), between)?;
        for live in only.into_iter().chain(last) {
            add(&mut after, live);
        }
        Ok(after)
    }

    fn element(
        &mut self,
        each: &Each,
        ends: (bool, bool),
        states: States<M::State>,
    ) -> Result<States<M::State>, Stopped> {
        self.ends.enter(Some(ends));
        let after = self.nodes(&each.body, states);
        self.ends.leave();
        after
    }

    fn stop<T>(&mut self, fault: &Fault, here: usize, live: &Live<M::State>) -> Result<T, Stopped> {
        self.report(fault, here, live);
        Err(Stopped)
    }

    fn report(&mut self, fault: &Fault, here: usize, live: &Live<M::State>) {
        let at = match fault.blame {
            Blame::Here => here,
            Blame::Mark => live.mark,
            Blame::Block => live.passed.unwrap_or(here),
        };
        self.findings.error(fault.code, at, fault.message.clone());
    }
}

/// Adds a state unless it is there; says whether it was not.
fn add<S: Copy + Eq>(states: &mut States<S>, live: Live<S>) -> bool {
    let new = states.iter().all(|known| known.state != live.state);
    if new {
        states.push(live);
    }
    new
}
