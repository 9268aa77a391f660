//! Buckets and searches: what is filed where, that taking out leaves nothing, what a search costs, and bugs of other
//! engines that are about states which patterns share. Generated ones are in tests/it/filters.

use std::sync::Arc;

use serde_json::{Value, json};

use super::bucket::BucketContents;
use super::key::Path;
use super::*;
use crate::json::Document;
use crate::matching::{FilterLimits, Pattern};

#[derive(Debug)]
struct Waiting {
    name: String,
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

fn waiting(name: impl ToString, pattern: Value) -> Arc<Waiting> {
    let pattern = if pattern.is_null() { None } else { Some(Pattern::new(&pattern).expect("a pattern")) };
    Arc::new(Waiting { name: name.to_string(), pattern, filing: ListenerWitnesses::default() })
}

/// A bucket with these and as many more as it takes to be filed.
fn filled(with: &[&Arc<Waiting>]) -> Bucket<Waiting> {
    let mut bucket = Bucket::default();
    for number in 0..=FEW {
        bucket.add(&waiting(format!("other{number}"), json!({"other": {"id": [number]}})));
    }
    with.iter().for_each(|listener| bucket.add(listener));
    bucket
}

fn search(bucket: &Bucket<Waiting>, data: &Value, limits: &FilterLimits) -> (Vec<String>, SearchEnd, usize, usize) {
    let document = Document::from(data);
    let mut search = Search::new([bucket], limits);
    let mut names = Vec::new();
    let ended = search.run(document.object().expect("an object"), usize::MAX, |listener| {
        names.push(listener.name.clone());
        true
    });
    names.sort();
    (names, ended, search.too_costly().len(), limits.steps_per_event_max - search.steps_left())
}

fn found(bucket: &Bucket<Waiting>, data: Value) -> Vec<String> {
    let (names, ended, too_costly, _) = search(bucket, &data, &FilterLimits::default());
    assert_eq!((ended, too_costly), (SearchEnd::Complete, 0));
    names
}

fn is_bare(bucket: &Bucket<Waiting>) -> bool {
    match &bucket.0 {
        BucketContents::Few(few) => few.is_empty(),
        BucketContents::Many(many) => many.is_bare(),
    }
}

/// One of each kind of witness, with data that match and data that don't.
fn kinds() -> Vec<(Value, Value, Value)> {
    vec![
        (json!({"a": ["x"]}), json!({"a": "x"}), json!({"a": "y"})),
        (json!({"a": [1.50]}), json!({"a": 15e-1}), json!({"a": "1.5"})),
        (json!({"a": [true]}), json!({"a": true}), json!({"a": false})),
        (json!({"a": [null]}), json!({"a": null}), json!({})),
        (json!({"a": [{"equals-ignore-case": "Straße"}]}), json!({"a": "STRAẞE"}), json!({"a": "strasse"})),
        (json!({"a": [{"prefix": "ab"}]}), json!({"a": "abc"}), json!({"a": "ba"})),
        (json!({"a": [{"suffix": "日本"}]}), json!({"a": "in 日本"}), json!({"a": "本"})),
        (json!({"a": [{"prefix": {"equals-ignore-case": "éa"}}]}), json!({"a": "ÉAb"}), json!({"a": "é"})),
        (json!({"a": [{"suffix": {"equals-ignore-case": "éa"}}]}), json!({"a": "bÉA"}), json!({"a": "a"})),
        (json!({"a": [{"prefix": "p".repeat(100)}]}), json!({"a": "p".repeat(101)}), json!({"a": "p".repeat(99)})),
        (json!({"a": [{"suffix": "é".repeat(100)}]}), json!({"a": "é".repeat(101)}), json!({"a": "é".repeat(99)})),
        (json!({"a": [{"prefix": "p".repeat(300)}]}), json!({"a": "p".repeat(301)}), json!({"a": "p".repeat(299)})),
        (json!({"a": [{"suffix": "p".repeat(300)}]}), json!({"a": "p".repeat(301)}), json!({"a": "p".repeat(299)})),
        (json!({"a": [{"prefix": ""}]}), json!({"a": "x"}), json!({"a": 1})),
        (json!({"a": [{"wildcard": "ab*c"}]}), json!({"a": "abxc"}), json!({"a": "abx"})),
        (json!({"a": [{"wildcard": "a*bcd"}]}), json!({"a": "axbcd"}), json!({"a": "axbc"})),
        (json!({"a": [{"wildcard": "*abc"}]}), json!({"a": "xabc"}), json!({"a": "abcx"})),
        (json!({"a": [{"wildcard": "*hello*"}]}), json!({"a": "a hello b"}), json!({"a": "hell o"})),
        (json!({"a": [{"wildcard": "*abc*"}]}), json!({"a": "xabcx"}), json!({"a": "xabx"})),
        (json!({"a": [{"wildcard": "*a*"}]}), json!({"a": "bab"}), json!({"a": "b"})),
        (json!({"a": [{"numeric": [">", 5]}]}), json!({"a": 6}), json!({"a": 5})),
        (json!({"a": [{"numeric": [">=", -5, "<", 1e40]}]}), json!({"a": -5}), json!({"a": -6})),
        (json!({"a": [{"numeric": ["<", 5]}]}), json!({"a": 4.99}), json!({"a": 5})),
        (json!({"a": [{"cidr": "10.0.0.0/8"}]}), json!({"a": "10.1.1.1"}), json!({"a": "11.1.1.1"})),
        (json!({"a": [{"cidr": "2001:db8::/32"}]}), json!({"a": "2001:DB8::1"}), json!({"a": "2001::"})),
        (json!({"a": [{"cidr": "::/0"}]}), json!({"a": "::1"}), json!({"a": "1.1.1.1"})),
        (json!({"a": [{"exists": true}]}), json!({"a": [[0]]}), json!({"a": {}})),
        (json!({"a": [{"anything-but": "x"}]}), json!({"a": "y"}), json!({"a": "x"})),
        (json!({"a": [{"exists": false}]}), json!({"b": 1}), json!({"a": 1})),
        (json!({"a": [{"exists": false}, {"exists": true}], "c": [1]}), json!({"c": 1}), json!({"a": 1})),
        (json!({"a": [{"exists": false}, "x"]}), json!({"a": "x"}), json!({"a": "y"})),
        (json!({"a": {"b": {"c": ["x", 2]}}}), json!({"a": [{"b": {"c": [1, 2]}}]}), json!({"a": {"b": "x"}})),
        (json!({"$or": [{"a": ["x"]}, {"b": {"c": [1]}}]}), json!({"b": {"c": 1}}), json!({"b": 1})),
        (json!({"a": ["x"], "$or": [{"a": {"b": [1]}}, {"c": [1]}]}), json!({"a": ["x", {"b": 1}]}), json!({"a": "x"})),
        (Value::Null, json!({}), json!({"never": true})),
    ]
}

#[test]
fn each_kind_of_witness_is_found_and_taken_out_without_a_trace() {
    for (pattern, data, other) in kinds() {
        let (one, two) = (waiting("one", pattern.clone()), waiting("two", pattern.clone()));
        let mut bucket = filled(&[&one, &two]);
        let before = bucket.clone();
        assert_eq!(found(&bucket, data.clone()), ["one", "two"], "{pattern} {data}");
        if !pattern.is_null() {
            assert_eq!(found(&bucket, other.clone()), [""; 0], "{pattern} {other}");
        }
        bucket.remove(&one);
        assert_eq!(found(&bucket, data.clone()), ["two"], "{pattern}");
        assert_eq!(found(&before, data.clone()), ["one", "two"], "a copy stays as it was: {pattern}");
        bucket.add(&one);
        assert_eq!(found(&bucket, data.clone()), ["one", "two"], "{pattern}");
        bucket.remove(&two);
        bucket.remove(&one);
        assert_eq!(found(&bucket, data), [""; 0], "{pattern}");
    }
}

#[test]
fn listeners_in_a_plain_list_are_removed_too() {
    let (one, two) = (waiting("one", json!({"a": [1]})), waiting("two", json!({"a": [1]})));
    let mut bucket = Bucket::default();
    bucket.add(&one);
    bucket.add(&two);
    bucket.remove(&one);
    assert_eq!((found(&bucket, json!({"a": 1})), bucket.len()), (vec!["two".to_owned()], 1));
    bucket.remove(&two);
    assert!(is_bare(&bucket) && bucket.is_empty());
}

#[test]
fn an_emptied_bucket_holds_nothing() {
    let mut bucket = Bucket::default();
    let listeners: Vec<_> = kinds().into_iter().map(|(pattern, _, _)| waiting("x", pattern)).collect();
    for _ in 0..3 {
        listeners.iter().for_each(|listener| bucket.add(listener));
        assert_eq!(bucket.len(), listeners.len());
        assert!(!is_bare(&bucket));
        listeners.iter().rev().for_each(|listener| bucket.remove(listener));
        assert!(is_bare(&bucket) && bucket.is_empty() && bucket.unselective() == 0);
    }
}

/// event-ruler #255/#259: deleting one of two rules that share a wildcard, also in `anything-but`, left a ghost or broke
/// the other; with rules that differ elsewhere, and with copies under another name.
#[test]
fn one_of_two_that_share_a_wildcard_can_be_deleted() {
    let wildcards = ["*hello*", "hello*", "*hello", "h*o"].map(|shared| json!({"wildcard": shared}));
    let others = ["*bye*", "bye*", "*bye"].map(|shared| json!({"anything-but": {"wildcard": shared}}));
    for shared in wildcards.into_iter().chain(others) {
        let waiting_for = |name, b: u32| waiting(name, json!({"a": [shared], "b": [b]}));
        let (one, two, copy) = (waiting_for("one", 1), waiting_for("two", 2), waiting_for("copy", 2));
        let mut bucket = filled(&[&one, &two, &copy]);
        bucket.remove(&one);
        assert_eq!(found(&bucket, json!({"a": "hello", "b": 1})), [""; 0], "a ghost of {shared}");
        assert_eq!(found(&bucket, json!({"a": "hello", "b": 2})), ["copy", "two"], "{shared}");
        bucket.remove(&copy);
        assert_eq!(found(&bucket, json!({"a": "hello", "b": 2})), ["two"], "{shared}");
    }
}

/// Which of several conditions a listener is filed under follows what is filed already.
#[test]
fn the_rarest_condition_is_the_witness() {
    let mut bucket = Bucket::default();
    for number in 0..1_000 {
        let pattern = json!({"status": ["confirmed"], "rental": {"id": [format!("r{number}")]}, "paid": [true]});
        bucket.add(&waiting(number, pattern));
    }
    let data = json!({"status": "confirmed", "rental": {"id": "r777"}, "paid": true});
    let (names, _, _, steps) = search(&bucket, &data, &FilterLimits::default());
    assert_eq!(names, ["777"]);
    assert!(steps < 100, "{steps} steps for one of a thousand");
}

/// Long beginnings and ends are looked up by a part of them, so that a text takes few look-ups, whatever their lengths.
#[test]
fn affixes_of_any_length_take_few_look_ups() {
    for kind in ["prefix", "suffix"] {
        let mut bucket = Bucket::default();
        (1..=200).for_each(|length| bucket.add(&waiting(length, json!({"a": [{kind: "x".repeat(length)}]}))));
        let (names, _, _, steps) = search(&bucket, &json!({"a": "y".repeat(300)}), &FilterLimits::default());
        assert!(names.is_empty() && steps < 40, "{steps} steps for {kind}");
    }
}

/// Of the members of an object and those that filters name, the fewer are visited.
#[test]
fn neither_many_members_nor_many_names_cost_anything_alone() {
    let object = |number: usize| Value::Object((0..number).map(|name| (format!("m{name}"), json!(1))).collect());
    for (names, members) in [(1_000, 1), (20, 1_000)] {
        let mut bucket = Bucket::default();
        (0..names).for_each(|name| bucket.add(&waiting(name, json!({format!("m{name}"): ["x"]}))));
        let (found, _, _, steps) = search(&bucket, &object(members), &FilterLimits::default());
        assert!(found.is_empty() && steps < 50, "{steps} steps for {names} names and {members} members");
    }
}

/// `=` and a wildcard without an asterisk are values that are looked up, and no range and no part of a text.
#[test]
fn a_single_value_is_looked_up_however_it_is_written() {
    for pattern in [
        |number: usize| json!({"a": [{"numeric": ["=", number]}]}),
        |number: usize| json!({"a": [number]}),
        |number: usize| json!({"a": [{"wildcard": format!("v{number}")}]}),
    ] {
        let mut bucket = Bucket::default();
        (0..1_000).for_each(|number| bucket.add(&waiting(number, pattern(number))));
        for value in [json!(777), json!("v777")] {
            let (names, _, _, steps) = search(&bucket, &json!({"a": value}), &FilterLimits::default());
            assert!(names.iter().all(|name| name == "777") && steps < 20, "{names:?}, {steps} steps");
        }
        let ranges = |bucket: &Bucket<Waiting>| match &bucket.0 {
            BucketContents::Many(many) => many.paths.children.get(Path::ROOT.member("a")).map(|a| a.node.ranges.len()),
            BucketContents::Few(_) => None,
        };
        assert_eq!(ranges(&bucket), Some(0), "{}", pattern(0));
    }
}

/// What an event costs depends on what it fires: the same with a hundred times as many that it does not fire.
#[test]
fn the_cost_does_not_grow_with_what_does_not_fire() {
    let patterns = |number: usize| {
        let id = format!("r{number}");
        match number % 5 {
            0 => json!({"rental": {"id": [id]}}),
            1 => json!({"guest": {"email": [{"suffix": format!("@{id}.example")}]}}),
            2 => json!({"cost": [{"numeric": [">", number, "<=", number + 5]}]}),
            3 => json!({"ip": [{"cidr": format!("10.{}.{}.0/24", number / 256 % 256, number % 256)}]}),
            _ => json!({"name": [{"prefix": {"equals-ignore-case": format!("Name{id}-")}}], "paid": [true]}),
        }
    };
    let data = json!({
        "rental": {"id": "r40"}, "guest": {"email": "x@r41.example"}, "cost": 40, "ip": "10.0.43.7",
        "name": "NAMEr44-x", "paid": true,
    });
    let steps = |listeners: usize| {
        let mut bucket = Bucket::default();
        (0..listeners).for_each(|number| bucket.add(&waiting(number, patterns(number))));
        let (names, ended, _, steps) = search(&bucket, &data, &FilterLimits::default());
        assert_eq!((names, ended), (["37", "40", "41", "43", "44"].map(str::to_owned).to_vec(), SearchEnd::Complete));
        steps
    };
    let (few, many) = (steps(100), steps(10_000));
    assert!(many <= few + 20, "{few} {many}");
}

#[test]
fn a_list_of_the_same_value_is_looked_up_once() {
    let mut bucket = filled(&[]);
    (0..100).for_each(|number| bucket.add(&waiting(number, json!({"a": ["x"], "b": [number]}))));
    (0..100).for_each(|number| bucket.add(&waiting(number, json!({"n": [{"numeric": [">", 1]}], "c": [number]}))));
    (0..100).for_each(|number| {
        bucket.add(&waiting(number, json!({"m": [{"numeric": [">", 1]}], "d": [{"exists": false}]})));
    });
    let data = json!({"a": vec!["x"; 1_000], "n": vec![7; 1_000], "m": vec![7; 1_000], "d": 1});
    let (_, ended, _, steps) = search(&bucket, &data, &FilterLimits::default());
    assert_eq!(ended, SearchEnd::Complete);
    assert!(steps < 20_000, "{steps}");
}

/// A few lookups are under way at a time; none is lost, however many there are.
#[test]
fn every_value_of_a_long_list_is_looked_up() {
    let wanted: Vec<_> = (0..200).map(|number| waiting(number, json!({"a": [format!("v{number}")]}))).collect();
    let bucket = filled(&wanted.iter().collect::<Vec<_>>());
    let values: Vec<_> = (0..200).map(|number| format!("v{number}")).collect();
    assert_eq!(found(&bucket, json!({"a": values})).len(), 200);
    assert_eq!(found(&bucket, json!({"a": "v199"})), ["199"]);
}

#[test]
fn an_event_has_a_budget_that_what_fires_is_not_charged_to() {
    let mut bucket = Bucket::default();
    (0..2_000)
        .for_each(|number| bucket.add(&waiting(number, json!({"a": [{"exists": true}], "b": [{"exists": false}]}))));
    let limits = FilterLimits { steps_per_event_max: 1_000, ..FilterLimits::default() };
    let (names, ended, too_costly, _) = search(&bucket, &json!({"a": 1}), &limits);
    assert_eq!((names.len(), ended, too_costly), (2_000, SearchEnd::Complete, 0));
    let (names, ended, too_costly, steps) = search(&bucket, &json!({"a": 1, "b": 1}), &limits);
    assert_eq!((names.len(), ended, too_costly, steps), (0, SearchEnd::TooCostly, 0, 1_000));
    // The walk of the data counts, too.
    let (_, ended, _, steps) = search(&bucket, &json!({"a": vec![json!([]); 5_000]}), &limits);
    assert_eq!((ended, steps), (SearchEnd::TooCostly, 1_000));
    assert_eq!(bucket.unselective(), 2_000);
}

/// The most steps and sources of one call are those of a slice, however much an event holds; in the end the same is found
/// for the same steps as without slices.
#[test]
fn no_call_works_longer_than_a_slice() {
    const SLICE: usize = 500;
    let mut bucket = Bucket::default();
    (0..100).for_each(|number| {
        bucket.add(&waiting(number, json!({"n": [{"numeric": [">", 1_000_000 + number]}], "paid": [true]})));
    });
    bucket.add(&waiting("number", json!({"n": [7]})));
    bucket.add(&waiting("part", json!({"deep": {"text": [{"wildcard": "*needle*"}]}})));
    bucket.add(&waiting("nowhere", json!({"other": [{"exists": false}]})));
    bucket.add(&waiting("long", json!({"long": [{"numeric": [">", 1]}]})));
    let text = format!("{}needle", "hay".repeat(20_000));
    // A unit of work beyond a slice: here at most one wildcard on the text.
    let unit = text.len() / 64 + 20;
    let long: serde_json::Number = "7".repeat(6_400).parse().expect("a number");
    let data = json!({
        "n": (0..140_000).collect::<Vec<_>>(), "deep": [{"no": 1}, [{"text": ["x", text]}]], "long": [1, long],
    });
    let limits = FilterLimits { steps_per_event_max: 5_000_000, ..FilterLimits::default() };
    let (expected, ended, _, steps) = search(&bucket, &data, &limits);
    assert_eq!((expected.len(), ended), (4, SearchEnd::Complete));

    let document = Document::from(&data);
    let mut search = Search::new([&bucket], &limits);
    let (mut names, mut calls) = (Vec::new(), 0);
    loop {
        let before = search.steps_left();
        let ended = search.run(document.object().expect("an object"), SLICE, |listener| {
            names.push(listener.name.clone());
            true
        });
        calls += 1;
        assert!(before - search.steps_left() <= SLICE + unit, "{}", before - search.steps_left());
        if ended == SearchEnd::Complete {
            break;
        }
        assert_eq!(ended, SearchEnd::Paused);
    }
    names.sort();
    assert_eq!((names, limits.steps_per_event_max - search.steps_left()), (expected, steps));
    assert!(calls >= steps / SLICE + 140_000 / SLICE, "{calls}: a number without a candidate takes no step there");
}

/// Candidates that do not match end a slice as well.
#[test]
fn candidates_take_turns_too() {
    let mut bucket = Bucket::default();
    (0..2_000).for_each(|number| {
        bucket.add(&waiting(number, json!({"a": [{"exists": true}], "b": [{"exists": false}]})));
    });
    let document = Document::from(&json!({"a": 1, "b": 1}));
    let mut search = Search::new([&bucket], &FilterLimits::default());
    let mut calls = 1;
    while search.run(document.object().expect("an object"), 100, |_| true) == SearchEnd::Paused {
        calls += 1;
    }
    assert!(calls >= 2_000 / 100, "{calls}");
}

#[test]
fn a_listener_whose_filter_costs_too_much_takes_no_other_along() {
    let costly: Vec<Value> = (0..900).map(|number| json!({"numeric": [">", 1_000 + number]})).collect();
    let bucket = filled(&[
        &waiting("costly", json!({"n": costly, "z": [{"exists": true}]})),
        &waiting("cheap", json!({"n": [7]})),
        &waiting("all", Value::Null),
    ]);
    let data = json!({"n": (0..500).collect::<Vec<_>>(), "z": 1});
    let limits = FilterLimits { steps_per_trigger_max: 10_000, ..FilterLimits::default() };
    let (names, ended, too_costly, _) = search(&bucket, &data, &limits);
    assert_eq!((names, ended, too_costly), (vec!["all".to_owned(), "cheap".to_owned()], SearchEnd::Complete, 1));
}

/// Texts of another shape than the affixes that are filed are distinguished before a lookup, and taking one out counts.
#[test]
fn only_affixes_that_may_be_filed_are_looked_up() {
    let [one, two] = ["ab-1", "xy-9"].map(|prefix| waiting(prefix, json!({"a": [{"prefix": prefix}]})));
    let mut bucket = filled(&[&one, &two]);
    let may_hold = |bucket: &Bucket<Waiting>, text: &str| {
        let BucketContents::Many(many) = &bucket.0 else { panic!("few listeners") };
        let child = many.paths.children.get(Path::ROOT.member("a")).expect("somebody is filed there");
        child.node.probes.iter().any(|probe| probe.may_hold(text.as_bytes()))
    };
    assert_eq!(["ab-1", "xy-9", "mn-5"].map(|text| may_hold(&bucket, text)), [true, true, false]);
    assert_eq!(["ab-5", "mn-9"].map(|text| may_hold(&bucket, text)), [false, false], "one end is not enough");
    bucket.remove(&one);
    assert_eq!(["ab-1", "xy-9"].map(|text| may_hold(&bucket, text)), [false, true]);
}

/// quamina #518: memory. What a listener takes in the index, beside itself.
#[test]
fn postings_are_small() {
    assert_eq!(size_of::<super::postings::Posting<Waiting>>(), 16);
    assert_eq!(size_of::<super::paths::RangeListener<Waiting>>(), 32);
    assert!(size_of::<ListenerWitnesses>() <= 32, "{}", size_of::<ListenerWitnesses>());
}
