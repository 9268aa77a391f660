//! Looks at a part of many destinations at a time. A look at all of them would hold up the thread, since the state of
//! each is elsewhere in memory. Each look continues where the last one ended, and picks the best of its part: a sampled
//! least-recently-used policy, as caches have it.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use crate::model::destination::Destination;

/// With no more destinations than this, each look is at all of them.
const PART_MIN: usize = 256;
/// After this many looks, every destination was looked at.
const PARTS: usize = 16;

/// How many of `all` destinations one look is at.
pub(super) fn part_of(all: usize) -> usize {
    all.min(PART_MIN.max(all.div_ceil(PARTS)))
}

/// The destinations after `one`, which need not exist any more; all of them if it is `None`.
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
    /// The next part. No destination is in it twice.
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
