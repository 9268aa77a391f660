//! `posthaste check`: one run reports every mistake.

use std::fs;

use super::{home, run};
use crate::support::free_port;

#[test]
fn valid_settings_are_ok() {
    let home = home();
    assert_eq!(run(&home, &["check"], &[]), (0, "ok: the settings, the dictionary\n".to_owned(), String::new()));
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
    assert_eq!((code, stdout.as_str()), (0, "ok: the settings, the dictionary and 4 templates\n"), "{stderr}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
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
        "note.md: error: its ending names no format",
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(begin)), "{begin} is not in\n{stderr}");
    }
    assert!(stderr.lines().last().is_some_and(|line| line.ends_with(" mistakes")), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "colours without a terminal");
}

#[test]
fn presets_are_checked_with_the_dictionary() {
    let home = home();
    fs::create_dir(home.path().join("presets")).expect("a folder");
    let head =
        "title = \"T\"\ndescription = \"D\"\ndocumentation = \"\"\nevent = \"*\"\nurl = \"\"\nformat = \"json\"\n";
    let write = |name: &str, text: String| fs::write(home.path().join("presets").join(name), text).expect("a file");
    let variables = [("POSTHASTE_PRESETS__DIR", "presets")];
    write("good.toml", format!("{head}body = '{{\"a\": *|GUEST:NAME|*}}'\n"));
    assert_eq!(run(&home, &["check"], &variables), (0, "ok: the settings, the dictionary\n".to_owned(), String::new()));
    write("body.toml", format!("{head}body = '''\n{{\n\"a\": *|GUEST:NMAE|*}}'''\n"));
    write("shape.toml", format!("{head}\nbodi = 1\n"));
    let (code, stdout, stderr) = run(&home, &["check"], &variables);
    assert_eq!((code, stdout.as_str()), (1, ""));
    for (begin, part) in [
        ("presets/body.toml: error: `body`, line 2, column 6: ", "GUEST:NAME"),
        ("presets/shape.toml:8: error: ", "bodi"),
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(begin) && line.contains(part)), "{begin}\n{stderr}");
    }
    let (code, _, stderr) = run(&home, &["check"], &[("POSTHASTE_PRESETS__DIR", "none")]);
    assert!(code == 1 && stderr.starts_with("none: error: the folder can't be read"), "{stderr}");
}

#[test]
fn a_misspelt_tag_is_reported_with_its_position_and_the_nearest_tag() {
    let home = home();
    fs::write(home.path().join("a.json"), "{\n  \"a\": \"*|GUEST:NMAE|*\"\n}").expect("a file");
    let (code, _, stderr) = run(&home, &["check", "a.json"], &[]);
    assert_eq!(code, 1);
    let line = stderr.lines().next().unwrap_or_default();
    assert!(line.starts_with("a.json:2:") && line.contains(": error: ") && line.contains("[unknown"), "{line}");
    assert!(line.contains("GUEST:NAME"), "{line}");
}

#[test]
fn an_invalid_store_is_reported_without_connecting() {
    let home = home();
    fs::write(home.path().join("junk.pem"), "hunter2").expect("a file");
    // No server listens there: what can't be checked without connecting is no mistake.
    let away = format!("rediss://user:hunter2@127.0.0.1:{}/1", free_port());
    for (variables, expected) in [
        (&[("URL", away.as_str())][..], &[][..]),
        (&[("URL", "reddis://user:hunter2@h")], &["store.url: the scheme `reddis:` is not known; write file:PATH"]),
        (&[("URL", "redis://user:hunter2@h:abc")], &["store.url: invalid port number; write redis://"]),
        (&[("URL", "redis://:hunter2@127.0.0.1:1/x")], &["store.url: Invalid database number; write redis://"]),
        (&[("URL", "redis+cluster://:hunter2@h:1,")], &["store.url: empty host; write redis://"]),
        (&[("URL", &away), ("CA_FILE", "none.pem")], &["store.ca_file: none.pem can't be read: No such file"]),
        (&[("URL", &away), ("CA_FILE", "junk.pem")], &["store.ca_file: junk.pem holds no certificate; name a file"]),
        (&[("URL", "rediss+cluster://:hunter2@h:1"), ("CA_FILE", "junk.pem")], &["store.ca_file: junk.pem holds no"]),
        (
            &[("URL", "rediss://:hunter2@h:abc"), ("CA_FILE", "junk.pem")],
            &["store.url: invalid port number", "store.ca_file: junk.pem holds no certificate"],
        ),
    ] {
        let variables: Vec<_> =
            variables.iter().map(|(key, value)| (format!("POSTHASTE_STORE__{key}"), *value)).collect();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let (code, stdout, stderr) = run(&home, &["check"], &variables);
        assert!(!stderr.contains("hunter2"), "{stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let Some((_, found)) = lines.split_last() else {
            assert!(code == 0 && stdout.starts_with("ok: ") && expected.is_empty(), "{variables:?} has no mistake");
            continue;
        };
        assert_eq!((code, found.len()), (1, expected.len()), "{variables:?}: {stderr}");
        for (line, begin) in found.iter().zip(expected) {
            assert!(line.starts_with(&format!("settings: error: {begin}")), "{line}");
        }
        // `serve` reports the same.
        let (code, _, stderr) = run(&home, &["serve"], &variables);
        let served: Vec<_> = stderr.lines().map(|line| line.replacen("posthaste: ", "settings: error: ", 1)).collect();
        assert_eq!((code, served), (1, found.iter().map(|line| (*line).to_owned()).collect()), "{variables:?}");
    }
}

#[test]
fn a_variable_that_almost_names_a_setting_is_a_warning() {
    let home = home();
    let variables = [("POSTHASTE_STORE_URL", "memory:"), ("POSTHASTE_SERVICE_HOST", "10.0.0.1")];
    let (code, stdout, stderr) = run(&home, &["check"], &variables);
    assert_eq!((code, stdout.as_str()), (0, "ok: the settings, the dictionary, with 1 warning\n"));
    let expected = "settings: warning: POSTHASTE_STORE_URL: this environment variable is not used; did you mean \
                    POSTHASTE_STORE__URL?\n";
    assert_eq!(stderr, expected);
}

#[test]
fn a_mistake_in_a_value_says_where_the_value_comes_from() {
    let home = home();
    fs::write(home.path().join("my.toml"), "[store]\nurl = \"\"\n[log]\nlevel = \"loud\"\n").expect("a file");
    let variables = [("POSTHASTE_SERVER__LISTEN", "8080")];
    let (code, _, stderr) = run(&home, &["check", "--config", "my.toml"], &variables);
    assert_eq!(code, 1);
    for (begin, end) in [
        ("settings: error: store.url: it is empty; write file:data/posthaste.redb", "(in my.toml)"),
        ("settings: error: log.level: ", "(in my.toml)"),
        ("settings: error: server.listen: \"8080\" is not an address", "(in POSTHASTE_SERVER__LISTEN)"),
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(begin) && line.ends_with(end)), "{begin} {end}\n{stderr}");
    }
}

#[test]
fn files_that_other_settings_name_are_checked_together() {
    let home = home();
    fs::create_dir(home.path().join("words")).expect("a folder");
    fs::write(home.path().join("words/events.toml"), "[[event]]\n").expect("a file");
    let variables = [
        ("POSTHASTE_DISPATCH__CA_FILE", "none.pem"),
        ("POSTHASTE_DISPATCH__CLIENT_CERTIFICATE", "none.pem"),
        ("POSTHASTE_DISPATCH__PROXY", "ftp://x"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "-1"),
        ("POSTHASTE_CATALOGUE__DIR", "words"),
        ("POSTHASTE_PRESETS__DIR", "nowhere"),
    ];
    let (code, _, stderr) = run(&home, &["check"], &variables);
    assert_eq!(code, 1);
    let missing = "none.pem can't be read: No such file or directory (os error 2); name a file";
    for (begin, end) in [
        (format!("settings: error: dispatch.ca_file: {missing}"), "(in POSTHASTE_DISPATCH__CA_FILE)"),
        (
            format!("settings: error: dispatch.client_certificate: {missing}"),
            "(in POSTHASTE_DISPATCH__CLIENT_CERTIFICATE)",
        ),
        ("settings: error: dispatch.proxy: write it like http://".to_owned(), "(in POSTHASTE_DISPATCH__PROXY)"),
        ("settings: error: dispatch.drain_ms: ".to_owned(), "(in POSTHASTE_DISPATCH__DRAIN_MS)"),
        ("words/events.toml:1: error: ".to_owned(), ""),
        ("nowhere: error: the folder can't be read".to_owned(), ""),
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(&begin) && line.ends_with(end)), "{begin} {end}\n{stderr}");
    }
    let (code, _, stderr) = run(&home, &["serve"], &variables[..3]);
    assert_eq!((code, stderr.lines().count()), (1, 4), "{stderr}");
}
