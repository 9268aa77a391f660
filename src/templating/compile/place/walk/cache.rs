//! What is known of loops inside of others. A walk meets them again and again.

use std::collections::HashMap;

/// The most sets of states that are kept for a loop.
const SETS_MAX: usize = 32;
/// The most states of a set that is kept.
const SET_STATES_MAX: usize = 32;
/// The most states that are kept for all loops: about three megabytes.
const STATES_MAX: usize = 20_000;

/// Loops by where they begin, with states of type `S`.
pub(super) struct LoopCache<S> {
    loops: HashMap<usize, KnownLoop<S>>,
    /// How many states are kept.
    states: usize,
}

struct KnownLoop<S> {
    /// Whether what the loop does depends on the loops around it as well, not only on the states before it.
    is_dependent: bool,
    /// The states before the loop, and those after it.
    effects: Vec<(Vec<S>, Vec<S>)>,
}

impl<S> Default for LoopCache<S> {
    fn default() -> Self {
        Self { loops: HashMap::new(), states: 0 }
    }
}

impl<S: Clone + PartialEq> LoopCache<S> {
    /// Whether the loop depends on the loops around it, which is found out once.
    pub(super) fn is_dependent(&mut self, at: usize, find_out: impl FnOnce() -> bool) -> bool {
        let known = self.loops.entry(at);
        known.or_insert_with(|| KnownLoop { is_dependent: find_out(), effects: Vec::new() }).is_dependent
    }

    /// The states after a loop, if they are known for these before it.
    pub(super) fn get(&self, at: usize, before: &[S]) -> Option<Vec<S>> {
        let known = self.loops.get(&at)?;
        known.effects.iter().find(|(own, _)| own == before).map(|(_, after)| after.clone())
    }

    /// Keeps the states after a loop, if there is room for them.
    pub(super) fn keep(&mut self, at: usize, before: Vec<S>, after: &[S]) {
        let Some(known) = self.loops.get_mut(&at) else { return };
        let states = before.len() + after.len();
        let is_small = before.len().max(after.len()) <= SET_STATES_MAX;
        if is_small && known.effects.len() < SETS_MAX && self.states + states <= STATES_MAX {
            self.states += states;
            known.effects.push((before, after.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_looked_into_once() {
        let mut cache = LoopCache::<u8>::default();
        let mut asked = 0;
        for _ in 0..3 {
            assert!(cache.is_dependent(1, || {
                asked += 1;
                true
            }));
        }
        assert_eq!(asked, 1);
        assert!(!cache.is_dependent(2, || false));
    }

    #[test]
    fn the_states_that_are_kept_are_bounded() {
        let mut cache = LoopCache::<usize>::default();
        let set = |first: usize, length: usize| (first..first + length).collect::<Vec<_>>();
        let mut keep = |at: usize, first: usize, lengths: (usize, usize)| {
            cache.is_dependent(at, || false);
            cache.keep(at, set(first, lengths.0), &set(first, lengths.1));
            cache.get(at, &set(first, lengths.0)).map(|after| after.len())
        };
        assert_eq!(keep(0, 0, (32, 1)), Some(1));
        assert_eq!(keep(0, 1, (1, 32)), Some(32));
        assert_eq!(keep(0, 2, (33, 1)), None);
        assert_eq!(keep(0, 3, (2, 33)), None);
        let kept = (4..100).filter(|first| keep(0, *first, (1, 1)).is_some()).count();
        assert_eq!(kept, SETS_MAX - 2);
        // Over all loops.
        let mut states = 0;
        for at in 1..1000 {
            states += keep(at, 0, (32, 32)).map_or(0, |_| 64);
        }
        assert!((19_000..=STATES_MAX).contains(&states), "{states}");
    }
}
