//! `docs/operating/metrics.md` has every outcome of an attempt and every reason for a drop, as the code describes them.

use std::collections::BTreeMap;
use std::fmt::Debug;

use posthaste::model::outcome::{DropReason, Outcome};

use super::{agrees, cell, read};

/// The documentation of an enum's variants, by their names.
fn documented(source: &str, name: &str) -> BTreeMap<String, String> {
    let (_, rest) = source.split_once(&format!("pub enum {name} ")).expect("the enum");
    let (_, variants) = rest.split_once("{\n").expect("its begin");
    let mut found = BTreeMap::new();
    let mut words = Vec::new();
    for line in variants.lines().map(str::trim).take_while(|line| *line != "}") {
        match line.strip_prefix("///") {
            Some(text) => words.push(text.trim()),
            None => {
                let name = line.split([' ', ',']).next().unwrap_or_default();
                found.insert(name.to_owned(), std::mem::take(&mut words).join(" "));
            }
        }
    }
    found
}

/// The values of an enum of this source file, with their documentation.
pub(super) fn table<T: Copy + Debug>(source: &str, kind: &str, all: &[T], word: impl Fn(T) -> &'static str) -> String {
    let texts = documented(&read(source), std::any::type_name::<T>().rsplit("::").next().expect("a name"));
    assert_eq!(texts.len(), all.len());
    let rows = all.iter().map(|one| format!("| `{}` | {} |\n", word(*one), cell(&texts[&format!("{one:?}")])));
    format!("\n| {kind} | meaning |\n|---|---|\n{}\n", rows.collect::<String>())
}

#[test]
fn every_outcome_and_reason_is_in_the_document() {
    let source = "src/model/outcome.rs";
    agrees("docs/operating/metrics.md", "outcomes", &table(source, "outcome", &Outcome::ALL, Outcome::as_str));
    agrees("docs/operating/metrics.md", "reasons", &table(source, "reason", &DropReason::ALL, DropReason::as_str));
}
