//! The set against one of the standard library, and how full its nodes stay.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::matching::index::span::NumberSpan;

impl TreeEntry for (u32, i64) {
    type Key = u32;
    type Span = NumberSpan;
    fn key(&self) -> u32 {
        self.0
    }
    fn span(&self) -> NumberSpan {
        NumberSpan { low: self.0.into(), high: self.1 }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_sorted_set_whose_copies_stay_as_they_were(
        steps in proptest::collection::vec((any::<bool>(), 0_u32..600, -50_i64..700), 0..3_000),
        descending in any::<bool>(),
    ) {
        let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
        let mut copies = Vec::new();
        for (number, (remove, key, top)) in steps.into_iter().enumerate() {
            // Long runs of the one and of the other, so that trees grow and shrink.
            if remove == ((number / 500) % 2 == 1) || number % 7 == 0 {
                let key = if descending { 600 - key } else { key };
                tree.insert((key, top));
                model.insert(key, top);
            } else {
                prop_assert_eq!(tree.remove(key).map(|entry| entry.1), model.remove(&key));
            }
            if number % 400 == 0 {
                copies.push((tree.clone(), model.clone()));
            }
        }
        copies.push((tree, model));
        for (tree, model) in copies {
            prop_assert_eq!((tree.len(), tree.is_empty()), (model.len(), model.is_empty()));
            for probe in [0, 1, 299, 300, 599, 601] {
                for point in [-1, 0, 5, 100, 299, 600] {
                    let mut walked = Vec::new();
                    tree.walk(Some(probe), point, |entry| { walked.push(*entry); true });
                    let covering = model.range(probe..).map(|(k, v)| (*k, *v));
                    let expected: Vec<_> = covering.filter(|e| e.span().covers(point)).collect();
                    prop_assert_eq!(walked, expected);
                }
                prop_assert_eq!(tree.get(probe).copied(), model.get(&probe).map(|top| (probe, *top)));
            }
            let mut all = Vec::new();
            (0..=600).for_each(|key| all.extend(tree.get(key).copied()));
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}

/// A row of spans is coarse; a walk is not.
#[test]
fn a_walk_leaves_out_what_a_row_can_not_tell_apart() {
    let mut tree = Tree::default();
    (0..100_u32).for_each(|key| tree.insert((key, if key % 2 == 0 { i64::from(key) } else { 1 << 60 })));
    let mut walked = Vec::new();
    tree.walk(None, 1_000, |entry| {
        walked.push(entry.0);
        true
    });
    assert_eq!(walked, (0..100).filter(|key| key % 2 == 1).collect::<Vec<_>>());
}

/// Nodes of each height are joined meanwhile.
#[test]
fn what_stays_is_found_after_each_removal() {
    let mut tree = Tree::default();
    (0..3_000).for_each(|key| tree.insert((key, key.into())));
    let stays = |key: &u32| key.is_multiple_of(50);
    for removed in (0..3_000).filter(|key| !stays(key)) {
        tree.remove(removed);
        for key in (0..3_000).filter(stays) {
            let mut walked = Vec::new();
            tree.walk(None, key.into(), |entry| {
                walked.push(entry.0);
                true
            });
            assert_eq!(walked, [key], "after {removed} was removed");
        }
    }
}

#[test]
fn removing_leaves_no_narrow_rows_of_nodes() {
    let mut tree = Tree::default();
    (0..10_000).for_each(|key| tree.insert((key, 0)));
    (0..10_000).filter(|key| key % 50 != 0).for_each(|key| assert!(tree.remove(key).is_some()));
    let mut leaves = 0;
    fn count(node: &TreeNode<(u32, i64)>, leaves: &mut usize) {
        match node {
            TreeNode::Leaf(_) => *leaves += 1,
            TreeNode::Inner(inner) => inner.children.iter().for_each(|child| count(&child.node, leaves)),
        }
    }
    count(tree.root.as_ref().expect("entries"), &mut leaves);
    let mut few = tree.clone();
    for key in 0..9_900 {
        few.remove(key);
    }
    assert!(few.len() == 2 && matches!(few.root, Some(TreeNode::Leaf(_))), "a root with one child is replaced by it");
    assert!(tree.len() == 200 && leaves <= 60, "{leaves}");
}
