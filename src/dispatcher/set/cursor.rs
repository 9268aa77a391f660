//! A look at a part of many destinations. A look at all of them would hold up the thread: the state of each is in a place
//! of its own. So each look continues where the one before ended, and those that are picked are the best of a part: a
//! sampled least-recently-used policy, as caches have it.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use crate::model::destination::Destination;

/// Up to this many are looked at completely.
const PART_MIN: usize = 256;
/// After this many looks each was looked at.
const PARTS: usize = 16;

/// How many of `all` are looked at in one look.
pub(super) fn part_of(all: usize) -> usize {
    all.min(PART_MIN.max(all.div_ceil(PARTS)))
}

/// Those that come after one, which need not be there any more; all, if there is none.
pub(super) fn after<'a, T>(
    all: &'a BTreeMap<Destination, T>,
    one: Option<&Destination>,
) -> btree_map::Range<'a, Destination, T> {
    all.range::<Destination, _>((one.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
}

/// Where the next look begins.
#[derive(Debug, Default)]
pub(super) struct PartCursor(Option<Destination>);

impl PartCursor {
    /// The next part of all, each of them once.
    pub(super) fn next_part<'a, T>(
        &mut self,
        all: &'a BTreeMap<Destination, T>,
    ) -> impl Iterator<Item = (&'a Destination, &'a T)> + use<'a, T> {
        let part = after(all, self.0.as_ref()).chain(all).take(part_of(all.len()));
        self.0 = part.clone().last().map(|(destination, _)| destination.clone());
        part
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn destination(number: usize) -> Destination {
        Destination::new(true, &format!("h{number}.example"), 443)
    }

    proptest! {
        /// Whatever the number, and wherever it begins: a look shows none twice, and after `PARTS` looks each was shown.
        #[test]
        fn each_is_looked_at(number in 0..6_000_usize, looks_before in 0..20) {
            let all: BTreeMap<_, _> = (0..number).map(|number| (destination(number), ())).collect();
            let mut cursor = PartCursor::default();
            for _ in 0..looks_before {
                cursor.next_part(&all).for_each(drop);
            }
            let mut seen = BTreeSet::new();
            for _ in 0..PARTS {
                let part: Vec<&Destination> = cursor.next_part(&all).map(|(destination, ())| destination).collect();
                prop_assert!(part.len() <= PART_MIN.max(number / PARTS + 1));
                prop_assert_eq!(part.iter().collect::<BTreeSet<_>>().len(), part.len());
                seen.extend(part);
            }
            prop_assert_eq!(seen.len(), number);
        }
    }

    /// The cursor's own destination may be gone.
    #[test]
    fn a_look_continues_behind_one_that_is_gone() {
        let mut all: BTreeMap<_, _> = (0..1_000).map(|number| (destination(number), ())).collect();
        let mut cursor = PartCursor::default();
        let first: BTreeSet<Destination> =
            cursor.next_part(&all).map(|(destination, ())| destination.clone()).collect();
        all.retain(|destination, ()| !first.contains(destination));
        assert!(cursor.next_part(&all).all(|(destination, ())| !first.contains(destination)));
    }
}
