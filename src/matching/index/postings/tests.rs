//! Against a model: a map of sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::paths::address;
use super::posting::{FILED_BITS, GAP};
use super::*;

type Model = BTreeMap<u64, BTreeSet<usize>>;

fn listeners(postings: &Postings<usize>, hash: u64, from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    if let Some(listeners) = postings.get(hash) {
        listeners.walk(from, |listener| found.insert(**listener));
    }
    found
}

/// How many places each leaf has, and how many of them are gaps.
fn leaves<T>(node: &PostingNode<T>) -> Vec<(usize, usize)> {
    match node {
        PostingNode::Leaf(postings) => {
            vec![(postings.len(), postings.iter().filter(|posting| posting.is_gap()).count())]
        }
        PostingNode::Branch(ways) => ways.iter().flat_map(leaves).collect(),
    }
}

/// Whether no leaf has many more gaps than it got when it was made.
fn is_dense<T>(postings: &Postings<T>) -> bool {
    leaves(&postings.0).iter().all(|(places, gaps)| places.saturating_sub(1) / SPARSE <= places - gaps)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Few high bits, or few of the last that are filed, or both, so that leaves split deeply and hashes are shared. The bits
    /// after those make no difference.
    #[test]
    fn it_is_a_map_of_sets_whose_copies_stay_as_they_were(
        steps in proptest::collection::vec((any::<bool>(), any::<u64>(), 0_usize..40), 0..2_000),
        mask in prop_oneof![Just(u64::MAX), Just(0x3ff_0007), Just(0x3ff << 54), Just(0xf000_0000_003f_0000)],
    ) {
        let all: Vec<Arc<usize>> = (0..40).map(Arc::new).collect();
        let (mut postings, mut model) = (Postings::default(), Model::new());
        let mut copies = Vec::new();
        for (number, (remove, hash, listener)) in steps.into_iter().enumerate() {
            // Long runs of the one and of the other, so that it grows and shrinks.
            let hash = hash & mask;
            if remove == ((number / 400) % 2 == 1) || number % 5 == 0 {
                postings.insert(hash, &all[listener]);
                model.entry(first_bits(hash)).or_default().insert(listener);
            } else {
                let known = model.keys().nth(hash as usize % model.len().max(1)).copied().unwrap_or(first_bits(hash));
                // Mostly one that is there.
                let there = model.get(&known).and_then(|set| set.iter().nth(listener % set.len())).copied();
                let listener = there.filter(|_| number % 3 > 0).unwrap_or(listener);
                postings.remove(known | hash & 0xffff, &all[listener]);
                if let Some(set) = model.get_mut(&known) && set.remove(&listener) && set.is_empty() {
                    model.remove(&known);
                }
            }
            if number % 300 == 0 {
                copies.push((postings.clone(), model.clone()));
            }
        }
        for (postings, model) in copies.iter().chain([&(postings.clone(), model.clone())]) {
            prop_assert_eq!(postings.is_empty(), model.is_empty());
            prop_assert!(is_dense(postings));
            for (hash, set) in model {
                prop_assert_eq!(&listeners(postings, *hash, 0), set);
                prop_assert_eq!(postings.count(*hash), set.len());
                let middle = set.iter().map(|number| address(&all[*number])).max().unwrap_or(0);
                prop_assert_eq!(listeners(postings, *hash, middle).len(), 1);
                prop_assert!(listeners(postings, *hash, middle + 1).is_empty());
                let beside = hash ^ 1 << (u64::BITS - FILED_BITS);
                prop_assert!(model.contains_key(&beside) || postings.get(beside).is_none());
            }
        }
        for (hash, set) in model {
            set.into_iter().for_each(|listener| postings.remove(hash, &all[listener]));
            prop_assert!(is_dense(&postings));
        }
        prop_assert!(postings.is_empty());
    }
}

#[test]
fn a_hash_that_is_like_a_gap_is_filed_as_all_others() {
    let (mut postings, listener) = (Postings::default(), Arc::new(1));
    postings.insert(GAP, &listener);
    assert_eq!(listeners(&postings, GAP, 0), BTreeSet::from([1]));
    postings.remove(GAP, &listener);
    assert!(postings.is_empty());
}

/// A leaf is copied for a change, and is what a lookup finds without another branch.
#[test]
fn leaves_are_small_until_they_are_far_from_the_root_and_hashes_go_into_their_gaps() {
    for (depth, postings_max) in [(0, LEAF_MAX), (NEAR, FAR_LEAF_MAX)] {
        let (mut postings, listener, mut moved) = (Postings::default(), Arc::new(1), 0);
        for number in 0..8_000_u64 {
            let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> depth;
            let before = postings.leaf(hash).0.as_ptr();
            postings.insert(hash, &listener);
            moved += usize::from(postings.leaf(hash).0.as_ptr() != before);
        }
        let largest =
            leaves(&postings.0).into_iter().map(|(places, gaps)| places - gaps).max().expect("there are some");
        assert!((postings_max / 2..=postings_max + postings_max / 2).contains(&largest), "{largest} at {depth}");
        assert!(moved < 4_000, "{moved} at {depth}");
    }
}

/// What is fetched for a lookup holds nearly all of them, whatever their number: in small leaves, and in those that are
/// further from the root.
#[test]
fn nearly_all_are_where_a_lookup_has_memory_fetched() {
    for depth in [0, NEAR] {
        let (mut postings, listener) = (Postings::default(), Arc::new(1));
        let hash = |number: u64| {
            let mixed = (number ^ number >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> depth
        };
        for numbers in [0..1_000, 1_000..2_500, 2_500..7_000, 7_000..16_000] {
            numbers.clone().for_each(|number| postings.insert(hash(number), &listener));
            let (mut near, mut places) = (0, 0.0);
            for hash in (0..numbers.end).map(|number| first_bits(hash(number))) {
                let (leaf, depth) = postings.leaf(hash);
                let at = find(leaf, hash, depth).expect("it is there");
                near += u64::from(at.wrapping_sub(about(leaf.len(), hash, depth)) < NEIGHBOURS);
                places += leaf.len() as f64 / leaf.iter().filter(|posting| !posting.is_gap()).count() as f64;
            }
            assert!(near * 100 > numbers.end * 90, "{near} of {numbers:?}");
            assert!(places < 1.6 * numbers.end as f64, "{places} of {numbers:?}");
        }
    }
}
