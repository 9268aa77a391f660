//! The commands with a store in Redis: the documented way there from an embedded store and back, and an unreachable
//! Redis.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::serve::serve;
use super::{Running, call, command, home, run, run_with, wait_for_line};
use crate::support::{DEADLINE, RedisCluster, RedisServer, SecuredRedis, free_port, ignores_hangup, redis_document};

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
    let variables = [
        ("POSTHASTE_STORE__URL", url.as_str()),
        ("POSTHASTE_STORE__START_WITHIN_MS", "300"),
        ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0"),
    ];
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

/// A server of another kind: it responds to everything with these bytes, while it exists.
fn stranger(response: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.set_read_timeout(Some(DEADLINE));
            let _ = client.read(&mut [0; 512]).and_then(|_| client.write_all(response));
        }
    });
    port
}

/// What starting to wait would never change is told at once: the start waits for ten minutes here, and the test for much
/// less.
#[test]
fn impossible_settings_are_reported_at_once_with_a_fix() {
    let (home, secured, cluster) = (home(), SecuredRedis::start(0), RedisCluster::start());
    let plain = secured.server.port();
    let web = stranger(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let shell = stranger(b"SSH-2.0-OpenSSH_9.6\r\n");
    let tls = secured.url("u:hunter2");
    let (_, tls_place) = tls.split_once('@').expect("a user");
    let told = |url: &str| {
        let variables = [("POSTHASTE_STORE__URL", url), ("POSTHASTE_STORE__START_WITHIN_MS", "600000")];
        let (code, stdout, stderr) = run(&home, &["export"], &variables);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(!stderr.contains("hunter2") && !stderr.contains("waiting"), "{stderr}");
        stderr.lines().last().unwrap_or_default().to_owned()
    };
    for (url, expected) in [
        (format!("redis://127.0.0.1:{plain}/99"), "it has no database 99; a server has as many as"),
        (format!("redis://:hunter2@127.0.0.1:{web}"), "what listens there is not Redis but a web server; correct"),
        (format!("redis://127.0.0.1:{shell}"), "what listens there is not Redis but an SSH server; correct"),
        (format!("redis+cluster://127.0.0.1:{web}"), "what listens there is not Redis but a web server; correct"),
        (
            format!("rediss://127.0.0.1:{plain}"),
            "it does not use TLS on this port; write `redis://` in place of `rediss://`",
        ),
        (
            format!("rediss+cluster://127.0.0.1:{plain}"),
            "it does not use TLS on this port; write `redis+cluster://` in place of `rediss+cluster://`",
        ),
        (
            format!("redis://u:hunter2@{tls_place}"),
            "it uses TLS on this port; write `rediss://` in place of `redis://`",
        ),
        (tls.clone(), "its certificate is not accepted (UnknownIssuer); name its authority in store.ca_file"),
        (
            format!("redis+cluster://127.0.0.1:{plain}"),
            "it is a single server and no Redis Cluster; write `redis://` in place of `redis+cluster://`",
        ),
    ] {
        let last = told(&url);
        assert!(last.starts_with("posthaste: Redis at ") && last.contains(expected), "{url}: {last}");
    }
    // A single master that has the store's slot would do; the other two say where it is.
    let members = cluster.url();
    let members = members.trim_start_matches("redis+cluster://").split(',');
    let refused = members.filter(|member| {
        let url = format!("redis://{member}");
        let (_, _, stderr) = run(&home, &["export"], &[("POSTHASTE_STORE__URL", url.as_str())]);
        stderr.contains("it is one of a Redis Cluster; write `redis+cluster://` in place of `redis://`")
    });
    assert_eq!(refused.count(), 2);
}

#[test]
fn a_short_wait_is_reported_exactly() {
    let home = home();
    let url = format!("redis://127.0.0.1:{}", free_port());
    let variables = [("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_STORE__START_WITHIN_MS", "150")];
    let (_, _, stderr) = run(&home, &["export"], &variables);
    assert!(stderr.contains("could not be reached within 150 ms"), "{stderr}");
}

/// The start waits for ten minutes, and the test for much less.
#[test]
fn a_signal_ends_the_wait_for_redis() {
    let home = home();
    let url = format!("redis://127.0.0.1:{}", free_port());
    // A node honours `nohup`, so the last one can't be tried under it.
    for signal in ["TERM", "INT", "HUP"].into_iter().filter(|signal| *signal != "HUP" || !ignores_hangup()) {
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

/// A key of another type fails the requests of its account only, and a write that Redis refuses was not done. The log has
/// one line for the beginning of each and one for its end, however many requests there are.
#[test]
fn what_redis_refuses_is_no_outage() {
    let (home, server) = (home(), RedisServer::start());
    let url = server.url();
    let (running, address) =
        serve(&home, &[("POSTHASTE_STORE__URL", &url), ("POSTHASTE_DISPATCH__HAND_OVER", "local")]);
    let request = |method: &str, path: &str, document: &Value| {
        let head = format!("{method} /v1/accounts/{path} HTTP/1.1\r\ncontent-type: application/json");
        let body = if method == "PUT" { document.to_string() } else { String::new() };
        let (status, body) = call(&address, &head, body.as_bytes()).expect("a response");
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
        (status, text("code"), text("detail"))
    };
    let template = json!({"format": "json", "body": "{}"});
    let trigger = json!({"event": "*", "template": "t", "url": "https://example.com/"});
    for account in ["a", "b"] {
        assert_eq!(request("PUT", &format!("{account}/templates/t"), &template).0, 201);
        assert_eq!(request("PUT", &format!("{account}/triggers/t"), &trigger).0, 201);
    }

    for key in ["triggers:b", "uses:b", "ids:triggers:b"] {
        let key = format!("{{posthaste}}:{key}");
        server.cli(&["RENAME", &key, "{posthaste}:kept"]);
        server.cli(&["SET", &key, "x"]);
        for _ in 0..20 {
            let digest = server.cli(&["DEBUG", "DIGEST"]);
            let (status, code, detail) = request("DELETE", "b/triggers/t", &Value::Null);
            assert_eq!((status, code.as_str()), (409, "record_unreadable"), "{key}: {detail}");
            assert!(detail.contains("nothing was changed") && !detail.contains("WRONGTYPE"), "{detail}");
            assert_eq!(server.cli(&["DEBUG", "DIGEST"]), digest, "{key}");
            let (status, code, detail) = request("GET", "b/triggers/t", &Value::Null);
            match key.as_str() {
                "{posthaste}:triggers:b" => {
                    assert_eq!((status, code.as_str()), (409, "record_unreadable"));
                    assert!(!detail.contains("unknown"), "{detail}");
                }
                _ => assert_eq!(status, 200, "{detail}"),
            }
            assert_eq!(request("PUT", "a/triggers/t", &trigger).0, 200);
        }
        server.cli(&["RENAME", "{posthaste}:kept", &key]);
        assert_eq!(request("GET", "b/triggers/t", &Value::Null).0, 200);
        assert_eq!(request("DELETE", "b/triggers/t", &Value::Null).0, 204);
        assert_eq!(request("PUT", "b/triggers/t", &trigger).0, 201);
    }

    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for _ in 0..20 {
        let (status, code, detail) = request("PUT", "a/triggers/t", &trigger);
        assert_eq!((status, code.as_str()), (503, "store_unavailable"));
        assert!(detail.contains("nothing was changed") && !detail.contains("unknown"), "{detail}");
        assert_eq!(request("GET", "a/triggers/t", &Value::Null).0, 200);
    }
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(request("PUT", "a/triggers/t", &trigger).0, 200);

    running.signal("TERM");
    let (_, _, log) = running.end();
    let said = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    // The replaced triggers fail reads and writes, the other two keys writes only.
    assert_eq!((said("replaced a key of the store"), said("can be used again")), (4, 4), "{log:#?}");
    assert_eq!((said("Redis refuses to write"), said("Redis accepts writes again")), (1, 1), "{log:#?}");
    assert_eq!((said("a request to the store in Redis failed"), said("responds again")), (0, 0), "{log:#?}");
}

/// A server with the documented user, and the URL for it.
fn with_user(lines: usize) -> (RedisServer, String) {
    let server = RedisServer::start();
    for rights in &redis_document("acl")[..lines] {
        assert_eq!(server.cli(&rights.split_whitespace().collect::<Vec<_>>()), "OK");
    }
    let url = format!("redis://posthaste:password@127.0.0.1:{}", server.port());
    (server, url)
}

#[test]
fn a_right_that_is_taken_away_is_said_once_and_the_node_is_not_ready() {
    let home = home();
    let (server, url) = with_user(2);
    let mut words = command(&home, &["serve"]);
    words.envs([("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0")]);
    words.envs([("POSTHASTE_DISPATCH__THREADS", "1"), ("POSTHASTE_CLUSTER__PARTITIONS", "2")]);
    let running = Running::start(words);
    let address = running.wait_for_line("listening on http://");
    let is_ready = || call(&address, "GET /readyz HTTP/1.1", b"").expect("a response").0 == 200;
    let refused = || {
        let counts = server.cli(&["INFO", "errorstats"]);
        let count = counts.lines().find_map(|line| line.strip_prefix("errorstat_NOPERM:count="));
        count.map_or(0, |count| count.trim().parse::<usize>().expect("a number"))
    };
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let deadline = Instant::now() + DEADLINE;
        while !holds() {
            assert!(Instant::now() < deadline, "not {what}");
            crate::support::pause();
        }
    };
    until("ready", &is_ready);
    for right in ["xreadgroup", "xread"] {
        let before = refused();
        server.cli(&["ACL", "SETUSER", "posthaste", &format!("-{right}")]);
        until("unready", &|| !is_ready());
        until("refused often", &|| refused() > before + 10);
        server.cli(&["ACL", "SETUSER", "posthaste", &format!("+{right}")]);
        until("ready", &is_ready);
    }
    running.signal("TERM");
    let (code, _, log) = running.end();
    let said = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!(code, Some(0));
    assert_eq!((said("Redis returns no deliveries"), said("Redis returns deliveries again")), (1, 1), "{log:#?}");
    let lines = ("the store in Redis is unavailable", "the store in Redis is available again");
    assert_eq!((said(lines.0), said(lines.1)), (1, 1), "{log:#?}");
}

#[test]
fn a_user_without_the_keys_of_ids_is_found_at_the_start() {
    let home = home();
    let (server, url) = with_user(2);
    server.cli(&["ACL", "SETUSER", "posthaste", "resetkeys", "~{posthaste}:*", "~{posthaste:*}:*"]);
    let window = [
        ("POSTHASTE_STORE__URL", url.as_str()),
        ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0"),
        ("POSTHASTE_INGEST__DUPLICATE_WINDOW_MS", "60000"),
    ];
    let (code, _, stderr) = run(&home, &["serve"], &window);
    let last = stderr.lines().last().unwrap_or_default();
    assert!(code == 1 && last.contains("may not use DEL on keys that begin with posthaste:seen:"), "{stderr}");
    let mut words = command(&home, &["serve"]);
    words.envs(window).env("POSTHASTE_CLUSTER__ROLES", "[\"dispatch\"]");
    let running = Running::start(words);
    assert!(running.line_or_end("listening on http://").is_some(), "a node that accepts no events needs no ids");
}

#[test]
fn a_start_takes_no_longer_than_it_may() {
    let home = home();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("redis://{}", silent.local_addr().expect("bound"));
    let begun = Instant::now();
    let short = [("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_STORE__START_WITHIN_MS", "100")];
    let (code, _, stderr) = run(&home, &["export"], &short);
    assert_eq!(code, 1, "{stderr}");
    // A connection may take two seconds, and finding out the cause two more, where there is time.
    assert!(begun.elapsed() < Duration::from_secs(3), "{stderr}");
}
