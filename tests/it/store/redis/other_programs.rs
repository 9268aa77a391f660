//! Other programs that write the store: as docs/redis.md describes, and otherwise.

use posthaste::model::trigger::Trigger;
use posthaste::store::StoreError;

use super::{Node, wait_until, wait_until_equal};
use crate::store::{account, get, users};
use crate::support::{RedisServer, redis_document};

/// Runs a line of the document against a server.
fn run(server: &RedisServer, line: &str) -> String {
    let line = line.replacen("redis-cli", &format!("redis-cli -p {}", server.port()), 1);
    crate::support::run(std::process::Command::new("sh").args(["-ec", &line]).current_dir(env!("CARGO_MANIFEST_DIR")))
}

const WRITE: [&str; 4] = ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ","];

fn write(server: &RedisServer, words: &[&str]) -> String {
    server.cli(&[&WRITE, words].concat())
}

#[tokio::test]
async fn the_documented_commands_work() {
    let server = RedisServer::start();
    let block = redis_document("sh").remove(0);
    let mut lines = block.lines();
    // The first write creates the store, before any node has started.
    assert_eq!(run(&server, lines.next().expect("a template")), "written\n1\ncreated\n");
    let node = Node::at(&server.url()).await;
    let live = |text: &'static str| {
        let mirror = &node.mirror;
        async move {
            wait_until(text, || mirror.records().get("trigger acme/new-guest").is_some_and(|t| t.contains(text))).await;
        }
    };
    assert_eq!(run(&server, lines.next().expect("a trigger")), "written\n2\ncreated\n");
    live("guest.created").await;
    assert!(run(&server, lines.next().expect("a look")).starts_with("2 {\"id\":\"new-guest\""));
    assert_eq!(run(&server, lines.next().expect("a change")), "written\n3\nreplaced\n");
    live("guest.*").await;
    assert_eq!(run(&server, lines.next().expect("the trigger goes")), "written\n4\ndeleted\n");
    assert_eq!(run(&server, lines.next().expect("the template goes")), "written\n5\ndeleted\n");
    assert_eq!(lines.next(), None);
    wait_until("nothing is left", || node.mirror.records().is_empty()).await;
    // Of an account only the counters and the log are left.
    let mut left: Vec<_> = server.cli(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, ["{posthaste}:log", "{posthaste}:meta"]);
    assert_eq!(node.snapshots("start"), 1.0);
    assert_eq!(node.metric("posthaste_store_changes_total"), 4.0);
}

#[test]
fn the_script_refuses_invalid_calls() {
    let server = RedisServer::start();
    let trigger = r#"{"id":"t","event":"*","template":"w","url":"https://h/"}"#;
    for (words, expected) in [
        (&["delete", "trigger", "a", "t"][..], "not_found"),
        (&["put", "trigger", "a", "t", trigger], "template_missing\nw"),
        (&["put", "trigger", "a", "t", trigger, "exists"], "precondition_failed"),
        (&["put", "trigger", "a", "t", trigger, "is 3"], "precondition_failed"),
        (&["put", "trigger", "a", "t", trigger, "maybe"], "invalid\nthe sixth argument"),
        (&["put", "trigger", "a", "u", trigger], "invalid\nthe fifth argument"),
        (&["put", "trigger", "a", "t", "{"], "invalid\nthe fifth argument"),
        (&["put", "trigger", "a", "t", "[]"], "invalid\nthe fifth argument"),
        (&["put", "trigger", "a", "t", "7"], "invalid\nthe fifth argument"),
        (&["put", "trigger", "a", "t"], "invalid\nthe fifth argument"),
        (&["put", "trigger", "a", "t", r#"{"id":"t","template":["w"]}"#], "invalid\na trigger must name its template"),
        (&["put", "trigger", "a b", "t", trigger], "invalid\nthe third argument"),
        (&["put", "trigger", "", "t", trigger], "invalid\nthe third argument"),
        (&["put", "trigger", "a", "t/", trigger], "invalid\nthe fourth argument"),
        (&["put", "trigger", "a", &"t".repeat(129), trigger], "invalid\nthe fourth argument"),
        (&["put", "trigger", "..", "t", trigger], "invalid\nthe third argument"),
        (&["put", "trigger", "a", ".", trigger], "invalid\nthe fourth argument"),
        (&["delete", "trigger", "a", "."], "not_found"),
        (&["put", "hook", "a", "t", trigger], "invalid\nthe second argument"),
        (&["put", "key", "a", "t", trigger], "invalid\na key has no account"),
        (&["take", "trigger", "a", "t", trigger], "invalid\nthe first argument"),
        (&[], "invalid\nthe first argument"),
    ] {
        let response = write(&server, words);
        assert!(response.starts_with(expected), "{words:?}: {response}");
    }
    assert_eq!(server.cli(&["KEYS", "*"]), "", "nothing was done");
}

/// A reader of JSON takes the last of two conditions on one field, and leaves the first out in silence.
const REPEATED: &str = concat!(
    r#"5 {"id":"worse","event":"*","template":"w","url":"https://h/","#,
    r#""where":{"a":{"b":[1]},"c":{"d":[1],"d":[2]}}}"#
);

#[tokio::test]
async fn invalid_values_are_refused_and_the_others_stay_live() {
    let server = RedisServer::start();
    let one = Node::at(&server.url()).await;
    one.put_template("a").await;
    for id in ["good", "bad", "worse"] {
        one.put("a", id, 1).await.expect("written");
    }
    // Valid for the script but not for a reader: the record that was live under the name no longer is.
    let bad = r#"{"id":"bad","event":"*","template":"w","url":"ftp://h/"}"#;
    assert!(write(&server, &["put", "trigger", "a", "bad", bad]).starts_with("written"));
    wait_until("it is refused", || one.metric("posthaste_records_unusable") == 1.0).await;
    assert_eq!(one.store.unreadable(), 1);
    let live = ["template a/w", "trigger a/good", "trigger a/worse"];
    wait_until("it is not live", || one.mirror.records().keys().eq(live.iter())).await;
    let error = one.store.get::<Trigger>(Some(&account("a")), "bad").await.map(drop);
    assert!(matches!(error, Err(StoreError::Unreadable { .. })), "{error:?}");

    // Written directly and without the log: the next snapshot refuses it.
    for value in ["no revision", "7", "x {}", "5 {", "5 null", r#"5 {"id":"other"}"#, REPEATED] {
        server.cli(&["HSET", "{posthaste}:triggers:a", "worse", value]);
        let two = Node::at(&server.url()).await;
        assert!(two.mirror.records().keys().eq(["template a/w", "trigger a/good"].iter()), "{value}");
        assert_eq!(two.store.unreadable(), 2, "{value}");
    }
    server.cli(&["SET", "{posthaste}:triggers:b", "no hash"]);
    server.cli(&["ZADD", "{posthaste}:accounts", "0", "b", "0", "no name"]);
    server.cli(&["ZADD", "{posthaste}:ids:triggers:b", "0", "t"]);
    server.cli(&["SET", "{posthaste}:ids:templates:b", "no set"]);
    server.cli(&["ZADD", "{posthaste}:ids:triggers:a", "0", "nowhere", "0", "no name"]);
    let two = Node::at(&server.url()).await;
    assert!(two.mirror.records().keys().eq(["template a/w", "trigger a/good"].iter()));

    // Writing it again, or deleting it, repairs it.
    one.put("a", "bad", 2).await.expect("written");
    crate::store::remove::<Trigger>(&one.store, &account("a"), "worse").await;
    wait_until("both are right", || {
        [&one, &two]
            .iter()
            .all(|node| node.mirror.records().keys().eq(["template a/w", "trigger a/bad", "trigger a/good"].iter()))
    })
    .await;
    assert!(get::<Trigger>(&one.store, Some(&account("a")), "bad").await.is_some());
}

#[tokio::test]
async fn a_stale_reference_does_not_keep_a_template() {
    let server = RedisServer::start();
    let node = Node::at(&server.url()).await;
    node.put_template("a").await;
    node.put("a", "t", 1).await.expect("written");
    for number in 0..250 {
        server.cli(&["ZADD", "{posthaste}:uses:a", "0", &format!("w stray{number}")]);
    }
    // A page of those that use it is found behind all that do not.
    assert_eq!(users(&node.store, &account("a"), "w", None, 1).await.0, ["t"]);
    assert_eq!(write(&server, &["delete", "template", "a", "w"]), "template_in_use\nt");
    // A trigger that was removed directly uses nothing.
    server.cli(&["HDEL", "{posthaste}:triggers:a", "t"]);
    assert!(write(&server, &["delete", "template", "a", "w"]).starts_with("written"));
    assert_eq!(server.cli(&["EXISTS", "{posthaste}:uses:a"]), "0");
    wait_until("it is gone", || !node.mirror.records().contains_key("template a/w")).await;
}

#[tokio::test]
async fn large_records_are_read_in_responses_of_bounded_size() {
    let server = RedisServer::start();
    let one = Node::at(&server.url()).await;
    one.put_template("a").await;
    for number in 0..40 {
        let id = format!("big{number}");
        let json = format!(r#"{{"id":"{id}","name":"","format":"text","body":"{}"}}"#, "x".repeat(600_000));
        // As an operator's shell would: the record through standard input.
        let response = server.cli_with(
            &[
                "-x",
                "EVAL",
                include_str!("../../../../src/store/redis/write.lua"),
                "1",
                "{posthaste}:meta",
                "put",
                "template",
                "a",
                &id,
            ],
            &json,
        );
        assert!(response.starts_with("written"), "{response}");
    }
    let two = Node::at(&server.url()).await;
    assert_eq!(wait_until_equal(&[&one, &two]).await.len(), 41);
}
