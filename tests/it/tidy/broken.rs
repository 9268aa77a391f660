//! Each rule finds what breaks it, and lets pass what is next to it.

use super::Source;
use super::{dependencies, imports, pages, text};

fn count(violations: &[String]) -> usize {
    violations.len()
}

#[test]
fn an_import_that_points_up_is_found() {
    let down = Source::new("src/flow/gate.rs", "use crate::model::id::AccountId;\n// crate::http is above\n");
    assert_eq!(count(&imports::upward(&[down])), 0);
    for (path, code) in [
        ("src/model/id.rs", "use crate::flow::gate::Gate;\n"),
        ("src/renderer/mod.rs", "fn f() { crate::matcher::run() }\n"),
        ("src/json/read.rs", "use crate::{model::id, json::view};\n"),
        ("src/new/mod.rs", ""),
    ] {
        assert_eq!(count(&imports::upward(&[Source::new(path, code)])), 1, "{path}");
    }
}

#[test]
fn files_that_import_each_other_are_found() {
    let files = |third: &str| {
        [
            Source::new("src/a/mod.rs", "mod one;\nmod two;\npub use one::One;\n"),
            Source::new("src/a/one.rs", "use super::two::{Two as Other, Three};\n"),
            Source::new("src/a/two.rs", "use crate::b::{self, Four};\nuse super::Shared;\n"),
            Source::new("src/b.rs", third),
        ]
    };
    assert_eq!(count(&imports::circles(&files(""))), 0);
    let found = imports::circles(&files("use crate::a::one::One;\n"));
    assert_eq!(found, ["these files import each other: a/one.rs, a/two.rs, b.rs"]);
}

#[test]
fn a_dependency_that_no_code_names_is_found() {
    let manifest =
        "[package]\n\n[dependencies]\n# A reason.\nmd-5 = \"1\"\nactix-rt = \"1\"\n\n[dev-dependencies]\nb = \"1\"\n";
    let manifest = Source::new("Cargo.toml", manifest);
    let unused = |code: &str| count(&dependencies::unused(&manifest, "dependencies", &[code.to_owned()]));
    assert_eq!(unused("use md5::Md5;\nfn f() { actix_rt::spawn(g()); }\n"), 0);
    for code in ["use md5::Md5;\nuse actix_rtx::spawn;\n", "md5::x(); my_actix_rt::y();\n"] {
        assert_eq!(unused(code), 1, "{code}");
    }
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    assert_eq!(count(&text::headless(&[Source::new("src/a.rs", "//! Reads a.\n")])), 0);
    for begin in ["", "use a::b;\n", "// Reads a.\n", "\n//! Reads a.\n"] {
        assert_eq!(count(&text::headless(&[Source::new("src/a.rs", begin)])), 1, "{begin:?}");
    }
}

#[test]
fn an_outside_crate_away_from_home_is_found() {
    let home = Source::new("src/templating/compile/parse/mod.rs", "use handlebars::Template;\n");
    let ours = Source::new("src/store/mod.rs", "use crate::redis::Link;\nmod redis;\n");
    assert_eq!(count(&imports::strays(&[home, ours])), 0);
    for code in ["use handlebars::Template;\n", "fn f() { ::redis::cmd(\"x\") }\n"] {
        assert_eq!(count(&imports::strays(&[Source::new("src/http/mod.rs", code)])), 1, "{code}");
    }
}

#[test]
fn a_home_that_does_not_name_its_crate_is_found() {
    let all = count(&imports::empty_homes(&[]));
    let home = |code| Source::new("src/templating/compile/parse/mod.rs", code);
    assert_eq!(count(&imports::empty_homes(&[home("use handlebars::Template;\n")])), all - 1);
    assert_eq!(count(&imports::empty_homes(&[home("use not_handlebars::Template;\n")])), all);
}

#[test]
fn a_dependency_that_the_fuzzer_does_not_lock_is_found() {
    let manifest = |name: &str| {
        let text = format!(
            "[package]\nname = \"posthaste\"\n\n[dependencies]\n# a = \"1\"\nserde = \"1\"\n{name} = \"1\"\n\n[lints.rust]\nb = \"1\"\n"
        );
        Source::new("Cargo.toml", &text)
    };
    let lock = "[[package]]\nname = \"url\"\n\n[[package]]\nname = \"posthaste\"\ndependencies = [\n \"serde\",\n \"http 1.4.0\",\n]\n";
    let lock = Source::new("tests/fuzz/Cargo.lock", lock);
    assert_eq!(count(&dependencies::unlocked(&manifest("http"), &lock)), 0);
    for name in ["url", "serd", "b"] {
        assert_eq!(count(&dependencies::unlocked(&manifest(name), &lock)), 1, "{name}");
    }
}

#[test]
fn long_files_and_functions_are_found() {
    let lines = |number: usize| "    x();\n".repeat(number);
    assert_eq!(count(&text::long_files(&[Source::new("src/a.rs", &lines(400))])), 0);
    assert_eq!(count(&text::long_files(&[Source::new("src/a.rs", &lines(401))])), 1);
    let function =
        |number: usize| Source::new("src/a.rs", &format!("pub(super) async fn f<T>() {{\n{}}}\n", lines(number)));
    assert_eq!(count(&text::long_functions(&[function(68)])), 0);
    assert_eq!(count(&text::long_functions(&[function(69)])), 1);
    let declared = |end: &str| {
        let methods = "    fn b() {}\n".repeat(70);
        Source::new(
            "src/a.rs",
            &format!("trait A {{\n    fn a(\n        b: u8,\n    ) -> u8{end}\n{methods}    }}\n}}\n"),
        )
    };
    assert_eq!(count(&text::long_functions(&[declared(";")])), 0);
    assert_eq!(count(&text::long_functions(&[declared(" {")])), 1);
}

#[test]
fn an_unwrap_is_found_where_it_is_code() {
    let tests = Source::new("src/a.rs", "// .unwrap()\n#[cfg(test)]\nmod tests {\n    x().unwrap();\n}\n");
    assert_eq!(count(&text::unwraps(&[tests])), 0);
    assert_eq!(count(&text::unwraps(&[Source::new("src/a.rs", "fn f() { x().unwrap() }\n")])), 1);
}

#[test]
fn a_text_as_an_error_is_found() {
    for line in
        ["fn f() -> Result<Option<(u8, u8)>, Broken> {", "fn f() -> Result<(String, Vec<(u8, String)>), Broken> {"]
    {
        assert_eq!(count(&text::text_errors(&[Source::new("src/a.rs", line)])), 0, "{line}");
    }
    for line in [
        "fn f() -> Result<(), String> {",
        "f: fn(&[u8]) -> Result<Vec<(u8, u8)>, &'static str>,",
        "Result<\n    u8,\n    &str,\n>",
        "pub type Fault = &'static str;",
    ] {
        assert_eq!(count(&text::text_errors(&[Source::new("src/a.rs", line)])), 1, "{line}");
    }
}

#[test]
fn a_name_of_two_types_is_found() {
    let one = || Source::new("src/a.rs", "pub struct Name<T>(T);\n");
    let other = Source::new("src/b.rs", "struct Other;\n// pub enum Name {\nimpl Other {\n    type Name = u8;\n}\n");
    let tests = Source::new("src/c.rs", "#[cfg(test)]\nmod tests {\n    struct Name;\n}\n");
    assert_eq!(count(&text::shared_names(&[one(), other, tests])), 0);
    for code in [
        "pub(crate) enum Name {\n",
        "pub(in crate::a) trait Name {\n",
        "struct Name;\n",
        "type Name = u8;\n",
        "    pub type Name = u8;\n",
    ] {
        assert_eq!(count(&text::shared_names(&[one(), Source::new("src/b.rs", code)])), 1, "{code}");
    }
}

#[test]
fn a_banned_word_is_found_wherever_it_stands() {
    assert_eq!(count(&text::banned_words(&[Source::new("docs/a.md", "standby and bystander\n")])), 0);
    for line in ["What is to be had.", "by and by it ends", "left to Whoever comes", "/// it is to\n/// be had"] {
        assert_eq!(count(&text::banned_words(&[Source::new("docs/a.md", line)])), 1, "{line}");
    }
}

#[test]
fn an_earlier_version_without_its_mark_is_found() {
    for line in
        ["// EARLIER(record): a tab.", "/// A row. EARLIER(node): it is not read there.", "\"earlier versions\""]
    {
        assert_eq!(count(&text::unmarked(&[Source::new("src/a.rs", line)])), 0, "{line}");
    }
    for line in
        ["/// Earlier versions have a tab.", "-- of an older version", "// EARLIER(file): a tab.", "// EARLIER(node) a"]
    {
        assert_eq!(count(&text::unmarked(&[Source::new("src/a.rs", line)])), 1, "{line}");
    }
}

#[test]
fn a_path_that_leads_nowhere_is_found() {
    let dead = |line: &str| count(&pages::dead_paths(&[Source::new("docs/a.md", line)], |path| path == "src/a.rs"));
    for line in ["see `src/a.rs`.", "`src/store/NAME/`", "https://x/src/b.rs", "src/*/b.rs", "my_src/b.rs"] {
        assert_eq!(dead(line), 0, "{line}");
    }
    for line in ["see src/b.rs.", "(src/a)", "[a](src/b/)"] {
        assert_eq!(dead(line), 1, "{line}");
    }
}

#[test]
fn a_row_of_another_length_is_found() {
    let uneven = |text: &str| count(&pages::uneven_rows(&[Source::new("docs/a.md", text)]));
    assert_eq!(uneven("| a | b |\n|---|---|\n| `x\\|y` | 1 |\n\n| c |\n```\n| d | e |\n```\n"), 0);
    assert_eq!(uneven("| a | b |\n|---|---|\n| 1 |\n| 1 | 2 | 3 |\n"), 2);
}
