//! Decides whose turn it is if the cost of a turn is known only after it: start-time fair queueing (Goyal, Vin and
//! Cheng, 1996).
//!
//! Each member that has work has a start tag; the member with the least tag is next. Virtual time is the start tag of
//! the turn that is being served. A turn of cost `c` that began at the tag `s` ends at the tag `s + c`. The member's
//! next turn starts there, or at virtual time if that is later: unused time is not saved up. If two members always have
//! work, neither gets more than the other by more than the cost of one turn of each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;

use foldhash::HashMap;

/// At this number of known tags, those in the past are forgotten.
const TAGS_SWEPT_AT: usize = 1_024;

/// The members that have work, in the order of their turns.
#[derive(Debug)]
pub struct StartTimes<K> {
    virtual_time: u64,
    /// The number breaks ties by age.
    ready: BinaryHeap<Reverse<(u64, u64, K)>>,
    entered: u64,
    /// Where each member's last turn ended, while that is not in the past.
    ends: HashMap<K, u64>,
}

/// A turn that has begun.
#[derive(Debug)]
pub struct StartedTurn<K> {
    /// The member whose turn it is.
    pub member: K,
    start: u64,
}

impl<K> Default for StartTimes<K>
where
    K: Ord,
{
    fn default() -> Self {
        Self { virtual_time: 0, ready: BinaryHeap::new(), entered: 0, ends: HashMap::default() }
    }
}

impl<K: Ord + Hash + Clone> StartTimes<K> {
    /// A member has work. It must not be ready already.
    pub fn enter(&mut self, member: K) {
        let start = self.ends.get(&member).map_or(self.virtual_time, |end| self.virtual_time.max(*end));
        self.entered += 1;
        self.ready.push(Reverse((start, self.entered, member)));
    }

    /// Begins the next turn. The member is not ready until [`StartTimes::end`] is called.
    pub fn begin(&mut self) -> Option<StartedTurn<K>> {
        let Reverse((start, _, member)) = self.ready.pop()?;
        self.virtual_time = self.virtual_time.max(start);
        Some(StartedTurn { member, start })
    }

    /// Ends a turn of this cost. `again`: the member has more work.
    pub fn end(&mut self, turn: StartedTurn<K>, cost: u64, again: bool) {
        if self.ends.len() >= TAGS_SWEPT_AT && !self.ends.contains_key(&turn.member) {
            let past = self.virtual_time;
            self.ends.retain(|_, end| *end > past);
        }
        self.ends.insert(turn.member.clone(), turn.start.saturating_add(cost));
        if again {
            self.enter(turn.member);
        }
    }

    /// Whether a member has work.
    pub fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_returning_member_has_no_savings_and_keeps_its_debt() {
        let mut turns = StartTimes::default();
        turns.enter("busy");
        for _ in 0..100 {
            let turn = turns.begin().expect("a turn");
            turns.end(turn, 10, true);
        }
        turns.enter("new");
        let mut order = Vec::new();
        for _ in 0..6 {
            let turn = turns.begin().expect("a turn");
            order.push(turn.member);
            turns.end(turn, 10, true);
        }
        assert_eq!(order.iter().filter(|member| **member == "new").count(), 3, "{order:?}");
        // A member that leaves after a long turn waits for the others when it returns.
        let turn = turns.begin().expect("a turn");
        let (long, other) = if turn.member == "new" { ("new", "busy") } else { ("busy", "new") };
        turns.end(turn, 50, false);
        turns.enter(long);
        for _ in 0..4 {
            let turn = turns.begin().expect("a turn");
            assert_eq!(turn.member, other);
            turns.end(turn, 10, true);
        }
    }

    #[test]
    fn tags_of_the_past_are_forgotten() {
        let mut turns = StartTimes::default();
        for member in 0..10 * TAGS_SWEPT_AT {
            turns.enter(member);
            let turn = turns.begin().expect("a turn");
            turns.end(turn, 1, false);
            turns.virtual_time += 1;
        }
        assert!(turns.ends.len() <= TAGS_SWEPT_AT);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Members that always have work get the same, except for the cost of one turn of each.
        #[test]
        fn backlogged_members_get_the_same(
            members in 1_usize..6, costs in proptest::collection::vec(1_u64..100, 1..200)
        ) {
            let mut turns = StartTimes::default();
            (0..members).for_each(|member| turns.enter(member));
            let (mut served, mut largest) = (vec![0_u64; members], vec![0_u64; members]);
            for cost in costs {
                let turn = turns.begin().expect("all have work");
                let member = turn.member;
                served[member] += cost;
                largest[member] = largest[member].max(cost);
                turns.end(turn, cost, true);
                for one in 0..members {
                    for other in 0..members {
                        prop_assert!(served[one] <= served[other] + largest[one] + largest[other]);
                    }
                }
            }
        }
    }
}
