//! A Redis that refuses writes, this user or this version, or does not respond.

use std::time::{Duration, Instant};

use posthaste::store::{OpenError, StoreError};

use super::{Node, put_at_last, wait_until, wait_until_equal};
use crate::store::settings;
use crate::support::{RedisServer, free_port};

#[tokio::test]
async fn a_redis_that_accepts_no_writes_changes_nothing() {
    let server = RedisServer::start();
    let master = RedisServer::start();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    one.put("a", "t", 1).await.expect("written");
    let before = wait_until_equal(&[&one, &two]).await;
    let everything = || server.cli(&["DEBUG", "DIGEST"]);

    for (setting, word) in [("maxmemory", "memory"), ("min-replicas-to-write", "NOREPLICAS")] {
        server.cli(&["CONFIG", "SET", setting, "1"]);
        let digest = everything();
        for node in [&one, &two] {
            let put = node.put("a", "t", 2).await.expect_err(word);
            assert!(matches!(&put, StoreError::Refused(detail) if detail.contains(word)), "{put}");
            assert!(matches!(node.put("b", "t", 2).await, Err(StoreError::TemplateMissing(_))), "it is still judged");
            assert_eq!(node.stored().await, before, "reads go on");
            assert!(node.store.connected());
        }
        assert_eq!(everything(), digest, "{word}: nothing was changed");
        server.cli(&["CONFIG", "SET", setting, "0"]);
        one.put("a", "t", 1).await.expect("written");
    }

    // A node that becomes a replica has what its master has: nothing.
    server.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    wait_until("nothing is live", || one.mirror.records().is_empty() || !one.store.connected()).await;
    assert!(matches!(
        one.put("a", "t", 3).await,
        Err(StoreError::Unavailable(_) | StoreError::Refused(_) | StoreError::TemplateMissing(_))
    ));
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    wait_until("it is there again", || one.store.connected() && two.store.connected()).await;
    one.put_template("c").await;
    put_at_last(&two, "c", "t", 4).await;
    wait_until_equal(&[&one, &two]).await;
}

#[tokio::test]
async fn a_start_waits_for_redis_and_names_its_address() {
    let port = free_port();
    let url = format!("redis://:hunter2@127.0.0.1:{port}");
    let mut patient = settings(&url);
    patient.start_within = Duration::from_millis(300);
    let begun = Instant::now();
    let error = Node::open(&patient).await.map(drop).expect_err("nothing is there");
    let text = error.to_string();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{text}");
    assert!(begun.elapsed() >= patient.start_within);
    assert!(
        text.contains(&format!("redis://127.0.0.1:{port}")) && text.contains("start it") && !text.contains("hunter2"),
        "{text}"
    );

    patient.url = format!("redis://127.0.0.1:{port}");
    patient.start_within = Duration::from_secs(20);
    let late = std::thread::spawn(move || RedisServer::on(port));
    let node = Node::open(&patient).await.expect("a store");
    let _server = late.join().expect("no panic");
    node.put_template("a").await;
}

#[tokio::test]
async fn wrong_credentials_are_reported_at_once() {
    let server = RedisServer::with(&["--requirepass", "hunter2"]);
    let mut patient = settings("");
    patient.start_within = Duration::from_secs(60);
    for user in ["", ":wrong@", "nobody:hunter2@"] {
        patient.url = format!("redis://{user}127.0.0.1:{}", server.port());
        let error = Node::open(&patient).await.map(drop).expect_err(user);
        assert!(matches!(error, OpenError::Refused { .. }), "{user}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    patient.url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    Node::open(&patient).await.expect("let in");
}

#[tokio::test]
async fn a_store_of_another_format_is_left_alone() {
    let server = RedisServer::start();
    let node = Node::at(&server.url()).await;
    node.put_template("a").await;
    server.cli(&["HSET", "{posthaste}:meta", "format", "2"]);
    let digest = server.cli(&["DEBUG", "DIGEST"]);
    let error = Node::open(&settings(&server.url())).await.map(drop).expect_err("another format");
    let expected = "has the format 2, and this version reads 1; it was not changed";
    assert!(matches!(error, OpenError::OtherSharedFormat { .. }) && error.to_string().contains(expected), "{error}");
    // A node that ran before keeps its live records, and writes nothing.
    wait_until("it knows", || !node.store.connected()).await;
    assert!(matches!(node.put("a", "t", 1).await, Err(StoreError::Unavailable(_))));
    assert_eq!(node.mirror.records().len(), 1);
    assert_eq!(server.cli(&["DEBUG", "DIGEST"]), digest);
    server.cli(&["HSET", "{posthaste}:meta", "format", "1"]);
    put_at_last(&node, "a", "t", 1).await;
    wait_until_equal(&[&node]).await;
}
