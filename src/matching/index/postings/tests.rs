//! Against a model: a map of sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<u64, BTreeSet<usize>>;

fn member(listener: &Arc<usize>) -> ListenerRef<usize> {
    ListenerRef { listener: Arc::clone(listener), operations: Arc::default() }
}

fn listeners(postings: &Postings<usize>, hash: u64, from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    if let Some(listeners) = postings.get(hash) {
        listeners.walk(from, |member| found.insert(*member.listener));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Few high bits, or few low bits, or both, so that leaves split deeply and hashes are shared.
    #[test]
    fn it_is_a_map_of_sets_whose_copies_stay_as_they_were(
        steps in proptest::collection::vec((any::<bool>(), any::<u64>(), 0_usize..40), 0..2_000),
        mask in prop_oneof![Just(u64::MAX), Just(0x3ff), Just(0x3ff << 54), Just(0xf000_0000_0000_003f)],
    ) {
        let all: Vec<Arc<usize>> = (0..40).map(Arc::new).collect();
        let (mut postings, mut model) = (Postings::default(), Model::new());
        let mut copies = Vec::new();
        for (number, (remove, hash, listener)) in steps.into_iter().enumerate() {
            // Long runs of the one and of the other, so that it grows and shrinks.
            let hash = hash & mask;
            if remove == ((number / 400) % 2 == 1) || number % 5 == 0 {
                postings.insert(hash, &member(&all[listener]));
                model.entry(hash).or_default().insert(listener);
            } else {
                let known = model.keys().nth(hash as usize % model.len().max(1)).copied().unwrap_or(hash);
                postings.remove(known, &all[listener]);
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
            for (hash, set) in model {
                prop_assert_eq!(&listeners(postings, *hash, 0), set);
                prop_assert_eq!(postings.count(*hash), set.len());
                let middle = set.iter().map(|number| address(&all[*number])).max().unwrap_or(0);
                prop_assert_eq!(listeners(postings, *hash, middle).len(), 1);
                prop_assert!(listeners(postings, *hash, middle + 1).is_empty());
                prop_assert!(model.contains_key(&(hash ^ 1)) || postings.get(hash ^ 1).is_none());
            }
        }
        for (hash, set) in model {
            set.into_iter().for_each(|listener| postings.remove(hash, &all[listener]));
        }
        prop_assert!(postings.is_empty());
    }
}

#[test]
fn a_hash_that_is_like_a_gap_is_filed_as_all_others() {
    let (mut postings, listener) = (Postings::default(), Arc::new(1));
    postings.insert(GAP, &member(&listener));
    assert_eq!(listeners(&postings, GAP, 0), BTreeSet::from([1]));
    postings.remove(GAP, &listener);
    assert!(postings.is_empty());
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
            numbers.clone().for_each(|number| postings.insert(hash(number), &member(&listener)));
            let (mut near, mut places) = (0, 0.0);
            for number in 0..numbers.end {
                let (leaf, depth) = postings.leaf(hash(number));
                let at = find(leaf, hash(number), depth).expect("it is there");
                near += u64::from(at.wrapping_sub(about(leaf.len(), hash(number), depth)) < NEIGHBOURS);
                places += leaf.len() as f64 / leaf.iter().filter(|posting| posting.hash != GAP).count() as f64;
            }
            assert!(near * 100 > numbers.end * 90, "{near} of {numbers:?}");
            assert!(places < 1.6 * numbers.end as f64, "{places} of {numbers:?}");
        }
    }
}
