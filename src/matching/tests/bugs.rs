//! Bugs of other engines, each by what it means here. Those of deleting and of shared states are in the tests of the
//! index.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Pattern, matches, steps, verdict};
use crate::json::Document;

fn check(cases: &[(Value, Value, bool)]) {
    for (pattern, data, expected) in cases {
        assert_eq!(matches(pattern, data), *expected, "{pattern} {data}");
    }
}

/// event-ruler #140: a branch of `$or` was swallowed. ministack #1404: `$or` was ignored, and everything matched.
#[test]
fn each_branch_of_or_counts_and_none_is_ignored() {
    let pattern = json!({"s": ["x"], "$or": [{"a": [1], "b": [1]}, {"a": [1]}, {"a": [1], "c": [1]}]});
    check(&[
        (pattern.clone(), json!({"s": "x", "a": 1}), true),
        (pattern.clone(), json!({"s": "x", "b": 1}), false),
        (pattern.clone(), json!({"s": "x"}), false),
        (pattern, json!({"a": 1}), false),
        (json!({"$or": [{"d": ["x"]}, {"d": ["x", "y"]}]}), json!({"d": "y"}), true),
    ]);
}

/// event-ruler #163/#166 and #179/#188: precision and range of numbers.
#[test]
fn numbers_lose_no_digit_and_have_no_range() {
    check(&[
        (json!({"a": [{"numeric": ["=", 0.1]}]}), json!({"a": 0.1}), true),
        (json!({"a": [{"numeric": [">", 0.000001]}]}), json!({"a": 0.0000011}), true),
        (json!({"a": [{"numeric": ["<", -5_000_000_001_i64]}]}), json!({"a": -5_000_000_002_i64}), true),
        (json!({"a": [{"numeric": [">=", 5_000_000_000_i64]}]}), json!({"a": 5_000_000_000_i64}), true),
        (json!({"a": [{"numeric": ["=", 37.807_807_921_694_09]}]}), json!({"a": 37.807_807_921_694_09}), true),
        (json!({"a": [37.807807]}), json!({"a": 37.807808}), false),
    ]);
}

/// event-ruler #73: `suffix` across bytes of one character.
#[test]
fn a_suffix_is_of_characters() {
    check(&[
        (json!({"a": [{"suffix": "é"}]}), json!({"a": "café"}), true),
        (json!({"a": [{"suffix": "é"}]}), json!({"a": "caf\u{0169}"}), false),
        (json!({"a": [{"suffix": "本"}]}), json!({"a": "日本"}), true),
        (json!({"a": [{"suffix": "日本"}]}), json!({"a": "本"}), false),
        (json!({"a": [{"suffix": {"equals-ignore-case": "É"}}]}), json!({"a": "café"}), true),
    ]);
}

/// event-ruler #89: host bits that are set. #131: an address made `anything-but` always true. #58: a value that is no
/// address. hypermatch #9: `anything-but` on a list that holds an excluded value.
#[test]
fn networks_match_addresses_and_no_other_values() {
    check(&[
        (json!({"a": [{"cidr": "10.0.0.5/24"}]}), json!({"a": "10.0.0.200"}), true),
        (json!({"a": [{"cidr": "10.0.0.5/24"}]}), json!({"a": "10.0.1.5"}), false),
        (json!({"a": [{"anything-but": "10.0.0.1"}]}), json!({"a": "10.0.0.1"}), false),
        (json!({"a": [{"anything-but": ["10.0.0.1", "x"]}]}), json!({"a": "10.0.0.2"}), true),
        (json!({"a": [{"cidr": "10.0.0.0/8"}]}), json!({"a": "10.0.0.1/24"}), false),
        (json!({"a": [{"cidr": "10.0.0.0/8"}]}), json!({"a": "localhost"}), false),
        (json!({"a": [{"cidr": "10.0.0.0/8"}]}), json!({"a": ["", "x", null, 1, "10.1.1.1"]}), true),
        (json!({"a": [{"anything-but": ["x", "y"]}]}), json!({"a": ["x", "y"]}), false),
        (json!({"a": [{"anything-but": ["x", "y"]}]}), json!({"a": ["x", "z"]}), true),
    ]);
}

/// hypermatch #9: values that are not UTF-8 were equal to one another, as each was read as U+FFFD. Here none is a value:
/// neither bytes nor half a surrogate pair, in an event or in a pattern.
#[test]
fn what_is_no_text_equals_nothing() {
    check(&[
        (json!({"a": ["\u{fffd}"]}), json!({"a": "\u{fffd}"}), true),
        (json!({"a": ["\u{fffd}"]}), json!({"a": "\u{fffd}\u{fffd}"}), false),
        (json!({"a": [{"equals-ignore-case": "\u{fffd}"}]}), json!({"a": "\u{fffe}"}), false),
    ]);
    for text in [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00x"}"#, r#"{"a":"\ud800\ud800"}"#, r#"{"\udfff":1}"#] {
        assert!(Document::read(text.to_owned().into()).is_err(), "{text}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
    }
    for bytes in [&b"{\"a\":\"\xff\"}"[..], b"{\"a\":\"\xc3\"}", b"{\"a\":\"\xed\xa0\x80\"}"] {
        assert!(serde_json::from_slice::<Value>(bytes).is_err() && std::str::from_utf8(bytes).is_err());
    }
}

/// event-ruler #101: an exact text and a folded one shared a state.
#[test]
fn exact_and_folded_texts_stay_apart() {
    let both = json!({"a": ["Jane", {"equals-ignore-case": "john"}]});
    check(&[
        (both.clone(), json!({"a": "Jane"}), true),
        (both.clone(), json!({"a": "jane"}), false),
        (both.clone(), json!({"a": "JOHN"}), true),
        (json!({"a": ["k", {"equals-ignore-case": "Kelvin"}]}), json!({"a": "K"}), false),
        (both, json!({"a": "JANE"}), false),
    ]);
}

/// event-ruler #22/#212: repeated keys.
#[test]
fn repeated_keys_are_refused_in_patterns() {
    for pattern in [r#"{"a":[1],"a":[2]}"#, r#"{"x":{"a":[1],"a":[1]}}"#, r#"{"$or":[{"a":[1]},{"b":[1],"b":[2]}]}"#] {
        assert_eq!(verdict(pattern, "{}"), "error", "{pattern}");
    }
}

/// event-ruler #88/#125, quamina #188/#314: wildcards and many fields made states without bound. #62/#199: the check of
/// the cost missed cases, and took hours; event-ruler #269: as long as the product of the lengths of lists.
#[test]
fn no_pattern_explodes_when_it_is_read_or_matched() {
    let begun = Instant::now();
    let wild: Vec<Value> = (0..100).map(|n| json!({"wildcard": format!("*a*{n}*a*b*")})).collect();
    let many: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("f{n}"), json!([{"wildcard": "*x*y*"}, {"prefix": "a"}]))).collect();
    let ors: serde_json::Map<String, Value> = (0..40)
        .map(|n| (format!("f{n}"), json!({"$or": [{"a": [1]}, {"b": [{"wildcard": "*1*"}]}, {"c": [2]}]})))
        .collect();
    let list = |length: usize| (0..length).map(|n| format!("v{n}")).collect::<Vec<_>>();
    let but: Vec<Value> = (0..4).map(|n| json!({"anything-but": {"wildcard": format!("*a{n}*b*")}})).collect();
    let lists = json!({"b": list(2), "c": list(50), "d": list(21), "e": but});
    for pattern in [json!({"a": wild}), Value::Object(many), Value::Object(ors), lists] {
        Pattern::new(&pattern).expect("a valid pattern");
        let data: serde_json::Map<String, Value> =
            (0..100).map(|n| (format!("f{n}"), json!({"a": "aaaaaaaaaaaaaaaa"}))).collect();
        let mut data = Value::Object(data);
        for (name, value) in [("a", "aaaaaaaaaaaaaaaa"), ("b", "v1"), ("c", "v49"), ("d", "v20"), ("e", "a0a1a2a3")] {
            data[name] = value.into();
        }
        assert!(steps(&pattern, &data) < 10_000);
    }
    assert!(begun.elapsed().as_secs() < 10, "linear work takes milliseconds");
}

/// event-ruler #152 and #226: a shape that is not accepted is refused, and the message has the accepted form.
#[test]
fn errors_show_the_shape_that_is_wanted() {
    for (pattern, code, shape) in [
        (json!({"a": {"b": true}}), "bad_pattern", "[true]"),
        (
            json!({"a": [{"anything-but": [{"wildcard": "*x*"}]}]}),
            "bad_pattern",
            "{\"anything-but\": {\"prefix\": \"a\"}}",
        ),
    ] {
        let error = Pattern::new(&pattern).expect_err("refused");
        assert!(error.code == code && error.detail.contains(shape), "{pattern}: {error}");
    }
}

/// event-ruler #246/#247: quadratic on large arrays.
#[test]
fn the_cost_of_a_list_grows_with_its_length() {
    let pattern = json!({"a": {"x": [1], "y": [2]}, "b": {"z": [3]}});
    let data = |length: usize| json!({"a": vec![json!({"x": 1, "y": 3}); length], "b": vec![json!({"z": 1}); length]});
    let (short, long) = (steps(&pattern, &data(100)), steps(&pattern, &data(10_000)));
    assert!(long <= short * 100, "{short} {long}");
}

/// event-ruler #115: a bad wildcard was found only when it was matched. #152/#226: errors that don't say what is wanted.
#[test]
fn a_bad_wildcard_is_refused_when_it_is_read() {
    for bad in ["a**b", "a\\", "a\\x*"] {
        for test in [json!({"wildcard": bad}), json!({"anything-but": {"wildcard": ["ok*", bad]}})] {
            let error = Pattern::new(&json!({"a": [test]})).expect_err(bad);
            assert_eq!(error.code, "bad_wildcard");
            assert!(error.pointer.ends_with("/wildcard") && error.detail.contains('\\'), "{error}");
        }
    }
}

/// localstack #13268: `anything-but` with `suffix`: what is missing is not null, and null is there.
#[test]
fn missing_is_not_null() {
    let pattern = json!({"a": [{"anything-but": {"suffix": ".tmp"}}]});
    check(&[
        (pattern.clone(), json!({}), false),
        (pattern.clone(), json!({"a": null}), true),
        (pattern.clone(), json!({"a": "x.tmp"}), false),
        (pattern, json!({"a": "x"}), true),
        (json!({"a": [null]}), json!({}), false),
    ]);
}
