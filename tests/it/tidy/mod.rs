//! The shape of the source, as rules that fail when they are broken. Each rule is a function from sources to the
//! violations that it finds, with its reason in its documentation; [`broken`] proves for each that it finds one.

mod broken;
mod dependencies;
mod imports;
mod pages;
mod text;

use std::path::{Path, PathBuf};

/// One file: its path below the root of the project, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Its path below `src`, for what is there.
    fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")
    }

    /// The code without comments and without the tests at its end, which may reach for what they need.
    fn code(&self) -> String {
        let text = self.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.flat_map(|line| [line, "\n"]).collect()
    }

    fn is_test(&self) -> bool {
        let path = self.path.as_str();
        path.starts_with("tests/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.ends_with("/probe.rs")
    }
}

/// The files below these folders, and these files, whose names end so.
fn sources(roots: &[&str], ends: &[&str]) -> Vec<Source> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        match std::fs::read_dir(path) {
            Ok(entries) => entries.for_each(|entry| walk(&entry.expect("an entry").path(), found)),
            Err(_) => found.push(path.to_owned()),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    roots.iter().for_each(|name| walk(&root.join(name), &mut found));
    found.sort();
    let named = found.into_iter().filter_map(|path| {
        let name = path.strip_prefix(root).expect("below the root").display().to_string();
        let text = ends.iter().any(|end| name.ends_with(end)).then(|| std::fs::read_to_string(&path))?;
        Some(Source { path: name, text: text.expect("UTF-8") })
    });
    named.collect()
}

fn rust() -> Vec<Source> {
    sources(&["src"], &[".rs"])
}

/// All documents.
fn pages() -> Vec<Source> {
    let roots = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs"];
    sources(&roots, &[".md"])
}

fn holds(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn imports_point_down() {
    holds(imports::upward(&rust()));
}

#[test]
fn no_files_import_each_other() {
    holds(imports::circles(&rust()));
}

#[test]
fn an_outside_crate_has_one_home() {
    holds(imports::strays(&rust()));
    holds(imports::empty_homes(&rust()));
}

#[test]
fn files_and_functions_are_short() {
    let mut all = rust();
    all.extend(sources(&["tests/it", "benches"], &[".rs"]));
    holds(text::long_files(&all));
    holds(text::long_functions(&rust()));
}

#[test]
fn each_file_says_what_it_is_for() {
    let mut all = rust();
    all.extend(sources(&["tests/it", "benches"], &[".rs"]));
    // It is the code of a document as it stands.
    all.retain(|source| source.path != "tests/it/documents/receiving/verify.rs");
    holds(text::headless(&all));
}

#[test]
fn nothing_unwraps() {
    holds(text::unwraps(&rust()));
}

#[test]
fn errors_are_types() {
    holds(text::text_errors(&rust()));
}

#[test]
fn a_name_means_one_type() {
    holds(text::shared_names(&rust()));
}

#[test]
fn what_is_there_for_earlier_versions_is_marked() {
    holds(text::unmarked(&sources(&["src"], &[".rs", ".lua"])));
}

#[test]
fn the_fuzzer_can_be_built() {
    let one = |path| sources(&[path], &[".toml", ".lock"]).pop().expect("a file");
    holds(dependencies::unlocked(&one("Cargo.toml"), &one("tests/fuzz/Cargo.lock")));
}

#[test]
fn each_dependency_is_needed() {
    let manifest = sources(&["Cargo.toml"], &[".toml"]).pop().expect("a file");
    let codes: Vec<String> = rust().iter().map(Source::code).collect();
    holds(dependencies::unused(&manifest, "dependencies", &codes));
    let all = sources(&["src", "tests", "benches"], &[".rs"]);
    let texts: Vec<String> = all.into_iter().map(|source| source.text).collect();
    holds(dependencies::unused(&manifest, "dev-dependencies", &texts));
}

#[test]
fn what_documents_and_comments_name_exists() {
    let mut all = pages();
    all.extend(sources(&["src", "tests", "benches", "config", "Cargo.toml"], &[".rs", ".lua", ".toml"]));
    all.retain(|source| !source.path.starts_with("tests/it/tidy"));
    holds(pages::dead_paths(&all, |path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()));
}

#[test]
fn tables_are_even() {
    holds(pages::uneven_rows(&pages()));
}

#[test]
fn words_are_those_of_the_field() {
    let mut all = pages();
    let ends = [".rs", ".md", ".toml", ".yml", ".lua", ".ts", ".html", ".css", ".mjs"];
    all.extend(sources(&["src", "tests", "benches", "config"], &ends));
    // Most scripts have no ending.
    all.extend(sources(&["scripts"], &[""]));
    all.retain(|source| !source.path.starts_with("tests/it/tidy"));
    holds(text::banned_words(&all));
}
