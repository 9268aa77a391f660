//! `posthaste export` and `posthaste import`: all records of one store are imported into another, with their secrets,
//! or none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{Running, command, home, run, run_with};

const FROM: &[(&str, &str)] = &[("POSTHASTE_STORE__URL", "file:from.redb")];
const INTO: &[(&str, &str)] = &[("POSTHASTE_STORE__URL", "file:into.redb")];
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn template(id: &str) -> Value {
    json!({"id": id, "name": "", "format": "json", "body": "{\"a\":\r\n\"é {{guest.name}}\"}"})
}

fn trigger(id: &str, template: &str) -> Value {
    json!({"id": id, "name": "N", "event": "guest.*", "where": {"rental": {"id": ["r1"]}}, "template": template,
           "url": "https://example.com/hook", "headers": {"X-A": "1"}, "enabled": true, "secret": SECRET})
}

fn export(accounts: &Value) -> Value {
    json!({"posthaste_export": 1, "accounts": accounts})
}

#[test]
fn a_round_trip_keeps_everything() {
    let home = home();
    let acme = json!({"account": "acme", "templates": [template("a"), template("b")],
                      "triggers": [trigger("one", "b"), trigger("two", "a")]});
    let zeta = json!({"account": "zeta", "templates": [template("z")], "triggers": []});
    let file = home.path().join("all.json");
    fs::write(&file, export(&json!([acme, zeta])).to_string()).expect("a file");

    let (code, stdout, stderr) = run(&home, &["import", "all.json"], FROM);
    let told = "imported 3 templates (3 created, 0 replaced) and 2 triggers (2 created, 0 replaced) into 2 accounts\n";
    assert_eq!((code, stdout.as_str()), (0, told), "{stderr}");
    assert!(stderr.contains("a new one was made") && stderr.contains("from.redb"), "{stderr}");

    // An existing file that everyone can read is replaced by one that only its owner can read.
    let (code, stdout, stderr) = run(&home, &["export", "--all-accounts", "--output", "all.json"], FROM);
    assert_eq!(code, 0);
    assert!(stderr.lines().count() == 1 && stderr.contains("the existing store was opened"), "{stderr}");
    assert!(stdout.starts_with("exported 3 templates and 2 triggers of 2 accounts to all.json"), "{stdout}");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let written: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(written, export(&json!([acme, zeta])));

    // One account, through pipes, under another name.
    let piped = run_with(&home, &["export", "--account", "acme"], FROM, b"");
    assert_eq!(piped.status.code(), Some(0));
    let imported = run_with(&home, &["import", "--account", "new", "-"], INTO, &piped.stdout);
    assert_eq!(imported.status.code(), Some(0), "{}", String::from_utf8_lossy(&imported.stderr));
    let (_, stdout, _) = run(&home, &["export", "--account", "new"], INTO);
    let renamed: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(renamed["accounts"][0]["account"], "new");
    assert_eq!(renamed["accounts"][0]["triggers"], acme["triggers"]);
    assert_eq!(renamed["accounts"][0]["templates"], acme["templates"]);

    let (code, stdout, _) = run(&home, &["import", "all.json", "--account", "acme"], FROM);
    assert_eq!(code, 0);
    assert!(stdout.contains("2 templates (0 created, 2 replaced)"), "{stdout}");
    let (code, stdout, stderr) = run(&home, &["export"], FROM);
    assert_eq!(code, 0);
    assert!(stdout.contains("\"default\"") && stderr.contains("accounts with records: acme, zeta"), "{stderr}");
}

#[test]
fn one_mistake_prevents_the_whole_import() {
    let home = home();
    let good = json!({"account": "good", "templates": [template("a")], "triggers": []});
    let mut bad_url = trigger("url", "a");
    bad_url["url"] = "ftp://example.com/".into();
    let mut bad_body = template("body");
    bad_body["body"] = "{\"a\": \"{{#if x}}\"}".into();
    let bad = json!({"account": "bad", "templates": [template("a"), bad_body],
                     "triggers": [bad_url, trigger("lost", "none")]});
    fs::write(home.path().join("x.json"), export(&json!([good, bad])).to_string()).expect("a file");
    let (code, stdout, stderr) = run(&home, &["import", "x.json"], INTO);
    assert_eq!((code, stdout.as_str()), (1, ""));
    for begin in [
        "x.json: bad/template/body: /accounts/1/templates/1/body: line 1, ",
        "x.json: bad/trigger/url: /accounts/1/triggers/0/url: ",
        "x.json: bad/trigger/lost: /accounts/1/triggers/1/template: there is no template `none`",
        "posthaste: 3 mistakes in the file; nothing was imported",
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(begin)), "{begin} is not in\n{stderr}");
    }
    assert!(!stderr.contains(SECRET), "a secret is told");
    let (_, stdout, _) = run(&home, &["export", "--all-accounts"], INTO);
    assert_eq!(serde_json::from_str::<Value>(&stdout).expect("JSON"), export(&json!([])));
}

/// A reader of JSON would leave out the first of two conditions in silence.
#[test]
fn repeated_names_are_mistakes_and_texts_that_are_sent_as_json_are_warned_of() {
    let home = home();
    let mut text = template("text");
    (text["format"], text["content_type"]) = ("text".into(), "application/json".into());
    let account = json!({"account": "a", "templates": [text, template("a")], "triggers": [trigger("one", "a"), trigger("two", "a")]});
    let document = export(&json!([account])).to_string();
    let (begin, end) = document.split_once(r#""id":"two""#).expect("it is there");
    let repeated = end.replace(r#"{"rental":{"id":["r1"]}}"#, r#"{"rental":{"id":["r1"]},"rental":{"id":["r2"]}}"#);
    fs::write(home.path().join("x.json"), format!(r#"{begin}"id":"two"{repeated}"#)).expect("a file");
    let (code, _, stderr) = run(&home, &["import", "x.json"], INTO);
    assert_eq!(code, 1);
    for part in [
        "x.json: warning: a/template/text: /accounts/0/templates/0/content_type: ",
        "x.json: /accounts/0/triggers/1/where/rental: this name is repeated in its object",
        "posthaste: 1 mistake in the file; nothing was imported",
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(part)), "{part} is not in\n{stderr}");
    }
}

/// Editors, shells and chats change a file: what they put in its way is named, and a byte order mark is skipped.
#[test]
fn characters_that_look_like_others_are_named() {
    let home = home();
    let document = export(&json!([{"account": "a", "templates": [template("a")], "triggers": []}])).to_string();
    let wide: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (text, part) in [
        (
            document.replacen(r#""accounts""#, "\u{201c}accounts\u{201d}", 1).into_bytes(),
            "this is a curly quote (U+201C)",
        ),
        (document.replacen(':', ":\u{a0}", 1).into_bytes(), "this is a no-break space (U+00A0): write a blank"),
        ([&[0xff, 0xfe], &wide[..]].concat(), "send the text as UTF-8"),
    ] {
        let imported = run_with(&home, &["import", "-"], INTO, &text);
        let stderr = String::from_utf8_lossy(&imported.stderr);
        assert!(imported.status.code() == Some(1) && stderr.contains(part), "{part} is not in\n{stderr}");
    }
    let imported = run_with(&home, &["import", "-"], INTO, format!("\u{feff}{document}").as_bytes());
    assert_eq!(imported.status.code(), Some(0), "{}", String::from_utf8_lossy(&imported.stderr));
}

/// Whatever is wrong with a record, the rest of it is looked at, too.
#[test]
fn no_mistake_hides_another() {
    let home = home();
    let mut body = template("body");
    (body["body"], body["colour"]) = ("{\"a\": \"*|GUEST:NMAE|*\"}".into(), "blue".into());
    let mut lost = trigger("lost", "none");
    (lost["where"], lost["colour"]) = (json!({"a": 1, "b": [{"prefix": 1}], "c": ["good"]}), "blue".into());
    (lost["url"], lost["headers"]) = ("https://example.com/{{#if x}}".into(), json!({"X-A": "*|GUEST:NMAE|*"}));
    let file = export(&json!([{"account": "bad", "templates": [body], "triggers": [lost]}]));
    fs::write(home.path().join("x.json"), file.to_string()).expect("a file");
    let (code, _, stderr) = run(&home, &["import", "x.json"], INTO);
    assert_eq!(code, 1);
    for begin in [
        "x.json: bad/template/body: /accounts/0/templates/0/body: line 1, ",
        "x.json: bad/template/body: /accounts/0/templates/0/colour: ",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/colour: ",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/headers/X-A: ",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/template: there is no template `none`",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/url: ",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/where/a: ",
        "x.json: bad/trigger/lost: /accounts/0/triggers/0/where/b/0/prefix: ",
    ] {
        assert_eq!(stderr.lines().filter(|line| line.starts_with(begin)).count(), 1, "{begin} is not in\n{stderr}");
    }
    assert!(stderr.contains("posthaste: 8 mistakes in the file; nothing was imported"), "{stderr}");
}

/// What was saved under other settings comes back from a backup, and is told.
#[test]
fn what_this_node_would_not_save_is_imported_with_a_warning() {
    let home = home();
    let mut inside = trigger("inside", "a");
    inside["url"] = "http://127.0.0.1:9000/".into();
    let file = export(&json!([{"account": "a", "templates": [template("a")], "triggers": [inside]}]));
    fs::write(home.path().join("x.json"), file.to_string()).expect("a file");
    let (code, stdout, stderr) = run(&home, &["import", "x.json"], INTO);
    assert!(code == 0 && stdout.contains("1 trigger (1 created"), "{stdout}{stderr}");
    let begin = "x.json: warning: a/trigger/inside: /accounts/0/triggers/0/url: ";
    assert_eq!(stderr.lines().filter(|line| line.starts_with(begin)).count(), 1, "{stderr}");
    let (_, stdout, _) = run(&home, &["export", "--account", "a"], INTO);
    assert_eq!(serde_json::from_str::<Value>(&stdout).expect("JSON"), file);
}

#[test]
fn a_store_in_use_is_refused_and_not_changed() {
    let home = home();
    let mut serve = command(&home, &["serve"]);
    serve.envs(FROM.iter().copied()).env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0");
    let serve = Running::start(serve);
    serve.wait_for_line("listening on http://");
    fs::write(home.path().join("x.json"), export(&json!([])).to_string()).expect("a file");
    for words in [&["export"][..], &["export", "--output", "out.json"], &["import", "x.json"]] {
        let (code, stdout, stderr) = run(&home, words, FROM);
        assert_eq!((code, stdout.as_str()), (1, ""), "{words:?}");
        assert!(stderr.contains("open in another process"), "{stderr}");
    }
    assert!(!home.path().join("out.json").exists());
    serve.signal("TERM");
    assert_eq!(serve.end().0, Some(0));
}

#[test]
fn a_store_that_keeps_nothing_is_refused() {
    let home = home();
    let memory = [("POSTHASTE_STORE__URL", "memory:")];
    let (code, _, stderr) = run(&home, &["export"], &memory);
    assert_eq!(code, 1);
    assert!(stderr.contains("holds nothing beyond one process"), "{stderr}");
}

#[test]
fn thousands_of_records_are_imported() {
    let home = home();
    let triggers: Vec<Value> = (0..3_000).map(|number| trigger(&format!("t{number:05}"), "a")).collect();
    let document = export(&json!([{"account": "default", "templates": [template("a")], "triggers": triggers}]));
    let imported = run_with(&home, &["import", "-"], INTO, document.to_string().as_bytes());
    assert_eq!(imported.status.code(), Some(0));
    let exported = run_with(&home, &["export"], INTO, b"");
    assert_eq!(serde_json::from_slice::<Value>(&exported.stdout).expect("JSON"), document);
}
