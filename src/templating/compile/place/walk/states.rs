//! Sets of states. Each node turns one into another.

use std::collections::HashSet;
use std::hash::Hash;

use super::{PathState, States};
use crate::templating::compile::place::conditions::KnownConditions;

/// So few states are compared one by one: most sets have two or three.
const COMPARED_MAX: usize = 16;

/// States that differ, in the order in which they were added. What is reported of a state makes no difference.
pub(super) struct StateSet<S> {
    states: States<S>,
    /// All of them, if there are more than [`COMPARED_MAX`].
    known: HashSet<Difference<S>, foldhash::fast::RandomState>,
}

type Difference<S> = (S, u64, u64, KnownConditions);

fn difference<S: Copy>(path: &PathState<S>) -> Difference<S> {
    (path.state, path.filled, path.earlier, path.decided)
}

impl<S: Copy + Eq + Hash> StateSet<S> {
    /// Room for this many states.
    pub(super) fn with_capacity(states: usize) -> Self {
        Self { states: Vec::with_capacity(states), known: HashSet::default() }
    }

    /// Adds a state unless it is in the set; returns whether it was added.
    pub(super) fn add(&mut self, path: PathState<S>) -> bool {
        let own = difference(&path);
        let is_new = if self.states.len() <= COMPARED_MAX {
            !self.states.iter().any(|known| difference(known) == own)
        } else {
            if self.known.is_empty() {
                self.known.extend(self.states.iter().map(difference));
            }
            self.known.insert(own)
        };
        if is_new {
            self.states.push(path);
        }
        is_new
    }

    pub(super) fn as_slice(&self) -> &[PathState<S>] {
        &self.states
    }

    pub(super) fn into_states(self) -> States<S> {
        self.states
    }
}

impl<S: Copy + Eq + Hash> FromIterator<PathState<S>> for StateSet<S> {
    fn from_iter<I: IntoIterator<Item = PathState<S>>>(states: I) -> Self {
        let states = states.into_iter();
        let mut set = Self::with_capacity(states.size_hint().0);
        states.for_each(|path| {
            set.add(path);
        });
        set
    }
}

/// Changes the states of a set. Those that become the same are one.
pub(super) fn change<S: Copy + Eq + Hash>(
    states: States<S>,
    change: impl Fn(PathState<S>) -> PathState<S>,
) -> States<S> {
    let changed: States<S> = states.iter().map(|path| change(*path)).collect();
    if changed == states { states } else { changed.into_iter().collect::<StateSet<S>>().into_states() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templating::compile::place::advice::Surroundings;

    #[test]
    fn a_state_is_once_in_a_set_of_any_size() {
        let path = |state: u32, filled: u64, at: usize| PathState {
            state,
            filled,
            earlier: 0,
            decided: KnownConditions::default(),
            mark: Surroundings { at, ..Surroundings::default() },
            passed: None,
        };
        for size in [1, 16, 17, 18, 400] {
            let all = |at: usize| (0..size).map(move |number| path(number / 2, u64::from(number % 2), at));
            let mut set: StateSet<u32> = all(0).collect();
            assert_eq!(set.as_slice().len(), size as usize);
            assert!(all(1).all(|path| !set.add(path)), "{size}");
            assert!(set.add(path(size, 0, 0)) && !set.add(path(size, 0, 0)), "{size}");
            assert_eq!(set.into_states().len(), size as usize + 1);
        }
    }
}
