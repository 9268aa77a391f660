//! Connections that break and servers that stop and restart: no change is missed.

use std::time::{Duration, Instant};

use posthaste::store::StoreError;

use super::{Node, put_at_last, wait_until, wait_until_equal};
use crate::support::{Forwarder, RedisServer};

#[tokio::test]
async fn killed_connections_cost_no_change() {
    let server = RedisServer::start();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    for number in 0..200 {
        if number % 10 == 0 {
            server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        }
        let writer = if number % 2 == 0 { &one } else { &two };
        put_at_last(writer, "a", &format!("t{}", number % 50), number).await;
    }
    let stored = wait_until_equal(&[&one, &two]).await;
    assert_eq!(stored.len(), 51);
    assert!(stored.iter().filter(|(place, _)| place.starts_with("trigger")).all(|(place, trigger)| {
        // The last value of each, and none that was written before it.
        let id: usize = place.trim_start_matches("trigger a/t").parse().expect("a number");
        trigger.contains(&format!("https://h/{}\"", 150 + id))
    }));
    // All changes came through the log; no snapshot was read.
    for node in [&one, &two] {
        assert_eq!(node.snapshots("start"), 1.0);
        assert_eq!(node.snapshots("gap") + node.snapshots("history") + node.snapshots("behind"), 0.0);
    }
}

#[tokio::test]
async fn a_redis_that_restarts_with_its_data_is_followed() {
    let mut server = RedisServer::lasting();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    one.put("a", "t", 1).await.expect("written");
    let before = wait_until_equal(&[&one, &two]).await;
    server.kill();
    wait_until("both know that it is unavailable", || !one.store.connected() && !two.store.connected()).await;
    assert_eq!(one.metric("posthaste_store_connected"), 0.0);
    // Calls fail at once; live records stay live.
    let begun = Instant::now();
    for number in 0..20 {
        assert!(matches!(one.put("a", "t", number).await, Err(StoreError::Unavailable(_))));
        assert!(matches!(one.store.accounts().await, Err(StoreError::NotRead(_))));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(one.mirror.records(), before);

    server.run();
    put_at_last(&two, "a", "u", 2).await;
    let after = wait_until_equal(&[&one, &two]).await;
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(one.metric("posthaste_store_connected"), 1.0);
    assert_eq!(one.snapshots("start") + two.snapshots("start"), 2.0);
    for reason in ["gap", "epoch", "behind", "history"] {
        assert_eq!(one.snapshots(reason) + two.snapshots(reason), 0.0, "{reason}");
    }
}

#[tokio::test]
async fn a_redis_that_restarts_without_its_data_is_read_again() {
    let mut server = RedisServer::start();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    one.put("a", "t", 1).await.expect("written");
    wait_until_equal(&[&one, &two]).await;
    server.kill();
    server.run();
    wait_until("both have nothing live", || one.mirror.records().is_empty() && two.mirror.records().is_empty()).await;
    assert_eq!((one.snapshots("epoch"), two.snapshots("epoch")), (1.0, 1.0));
    // The new store has as many changes as the old one, and more.
    put_template_at_last(&two).await;
    for number in 0..5 {
        put_at_last(&one, "b", "t", number).await;
    }
    let stored = wait_until_equal(&[&one, &two]).await;
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["template b/w", "trigger b/t"]);
}

async fn put_template_at_last(node: &Node) {
    wait_until("it reaches the store", || node.store.connected()).await;
    node.put_template("b").await;
}

#[tokio::test]
async fn a_redis_that_is_silent_is_noticed() {
    let server = RedisServer::start();
    let door = Forwarder::to(server.port());
    let node = Node::at(&format!("redis://127.0.0.1:{}", door.port())).await;
    node.put_template("a").await;
    server.signal("STOP");
    wait_until("it knows", || !node.store.connected()).await;
    assert!(matches!(node.put("a", "t", 1).await, Err(StoreError::Unavailable(_))));
    server.signal("CONT");
    put_at_last(&node, "a", "t", 2).await;
    wait_until_equal(&[&node]).await;
}
