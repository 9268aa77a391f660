//! Compared with serde_json: what is accepted and refused, and the values.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::elements::{AllElements, read_at_once};
use super::*;

fn read(text: &str) -> Result<Document, Malformed> {
    Document::read(text.into())
}

fn value(json: Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => truth.into(),
        Json::Number(digits) => digits.parse::<serde_json::Number>().expect("a number").into(),
        Json::String(text) => text.into(),
        Json::Array(list) => list.iter().map(value).collect(),
        Json::Object(object) => {
            for (name, member) in object.iter() {
                assert_eq!(object.get(name), Some(member), "{name}");
            }
            object.iter().map(|(name, member)| (name.to_owned(), value(member))).collect::<Map<_, _>>().into()
        }
    }
}

/// The same verdict, the same values in the same order.
fn as_serde_json_has_it(text: &str) {
    let own = read(text).map(|document| value(document.root()).to_string());
    let theirs = serde_json::from_str::<Value>(text).map(|value| value.to_string());
    match (own, theirs) {
        (Ok(own), Ok(theirs)) => assert_eq!(own, theirs, "{text}"),
        (Err(_), Err(_)) => {}
        (own, theirs) => panic!("{text:?}: {own:?}, not {theirs:?}"),
    }
}

#[test]
fn every_rule_of_the_grammar() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let (fits, too_deep) = (deep(DEPTH_MAX), deep(DEPTH_MAX + 1));
    assert!(read(&fits).is_ok() && read(&too_deep).is_err());
    for text in [
        "",
        " ",
        "null",
        "nul",
        "nullx",
        "true",
        "tru",
        "false",
        "True",
        "\u{feff}1",
        "1 2",
        "[]x",
        &fits,
        &too_deep,
        "0",
        "-0",
        "00",
        "01",
        "-",
        "-a",
        "1.",
        ".5",
        "1.5",
        "1e",
        "1e5",
        "1E+5",
        "1e-05",
        "1e+",
        "+1",
        "1e999",
        "0x1",
        "123456789012345678901234567890.50",
        "1_0",
        "NaN",
        "Infinity",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "]",
        "{",
        "{}",
        "{ }",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:1}",
        "{\"a\":1]",
        "[1}",
        " \t\r\n[ 1 , 2 ] \n",
        "\u{b}1",
        "[1]\u{a0}",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\n\"",
        "\"\u{7f}\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u0041\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\n\"",
        "\"\\ud83d\\\"",
        "\"\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
        "\"ä\\u00e4😀\\u0000\"",
        "'a'",
        "/**/1",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"\":1,\"\":{\"\":[]}}",
        "{\"\\u0061\":1,\"a\":2}",
    ] {
        as_serde_json_has_it(text);
    }
}

/// Whether others have its bytes or not.
#[test]
fn what_is_not_utf_8_has_its_position() {
    for (bytes, expected) in
        [(&b"{\"a\":\n\"\xc3\"}"[..], Some("line 2 column 2")), (b"\xef\xbb\xbf[\"\xc3\xa4\"]", None)]
    {
        let own = Bytes::copy_from_slice(bytes);
        let shared = own.clone();
        let read_part =
            |behind: &[u8]| ReceivedParts::new([b"x", bytes, behind].concat().into()).read(1..bytes.len() + 1);
        let read = Document::read_bytes(own);
        assert_eq!(read, read_part(b"\xff"));
        assert_eq!(read, read_part(b"y"));
        assert_eq!(read, Document::read_bytes(Bytes::copy_from_slice(&shared)));
        let mistake = read.err().map(|mistake| mistake.to_string());
        assert_eq!(mistake, expected.map(|at| format!("this is not UTF-8, at {at}")));
    }
}

#[test]
fn digits_and_order_stay() {
    let document = read(r#"{"z":1.10,"a":100.00,"m":[0e5,{"y":-0,"x":1E+2}]}"#).expect("JSON");
    assert_eq!(
        format!("{document:?}"),
        r#"{"z": Number("1.10"), "a": Number("100.00"), "m": Array([Number("0e5"), Object({"y": Number("-0"), "x": Number("1E+2")})])}"#
            .replacen('{', "Object({", 1)
            + ")"
    );
}

#[test]
fn a_mistake_is_reported_by_its_position() {
    for (text, expected) in [
        ("{\n \"a\": secret}", "expected a JSON value, at line 2 column 7"),
        ("[1", "the JSON text ends too early, at line 1 column 3"),
        ("1 secret", "there is text after the end of the JSON value, at line 1 column 3"),
        ("[\"a\u{1}\"]", "a control character in a string must be escaped, at line 1 column 4"),
    ] {
        assert_eq!(read(text).expect_err(text).to_string(), expected);
    }
    assert_eq!(encoding::not_utf8(b"\n\xff", 1).to_string(), "this is not UTF-8, at line 2 column 1");
}

/// One byte order mark begins a text, a second one is a mistake, however the text is read.
#[test]
fn a_second_byte_order_mark_is_a_mistake() {
    for text in ["{}", "[{}]", "[]"] {
        let marked = format!("\u{feff}{text}");
        let twice = format!("\u{feff}{marked}");
        let part = |text: &str, behind: &[u8]| {
            ReceivedParts::new([text.as_bytes(), behind].concat().into()).read(0..text.len())
        };
        assert!(Document::read_each(marked.clone().into()).is_ok());
        let mistake = Document::read_bytes(twice.clone().into()).expect_err("two marks");
        assert_eq!(Document::read_each(twice.clone().into()).expect_err("two marks"), mistake, "{text}");
        for behind in [&b" "[..], b"\xff"] {
            assert!(part(&marked, behind).is_ok());
            assert_eq!(part(&twice, behind), Err(mistake.clone()), "{text}");
        }
    }
}

#[test]
fn elements_become_documents() {
    let parsed = |text: &str| match read_at_once(&Bytes::copy_from_slice(text.as_bytes())) {
        Ok(AllElements::Many(elements)) => {
            elements.iter().map(|one| value(one.as_ref().expect("JSON").root())).collect()
        }
        Ok(AllElements::One(one)) => value(one.root()),
        Err(malformed) => json!(malformed.to_string()),
    };
    for text in ["[]", " [ ] ", "[1]", " [ {\"a\":\"\\n\"} , [2,\"\\t\"] ,null ] ", "{\"a\":[1]}", "7"] {
        assert_eq!(parsed(text), serde_json::from_str::<Value>(text).expect("JSON"), "{text}");
    }
    for text in ["[", "[1", "[1,", "[1]2", "[1}", "", "[[]"] {
        assert!(read_at_once(&Bytes::copy_from_slice(text.as_bytes())).is_err(), "{text}");
    }
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    read_at_once(&deep(DEPTH_MAX).into()).expect("the deepest nesting is read");
    let too_deep = read_at_once(&deep(DEPTH_MAX + 1).into());
    assert!(matches!(too_deep, Ok(AllElements::Many(elements)) if elements[0].is_err()));
}

/// A body of many small elements must not need many times its own length.
#[test]
fn elements_need_no_more_memory_than_their_members() {
    let text = format!("[{}{{\"a\":[1,2]}}]", "{},".repeat(10_000));
    let Ok(AllElements::Many(elements)) = read_at_once(&Bytes::copy_from_slice(text.as_bytes())) else {
        panic!("an array")
    };
    let room = elements.iter().flatten().map(|element| element.members.capacity() + element.made.capacity());
    assert!(elements.len() == 10_001 && room.sum::<usize>() <= 8);
}

#[test]
fn large_objects_are_found_in_and_keep_their_order() {
    let names = (0..2_000).map(|n| n * 7_919 % 1_000);
    let members: Vec<String> = names.enumerate().map(|(place, n)| format!("\"n{n}\":{place}")).collect();
    as_serde_json_has_it(&format!("{{{}}}", members.join(",")));
}

#[test]
fn members_are_set_below_the_root() {
    let large: String = (0..20).map(|n| format!("\"n{n}\":{n},")).collect();
    for (text, expected) in [
        ("{}", "{\"e\":{\"a\":\"1\",\"b\":\"2\"}}"),
        ("{\"e\":7,\"x\":0}", "{\"e\":{\"a\":\"1\",\"b\":\"2\"},\"x\":0}"),
        ("{\"x\":0,\"e\":{\"c\":[],\"b\":null}}", "{\"x\":0,\"e\":{\"c\":[],\"b\":\"2\",\"a\":\"1\"}}"),
        (&format!("{{{large}\"x\":0}}"), &format!("{{{large}\"x\":0,\"e\":{{\"a\":\"1\",\"b\":\"2\"}}}}")),
        (&format!("{{\"e\":{{{large}\"b\":0}}}}"), &format!("{{\"e\":{{{large}\"b\":\"2\",\"a\":\"1\"}}}}")),
    ] {
        let mut document = read(text).expect("JSON");
        document.set_below("e", [("a", NewValue::Text("1")), ("b", NewValue::Text("2"))].into_iter());
        assert_eq!(value(document.root()).to_string(), expected);
        assert_eq!(document, Document::from(&serde_json::from_str::<Value>(expected).expect("JSON")));
    }
    let member = read("{\"data\":{\"x\":[1]},\"y\":2}").expect("JSON").into_member("data");
    let mut member = member.expect("it is there");
    member.set_below("e", [("a", NewValue::Text("1"))].into_iter());
    assert_eq!(value(member.root()), json!({"x": [1], "e": {"a": "1"}}));
    assert!(read("[]").expect("JSON").into_member("data").is_none());
}

fn values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), number, ".*".prop_map(Value::from)];
    leaf.prop_recursive(4, 64, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..24).prop_map(Value::from),
            prop::collection::vec(("[a-d]{0,2}|.*", inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(written in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&written) } else { serde_json::to_string(&written) };
        let text = text.expect("JSON");
        let document = read(&text).expect("JSON");
        prop_assert_eq!(value(document.root()).to_string(), written.to_string());
        for (name, member) in document.object().into_iter().flat_map(Object::iter) {
            let own = document.clone().into_member(name).expect("a member");
            prop_assert_eq!(own.root(), member);
            let is_open = matches!(member, Json::Array(_) | Json::Object(_));
            prop_assert_eq!(own.source().map(|text| value(read(text).expect("JSON").root())), is_open.then(|| value(member)));
        }
        prop_assert_eq!(document, Document::from(&written));
    }

    #[test]
    fn broken_text_is_judged_alike(written in values(), at: prop::sample::Index, with in "[\\[\\]{}:,\"\\\\0-9eE.+ntu\\-a-f \u{1}]{0,2}", cut in 0_usize..3) {
        let mut text: Vec<char> = serde_json::to_string(&written).expect("JSON").chars().collect();
        let at = at.index(text.len() + 1);
        let end = (at + cut).min(text.len());
        text.splice(at..end, with.chars());
        as_serde_json_has_it(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_at_all_is_survived(text in "[\\[\\]{}:,\"\\\\0-9eE.tfn\\-u ]{0,40}") {
        as_serde_json_has_it(&text);
    }
}

#[test]
fn the_source_of_a_value_is_its_text_as_it_came() {
    let text = r#" {"a": 1, "data" : {"x": [1.0, {"y":"\u00e9"}] } , "d\u0061ta":[ 2 ], "z": "s"} "#;
    let document = Document::read(text.into()).expect("JSON");
    assert_eq!(document.source(), Some(text.trim()));
    let member = |name| document.clone().into_member(name).expect("a member").source().map(str::to_owned);
    assert_eq!(member("data").as_deref(), Some("[ 2 ]"), "the last of two");
    assert_eq!(member("z"), None);
    let AllElements::Many(each) = read_at_once(&r#"[ {"data":{}}, {"data": {"b":{"data":3}} }]"#.into()).expect("JSON")
    else {
        panic!("an array")
    };
    let data: Vec<_> =
        each.into_iter().flatten().map(|one| one.into_member("data")?.source().map(str::to_owned)).collect();
    assert_eq!(data, [Some("{}".into()), Some(r#"{"b":{"data":3}}"#.into())]);
    let mut changed = Document::read("{}".into()).expect("JSON");
    changed.set_below("event", [("id", NewValue::Text("1"))].into_iter());
    assert_eq!(changed.source(), None);
}
