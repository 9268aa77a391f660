//! The steps that may follow each state of [`super::model`].

use super::model::{Entry, Hand, Life, Mutant, Place, Protocol, State, Write};

/// The states that one step leads to. Faults and drops may happen but need not: progress must be possible without
/// further ones.
pub(super) struct Next<const N: usize, const E: usize> {
    pub(super) usual: Vec<State<N, E>>,
    pub(super) faults: Vec<State<N, E>>,
}

impl Protocol {
    fn is(&self, mutant: Mutant) -> bool {
        self.0 == Some(mutant)
    }

    pub(super) fn steps<const N: usize, const E: usize>(&self, state: State<N, E>) -> Next<N, E> {
        let mut next = Next { usual: Vec::with_capacity(16), faults: Vec::with_capacity(16) };
        for own in 0..E {
            self.entry_is_added(state, own, &mut next);
            request_given_up_is_executed(state, own, &mut next);
            for node in 0..N {
                if state.nodes[node].life != Life::Dead {
                    self.redis_executes(state, node, own, &mut next);
                }
                if state.nodes[node].life == Life::Running {
                    self.node_takes(state, node, own, &mut next);
                    self.node_goes_on(state, node, own, &mut next);
                }
            }
        }
        for node in 0..N {
            self.node_lives_on_or_not(state, node, &mut next);
        }
        next.faults.push(group_is_made_again(state));
        let in_order = |states: Vec<State<N, E>>| states.into_iter().map(State::in_order).collect();
        Next { usual: in_order(next.usual), faults: in_order(next.faults) }
    }

    /// `XADD`: the ingest node gets the response, or none although it is executed now, later or never.
    fn entry_is_added<const N: usize, const E: usize>(&self, state: State<N, E>, own: usize, next: &mut Next<N, E>) {
        let entry = state.entries[own];
        let written = |write, place| state.with(|s| s.entries[own] = Entry { write, place, ..entry });
        match (entry.write, entry.place) {
            (Write::Unsent, _) => {
                next.usual.push(written(Write::Done, Place::Waiting));
                next.faults.push(written(Write::Silent, Place::Absent));
            }
            (Write::Silent, Place::Absent) => next.faults.push(written(Write::Done, Place::Waiting)),
            _ => {}
        }
        let again = self.is(Mutant::AddsAgainAfterSilence) && entry.write == Write::Silent;
        if again && own + 1 < E && state.entries[own + 1].write == Write::Unsent {
            next.usual.push(state.with(|s| {
                let copy = &mut s.entries[own + 1];
                (copy.delivery, copy.write, copy.place) = (entry.delivery, Write::Done, Place::Waiting);
            }));
        }
    }

    /// `XREADGROUP` returns new entries; a claim or a fetch those that are pending under a name without a heartbeat.
    fn node_takes<const N: usize, const E: usize>(
        &self,
        state: State<N, E>,
        node: usize,
        own: usize,
        next: &mut Next<N, E>,
    ) {
        // The heartbeat of a node that has stopped expires in time; that of a running but slow node only by a fault.
        let (may_be_had, too_early) = match state.entries[own].place {
            Place::Waiting | Place::Ownerless => (true, false),
            Place::Held(owner) => (usize::from(owner) != node, state.nodes[usize::from(owner)].life == Life::Running),
            _ => (false, false),
        };
        if !may_be_had {
            return;
        }
        let on_arrival = self.is(Mutant::AcknowledgesOnArrival);
        let place = if on_arrival { Place::Gone } else { Place::Held(node as u8) };
        let given = state.with(|s| s.entries[own].place = place);
        // A second claim of one node is as void after the first as another node's.
        let hand = state.nodes[node].hands[own];
        let given = given.with_hand(node, own, if hand == Hand::Nothing { Hand::Arriving } else { hand });
        if too_early { &mut next.faults } else { &mut next.usual }.push(given);
    }

    /// A step of a running node with an entry that it has.
    fn node_goes_on<const N: usize, const E: usize>(
        &self,
        state: State<N, E>,
        node: usize,
        own: usize,
        next: &mut Next<N, E>,
    ) {
        let hand = |hand| state.with_hand(node, own, hand);
        match state.nodes[node].hands[own] {
            Hand::Nothing => {}
            Hand::Arriving => {
                let leave = self.is(Mutant::AttemptsWhatItHolds) || self.is(Mutant::AcknowledgesOnArrival);
                next.usual.push(hand(if leave { Hand::Leave } else { Hand::Ticket }));
                let keeps = self.is(Mutant::KeepsItsNameAfterABreak);
                let unheard = hand(Hand::Nothing);
                next.faults.push(if keeps { unheard } else { connection_breaks(unheard, node) });
            }
            Hand::Ticket if self.is(Mutant::AcknowledgesAfterThePost) => {
                next.usual.push(post_begins(hand(Hand::Asked), own));
            }
            Hand::Ticket => {
                next.usual.push(hand(Hand::Asked));
                let forgets = self.is(Mutant::ForgetsToGiveBack);
                next.faults.push(hand(if forgets { Hand::Nothing } else { Hand::Returning }));
            }
            // No response arrives. The node repeats the request, while the first one may still be executed.
            Hand::Asked => {
                let then = if self.is(Mutant::AttemptsWithoutAnAnswer) { Hand::Leave } else { Hand::Asked };
                next.faults.push(hand(then).with(|s| s.entries[own].unheard = true));
            }
            Hand::Won if self.is(Mutant::AcknowledgesAfterThePost) => next.usual.push(hand(Hand::Nothing)),
            Hand::Won => {
                next.usual.push(hand(Hand::Leave));
                // It was redeemed in order to be dropped as an invalid entry.
                next.faults.push(excused(hand(Hand::Nothing), own));
                // The response is lost. The repeated request will be refused.
                next.faults.push(excused(hand(Hand::Asked), own));
            }
            Hand::Returning => {}
            Hand::Leave => next.usual.push(post_begins(hand(Hand::Nothing), own)),
        }
    }

    /// Redis executes a node's request, even while that node is paused.
    fn redis_executes<const N: usize, const E: usize>(
        &self,
        state: State<N, E>,
        node: usize,
        own: usize,
        next: &mut Next<N, E>,
    ) {
        let pending = |entry: &Entry| matches!(entry.place, Place::Held(_) | Place::Ownerless);
        match state.nodes[node].hands[own] {
            Hand::Returning => {
                let given = state.with(|s| {
                    if pending(&s.entries[own]) {
                        s.entries[own].place = Place::Ownerless;
                    }
                });
                next.usual.push(given.with_hand(node, own, Hand::Nothing));
                // The response is lost: the node repeats the request, whichever node has claimed the entry meanwhile.
                next.faults.push(given);
            }
            Hand::Asked if self.is(Mutant::AcknowledgesByCount) => next.usual.push(state.with(|s| {
                let asked = |s: &State<N, E>, at: usize| matches!(s.nodes[node].hands[at], Hand::Asked);
                let won = (0..E).any(|at| asked(s, at) && pending(&s.entries[at]));
                for at in (0..E).filter(|&at| asked(&state, at)) {
                    s.nodes[node].hands[at] = if won { Hand::Leave } else { Hand::Nothing };
                    if pending(&s.entries[at]) {
                        s.entries[at].place = Place::Gone;
                    }
                }
            })),
            Hand::Asked => {
                next.usual.push(self.script_redeems_all(state, node));
                let won = pending(&state.entries[own]);
                let parted = self.is(Mutant::DeletesInAStepOfItsOwn);
                let responded = state.with_hand(node, own, if won { Hand::Won } else { Hand::Nothing });
                let gone = if parted { Place::Acknowledged } else { Place::Gone };
                next.usual.push(if won { responded.with(|s| s.entries[own].place = gone) } else { responded });
            }
            _ => {}
        }
    }

    /// One request for all that the node has asked for. If only some are pending, those are won that are in the stream.
    fn script_redeems_all<const N: usize, const E: usize>(&self, state: State<N, E>, node: usize) -> State<N, E> {
        let asked = |own: &usize| matches!(state.nodes[node].hands[*own], Hand::Asked);
        let pending = |own: &usize| matches!(state.entries[*own].place, Place::Held(_) | Place::Ownerless);
        let there = |own: &usize| pending(own) || state.entries[*own].place == Place::Waiting;
        let (number, all) = ((0..E).filter(asked).filter(pending).count(), (0..E).filter(asked).count());
        let gone = if self.is(Mutant::DeletesInAStepOfItsOwn) { Place::Acknowledged } else { Place::Gone };
        (0..E).filter(asked).fold(state, |redeemed, own| {
            let won = number == all || number > 0 && there(&own);
            let place = if won { gone } else { state.entries[own].place };
            let hand = if won { Hand::Won } else { Hand::Nothing };
            redeemed.with_hand(node, own, hand).with(|s| s.entries[own].place = place)
        })
    }

    /// A node is paused, continues, or is killed; the name of one without a heartbeat is removed.
    fn node_lives_on_or_not<const N: usize, const E: usize>(
        &self,
        state: State<N, E>,
        node: usize,
        next: &mut Next<N, E>,
    ) {
        let life = |life| state.with(|s| s.nodes[node].life = life);
        match state.nodes[node].life {
            Life::Running => next.faults.extend([life(Life::Paused), killed(state, node)]),
            Life::Paused => {
                next.usual.push(life(Life::Running));
                next.faults.push(killed(state, node));
            }
            Life::Dead => {}
        }
        // It is removed only if nothing is pending under it, which changes nothing.
        if state.nodes[node].life != Life::Running && self.is(Mutant::RemovesConsumersWithPending) {
            next.usual.push(state.with(|s| {
                let held = s.entries.iter_mut().filter(|entry| entry.place == Place::Held(node as u8));
                held.for_each(|entry| entry.place = Place::Forgotten);
            }));
        }
    }
}

/// A request that its node has given up, or died after, is executed later or never.
fn request_given_up_is_executed<const N: usize, const E: usize>(state: State<N, E>, own: usize, next: &mut Next<N, E>) {
    if !state.entries[own].unheard {
        return;
    }
    let over = state.with(|s| s.entries[own].unheard = false);
    next.usual.push(over);
    if matches!(state.entries[own].place, Place::Held(_) | Place::Ownerless) {
        next.faults.push(excused(over.with(|s| s.entries[own].place = Place::Gone), own));
    }
}

/// An operator removes the consumer group. Nodes make it again, and it starts with the oldest entry.
fn group_is_made_again<const N: usize, const E: usize>(state: State<N, E>) -> State<N, E> {
    state.with(|s| {
        let pending = |entry: &&mut Entry| matches!(entry.place, Place::Held(_) | Place::Ownerless);
        s.entries.iter_mut().filter(pending).for_each(|entry| entry.place = Place::Waiting);
    })
}

/// Redis has given it entries that never arrive: the node continues under a new name.
fn connection_breaks<const N: usize, const E: usize>(state: State<N, E>, node: usize) -> State<N, E> {
    state.with(|s| {
        let held = s.entries.iter_mut().filter(|entry| entry.place == Place::Held(node as u8));
        held.for_each(|entry| entry.place = Place::Ownerless);
    })
}

/// Entries that it only held are left to others; one with a permission to send is lost.
fn killed<const N: usize, const E: usize>(state: State<N, E>, node: usize) -> State<N, E> {
    let dead = state.with(|s| (s.nodes[node].life, s.nodes[node].hands) = (Life::Dead, [Hand::Nothing; E]));
    (0..E).fold(dead, |dead, own| match state.nodes[node].hands[own] {
        Hand::Asked => dead.with(|s| s.entries[own].unheard = true),
        Hand::Won | Hand::Leave => excused(dead, own),
        _ => dead,
    })
}

fn post_begins<const N: usize, const E: usize>(state: State<N, E>, own: usize) -> State<N, E> {
    let delivery = usize::from(state.entries[own].delivery);
    state.with(|s| s.entries[delivery].posts += 1)
}

fn excused<const N: usize, const E: usize>(state: State<N, E>, own: usize) -> State<N, E> {
    state.with(|s| s.entries[own].excused = true)
}
