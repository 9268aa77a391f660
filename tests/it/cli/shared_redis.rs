//! A Redis that other programs use too, or that is set up so that it loses keys: what a node says of it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::serve::{metric, serve, set_up};
use super::{call, home, run};
use crate::support::RedisServer;

#[test]
fn a_key_that_another_program_uses_is_named_at_the_start() {
    let (home, server) = (home(), RedisServer::start());
    let url = server.url();
    let settings = [("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0")];
    let of_store = ["meta", "accounts", "log"].map(|key| (key, "LPUSH", "something else under a key of the store"));
    let of_streams = ["LPUSH", "SET"].map(|command| ("partitions", command, "the key {posthaste}:partitions of Redis"));
    for (key, command, said) in of_store.into_iter().chain(of_streams) {
        server.cli(&["FLUSHALL"]);
        if key != "meta" {
            server.cli(&["HSET", "{posthaste}:meta", "format", "1", "epoch", "e", "version", "0"]);
        }
        server.cli(&[command, &format!("{{posthaste}}:{key}"), "theirs"]);
        let (code, _, stderr) = run(&home, &["serve"], &settings);
        assert!(code == 1 && stderr.contains(said), "{key}: {stderr}");
        // Waiting does not help.
        assert!(!stderr.contains("waiting for Redis"), "{key}: {stderr}");
    }
}

#[test]
fn a_list_of_ids_that_another_program_replaced_is_not_an_empty_one() {
    let (home, server) = (home(), RedisServer::start());
    let url = server.url();
    let settings = [("POSTHASTE_STORE__URL", url.as_str())];
    let list = |address: &str| call(address, "GET /v1/accounts/default/triggers HTTP/1.1", b"").expect("a response").0;
    let (running, address) = serve(&home, &settings);
    set_up(&address, "t", "http://127.0.0.1:9000/");
    assert_eq!(list(&address), 200);
    server.cli(&["DEL", "{posthaste}:ids:triggers:default"]);
    server.cli(&["SET", "{posthaste}:ids:triggers:default", "theirs"]);
    assert_eq!(list(&address), 409);
    running.signal("TERM");
    running.end();
    let (running, address) = serve(&home, &settings);
    assert_eq!((list(&address), metric(&address, "posthaste_records_unusable")), (409, 1.0));
    running.signal("TERM");
    let (_, _, log) = running.end();
    assert!(log.iter().any(|line| line.contains("can't be read and is skipped")), "{log:#?}");
}

#[test]
fn a_redis_that_removes_keys_is_warned_of() {
    for (policy, warnings) in [("allkeys-lru", 1), ("noeviction", 0)] {
        let options = ["--maxmemory", "100mb", "--maxmemory-policy", policy];
        let (home, server) = (home(), RedisServer::with(&options));
        let (running, _) = serve(&home, &[("POSTHASTE_STORE__URL", &server.url())]);
        running.signal("TERM");
        let (_, _, log) = running.end();
        let said = log.iter().filter(|line| line.contains("Redis removes keys") && line.contains(policy));
        assert_eq!(said.count(), warnings, "{log:#?}");
    }
}

#[test]
fn ids_of_events_that_redis_does_not_keep_are_said_once() {
    let (home, server) = (home(), RedisServer::start());
    let window = ("POSTHASTE_INGEST__DUPLICATE_WINDOW_MS", "60000");
    let (running, address) = serve(&home, &[("POSTHASTE_STORE__URL", &server.url()), window]);
    let post = |id: usize| {
        let event = json!({"type": "a", "id": id.to_string(), "data": {}});
        super::post(&address, &event).expect("a response")
    };
    assert_eq!(post(0), 202);
    server.cli(&["ACL", "SETUSER", "default", "resetkeys", "~{posthaste*"]);
    for id in 1..20 {
        assert_eq!(post(id), 503);
    }
    server.cli(&["ACL", "SETUSER", "default", "allkeys"]);
    let mended = Instant::now();
    while mended.elapsed() < Duration::from_millis(1_100) {
        assert_eq!(post(0), 202);
        crate::support::pause();
    }
    assert_eq!(post(0), 202);
    running.signal("TERM");
    let (_, _, log) = running.end();
    let said = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!((said("does not keep the ids"), said("keeps the ids of events again")), (1, 1), "{log:#?}");
    assert_eq!(said("WARN"), 1, "{log:#?}");
}
