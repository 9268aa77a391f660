//! `docs/operating/metrics.md` has every outcome of an attempt and every reason for a drop, as the code describes them.

use std::collections::BTreeMap;

use posthaste::model::outcome::{DropReason, Outcome};

use super::{agrees, cell, read};

/// The documentation of an enum's values, by their words.
fn documented(source: &str, name: &str) -> BTreeMap<String, String> {
    let (_, rest) = source.split_once(&format!("pub enum {name} {{\n")).expect("the enum");
    let (values, _) = rest.split_once("\n    }\n").expect("its end");
    let mut found = BTreeMap::new();
    let mut meaning = Vec::new();
    for line in values.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(text) => meaning.push(text.trim()),
            None => {
                let word = line.split('"').nth(1).expect("its word");
                found.insert(word.to_owned(), std::mem::take(&mut meaning).join(" "));
            }
        }
    }
    found
}

/// The words of an enum of this source file, with their documentation.
pub(super) fn table<'w>(source: &str, kind: &str, name: &str, words: impl ExactSizeIterator<Item = &'w str>) -> String {
    let meanings = documented(&read(source), name);
    assert_eq!(meanings.len(), words.len());
    let rows = words.map(|word| format!("| `{word}` | {} |\n", cell(&meanings[word])));
    format!("\n| {kind} | meaning |\n|---|---|\n{}\n", rows.collect::<String>())
}

#[test]
fn every_outcome_and_reason_is_in_the_document() {
    let source = "src/model/outcome.rs";
    let outcomes = table(source, "outcome", "Outcome", Outcome::ALL.into_iter().map(Outcome::as_str));
    agrees("docs/operating/metrics.md", "outcomes", &outcomes);
    let reasons = table(source, "reason", "DropReason", DropReason::ALL.into_iter().map(DropReason::as_str));
    agrees("docs/operating/metrics.md", "reasons", &reasons);
}
