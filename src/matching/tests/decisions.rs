//! The decisions where the reference is silent or wrong, as docs/filters.md documents them.

use serde_json::json;

use super::verdict;

/// Pattern, data, verdict.
fn decide(cases: &[(&str, &str, &str)]) {
    for (pattern, data, expected) in cases {
        assert_eq!(verdict(pattern, data), *expected, "{pattern} {data}");
    }
}

#[test]
fn case_is_folded_simply_and_symmetrically() {
    for (left, right, equal) in [
        ("ß", "ẞ", true),
        ("ß", "ss", false),
        ("ſ", "S", true),
        ("\u{212a}", "k", true),
        ("ς", "Σ", true),
        ("İ", "i", false),
        ("İ", "i̇", false),
        ("ı", "I", false),
        ("😀", "😀", true),
    ] {
        for (own, value) in [(left, right), (right, left)] {
            for (operator, before, after) in [("whole", "", ""), ("prefix", "", "x"), ("suffix", "x", "")] {
                let folded = json!({"equals-ignore-case": own});
                let test = if operator == "whole" { folded } else { json!({operator: folded}) };
                let pattern = json!({"a": [test]}).to_string();
                let data = json!({"a": format!("{before}{value}{after}")}).to_string();
                assert_eq!(verdict(&pattern, &data) == "match", equal, "{pattern} {data}");
            }
        }
    }
}

#[test]
fn an_address_is_equal_as_text_and_compared_by_cidr() {
    decide(&[
        (r#"{"a":["::1"]}"#, r#"{"a":"0:0:0:0:0:0:0:1"}"#, "no"),
        (r#"{"a":["::1"]}"#, r#"{"a":"::1"}"#, "match"),
        (r#"{"a":[{"anything-but":"::1"}]}"#, r#"{"a":"0:0:0:0:0:0:0:1"}"#, "match"),
        (r#"{"a":[{"cidr":"::1/128"}]}"#, r#"{"a":"0:0:0:0:0:0:0:1"}"#, "match"),
        (r#"{"a":[{"cidr":"10.0.0.1/32"}]}"#, r#"{"a":"10.0.0.1"}"#, "match"),
        (r#"{"a":[{"cidr":"10.0.0.9/8"}]}"#, r#"{"a":"10.255.0.1"}"#, "match"),
        (r#"{"a":[{"cidr":"10.0.0.0/08"}]}"#, "{}", "error"),
        (r#"{"a":[{"cidr":"010.0.0.0/8"}]}"#, "{}", "error"),
        (r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#, r#"{"a":"010.0.0.1"}"#, "no"),
        (r#"{"a":[{"cidr":"10.0.0.0/8"}]}"#, r#"{"a":"::ffff:10.0.0.1"}"#, "match"),
        (r#"{"a":[{"cidr":"::/0"}]}"#, r#"{"a":"::ffff:10.0.0.1"}"#, "no"),
        (r#"{"a":[{"cidr":"::ffff:10.0.0.0/104"}]}"#, r#"{"a":"10.0.0.1"}"#, "match"),
        (r#"{"a":[{"cidr":"0.0.0.0/0"}]}"#, r#"{"a":167772161}"#, "no"),
    ]);
}

#[test]
fn numbers_are_exact_whatever_their_size() {
    decide(&[
        (r#"{"a":[9007199254740993]}"#, r#"{"a":9007199254740992}"#, "no"),
        (r#"{"a":[9007199254740993]}"#, r#"{"a":9007199254740993.0}"#, "match"),
        (r#"{"a":[12345678901234567890]}"#, r#"{"a":12345678901234567891}"#, "no"),
        (r#"{"a":[{"numeric":[">",12345678901234567890]}]}"#, r#"{"a":12345678901234567891}"#, "match"),
        (r#"{"a":[1e400]}"#, r#"{"a":10e399}"#, "match"),
        (r#"{"a":[{"numeric":[">",1e400]}]}"#, r#"{"a":1e401}"#, "match"),
        (r#"{"a":[{"numeric":[">",1]}]}"#, r#"{"a":1e99999999999999999999}"#, "match"),
        (r#"{"a":[{"anything-but":0.1}]}"#, r#"{"a":0.10000000000000001}"#, "match"),
        (r#"{"a":[1e99999999999]}"#, "{}", "error"),
    ]);
}

/// Long numbers of an event are parsed once each, and not taken for one another.
#[test]
fn long_numbers_of_one_length_are_told_apart() {
    let [one, two] = ["1", "2"].map(|first| format!("{first}{}", "0".repeat(50)));
    let pattern = format!("{{\"a\":[{one}],\"b\":[{two}],\"c\":[{one}]}}");
    for (a, b, c, expected) in [(&one, &two, &one, "match"), (&one, &one, &one, "no"), (&one, &two, &two, "no")] {
        decide(&[(&pattern, &format!("{{\"a\":{a},\"b\":{b},\"c\":{c}}}"), expected)]);
    }
}

#[test]
fn a_key_is_one_key_whatever_it_holds() {
    decide(&[
        (r#"{"a.b":[1]}"#, r#"{"a":{"b":1}}"#, "no"),
        (r#"{"a.b":[1]}"#, r#"{"a.b":1}"#, "match"),
        (r#"{"a":{"b":[1]}}"#, r#"{"a.b":1}"#, "no"),
        (r#"{"":[1]}"#, r#"{"":1}"#, "match"),
        (r#"{"a":{"":{"b":[1]}}}"#, r#"{"a":{"":{"b":1}}}"#, "match"),
        (r#"{"":{"b":[1]}}"#, r#"{"b":1}"#, "no"),
        (r#"{"a":[1],"a":[2]}"#, "{}", "error"),
        (r#"{"a":[1]}"#, r#"{"a":1,"a":2}"#, "no"),
        (r#"{"a":[2]}"#, r#"{"a":1,"a":2}"#, "match"),
        (r#"{"$or":[1,2]}"#, "{}", "error"),
        (r#"{"a":{"$or":["x"]}}"#, "{}", "error"),
        (r#"{"a":[{"exactly":"x"}]}"#, "{}", "error"),
    ]);
}

#[test]
fn all_of_a_pattern_holds_beside_or() {
    let pattern = r#"{"a":[1],"$or":[{"a":[2]},{"b":[3]}]}"#;
    let turned = r#"{"$or":[{"a":[2]},{"b":[3]}],"a":[1]}"#;
    for pattern in [pattern, turned] {
        decide(&[
            (pattern, r#"{"a":1}"#, "no"),
            (pattern, r#"{"a":2}"#, "no"),
            (pattern, r#"{"a":2,"b":3}"#, "no"),
            (pattern, r#"{"a":1,"b":3}"#, "match"),
            (pattern, r#"{"a":[1,2]}"#, "match"),
        ]);
    }
}

#[test]
fn absence_needs_one_consistent_choice_of_elements() {
    decide(&[
        (r#"{"a":{"b":[{"exists":false}],"c":[1]}}"#, r#"{"a":[{"b":1},{"c":1}]}"#, "match"),
        (r#"{"a":{"c":[{"exists":false}],"b":[1]}}"#, r#"{"a":[{"c":1},{"b":1}]}"#, "match"),
        (r#"{"a":{"b":[{"exists":false}],"c":[{"exists":false}]}}"#, r#"{"a":[{"b":1},{"c":1}]}"#, "no"),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":[{"b":1},{"c":1}]}"#, "match"),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":[{"b":1},{"b":2}]}"#, "no"),
        (r#"{"a":{"z":[1]},"b":{"y":[{"exists":false}]}}"#, r#"{"a":[{"z":1}],"b":[{"y":2},{}]}"#, "match"),
        (r#"{"a":{"b":[{"exists":false}]}}"#, r#"{"a":[]}"#, "match"),
    ]);
    for empty in ["{}", "[]", "[{}]", "[[],[]]"] {
        let data = format!("{{\"a\":{empty}}}");
        decide(&[(r#"{"a":[{"exists":true}]}"#, &data, "no"), (r#"{"a":[{"exists":false}]}"#, &data, "match")]);
    }
    decide(&[(r#"{"a":[{"exists":true}]}"#, r#"{"a":null}"#, "match")]);
}

#[test]
fn anything_but_is_met_by_other_types_and_by_one_element() {
    decide(&[
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":null}"#, "match"),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":false}"#, "match"),
        (r#"{"a":[{"anything-but":1}]}"#, r#"{"a":"1"}"#, "match"),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":["x","y"]}"#, "match"),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":["x"]}"#, "no"),
        (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":[]}"#, "no"),
        (r#"{"a":[{"anything-but":"x"}]}"#, "{}", "no"),
        (r#"{"a":[{"anything-but":{"wildcard":"*"}}]}"#, r#"{"a":1}"#, "match"),
        (r#"{"a":[{"anything-but":["x",1]}]}"#, "{}", "error"),
    ]);
}

#[test]
fn fields_below_one_member_hold_in_one_element_across_or() {
    let data = r#"{"rooms":[{"kind":"bed","beds":2},{"kind":"bath","beds":0}],"paid":true}"#;
    decide(&[
        (r#"{"rooms":{"kind":["bath"]},"$or":[{"rooms":{"beds":[2]}},{"paid":[false]}]}"#, data, "no"),
        (r#"{"rooms":{"kind":["bed"]},"$or":[{"rooms":{"beds":[2]}},{"paid":[false]}]}"#, data, "match"),
        (r#"{"rooms":{"kind":["bath"]},"$or":[{"rooms":{"beds":[2]}},{"paid":[true]}]}"#, data, "match"),
        (
            r#"{"$or":[{"rooms":{"kind":["bath"]}},{"x":[1]}],"paid":[{"exists":true}],"a":[{"exists":false}]}"#,
            data,
            "match",
        ),
        (
            r#"{"$or":[{"rooms":{"kind":["bath"]}},{"x":[1]}],"b":{"$or":[{"c":[1]},{"d":[1]}]}}"#,
            r#"{"x":1,"b":[{"c":2},{"d":1}]}"#,
            "match",
        ),
        (r#"{"$or":[{"rooms":{"kind":["bath"]}},{"x":[1]}],"$or":[]}"#, data, "error"),
        // Two values of one field need not be of one element, as the field is no list of objects.
        (r#"{"t":["a"],"$or":[{"t":["b"]},{"x":[1]}]}"#, r#"{"t":["a","b"]}"#, "match"),
        // A value beside an object: what is below is looked for in an element, the value in the list.
        (r#"{"a":[1],"$or":[{"a":{"b":[2]}},{"x":[1]}]}"#, r#"{"a":[1,{"b":2}]}"#, "match"),
        (r#"{"a":[1],"$or":[{"a":{"b":[2]}},{"x":[1]}]}"#, r#"{"a":[[1],{"b":2}]}"#, "no"),
        (r#"{"a":[1],"$or":[{"a":{"b":[2]}},{"x":[1]}]}"#, r#"{"a":1,"x":1}"#, "match"),
        (r#"{"a":[1],"$or":[{"a":{"b":[{"exists":false}]}},{"x":[1]}]}"#, r#"{"a":1}"#, "match"),
        (r#"{"a":[1],"$or":[{"a":{"b":[{"exists":false}]}},{"x":[1]}]}"#, r#"{"a":2}"#, "no"),
        (r#"{"a":[1],"$or":[{"a":{"b":[{"exists":false}]}},{"x":[1]}]}"#, r#"{"a":[1]}"#, "match"),
        (r#"{"a":[1],"$or":[{"a":{"b":[{"exists":false}]}},{"x":[1]}]}"#, r#"{"a":[2]}"#, "no"),
        // Any of the elements.
        (r#"{"a":[1],"$or":[{"a":{"b":[2]}},{"x":[1]}]}"#, r#"{"a":[{"b":3},{"b":2},1]}"#, "match"),
    ]);
}

/// Without a `*` it is the text, also where escapes stand in it and under `anything-but`.
#[test]
fn a_wildcard_without_an_asterisk_is_a_text() {
    decide(&[
        (r#"{"a":[{"wildcard":"abc"}]}"#, r#"{"a":"abc"}"#, "match"),
        (r#"{"a":[{"wildcard":"abc"}]}"#, r#"{"a":"abcd"}"#, "no"),
        (r#"{"a":[{"wildcard":"a\\*c\\\\"}]}"#, r#"{"a":"a*c\\"}"#, "match"),
        (r#"{"a":[{"wildcard":"a\\*c"}]}"#, r#"{"a":"abc"}"#, "no"),
        (r#"{"a":[{"wildcard":""}]}"#, r#"{"a":""}"#, "match"),
        (r#"{"a":[{"wildcard":""}]}"#, r#"{"a":"x"}"#, "no"),
        (r#"{"a":[{"anything-but":{"wildcard":"abc"}}]}"#, r#"{"a":"abc"}"#, "no"),
        (r#"{"a":[{"anything-but":{"wildcard":"abc"}}]}"#, r#"{"a":"abcd"}"#, "match"),
    ]);
}
