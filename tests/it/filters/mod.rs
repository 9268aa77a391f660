//! The filter language and its index against a naive evaluator that is written straight from docs/filters.md, on
//! generated patterns and data, while listeners come and go.
//!
//! `POSTHASTE_CASES` sets how many events each property gets, `POSTHASTE_SEED` the first of their random numbers.

mod churn;
mod generate;
mod guide;
mod naive;

use posthaste::json::Document;
use posthaste::matching::{Pattern, Steps, Subject};
use serde_json::Value;

use generate::Random;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn cases() -> u64 {
    number("POSTHASTE_CASES", 3_000)
}

fn random() -> Random {
    Random::new(number("POSTHASTE_SEED", 1))
}

fn matches(pattern: &Pattern, data: &Document) -> bool {
    let mut subject = Subject::new(data.object().expect("an object"));
    pattern.matches(&mut subject, &mut Steps::new(10_000_000)).expect("cheap")
}

/// Compares one pattern and one event.
#[test]
fn a_pattern_matches_as_the_naive_evaluator_does() {
    let mut random = random();
    let (mut matched, mut refused) = (0, 0);
    for case in 0..cases() * 5 {
        let (pattern, data) = (generate::pattern(&mut random), generate::data(&mut random));
        let document = Document::read(data.clone().into()).expect("JSON");
        let Ok(compiled) = Pattern::new(&pattern) else {
            refused += 1;
            continue;
        };
        let expected = naive::matches(&pattern, &serde_json::from_str(&data).expect("JSON"));
        let found = matches(&compiled, &document);
        assert_eq!(found, expected, "case {case}: {pattern} on {data}");
        let mut subject = Subject::new(document.object().expect("an object"));
        let mismatch = compiled.explain(&mut subject, &mut Steps::new(10_000_000)).expect("cheap");
        assert_eq!(mismatch.is_none(), found, "case {case}: {pattern} on {data}");
        if let Some(mismatch) = mismatch {
            let condition: Value = serde_json::from_str(mismatch.condition.get()).expect("JSON");
            assert!(pattern.to_string().contains(&condition.to_string()), "case {case}");
        }
        matched += u64::from(found);
    }
    // Both verdicts are frequent enough.
    assert!(matched * 20 > cases() && matched < cases() * 4 && refused * 20 < cases() * 5, "{matched} {refused}");
}
