//! The settings that documents name exist, and the settings and dictionaries that they show pass `posthaste check`.

use std::collections::BTreeSet;

use super::commands::documents;
use super::read;
use crate::cli::{home, run};

/// The TOML blocks of a document, without the indentation of a list that they stand in.
fn blocks(document: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut indent = None;
    for line in document.lines() {
        match (indent, line.trim()) {
            (None, "```toml") => {
                indent = Some(line.len() - line.trim_start().len());
                found.push(String::new());
            }
            (Some(_), "```") => indent = None,
            (Some(indent), _) => {
                let block = found.last_mut().expect("it began");
                block.push_str(line.get(indent..).unwrap_or_default());
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

#[test]
fn settings_and_dictionaries_of_documents_pass_the_check() {
    let mut checked = Vec::new();
    for document in ["docs/console.md", "docs/dictionary.md", "docs/operating/deploying.md"] {
        for block in blocks(&read(document)) {
            let home = home();
            let is_dictionary = block.starts_with("[[event]]");
            std::fs::write(home.path().join("block.toml"), &block).expect("a file");
            let folder = ("POSTHASTE_CATALOGUE__DIR", home.path().to_str().expect("UTF-8"));
            let key = ("POSTHASTE_AUTH__OPERATOR_KEY", "a-key-of-the-operator");
            let (code, _, stderr) = if is_dictionary {
                run(&home, &["check"], &[folder])
            } else {
                run(&home, &["check", "--config", "block.toml"], &[key])
            };
            assert_eq!(code, 0, "{document}: {stderr}\n{block}");
            checked.push(is_dictionary);
        }
    }
    assert_eq!(checked, [false, true, false]);
}

/// The sections of `config/posthaste.toml`, and its keys with their section.
fn keys() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut sections, mut keys, mut section) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in read("config/posthaste.toml").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            sections.insert(section.clone());
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.insert(format!("{section}.{key}"));
        }
    }
    (sections, keys)
}

#[test]
fn settings_that_documents_name_exist() {
    let (sections, keys) = keys();
    let mut found = 0;
    let mut unknown = Vec::new();
    for document in documents().into_iter().chain(["config/posthaste.toml".to_owned(), "CHANGELOG.md".to_owned()]) {
        for word in read(&document).split('`').skip(1).step_by(2) {
            let is_setting = word.split_once('.').is_some_and(|(section, key)| {
                sections.contains(section) && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            found += usize::from(is_setting);
            unknown.extend((is_setting && !keys.contains(word)).then(|| format!("{document}: {word}")));
        }
    }
    assert!(unknown.is_empty() && found > 100, "{found} are named, these do not exist: {unknown:#?}");
}

#[test]
fn blocks_are_found_in_lists_too() {
    let text = "1. a\n\n   ```toml\n   [log]\n   format = \"json\"\n   ```\n```toml\n[a]\n```\n```json\n[]\n```\n";
    assert_eq!(blocks(text), ["[log]\nformat = \"json\"\n", "[a]\n"]);
}
