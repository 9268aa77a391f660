//! Each mistake in a pattern: its position, its code, and the required form.

use serde_json::{Value, json};

use super::Pattern;

#[test]
fn a_mistake_is_reported_with_its_position_and_the_expected_shape() {
    for (pattern, pointer, code, says) in [
        (json!([]), "", "bad_pattern", "a pattern is an object"),
        (json!({}), "", "bad_pattern", "leave it out"),
        (json!({"a": 1}), "/a", "bad_pattern", "write [1]"),
        (json!({"a": {"prefix": "x"}}), "/a/prefix", "bad_pattern", "within a list; write [{\"prefix\": \"x\"}]"),
        (json!({"a": {"exists": true}}), "/a/exists", "bad_pattern", "write [{\"exists\": true}]"),
        (json!({"a": []}), "/a", "bad_pattern", "name a value"),
        (json!({"a": {"b": {}}}), "/a/b", "bad_pattern", "leave it out"),
        (json!({"a": [[1]]}), "/a/0", "bad_pattern", "side by side"),
        (json!({"a": [{}]}), "/a/0", "bad_pattern", "one member"),
        (json!({"a": [{"prefix": "a", "suffix": "b"}]}), "/a/0", "bad_pattern", "side by side"),
        (
            json!({"a": ["x", {"sufix": "x"}]}),
            "/a/1/sufix",
            "unknown_matcher",
            "Did you mean `suffix`? Write {\"suffix\": \"a\"}",
        ),
        (json!({"a": [{"Prefix": "x"}]}), "/a/0/Prefix", "unknown_matcher", "Did you mean `prefix`?"),
        (json!({"a": [{"anything_but": ["x"]}]}), "/a/0/anything_but", "unknown_matcher", "mean `anything-but`? Write"),
        (json!({"a": [{"kind": ["x"]}]}), "/a/0/kind", "unknown_matcher", "one of the rooms has 2 beds"),
        (json!({"a": [{"kind": ["x"], "beds": [2]}]}), "/a/0", "bad_pattern", "one of the rooms has 2 beds"),
        (json!({"a": [{"exactly": "x"}]}), "/a/0/exactly", "unknown_matcher", "known are"),
        (json!({"a": [{"prefix": 1}]}), "/a/0/prefix", "bad_pattern", "{\"prefix\": \"a\"}"),
        (json!({"a": [{"prefix": {"wildcard": "x"}}]}), "/a/0/prefix", "bad_pattern", "equals-ignore-case"),
        (json!({"a": [{"suffix": ["x"]}]}), "/a/0/suffix", "bad_pattern", "{\"suffix\": \"a\"}"),
        (json!({"a": [{"equals-ignore-case": 1}]}), "/a/0/equals-ignore-case", "bad_pattern", "write"),
        (json!({"a": [{"wildcard": "a**b"}]}), "/a/0/wildcard", "bad_wildcard", "in a row"),
        (json!({"a": [{"wildcard": "a\\b"}]}), "/a/0/wildcard", "bad_wildcard", "backslash"),
        (json!({"a": [{"wildcard": 7}]}), "/a/0/wildcard", "bad_pattern", "{\"wildcard\": \"a*b\"}"),
        (json!({"a": [{"exists": "yes"}]}), "/a/0/exists", "bad_pattern", "{\"exists\": true}"),
        (json!({"a": [{"cidr": "10.0.0.0"}]}), "/a/0/cidr", "bad_cidr", "10.0.0.0/8"),
        (json!({"a": [{"cidr": "10.0.0.0/33"}]}), "/a/0/cidr", "bad_cidr", "0 to 32"),
        (json!({"a": [{"cidr": ["10.0.0.0/8"]}]}), "/a/0/cidr", "bad_pattern", "{\"cidr\":"),
        (json!({"a": [{"numeric": 5}]}), "/a/0/numeric", "bad_pattern", "{\"numeric\": [\">\", 5]}"),
        (json!({"a": [{"numeric": [">"]}]}), "/a/0/numeric", "bad_pattern", "one comparison or two"),
        (json!({"a": [{"numeric": ["!=", 5]}]}), "/a/0/numeric", "bad_pattern", "not known"),
        (json!({"a": [{"numeric": [">", "5"]}]}), "/a/0/numeric", "bad_pattern", "needs a number"),
        (json!({"a": [{"numeric": ["<", 5, ">", 1]}]}), "/a/0/numeric", "bad_pattern", "begins with"),
        (json!({"a": [{"numeric": ["=", 5, "<", 9]}]}), "/a/0/numeric", "bad_pattern", "begins with"),
        (
            json!({"a": [{"numeric": [">=", 5, "<=", 5.0]}]}),
            "/a/0/numeric",
            "bad_pattern",
            "write {\"numeric\": [\"=\", 5]}",
        ),
        (json!({"a": [{"numeric": [">=", 5, "<", 5]}]}), "/a/0/numeric", "bad_pattern", "empty"),
        (json!({"a": vec![json!({"wildcard": "a1*"}); 501]}), "/a/500", "pattern_too_large", "each `*` of a wildcard"),
        (json!({"a": [{"anything-but": null}]}), "/a/0/anything-but", "bad_pattern", "list of strings"),
        (json!({"a": [{"anything-but": []}]}), "/a/0/anything-but", "bad_pattern", "list of strings"),
        (json!({"a": [{"anything-but": ["a", true]}]}), "/a/0/anything-but", "bad_pattern", "list of strings"),
        (json!({"a": [{"anything-but": {"numeric": ["=", 1]}}]}), "/a/0/anything-but", "bad_pattern", "suffix"),
        (json!({"a": [{"anything-but": {"prefix": ""}}]}), "/a/0/anything-but/prefix", "bad_pattern", "empty"),
        (json!({"a": [{"anything-but": {"prefix": []}}]}), "/a/0/anything-but/prefix", "bad_pattern", "list"),
        (
            json!({"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}),
            "/a/0/anything-but/prefix",
            "bad_pattern",
            "string",
        ),
        (json!({"a": [{"anything-but": {"wildcard": "**"}}]}), "/a/0/anything-but/wildcard", "bad_wildcard", "row"),
        (json!({"$or": [{"a": [1]}]}), "/$or", "bad_pattern", "two or more"),
        (json!({"$or": {"a": [1]}}), "/$or", "bad_pattern", "two or more"),
        (json!({"$or": [{"a": [1]}, 2]}), "/$or/1", "bad_pattern", "two or more"),
        (json!({"$or": [{"a": [1]}, {}]}), "/$or/1", "bad_pattern", "leave it out"),
        (
            json!({"$or": [{"a": [1]}, {"b": {"prefix": ["x"]}}]}),
            "/$or/1/b/prefix",
            "bad_pattern",
            "can't name a field",
        ),
        (json!({"a/b": {"c~d": [{"x": 1}]}}), "/a~1b/c~0d/0/x", "unknown_matcher", "known are"),
    ] {
        let error = Pattern::new(&pattern).expect_err(&pattern.to_string());
        assert_eq!((error.pointer.as_str(), error.code), (pointer, code), "{pattern}");
        assert!(error.detail.contains(says), "{pattern}: {}", error.detail);
    }
}

#[test]
fn patterns_are_bounded() {
    let nested = |depth| (1..depth).fold(json!({"a": [1]}), |inner, _| json!({"a": inner}));
    Pattern::new(&nested(32)).expect("the deepest nesting is valid");
    assert_eq!(Pattern::new(&nested(33)).expect_err("deep").code, "pattern_too_large");
    let list = |values: usize| json!({"a": (0..values).collect::<Vec<_>>()});
    Pattern::new(&list(1_000)).expect("the longest list is valid");
    assert_eq!(Pattern::new(&list(1_001)).expect_err("long").code, "pattern_too_large");
    let wild = json!({"a": [{"wildcard": "*a".repeat(1_001)}]});
    assert_eq!(Pattern::new(&wild).expect_err("long").code, "pattern_too_large");
}

/// Branches that share a member multiply; those that share none add up.
#[test]
fn alternatives_multiply_only_where_they_share_a_member() {
    let or = |name: &str, group: usize| {
        let branch = |n: usize| json!({name: {format!("f{group}"): [n]}});
        json!([branch(1), branch(2), branch(3), branch(4)])
    };
    let shared = |groups: usize| {
        let first = json!({"$or": or("a", 0)});
        (1..groups).fold(first, |inner, group| {
            let branches: Vec<Value> = or("a", group)
                .as_array()
                .expect("a list")
                .iter()
                .map(|branch| {
                    let mut branch = branch.clone();
                    branch["$or"] = inner["$or"].clone();
                    branch
                })
                .collect();
            json!({"$or": branches})
        })
    };
    Pattern::new(&shared(4)).expect("within the bound");
    let inner: Vec<Value> = (0..40).map(|n| json!({"y": {"q": [n]}})).collect();
    let outer: Vec<Value> = (0..40).map(|n| json!({"a": {"y": {"p": [n]}}})).collect();
    let error = Pattern::new(&json!({"a": {"$or": inner}, "$or": outer})).expect_err("1600 alternatives");
    assert_eq!(error.code, "too_many_alternatives");
    // 90 alternatives, with 60 conditions each.
    let branches: Vec<Value> = (0..90).map(|n| json!({"a": {"b": [n]}})).collect();
    let many: serde_json::Map<String, Value> = (0..60).map(|n| (format!("f{n}"), json!([1]))).collect();
    let error = Pattern::new(&json!({"a": many, "$or": branches})).expect_err("5400 conditions");
    assert!(error.code == "pattern_too_large" && error.detail.contains("conditions"), "{error}");
    let error = Pattern::new(&shared(6)).expect_err("4096 alternatives");
    assert!(matches!(error.code, "too_many_alternatives" | "pattern_too_large"), "{error}");
    let apart: serde_json::Map<String, Value> =
        (0..60).map(|group| (format!("g{group}"), json!({"$or": or("a", group)}))).collect();
    assert!(Pattern::new(&Value::Object(apart)).is_ok(), "4^60 alternatives that need not be written out");
}

/// EARLIER(record): such patterns load, and are refused when they are saved again.
#[test]
fn what_was_accepted_before_loads_with_a_complaint() {
    let pattern = Pattern::new(&json!({"a": [1], "b": [{"anything-but": ["x", 1]}]})).expect("it loads");
    let complaint = pattern.complaint().expect("a complaint");
    assert_eq!((complaint.pointer.as_str(), complaint.code), ("/b/0/anything-but", "bad_pattern"));
}
