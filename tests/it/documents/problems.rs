//! `docs/problems.md` has every code that a problem document can have, as the table in the code says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use posthaste::http::PROBLEM_CODES;

use super::{agrees, cell, read};

/// The statuses that the interface names by a word, and their numbers.
const STATUSES: [(&str, u16); 16] = [
    ("BAD_REQUEST", 400),
    ("UNAUTHORIZED", 401),
    ("FORBIDDEN", 403),
    ("NOT_FOUND", 404),
    ("METHOD_NOT_ALLOWED", 405),
    ("REQUEST_TIMEOUT", 408),
    ("CONFLICT", 409),
    ("PRECONDITION_FAILED", 412),
    ("PAYLOAD_TOO_LARGE", 413),
    ("UNSUPPORTED_MEDIA_TYPE", 415),
    ("UNPROCESSABLE_ENTITY", 422),
    ("TOO_MANY_REQUESTS", 429),
    ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431),
    ("INTERNAL_SERVER_ERROR", 500),
    ("SERVICE_UNAVAILABLE", 503),
    ("GATEWAY_TIMEOUT", 504),
];

/// The words in quotes that follow a status or a constant named for codes in the source of the interface, each with its
/// status.
fn codes(text: &str) -> BTreeMap<String, u16> {
    let named = STATUSES.map(|(word, status)| (format!("StatusCode::{word}"), status));
    let others = [
        ("const INVALID: &'static str = ", 422),
        ("Problem::invalid(", 422),
        ("Problem::unprocessable(", 422),
        ("unauthorized(", 401),
    ];
    let marks = named.into_iter().chain(others.map(|(mark, status)| (mark.to_owned(), status)));
    let mut found = BTreeMap::new();
    for (mark, status) in marks {
        for (at, _) in text.match_indices(&mark) {
            let rest = &text[at + mark.len()..];
            let begin: String = rest.chars().take(80).collect();
            let Some(quoted) = begin.split('"').nth(1) else { continue };
            let between = begin.split('"').next().unwrap_or_default();
            let direct = between.chars().all(|c| c == ',' || c.is_whitespace());
            let word = !quoted.is_empty() && quoted.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if direct && word {
                found.insert(quoted.to_owned(), status);
            }
        }
    }
    found
}

/// The text of the source files of these folders.
fn sources(folders: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("http/codes.rs") {
                text.push_str(&std::fs::read_to_string(&path).expect("UTF-8"));
            }
        }
    }
    text
}

#[test]
fn the_document_has_every_code() {
    let rows = PROBLEM_CODES.iter().map(|one| format!("| `{}` | {} | {} |\n", one.code, one.status, cell(one.advice)));
    let table = format!("\n| code | status | meaning, and what to do |\n|---|---|---|\n{}\n", rows.collect::<String>());
    agrees("docs/problems.md", "codes", &table);
}

#[test]
fn the_table_has_what_the_interface_responds_with_and_nothing_else() {
    let known: BTreeMap<&str, u16> = PROBLEM_CODES.iter().map(|one| (one.code, one.status)).collect();
    assert_eq!(known.len(), PROBLEM_CODES.len(), "a code is there twice");
    assert!(PROBLEM_CODES.is_sorted_by_key(|one| one.code));
    let found = codes(&sources(&["http"]));
    assert!(found.len() > 25, "{found:?}");
    let differing: BTreeSet<_> =
        found.iter().filter(|(code, status)| known.get(code.as_str()) != Some(*status)).collect();
    assert!(differing.is_empty(), "src/http/codes.rs lacks {differing:?}");
    let source = sources(&["http", "flow", "ingester", "json", "model/trigger"]);
    let stale: Vec<_> = known.keys().filter(|code| !source.contains(&format!("\"{code}\""))).collect();
    assert!(stale.is_empty(), "nothing responds with {stale:?}");
}

/// The codes of single mistakes: the second argument of the calls that record one, where it is a word in quotes.
fn mistakes(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for mark in ["FieldError::new(", "PatternError::new(", ".refuse(", ".parse("] {
        for (at, _) in text.match_indices(mark) {
            let second = text[at + mark.len()..].split(',').nth(1).unwrap_or_default().trim();
            let word = second.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
            let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            found.extend(is_word.then(|| word.to_owned()));
        }
    }
    found
}

#[test]
fn the_documents_have_the_code_of_each_mistake() {
    let mut source = sources(&["http", "model/trigger", "matching"]);
    for file in ["src/model/field.rs", "src/model/template.rs", "src/model/quotas.rs"] {
        source.push_str(&read(file));
    }
    let found = mistakes(&source);
    assert!(found.len() > 20, "{found:?}");
    let known = read("docs/problems.md") + &read("docs/filters.md");
    let lacking: Vec<_> = found.iter().filter(|code| !known.contains(&format!("`{code}`"))).collect();
    assert!(lacking.is_empty(), "docs/problems.md lacks {lacking:?}");
}

#[test]
fn codes_of_mistakes_are_found() {
    let text = r#"fields.refuse("/a", "bad_a", x); fields.parse("b", "bad_b", b, B::new); FieldError::new(at(name),
        "bad_c", detail); fields.refuse(pointer, WORD, detail); text.parse::<u8>()"#;
    assert_eq!(mistakes(text).into_iter().collect::<Vec<_>>(), ["bad_a", "bad_b", "bad_c"]);
}

#[test]
fn codes_are_found_beside_a_status() {
    let text = r#"Problem::new(StatusCode::NOT_FOUND, "not_found", "no"); (StatusCode::CONFLICT,
        "id_taken"); Problem::invalid("invalid_key", "a key"); StatusCode::OK; x("other")"#;
    let expected = [("id_taken", 409), ("invalid_key", 422), ("not_found", 404)];
    assert_eq!(codes(text), expected.map(|(code, status)| (code.to_owned(), status)).into());
}
