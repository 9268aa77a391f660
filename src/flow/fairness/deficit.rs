//! A queue that serves its members in turn by deficit round robin (Shreedhar and Varghese, 1995).
//!
//! Each member has its own first-in, first-out queue. At its turn a member is credited one quantum and is served while
//! its credit covers the cost of its next item. The rest of the credit is kept for the member's next turn, and lost
//! when its queue becomes empty. If two members always have items queued, neither gets more than the other by more than
//! a quantum and the cost of the largest item.

use std::collections::VecDeque;
use std::hash::Hash;

use foldhash::HashMap;

/// Items of several members, each with its cost.
#[derive(Debug)]
pub struct DeficitQueue<K, T> {
    quantum: usize,
    members: HashMap<K, QueueMember<T>>,
    /// Members that have items, in the order of their turns.
    turns: VecDeque<K>,
    len: usize,
}

#[derive(Debug)]
struct QueueMember<T> {
    items: VecDeque<(usize, T)>,
    credit: usize,
}

impl<K: Eq + Hash + Clone, T> DeficitQueue<K, T> {
    /// An empty queue. If the quantum is at least the usual cost of an item, each turn serves at least one item.
    pub fn new(quantum: usize) -> Self {
        Self { quantum: quantum.max(1), members: HashMap::default(), turns: VecDeque::new(), len: 0 }
    }

    /// The number of items of all members.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of items of one member.
    pub fn len_of(&self, member: &K) -> usize {
        self.members.get(member).map_or(0, |member| member.items.len())
    }

    /// Members that have items.
    pub fn members(&self) -> impl Iterator<Item = &K> {
        self.members.keys()
    }

    /// Adds an item behind the others of its member.
    pub fn push(&mut self, member: &K, cost: usize, item: T) {
        self.len += 1;
        match self.members.get_mut(member) {
            Some(member) => member.items.push_back((cost, item)),
            None => {
                let new = QueueMember { items: VecDeque::from([(cost, item)]), credit: 0 };
                self.members.insert(member.clone(), new);
                self.turns.push_back(member.clone());
            }
        }
    }

    /// Takes the item whose turn it is.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_where(|_| true)
    }

    /// The same, but skips members that can't be served now. They lose their turn and keep their credit.
    pub fn pop_where(&mut self, mut can_be_served: impl FnMut(&K) -> bool) -> Option<T> {
        let mut passed = 0;
        loop {
            let name = self.turns.front().filter(|_| passed < self.turns.len())?;
            if !can_be_served(name) {
                passed += 1;
                self.turns.rotate_left(1);
                continue;
            }
            passed = 0;
            let member = self.members.get_mut(name).expect("a member that has a turn is there");
            let cost = member.items.front().map_or(0, |(cost, _)| *cost);
            if member.credit < cost {
                member.credit += self.quantum;
                // The next turn of a lone member is at once.
                if self.turns.len() > 1 || member.credit < cost {
                    self.turns.rotate_left(1);
                    continue;
                }
            }
            member.credit -= cost;
            let (_, item) = member.items.pop_front()?;
            self.len -= 1;
            if member.items.is_empty() {
                self.members.remove(name);
                self.turns.pop_front();
            }
            return Some(item);
        }
    }

    /// Every item, mutable, in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.members.values_mut().flat_map(|member| member.items.iter_mut().map(|(_, item)| item))
    }

    /// The first item of each member.
    pub fn firsts(&self) -> impl Iterator<Item = &T> {
        self.members.values().filter_map(|member| member.items.front().map(|(_, item)| item))
    }

    /// Takes the items that `is_taken` selects. The others keep their order.
    pub fn extract(&mut self, mut is_taken: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for member in self.members.values_mut() {
            let (out, kept): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(&mut member.items).into_iter().partition(|(_, item)| is_taken(item));
            member.items = kept;
            taken.extend(out.into_iter().map(|(_, item)| item));
        }
        self.len -= taken.len();
        let members = &mut self.members;
        self.turns.retain(|name| !members[name].items.is_empty());
        members.retain(|_, member| !member.items.is_empty());
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_served_in_turn_and_each_in_its_order() {
        let mut queue = DeficitQueue::new(1);
        for number in 0..4 {
            queue.push(&"flood", 1, ("flood", number));
        }
        queue.push(&"other", 1, ("other", 0));
        let served: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let place = served.iter().position(|(member, _)| *member == "other").expect("served");
        assert!(place <= 1, "{served:?}");
        let flood: Vec<i32> = served.iter().filter(|(member, _)| *member == "flood").map(|(_, n)| *n).collect();
        assert_eq!(flood, [0, 1, 2, 3]);
        assert!(queue.is_empty() && queue.members.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn a_member_that_cannot_be_served_is_skipped() {
        let mut queue = DeficitQueue::new(1);
        for member in [1, 1, 2, 3, 3] {
            queue.push(&member, 1, member);
        }
        let served: Vec<i32> = std::iter::from_fn(|| queue.pop_where(|member| *member != 1)).collect();
        assert_eq!((served, queue.len_of(&1)), (vec![2, 3, 3], 2));
        assert_eq!(queue.pop(), Some(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// While two members both have items, the difference in what they were served is at most a quantum and the
        /// largest cost. The items of each member come out in order, and all of them come out.
        #[test]
        fn backlogged_members_get_the_same(
            quantum in 1_usize..20, costs in proptest::collection::vec(proptest::collection::vec(0_usize..30, 0..40), 1..5)
        ) {
            let mut queue = DeficitQueue::new(quantum);
            for (member, costs) in costs.iter().enumerate() {
                for (number, cost) in costs.iter().enumerate() {
                    queue.push(&member, *cost, (member, number));
                }
            }
            let largest = costs.iter().flatten().copied().max().unwrap_or(0);
            let mut next = vec![0; costs.len()];
            let mut served = vec![0; costs.len()];
            while let Some((member, number)) = queue.pop() {
                prop_assert_eq!(number, next[member]);
                next[member] += 1;
                served[member] += costs[member][number];
                let waiting = (0..costs.len()).filter(|own| next[*own] < costs[*own].len()).collect::<Vec<_>>();
                for one in &waiting {
                    for other in &waiting {
                        prop_assert!(served[*one].abs_diff(served[*other]) <= quantum + largest);
                    }
                }
            }
            prop_assert!((0..costs.len()).all(|member| next[member] == costs[member].len()));
            prop_assert_eq!(queue.len(), 0);
        }

        #[test]
        fn what_is_extracted_is_gone_and_the_rest_keeps_its_order(
            items in proptest::collection::vec((0_usize..4, 0_usize..100), 0..60), limit in 0_usize..100
        ) {
            let mut queue = DeficitQueue::new(3);
            for item in &items {
                queue.push(&item.0, 1, *item);
            }
            let out = queue.extract(|item| item.1 < limit);
            prop_assert_eq!(out.len(), items.iter().filter(|item| item.1 < limit).count());
            prop_assert_eq!(queue.len(), queue.iter_mut().count());
            let mut rest: Vec<Vec<(usize, usize)>> = vec![Vec::new(); 4];
            while let Some(item) = queue.pop() {
                rest[item.0].push(item);
            }
            for (member, rest) in rest.iter().enumerate() {
                let expected: Vec<_> = items.iter().filter(|item| item.0 == member && item.1 >= limit).copied().collect();
                prop_assert_eq!(rest, &expected);
            }
        }
    }
}
