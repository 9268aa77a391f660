//! Data made to break bodies.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};

/// The members that data may have; the last two are a list and an object.
pub(crate) const MEMBERS: [&str; 6] = ["a", "b", "c", "d", "xs", "o"];

/// Texts with a meaning in a format, in Handlebars or in a tag.
const TEXTS: [&str; 28] = [
    "",
    "\"",
    "\\",
    "\\\"",
    "\\u0041",
    "\\ud800",
    "\",\"x\":\"",
    "}",
    "]",
    ",",
    "null",
    "<",
    ">",
    "&",
    "&amp;",
    "]]>",
    "]]",
    "--",
    "-->",
    "<x/>",
    "' a='",
    "%41",
    "&x=y",
    "a=b&c=d+e",
    "{{a}}",
    "{{{a}}}",
    "*|DATA:A|*",
    "\u{feff}\u{2028}\u{7f}\u{fffe}\u{ffff}\r\n\t\0\u{b}\u{1f}",
];

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        2 => vec(any::<char>(), 0..6).prop_map(String::from_iter),
        1 => vec(0_u8..0x30, 0..6).prop_map(|codes| codes.into_iter().map(char::from).collect()),
        1 => vec(proptest::sample::select(&TEXTS[..]), 0..4).prop_map(|texts| texts.concat()),
        1 => "[a-z]{0,4}",
    ]
}

fn number() -> impl Strategy<Value = Value> {
    let edges = [
        "0",
        "-0",
        "0.00",
        "100.00",
        "1e400",
        "-1E-400",
        "9007199254740993",
        "18446744073709551616",
        "-9223372036854775809",
        "0.1",
        "3",
        "1",
    ];
    proptest::sample::select(edges.to_vec()).prop_map(|text| serde_json::from_str(text).expect("a number"))
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::String),
        2 => number(),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(text(), inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An event's data: each member may be absent or have any value; the list and the object usually are a list and an
/// object.
pub(crate) fn members() -> impl Strategy<Value = Map<String, Value>> {
    let list = prop_oneof![
        6 => vec(value(), 0..4).prop_map(Value::Array),
        1 => value(),
    ];
    let object = prop_oneof![
        6 => btree_map(text(), value(), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        1 => value(),
    ];
    let plain = vec(proptest::option::weighted(0.85, value()), 4);
    (plain, proptest::option::weighted(0.9, list), proptest::option::weighted(0.9, object)).prop_map(
        |(plain, list, object)| {
            MEMBERS
                .iter()
                .zip(plain.into_iter().chain([list, object]))
                .filter_map(|(name, value)| Some(((*name).to_owned(), value?)))
                .collect()
        },
    )
}
