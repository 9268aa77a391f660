//! The commands with a store in Redis: the documented way there from an embedded store and back, and an unreachable
//! Redis.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{Running, command, home, run, run_with, wait_for_line};
use crate::support::{RedisServer, free_port, redis_document};

#[test]
fn the_documented_way_to_redis_and_back_keeps_everything() {
    let (home, server) = (home(), RedisServer::start());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let account = |name: &str| {
        let triggers: Vec<Value> = (0..1_500)
            .map(|number| {
                json!({
            "id": format!("t{number:04}"), "name": "é", "event": "guest.*", "where": {"rental": {"id": ["r1"]}},
            "template": "w", "url": format!("https://example.com/{number}"), "headers": {"X-A": "1"}, "enabled": true,
            "secret": secret})
            })
            .collect();
        let template = json!({"id": "w", "name": "", "format": "json", "body": "{\"a\":\r\n\"é {{guest.name}}\"}"});
        json!({"account": name, "templates": [template], "triggers": triggers})
    };
    let everything = json!({"posthaste_export": 1, "accounts": [account("acme"), account("zeta")]});
    let from = [("POSTHASTE_STORE__URL", "file:from.redb")];
    let imported = run_with(&home, &["import", "-"], &from, everything.to_string().as_bytes());
    assert_eq!(imported.status.code(), Some(0), "{}", String::from_utf8_lossy(&imported.stderr));

    let folder =
        std::path::Path::new(env!("CARGO_BIN_EXE_posthaste")).parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let lines = redis_document("sh").remove(1).replace(":6379", &format!(":{}", server.port()));
    let moved = crate::support::run(
        Command::new("sh").args(["-ec", &lines]).current_dir(home.path()).env("PATH", path).envs(from),
    );
    let told =
        "imported 2 templates (2 created, 0 replaced) and 3000 triggers (3000 created, 0 replaced) into 2 accounts";
    assert!(moved.ends_with(&format!("{told}\n")), "{moved}");

    let url = server.url();
    let redis = [("POSTHASTE_STORE__URL", url.as_str())];
    let (code, stdout, stderr) = run(&home, &["export", "--all-accounts"], &redis);
    assert_eq!(code, 0, "{stderr}");
    assert!(serde_json::from_str::<Value>(&stdout).expect("JSON") == everything, "what came out is what went in");
    fs::write(home.path().join("back.json"), &stdout).expect("a file");
    let back = [("POSTHASTE_STORE__URL", "file:back.redb")];
    assert_eq!(run(&home, &["import", "back.json"], &back).0, 0);
    let (_, stdout, _) = run(&home, &["export", "--all-accounts"], &back);
    assert!(serde_json::from_str::<Value>(&stdout).expect("JSON") == everything, "and back again");

    // Running nodes receive the changes too.
    let mut serve = command(&home, &["serve"]);
    serve.envs(redis).env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0");
    let serve = Running::start(serve);
    serve.wait_for_line("listening on http://");
    let (code, stdout, _) = run(&home, &["import", "back.json", "--account", "new"], &redis);
    assert_eq!(code, 1, "two accounts can't go into one: {stdout}");
    let (code, stdout, _) = run(&home, &["import", "back.json"], &redis);
    assert!(code == 0 && stdout.contains("0 created, 3000 replaced"), "{stdout}");
    serve.signal("TERM");
    assert_eq!(serve.end().0, Some(0));
}

#[test]
fn a_node_without_its_redis_exits_with_1_and_a_reason() {
    let home = home();
    let url = format!("redis://user:hunter2@127.0.0.1:{}", free_port());
    let variables = [("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_STORE__START_WITHIN_MS", "300")];
    for words in [&["serve"][..], &["export"]] {
        let (code, stdout, stderr) = run(&home, words, &variables);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains("waiting for Redis"), "{stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("posthaste: Redis at redis://127.0.0.1:") && last.contains("correct store.url"),
            "{last}"
        );
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

/// The start waits for ten minutes, and the test for much less.
#[test]
fn a_signal_ends_the_wait_for_redis() {
    let home = home();
    let url = format!("redis://127.0.0.1:{}", free_port());
    for signal in ["TERM", "INT", "HUP"] {
        let mut serve = command(&home, &["serve"]);
        serve.env("POSTHASTE_STORE__URL", &url).env("POSTHASTE_STORE__START_WITHIN_MS", "600000");
        serve.env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0");
        let serve = Running::start(serve);
        while !wait_for_line(&serve.stderr, "").contains("waiting for Redis") {}
        serve.signal(signal);
        let (code, _, stderr) = serve.end();
        assert_eq!(code, Some(0), "{stderr:#?}");
        assert!(stderr.last().is_some_and(|last| last.contains("stopped before the start")), "{stderr:#?}");
    }
}
