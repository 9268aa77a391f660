//! The language on cases, each decision where the reference is silent, each mistake, and the bugs of other engines.

mod bugs;
mod decisions;
mod mistakes;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::json::{Document, repeated_members};

/// More than any case needs.
const STEPS: usize = 1_000_000;

/// The result of a pattern and data, both as they are written.
fn verdict(pattern: &str, data: &str) -> &'static str {
    if !repeated_members(pattern.as_bytes(), &[]).is_empty() {
        return "error";
    }
    let source: Value = serde_json::from_str(pattern).expect("JSON");
    let Ok(pattern) = Pattern::new(&source) else { return "error" };
    if pattern.complaint().is_some() {
        return "error";
    }
    assert_eq!(pattern.source(), source, "the source is kept");
    let document = Document::read(data.to_owned().into()).expect("JSON");
    let object = document.object().expect("an object");
    let matches = pattern.matches(&mut Subject::new(object), &mut Steps::new(STEPS)).expect("cheap");
    let mismatch = pattern.explain(&mut Subject::new(object), &mut Steps::new(STEPS)).expect("cheap");
    assert_eq!(matches, mismatch.is_none(), "explain says what matching does: {source} {data}");
    if matches { "match" } else { "no" }
}

fn matches(pattern: &Value, data: &Value) -> bool {
    match verdict(&pattern.to_string(), &data.to_string()) {
        "error" => panic!("{pattern} is refused"),
        verdict => verdict == "match",
    }
}

/// A pattern and data, both as they are written, and the result; `reference`: the result in event-ruler, if it differs.
#[derive(Deserialize)]
struct Case<'a> {
    kind: &'a str,
    #[serde(rename = "where", borrow)]
    pattern: &'a RawValue,
    #[serde(borrow)]
    data: &'a RawValue,
    expect: &'a str,
    reference: Option<&'a str>,
}

#[test]
fn the_cases_give_their_documented_results() {
    /// Deliberate differences from the reference: its bugs, and where its documentation is silent.
    const DECIDED: [&str; 7] = ["bug.", "quirk.", "dots", "ip_exact", "case_special", "repeated", "case_unicode"];
    let mut count = 0;
    for line in include_str!("../../tests/filters/cases.jsonl").lines() {
        let case: Case<'_> = serde_json::from_str(line).expect("a case");
        assert_eq!(verdict(case.pattern.get(), case.data.get()), case.expect, "{line}");
        let decided = DECIDED.iter().any(|kind| case.kind.starts_with(kind));
        assert!(decided || case.reference.is_none(), "the core follows the reference: {line}");
        count += 1;
    }
    assert_eq!(count, 298);
}

/// Short texts are in the operations, long ones beside them.
#[test]
fn texts_of_any_length_are_distinguished() {
    for length in 1..40 {
        let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
        let (name, upper) = (format!("n{text}"), text.to_uppercase());
        for test in [
            json!(text),
            json!({"prefix": text}),
            json!({"suffix": text}),
            json!({"equals-ignore-case": upper}),
            json!({"prefix": {"equals-ignore-case": upper}}),
            json!({"suffix": {"equals-ignore-case": upper}}),
            json!({"wildcard": format!("*{text}*")}),
        ] {
            let pattern = json!({&name: [test]});
            assert!(matches(&pattern, &json!({&name: text})), "{pattern}");
            assert!(!matches(&pattern, &json!({&name: "z"})), "{pattern}");
            assert!(!matches(&pattern, &json!({format!("{name}x"): text})), "{pattern}");
        }
    }
}

#[test]
fn an_explanation_names_the_first_condition_that_failed() {
    let data = json!({
        "rental": {"id": "r1", "tags": ["sea", "pets"]},
        "inquiry": {"cost": 1200.50, "note": "x".repeat(2_000), "notes": vec!["x"; 400]},
        "rooms": [{"kind": "bed", "beds": 2}, {"kind": "bath", "beds": 0}, {"kind": "bed", "beds": 3, "sea/view": true}],
    });
    for (pattern, path, condition, value) in [
        (json!({"rental": {"id": ["r2"]}, "inquiry": {"cost": [1]}}), "/rental/id", json!(["r2"]), Some(json!("r1"))),
        (
            json!({"rental": {"id": ["r1"]}, "inquiry": {"cost": [{"numeric": [">", 2000]}]}}),
            "/inquiry/cost",
            json!([{"numeric": [">", 2000]}]),
            Some(json!(1200.50)),
        ),
        (json!({"guest": {"name": [{"exists": true}]}}), "/guest/name", json!([{"exists": true}]), None),
        (json!({"rental": {"tags": ["ski"]}}), "/rental/tags", json!(["ski"]), Some(json!(["sea", "pets"]))),
        (json!({"inquiry": {"note": ["y"]}}), "/inquiry/note", json!(["y"]), None),
        (json!({"inquiry": {"notes": ["y"]}}), "/inquiry/notes", json!(["y"]), None),
        // Of several elements, the one that got furthest.
        (
            json!({"rooms": {"kind": ["bed"], "beds": [3], "sea/view": [false]}}),
            "/rooms/2/sea~1view",
            json!([false]),
            Some(json!(true)),
        ),
        // The same for branches: each counts what held in it, and of two alike the first is named. One that failed
        // before another held does not count.
        (
            json!({"$or": [{"rental": {"id": ["x"]}}, {"rental": {"id": ["r1"]}, "inquiry": {"cost": [7]}}]}),
            "/inquiry/cost",
            json!([7]),
            Some(json!(1200.50)),
        ),
        (
            json!({"$or": [
                {"rental": {"id": ["r1"], "tags": ["sea"]}, "inquiry": {"cost": [7]}},
                {"rental": {"id": ["r1"], "tags": ["ski"]}},
            ]}),
            "/inquiry/cost",
            json!([7]),
            Some(json!(1200.50)),
        ),
        (
            json!({"$or": [{"rental": {"id": ["x"]}}, {"inquiry": {"cost": [7]}}]}),
            "/rental/id",
            json!(["x"]),
            Some(json!("r1")),
        ),
        (
            json!({"$or": [{"rental": {"tags": ["sea"]}, "inquiry": {"cost": [7]}}, {"rental": {"id": ["r1"]}}], "z": [1]}),
            "/z",
            json!([1]),
            None,
        ),
    ] {
        let compiled = Pattern::new(&pattern).expect("a pattern");
        let document = Document::from(&data);
        let mut subject = Subject::new(document.object().expect("an object"));
        let mismatch = compiled.explain(&mut subject, &mut Steps::new(STEPS)).expect("cheap").expect("no match");
        assert_eq!(mismatch.path, path, "{pattern}");
        assert_eq!(mismatch.condition.get(), condition.to_string(), "{pattern}");
        let shown = mismatch.value.map(|value| serde_json::from_str::<Value>(&value).expect("JSON"));
        assert_eq!(shown, value, "{pattern}");
    }
}

/// The steps that an evaluation needs.
fn steps(pattern: &Value, data: &Value) -> usize {
    let pattern = Pattern::new(pattern).expect("a pattern");
    let document = Document::from(data);
    let mut left = Steps::new(usize::MAX);
    let _ = pattern.matches(&mut Subject::new(document.object().expect("an object")), &mut left);
    usize::MAX - left.left()
}

/// Fields, elements and folded text count.
#[test]
fn what_an_evaluation_does_is_charged() {
    let data = json!({"a": vec![json!({}); 100]});
    assert_eq!(steps(&json!({"a": {"b": [1]}}), &data), 1 + 100 * 2);
    let data = json!({"a": "x".repeat(800)});
    assert_eq!(steps(&json!({"a": [{"equals-ignore-case": "X".repeat(800)}]}), &data), 2 + 800 / 8);
    // Scalars of a list of which nothing is tested any more.
    let pattern = json!({"a": [{"exists": true}], "$or": [{"a": {"b": [1]}}, {"a": {"c": [1]}}]});
    assert!(steps(&pattern, &json!({"a": vec![0; 1_000]})) >= 2 * 1_000);
}

#[test]
fn the_cost_is_a_product_of_sizes_and_never_a_power() {
    let numeric: Vec<Value> = (0..900).map(|n| json!({"numeric": [">", 1_000 + n]})).collect();
    let wildcards: Vec<Value> =
        (0..40).map(|n| json!({"wildcard": format!("*{}b", "a*".repeat(n % 20 + 1))})).collect();
    let text = "a".repeat(10_000);
    for (pattern, data, at_most) in [
        (json!({"a": numeric}), json!({"a": (0..500).collect::<Vec<_>>()}), 500 * 902 + 10),
        (json!({"a": wildcards}), json!({"a": text}), 40 * (10_000 / 64 + 60)),
        (
            json!({"a": {"b": {"c": [1]}, "d": [2]}}),
            json!({"a": vec![json!({"b": vec![json!({"c": 1}); 100]}); 100]}),
            100 * 10 + 10,
        ),
        (
            json!({"a": {"b": {"c": [1], "d": [2]}}}),
            json!({"a": vec![json!({"b": vec![json!({"c": 1}); 100]}); 100]}),
            100 * 100 * 6,
        ),
    ] {
        let steps = steps(&pattern, &data);
        assert!(
            steps <= at_most,
            "{steps} steps, {at_most} at most: {}",
            pattern.to_string().get(..80).unwrap_or_default()
        );
    }
}

#[test]
fn what_the_budget_does_not_suffice_for_is_not_decided() {
    let pattern = Pattern::new(&json!({"a": [1, 2, 3]})).expect("a pattern");
    let document = Document::from(&json!({"a": [9, 9, 9, 9, 1]}));
    let object = document.object().expect("an object");
    let needed = steps(&json!({"a": [1, 2, 3]}), &json!({"a": [9, 9, 9, 9, 1]}));
    assert_eq!(pattern.matches(&mut Subject::new(object), &mut Steps::new(needed)), Ok(true));
    let mut left = Steps::new(needed - 1);
    assert_eq!(pattern.matches(&mut Subject::new(object), &mut left), Err(TooCostly));
    assert_eq!(left.left(), 0);
    // Work that is larger than the remaining budget uses it up.
    let wildcard = Pattern::new(&json!({"a": [{"wildcard": "*x*y*"}]})).expect("a pattern");
    let document = Document::from(&json!({"a": "a".repeat(64_000)}));
    let mut left = Steps::new(100);
    assert_eq!(wildcard.matches(&mut Subject::new(document.object().expect("an object")), &mut left), Err(TooCostly));
    assert_eq!(left.left(), 0);
}

#[test]
fn a_long_number_is_read_once() {
    let digits = format!("1{}", "0".repeat(100_000));
    let pattern = Pattern::new(&json!({"a": [{"numeric": ["<", 1]}], "b": [{"exists": false}]})).expect("a pattern");
    let document = Document::read(format!("{{\"a\":{digits}}}").into()).expect("JSON");
    let mut subject = Subject::new(document.object().expect("an object"));
    let mut left = Steps::new(STEPS);
    assert_eq!(pattern.matches(&mut subject, &mut left), Ok(false));
    let first = STEPS - left.left();
    assert!(first > 100_000 / 64, "{first}");
    let mut left = Steps::new(STEPS);
    assert_eq!(pattern.matches(&mut subject, &mut left), Ok(false));
    assert!(STEPS - left.left() < 10);
}

#[test]
fn a_pattern_takes_little_memory() {
    assert_eq!(size_of::<program::Op>(), 24);
    let pattern = json!({"rental": {"id": ["r1", "r2"]}, "inquiry": {"cost": [{"numeric": [">", 1000]}]}});
    let pattern = Pattern::new(&pattern).expect("a pattern");
    assert!(pattern.bytes() <= 450, "{}", pattern.bytes());
    assert!(matches!(pattern.operations, operations::Operations::Few(_)));
    let more = Pattern::new(&json!({"a": ["b", "c", "d", "e", "f", "g", "h", "i", "j"]})).expect("a pattern");
    assert_eq!(more.bytes() - size_of::<Pattern>() - more.source_bytes(), 11 * size_of::<program::Op>());
}
