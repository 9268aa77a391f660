//! `docs/problems.md` has every code that a problem document can have.

use std::collections::BTreeSet;
use std::path::Path;

/// The words in quotes that follow a status or a constant named for codes in the source of the interface.
fn codes(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for mark in ["StatusCode::", "const INVALID: &'static str = ", "Problem::invalid(", "unauthorized("] {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let begin: String = rest.chars().take(80).collect();
            let Some(quoted) = begin.split('"').nth(1) else { continue };
            let between = begin.split('"').next().unwrap_or_default();
            let direct = between.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c == ',' || c.is_whitespace());
            let word = !quoted.is_empty() && quoted.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if direct && word {
                found.insert(quoted.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_code_is_in_the_document() {
    let document = include_str!("../../../docs/problems.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut folders = vec![source];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.append(&mut codes(&std::fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    assert!(found.len() > 25, "{found:?}");
    let missing: Vec<&String> = found.iter().filter(|code| !document.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/problems.md lacks {missing:?}");
}

#[test]
fn codes_are_found_beside_a_status() {
    let text = r#"Problem::new(StatusCode::NOT_FOUND, "not_found", "no"); (StatusCode::CONFLICT,
        "id_taken"); Problem::invalid("invalid_key", "a key"); StatusCode::OK; x("other")"#;
    assert_eq!(codes(text).into_iter().collect::<Vec<_>>(), ["id_taken", "invalid_key", "not_found"]);
}
