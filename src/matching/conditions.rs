//! The conditions of a pattern as they were written, for checks whether it can ever match.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::operators::scalar_of;
use super::pattern::Pattern;

/// The most ways to match that are checked for conditions that exclude each other.
const WAYS_MAX: usize = 1_000;
/// The most work of that check: pairs of conditions that are looked at. It takes less than a tenth of a second.
const WORK_MAX: usize = 1_000_000;
/// How many pairs of conditions are as much work as two tests that are compared.
const WORK_OF_TESTS: usize = 100;

/// One list of tests.
#[derive(Debug, Clone)]
pub struct Condition<'p> {
    /// Its position: a JSON Pointer into the pattern.
    pub pointer: String,
    /// The names on the path to its field.
    pub path: Vec<&'p str>,
    /// The tests, one of which must hold.
    pub tests: &'p [Value],
}

/// Every condition of a pattern's source, in its order.
pub fn conditions(source: &Value) -> Vec<Condition<'_>> {
    let mut found = Vec::new();
    if let Value::Object(members) = source {
        walk(members, "", &mut Vec::new(), &mut |condition| found.push(condition));
    }
    found
}

fn walk<'p>(members: &'p Map<String, Value>, at: &str, path: &mut Vec<&'p str>, found: &mut impl FnMut(Condition<'p>)) {
    for (name, value) in members {
        let at = crate::json::pointer(at, name);
        match value {
            Value::Array(branches) if name == "$or" => {
                for (place, branch) in branches.iter().enumerate() {
                    if let Value::Object(members) = branch {
                        walk(members, &format!("{at}/{place}"), path, found);
                    }
                }
            }
            Value::Array(tests) => {
                path.push(name);
                found(Condition { pointer: at, path: path.clone(), tests });
                path.pop();
            }
            Value::Object(members) => {
                path.push(name);
                walk(members, &at, path, found);
                path.pop();
            }
            _ => {}
        }
    }
}

/// The pointers of two conditions on one field that no single value meets, if there is no other way to match. A list
/// with two values could still meet them. `None` also where that takes too much work to find out.
pub fn excluding(source: &Value) -> Option<(String, String)> {
    let all = conditions(source);
    let mut numbers = HashMap::new();
    let paths: Vec<usize> = all
        .iter()
        .map(|condition| {
            let next = numbers.len();
            *numbers.entry(&condition.path).or_insert(next)
        })
        .collect();
    let mut work = WORK_MAX;
    let mut first = None;
    for way in ways(source.as_object()?, &mut 0)? {
        let mut pairs =
            way.iter().enumerate().flat_map(|(place, one)| way[..place].iter().map(move |other| (*other, *one)));
        let pair = loop {
            let (other, one) = pairs.next()?;
            let (left, right) = (all[other].tests, all[one].tests);
            let is_same = paths[other] == paths[one];
            work = work.checked_sub(if is_same { left.len() * right.len() * WORK_OF_TESTS } else { 1 })?;
            if is_same && exclude(left, right) {
                break (all[other].pointer.clone(), all[one].pointer.clone());
            }
        };
        first.get_or_insert(pair);
    }
    first
}

/// The ways in which an object can match, each with the numbers of its conditions; `None` if there are too many to check.
/// `next` is the number of the object's first condition.
fn ways(members: &Map<String, Value>, next: &mut usize) -> Option<Vec<Vec<usize>>> {
    let mut whole = vec![Vec::new()];
    for (name, value) in members {
        let own = match value {
            Value::Array(branches) if name == "$or" => {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend(ways(branch.as_object()?, next)?);
                }
                all
            }
            Value::Array(_) => {
                *next += 1;
                vec![vec![*next - 1]]
            }
            value => ways(value.as_object()?, next)?,
        };
        if whole.len() * own.len() > WAYS_MAX {
            return None;
        }
        match own.as_slice() {
            [only] => whole.iter_mut().for_each(|way| way.extend(only)),
            _ => {
                let with_each = |one: Vec<usize>| own.iter().map(move |other| [&one[..], &other[..]].concat());
                whole = whole.into_iter().flat_map(with_each).collect();
            }
        }
    }
    Some(whole)
}

/// Whether no value meets a test of both lists.
fn exclude(left: &[Value], right: &[Value]) -> bool {
    left.iter().all(|one| right.iter().all(|other| differ(one, other) || differ(other, one)))
}

/// Whether a value that meets one test can't meet the other, as far as a simple check shows.
fn differ(one: &Value, other: &Value) -> bool {
    let absent = |test: &Value| test.get("exists") == Some(&Value::Bool(false));
    let text = |test: &Value, operator: &str| test.get(operator).and_then(Value::as_str).map(str::to_owned);
    let both = |operator| text(one, operator).zip(text(other, operator));
    if scalar_of(one).zip(scalar_of(other)).is_some_and(|(one, other)| one != other)
        || both("prefix").is_some_and(|(one, other)| !one.starts_with(&other) && !other.starts_with(&one))
        || both("suffix").is_some_and(|(one, other)| !one.ends_with(&other) && !other.ends_with(&one))
    {
        return true;
    }
    match one {
        Value::Object(_) if absent(one) => !absent(other),
        Value::Object(_) => match (bounds(one), bounds(other)) {
            (Some(_), Some(_)) => !within(one, other),
            _ => false,
        },
        // A plain value: check it against the other test.
        value => !holds(other, value),
    }
}

fn bounds(test: &Value) -> Option<&Value> {
    test.get("numeric")
}

/// Whether a number can be in both ranges: one of the ends is in both, or is an open end beside it.
fn within(one: &Value, other: &Value) -> bool {
    let numbers = |test: &Value| -> Vec<f64> {
        let words = test.get("numeric").and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let comparisons = |test: &Value| -> Vec<String> {
        let words = test.get("numeric").and_then(Value::as_array);
        words.into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let range = |test: &Value| {
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for (comparison, number) in comparisons(test).iter().zip(numbers(test)) {
            match comparison.as_str() {
                ">" | ">=" => low = number,
                "<" | "<=" => high = number,
                _ => (low, high) = (number, number),
            }
        }
        (low, high)
    };
    let ((low, high), (other_low, other_high)) = (range(one), range(other));
    low <= other_high && other_low <= high
}

/// Whether a plain value meets a test, with the code that matches events.
fn holds(test: &Value, value: &Value) -> bool {
    let Ok(pattern) = Pattern::new(&serde_json::json!({"value": [test]})) else { return true };
    let document = crate::json::Document::from(&serde_json::json!({"value": value}));
    let Some(object) = document.object() else { return true };
    pattern.matches(&mut super::Subject::new(object), &mut super::Steps::new(100_000)).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions_know_their_place_and_their_path() {
        let source = json!({"a": {"b/c": [1]}, "$or": [{"d": [2]}, {"e": {"f": [3]}}]});
        let found: Vec<_> = conditions(&source).into_iter().map(|c| (c.pointer, c.path.join(">"))).collect();
        let expected = [("/a/b~1c", "a>b/c"), ("/$or/0/d", "d"), ("/$or/1/e/f", "e>f")];
        assert_eq!(found, expected.map(|(pointer, path)| (pointer.to_owned(), path.to_owned())));
    }

    #[test]
    fn a_check_that_takes_too_long_is_given_up() {
        let with_fields = |mut pattern: Value, fields: usize| {
            pattern.as_object_mut().expect("an object").extend((0..fields).map(|n| (format!("f{n}"), json!([n]))));
            pattern
        };
        let branches = |name: &str, number: usize| -> Vec<Value> {
            (0..number).map(|n| json!({name: [format!("q{n}")]})).collect()
        };
        let prefixes =
            |number: usize| -> Vec<Value> { (0..number).map(|n| json!({"prefix": format!("p{n}")})).collect() };
        let with_last = |mut pattern: Value| {
            pattern["a"] = json!(["p"]);
            pattern
        };
        for (pattern, excluded) in [
            (json!({"a": prefixes(10), "$or": branches("a", 100)}), true),
            (json!({"a": prefixes(500), "$or": branches("a", 490)}), false),
            (with_fields(json!({"a": ["p"], "$or": branches("a", 3)}), 900), true),
            (with_last(with_fields(json!({"$or": branches("a", 500)}), 480)), false),
        ] {
            assert_eq!(excluding(&pattern).is_some(), excluded, "{pattern}");
        }
    }

    #[test]
    fn conditions_that_exclude_each_other_are_seen() {
        for (pattern, excluded) in [
            (json!({"a": [1], "$or": [{"a": [2]}, {"a": [3]}]}), true),
            (json!({"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}), false),
            (json!({"a": [1, 2], "$or": [{"a": [2]}, {"a": [3]}]}), false),
            (json!({"a": [{"exists": false}], "$or": [{"a": ["x"]}, {"a": [{"prefix": "y"}]}]}), true),
            (json!({"a": [{"exists": false}], "$or": [{"a": [{"exists": false}]}, {"a": ["y"]}]}), false),
            (json!({"a": [{"numeric": [">", 5]}], "$or": [{"a": [{"numeric": ["<", 5]}]}, {"a": [1]}]}), false),
            (json!({"a": [{"numeric": [">", 6]}], "$or": [{"a": [{"numeric": ["<", 5]}]}, {"a": [1]}]}), true),
            (json!({"a": [{"prefix": "x"}], "$or": [{"a": ["yx"]}, {"a": ["zx"]}]}), true),
            (json!({"a": {"b": ["x"]}, "$or": [{"a": {"b": ["y"]}}, {"a": {"b": ["z"], "c": [1]}}]}), true),
            (json!({"a": [{"prefix": "x"}], "$or": [{"a": [{"prefix": "y"}]}, {"a": [{"numeric": [">", 1]}]}]}), true),
            (json!({"a": [{"suffix": "x"}], "$or": [{"a": [{"suffix": "yx"}]}, {"a": [{"suffix": "z"}]}]}), false),
            (json!({"a": [{"wildcard": "x*"}], "$or": [{"a": [1]}, {"a": [true]}]}), true),
            (json!({"a": [{"wildcard": "x*"}], "$or": [{"a": [{"anything-but": 1}]}, {"a": [true]}]}), false),
            (json!({"a": ["x"]}), false),
        ] {
            assert_eq!(excluding(&pattern).is_some(), excluded, "{pattern}");
        }
    }
}
