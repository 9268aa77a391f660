//! Against a model: a map of sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<u64, BTreeSet<usize>>;

fn member(listener: &Arc<usize>) -> ListenerRef<usize> {
    ListenerRef { listener: Arc::clone(listener), operations: Arc::default(), in_several: false }
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
