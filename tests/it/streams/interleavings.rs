//! Visits every state that the steps of [`super::model`] can lead to, and checks what can follow from each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::model::{Life, Mutant, Place, Protocol, State};

/// What a protocol may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Two POSTs of one delivery.
    Twice,
    /// An acknowledged entry is still in its stream.
    AcknowledgedAndThere,
    /// From this state, even without further faults, an entry is never attempted.
    Lost,
}

type Numbers<const N: usize, const E: usize> = HashMap<State<N, E>, u32, BuildHasherDefault<DefaultHasher>>;

/// All reachable states, and for each its predecessors without a fault; or the first violation.
fn explore<const N: usize, const E: usize>(protocol: &Protocol) -> Result<usize, (Fault, State<N, E>)> {
    let first = State::<N, E>::first();
    let (mut states, mut numbers) = (vec![first], Numbers::default());
    let mut before: Vec<Vec<u32>> = vec![Vec::new()];
    numbers.insert(first, 0);
    let mut at = 0;
    while let Some(&state) = states.get(at) {
        judge(&state)?;
        let next = protocol.steps(state);
        let usual = next.usual.len();
        for (place, new) in next.usual.into_iter().chain(next.faults).enumerate() {
            let number = *numbers.entry(new).or_insert_with(|| {
                states.push(new);
                before.push(Vec::new());
                states.len() as u32 - 1
            });
            if place < usual {
                before[number as usize].push(at as u32);
            }
        }
        at += 1;
    }
    (0..E).try_for_each(|own| nothing_is_lost(&states, &before, own))?;
    Ok(states.len())
}

fn judge<const N: usize, const E: usize>(state: &State<N, E>) -> Result<(), (Fault, State<N, E>)> {
    for entry in &state.entries {
        if entry.posts > 1 {
            return Err((Fault::Twice, *state));
        }
        if entry.place == Place::Acknowledged {
            return Err((Fault::AcknowledgedAndThere, *state));
        }
    }
    Ok(())
}

/// From every state with a live node, there are steps without faults to the POST of each added entry, unless it was
/// dropped, or lost by a kill or a lost response.
fn nothing_is_lost<const N: usize, const E: usize>(
    states: &[State<N, E>],
    before: &[Vec<u32>],
    own: usize,
) -> Result<(), (Fault, State<N, E>)> {
    let settled = |state: &State<N, E>| state.entries[usize::from(state.entries[own].delivery)].posts > 0;
    let mut reached: Vec<bool> = states.iter().map(settled).collect();
    let mut todo: Vec<u32> = (0..states.len() as u32).filter(|&at| reached[at as usize]).collect();
    while let Some(at) = todo.pop() {
        for &earlier in &before[at as usize] {
            if !std::mem::replace(&mut reached[earlier as usize], true) {
                todo.push(earlier);
            }
        }
    }
    let owed = |state: &State<N, E>| {
        let entry = &state.entries[own];
        let lives = state.nodes.iter().any(|node| node.life != Life::Dead);
        lives && entry.place != Place::Absent && !entry.excused
    };
    let lost = states.iter().zip(&reached).find(|(state, reached)| owed(state) && !**reached);
    lost.map_or(Ok(()), |(state, _)| Err((Fault::Lost, *state)))
}

#[test]
fn one_entry_and_three_nodes_at_most_one_attempt_and_none_lost() {
    let states = explore::<3, 1>(&Protocol(None)).expect("the protocol holds");
    assert!(states > 1_000, "{states} states are too few to be all");
}

#[test]
fn two_entries_and_two_nodes_at_most_one_attempt_and_none_lost() {
    let states = explore::<2, 2>(&Protocol(None)).expect("the protocol holds");
    assert!(states > 10_000, "{states} states are too few to be all");
}

#[test]
fn a_broken_protocol_is_detected() {
    for (mutant, expected) in [
        (Mutant::AttemptsWithoutAnAnswer, Fault::Twice),
        (Mutant::AcknowledgesAfterThePost, Fault::Twice),
        (Mutant::AttemptsWhatItHolds, Fault::Twice),
        (Mutant::RemovesConsumersWithPending, Fault::Lost),
        (Mutant::AcknowledgesOnArrival, Fault::Lost),
        (Mutant::DeletesInAStepOfItsOwn, Fault::AcknowledgedAndThere),
        (Mutant::ForgetsToGiveBack, Fault::Lost),
        (Mutant::KeepsItsNameAfterABreak, Fault::Lost),
    ] {
        let found = explore::<2, 1>(&Protocol(Some(mutant))).expect_err("it is broken");
        assert_eq!(found.0, expected, "{mutant:?}: {:?}", found.1);
    }
    for mutant in [Mutant::AcknowledgesByCount, Mutant::AddsAgainAfterSilence] {
        let found = explore::<2, 2>(&Protocol(Some(mutant))).expect_err("it is broken");
        assert_eq!(found.0, Fault::Twice, "{mutant:?}: {:?}", found.1);
    }
}
