//! Listeners are added and removed between events: the bucket finds those whose patterns match, and no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use posthaste::json::Document;
use posthaste::matching::index::{Bucket, Listener, ListenerWitnesses, Search, SearchEnd};
use posthaste::matching::{FilterLimits, Pattern};

use super::generate::{self, Random};
use super::{cases, matches, random};

struct Waiting {
    number: usize,
    pattern: Option<Pattern>,
    filing: ListenerWitnesses,
}

impl Listener for Waiting {
    fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }
    fn filing(&self) -> &ListenerWitnesses {
        &self.filing
    }
}

fn listener(random: &mut Random, number: usize) -> Arc<Waiting> {
    let pattern = match random.below(20) {
        0 => None,
        _ => loop {
            if let Ok(pattern) = Pattern::new(&generate::pattern(random)) {
                break Some(pattern);
            }
        },
    };
    Arc::new(Waiting { number, pattern, filing: ListenerWitnesses::default() })
}

/// The listeners that are found, with a pause after every few, and in slices of some steps.
fn found(bucket: &Bucket<Waiting>, data: &Document, pause_after: usize, steps_of_slice: usize) -> Vec<usize> {
    let limits =
        FilterLimits { steps_per_trigger_max: usize::MAX, steps_per_event_max: usize::MAX, ..FilterLimits::default() };
    let mut search = Search::new([bucket], &limits);
    let mut numbers = Vec::new();
    loop {
        let ended = search.run(data.object().expect("an object"), steps_of_slice, |listener| {
            numbers.push(listener.number);
            numbers.len() % pause_after != 0
        });
        match ended {
            SearchEnd::Complete => break,
            SearchEnd::Paused => {}
            SearchEnd::TooCostly => panic!("there is no bound"),
        }
    }
    assert_eq!(search.too_costly().len(), 0);
    numbers.sort_unstable();
    numbers
}

fn expected(listeners: &BTreeMap<usize, Arc<Waiting>>, data: &Document) -> Vec<usize> {
    let means = |listener: &Waiting| listener.pattern.as_ref().is_none_or(|pattern| matches(pattern, data));
    listeners.values().filter(|listener| means(listener)).map(|listener| listener.number).collect()
}

#[test]
fn the_index_finds_what_matches_while_listeners_come_and_go() {
    let mut random = random();
    let (mut bucket, mut listeners) = (Bucket::default(), BTreeMap::<usize, Arc<Waiting>>::new());
    let mut copies = Vec::new();
    let mut hits = 0;
    for case in 0..cases() {
        // Grows to some hundreds, and shrinks to none again.
        let grows = (case / 400) % 2 == 0;
        for _ in 0..random.below(4) {
            let number = random.below(300);
            if let Some(old) = listeners.remove(&number) {
                bucket.remove(&old);
            }
            if grows || random.below(4) == 0 {
                let new = listener(&mut random, number);
                bucket.add(&new);
                listeners.insert(number, new);
            }
        }
        let data = generate::data(&mut random);
        let document = Document::read(data.clone().into()).expect("JSON");
        let numbers = found(&bucket, &document, 1 + random.below(5), [1, 2, 7, usize::MAX][random.below(4)]);
        assert_eq!(numbers, expected(&listeners, &document), "case {case}: {data}");
        assert_eq!(bucket.len(), listeners.len());
        hits += numbers.len();
        if case % 200 == 0 {
            copies.push((bucket.clone(), listeners.clone()));
        }
        if case % 50 == 0 {
            for (bucket, listeners) in &copies {
                assert_eq!(
                    found(bucket, &document, 3, 5),
                    expected(listeners, &document),
                    "a copy, case {case}: {data}"
                );
            }
        }
    }
    assert!(hits > cases() as usize, "{hits}");
}
