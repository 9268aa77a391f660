//! The language as docs/filters.md describes it, without regard to speed: `$or` is expanded, every element is tried,
//! and numbers are strings of digits.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::{Map, Value};

/// One condition: the path to a field, and its list of tests.
type Condition<'p> = (Vec<&'p str>, &'p [Value]);

pub(crate) fn matches(pattern: &Value, data: &Value) -> bool {
    let alternatives = written_out(pattern.as_object().expect("a pattern"));
    alternatives.iter().any(|conditions| hold(conditions.clone(), Some(data)))
}

/// Every way in which a pattern can match: lists of conditions that must all hold.
fn written_out(pattern: &Map<String, Value>) -> Vec<Vec<Condition<'_>>> {
    let mut whole = vec![Vec::new()];
    for (name, body) in pattern {
        let ways: Vec<Vec<Condition<'_>>> = match body {
            Value::Array(branches) if name == "$or" => {
                branches.iter().flat_map(|branch| written_out(branch.as_object().expect("a branch"))).collect()
            }
            Value::Array(tests) => vec![vec![(vec![name.as_str()], tests.as_slice())]],
            body => {
                let mut ways = written_out(body.as_object().expect("an object"));
                ways.iter_mut().flatten().for_each(|(way, _)| way.insert(0, name));
                ways
            }
        };
        whole = whole
            .iter()
            .flat_map(|before| ways.iter().map(move |more| [before.clone(), more.clone()].concat()))
            .collect();
    }
    whole
}

/// Whether all conditions hold for a value or, if it is a list, for one of its elements.
fn hold(conditions: Vec<Condition<'_>>, value: Option<&Value>) -> bool {
    let (own, below): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|(way, _)| way.is_empty());
    // Conditions on a list of plain values: different elements may meet them. `exists` is tested on the whole list.
    let exists = value.is_some_and(has_scalar);
    let is_met = |tests: &[Value]| tests.iter().any(|test| test.get("exists") == Some(&Value::Bool(exists)));
    let open: Vec<_> = own.into_iter().filter(|(_, tests)| !is_met(tests)).collect();
    resolve(open, below, value)
}

fn resolve(own: Vec<Condition<'_>>, below: Vec<Condition<'_>>, value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(elements)) if !elements.is_empty() => {
            let (lists, scalars): (Vec<_>, Vec<_>) = elements.iter().partition(|e| e.is_array() || e.is_object());
            let met = |tests: &[Value]| scalars.iter().any(|scalar| tests.iter().any(|test| test_holds(test, scalar)));
            let open: Vec<_> = own.into_iter().filter(|(_, tests)| !met(tests)).collect();
            // Conditions on nested members must hold for one element; plain tests may each hold for another element.
            if below.is_empty() {
                return open.iter().all(|condition| {
                    lists.iter().any(|element| resolve(vec![condition.clone()], Vec::new(), Some(element)))
                });
            }
            (!scalars.is_empty() && open.is_empty() && members_hold(&below, None))
                || lists.iter().any(|element| resolve(open.clone(), below.clone(), Some(element)))
        }
        Some(scalar) if !scalar.is_array() && !scalar.is_object() => {
            let met = |tests: &[Value]| tests.iter().any(|test| test_holds(test, scalar));
            own.iter().all(|(_, tests)| met(tests)) && members_hold(&below, None)
        }
        value => own.is_empty() && members_hold(&below, value),
    }
}

fn members_hold(conditions: &[Condition<'_>], value: Option<&Value>) -> bool {
    let mut names: Vec<&str> = conditions.iter().map(|(way, _)| way[0]).collect();
    names.dedup();
    names.iter().all(|name| {
        let own = conditions.iter().filter(|(way, _)| way[0] == *name);
        let member = value.and_then(|value| value.get(*name));
        hold(own.map(|(way, tests)| (way[1..].to_vec(), *tests)).collect(), member)
    })
}

fn has_scalar(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(elements) => elements.iter().any(has_scalar),
        _ => true,
    }
}

fn test_holds(test: &Value, value: &Value) -> bool {
    let Value::Object(operator) = test else {
        return match (test, value) {
            (Value::Number(own), Value::Number(number)) => compare(own.as_str(), number.as_str()).is_eq(),
            (own, value) => own == value,
        };
    };
    let (name, argument) = operator.iter().next().expect("an operator");
    match (name.as_str(), value) {
        ("anything-but", value) => !excluded(argument, value),
        ("numeric", Value::Number(number)) => {
            let pairs = argument.as_array().expect("a list").chunks(2);
            pairs.map(|pair| (pair[0].as_str().expect("a comparison"), &pair[1])).all(|(comparison, own)| {
                let order = compare(number.as_str(), own.as_number().expect("a number").as_str());
                match comparison {
                    "=" => order.is_eq(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }
            })
        }
        (_, Value::String(text)) => text_holds(name, argument, text),
        _ => false,
    }
}

fn excluded(argument: &Value, value: &Value) -> bool {
    match argument {
        Value::Array(list) => list.iter().any(|own| excluded(own, value)),
        Value::Object(operator) => {
            let (name, texts) = operator.iter().next().expect("an operator");
            let Value::String(text) = value else { return false };
            match texts {
                Value::Array(list) => list.iter().any(|own| text_holds(name, own, text)),
                own => text_holds(name, own, text),
            }
        }
        own => test_holds(own, value),
    }
}

fn text_holds(name: &str, argument: &Value, text: &str) -> bool {
    if let Some(own) = argument.get("equals-ignore-case").and_then(Value::as_str) {
        let (own, text) = (folded(own), folded(text));
        return if name == "prefix" { text.starts_with(&own) } else { text.ends_with(&own) };
    }
    let Some(own) = argument.as_str() else { return false };
    match name {
        "prefix" => text.starts_with(own),
        "suffix" => text.ends_with(own),
        "equals-ignore-case" => folded(own) == folded(text),
        "wildcard" => wildcard(&own.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>()),
        "cidr" => in_network(own, text),
        _ => false,
    }
}

/// Folds the characters of the generated texts, by the Unicode data file CaseFolding.txt.
fn folded(text: &str) -> String {
    let fold = |c: char| match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        'ẞ' => 'ß',
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => {
            let mut lower = c.to_lowercase();
            if lower.len() == 1 { lower.next().unwrap_or(c) } else { c }
        }
    };
    text.chars().map(fold).collect()
}

fn wildcard(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skipped| wildcard(rest, &text[skipped..])),
        ['\\', own, rest @ ..] | [own, rest @ ..] => text.first() == Some(own) && wildcard(rest, &text[1..]),
    }
}

fn in_network(network: &str, text: &str) -> bool {
    let (base, length) = network.split_once('/').expect("a network");
    let (Ok(address), Ok(mut length)) = (text.parse::<IpAddr>(), length.parse::<usize>()) else { return false };
    let base: IpAddr = base.parse().expect("an address");
    if base.is_ipv6() && base.to_canonical().is_ipv4() {
        length -= 96;
    }
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => format!("{:032b}", u32::from(v4)),
        IpAddr::V6(v6) => format!("{:0128b}", u128::from(v6)),
    };
    let (base, address) = (bits(base.to_canonical()), bits(address.to_canonical()));
    base.len() == address.len() && base[..length] == address[..length]
}

/// Compares numbers by writing out all of their digits.
fn compare(left: &str, right: &str) -> Ordering {
    let ((left_negative, left), (right_negative, right)) = (digits(left), digits(right));
    match (left_negative, right_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => left.cmp(&right),
        (true, true) => right.cmp(&left),
    }
}

/// A hundred digits before the point and a hundred after it. Zero is not negative.
fn digits(text: &str) -> (bool, String) {
    const PLACES: i32 = 100;
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().expect("a small exponent");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut places = vec!['0'; 2 * PLACES as usize];
    for (place, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let place = PLACES - whole.len() as i32 - exponent + place as i32;
        places[usize::try_from(place).expect("a small exponent")] = digit;
    }
    let digits: String = places.into_iter().collect();
    (negative && digits.contains(|digit| digit != '0'), digits)
}
