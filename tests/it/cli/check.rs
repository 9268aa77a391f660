//! `posthaste check`: one run names every mistake, wherever it is.

use std::fs;

use super::{home, run};

#[test]
fn nothing_wrong_is_ok() {
    let home = home();
    assert_eq!(run(&home, &["check"], &[]), (0, "ok: the settings, the catalogue\n".to_owned(), String::new()));
    fs::create_dir(home.path().join("t")).expect("a folder");
    for (name, body) in [
        ("a.json", r#"{"guest": "*|GUEST:NAME|*"}"#),
        ("b.xml.hbs", "<guest>{{guest.name}}</guest>"),
        ("c.form", "guest=*|GUEST:NAME|*"),
        ("d.txt", "{{guest.name}}"),
        ("readme.md", "{{#if"),
    ] {
        fs::write(home.path().join("t").join(name), body).expect("a file");
    }
    let (code, stdout, stderr) = run(&home, &["check", "t"], &[]);
    assert_eq!((code, stdout.as_str()), (0, "ok: the settings, the catalogue and 4 templates\n"), "{stderr}");
}

#[test]
fn every_mistake_is_named_at_once() {
    let home = home();
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("a file");
    fs::create_dir(home.path().join("words")).expect("a folder");
    write("words/events.toml", "[[event]]\ntype = \"a b\"\ndescription = \"x\"\nentities = []\n");
    write("my.toml", "[server]\nlissten = \"x\"\n[catalogue]\ndir = \"words\"\n");
    write("open.json", "{\"a\": \"{{#if a}}\"}");
    write("note.md", "");
    let variables = [("POSTHASTE_DISPATCH__DRAIN_MS", "-1")];
    let words = ["check", "--config", "my.toml", "open.json", "none.xml", "note.md"];
    let (code, stdout, stderr) = run(&home, &words, &variables);
    assert_eq!((code, stdout.as_str()), (1, ""));
    for begin in [
        "settings: error: server.lissten: ",
        "settings: error: dispatch.drain_ms: ",
        "words/events.toml:",
        "open.json:1:",
        "none.xml: error: can't be read",
        "note.md: error: its ending tells no format",
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(begin)), "{begin} is not in\n{stderr}");
    }
    assert!(stderr.lines().last().is_some_and(|line| line.ends_with(" mistakes")), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn a_misspelt_tag_is_told_with_its_place_and_the_nearest() {
    let home = home();
    fs::write(home.path().join("a.json"), "{\n  \"a\": \"*|GUEST:NMAE|*\"\n}").expect("a file");
    let (code, _, stderr) = run(&home, &["check", "a.json"], &[]);
    assert_eq!(code, 1);
    let line = stderr.lines().next().unwrap_or_default();
    assert!(line.starts_with("a.json:2:") && line.contains(": error: ") && line.contains("[unknown"), "{line}");
    assert!(line.contains("GUEST:NAME"), "{line}");
}
