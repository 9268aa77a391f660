//! When a map forgets entries that are not needed any more: each time that it has doubled since, so that this takes a
//! constant time for each new entry.

use std::collections::HashMap;
use std::hash::Hash;

/// The sweeps of one map, which begin with `LEAST` entries.
#[derive(Debug, Default)]
pub struct Sweep<const LEAST: usize> {
    /// How many entries the last one left.
    left: usize,
}

impl<const LEAST: usize> Sweep<LEAST> {
    /// Call it before an entry is added. Forgets all entries that are not to be kept, if it is time for that.
    pub fn before_insert<K: Eq + Hash, V, S>(
        &mut self,
        map: &mut HashMap<K, V, S>,
        keep: impl FnMut(&K, &mut V) -> bool,
    ) {
        if map.len() >= LEAST.max(2 * self.left) {
            map.retain(keep);
            self.left = map.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_once_the_map_has_doubled() {
        let (mut map, mut sweep, mut sweeps) = (HashMap::new(), Sweep::<4>::default(), Vec::new());
        for number in 0..40 {
            let before = map.len();
            sweep.before_insert(&mut map, |one: &i32, ()| one % 2 == 0);
            if map.len() < before {
                sweeps.push((before, map.len()));
            }
            map.insert(number, ());
        }
        assert_eq!(sweeps, [(4, 2), (4, 3), (6, 5), (10, 7), (14, 11), (22, 16)]);
    }
}
