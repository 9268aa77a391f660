//! Deliveries through a Redis with TLS and a private authority, as a user with exactly the rights that docs/redis.md
//! lists: each operation that needs a right, and load.

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{backlog, dropped, event, expected, ids, node, set_up, until};
use crate::support::{Behaviour, Receiver, SecuredRedis};

#[actix_rt::test]
async fn tls_and_a_user_with_the_documented_rights_are_enough() {
    let redis = SecuredRedis::start(2);
    let (url, authority) = (redis.url("posthaste:password"), redis.file("ca.pem").display().to_string());
    let more = [
        ("POSTHASTE_STORE__CA_FILE", authority.as_str()),
        ("POSTHASTE_INGEST__DUPLICATE_WINDOW_MS", "60000"),
        ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200"),
    ];
    let first = node(&url, &more).await;
    let receiver = Receiver::start();
    set_up(&first, &[], "t", receiver.url("/")).await;
    assert!(first.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json()["delivered"] == true);
    for id in 0..10 {
        first.fire(event(id)).await;
        first.fire(event(id)).await;
    }
    receiver.wait_for(11).await;
    // Dropped, returned and claimed entries need rights too.
    redis.server.cli(&["XADD", "{posthaste:0}:deliveries", "*", "a", "b"]);
    first.wait_for_metric("posthaste_dropped_total{reason=\"entry_unreadable\"}", 1.0).await;
    receiver.behave(Behaviour::Silence);
    let narrow = [
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ];
    let second = node(&url, &[&more[..], &narrow].concat()).await;
    first.stop().await;
    for id in 10..15 {
        second.fire(event(id)).await;
    }
    second.wait_for_metric("posthaste_queue_depth", 4.0).await;
    let third = node(&url, &more).await;
    receiver.behave(Behaviour::Respond(200));
    second.stop().await;
    receiver.wait_for(16).await;
    third.wait_for_metric("posthaste_backlog_deliveries", 0.0).await;
    assert_no_right_is_missing(&redis);
}

#[actix_rt::test]
async fn load_through_tls_arrives_completely_and_once() {
    const EVENTS: usize = 4_000;
    /// These are posted one by one; the others in batches.
    const SINGLE: usize = 1_000;
    const BATCH: usize = 25;
    const AT_A_TIME: usize = 64;
    let redis = SecuredRedis::start(2);
    let (url, authority) = (redis.url("posthaste:password"), redis.file("ca.pem").display().to_string());
    let authority = [("POSTHASTE_STORE__CA_FILE", authority.as_str())];
    let nodes = [node(&url, &authority).await, node(&url, &authority).await];
    let receivers: Vec<Receiver> = (0..3).map(|_| Receiver::start()).collect();
    for (number, receiver) in receivers.iter().enumerate() {
        set_up(&nodes[0], &[&nodes[1]], &number.to_string(), receiver.url("/")).await;
    }
    let single = (0..SINGLE).map(event);
    let batches = (SINGLE..EVENTS).step_by(BATCH);
    let batches = batches.map(|first| Value::from_iter((first..first + BATCH).map(event)));
    let posts = single.chain(batches).zip(nodes.iter().cycle());
    stream::iter(posts).for_each_concurrent(AT_A_TIME, async |(events, node)| node.fire(events).await).await;
    for receiver in &receivers {
        receiver.wait_for(EVENTS).await;
    }
    until("entries stayed in the streams", async || backlog(&redis.server) == 0).await;
    for receiver in &receivers {
        assert!(ids(receiver) == expected(0..EVENTS), "each comes once");
    }
    let clients = redis.server.cli(&["CLIENT", "LIST"]);
    let own = clients.lines().filter(|client| client.contains(" user=posthaste ")).count();
    assert_eq!(own, clients.lines().count() - 1, "all but this question are the user's: {clients}");
    assert!(own > 10, "{clients}");
    assert_no_right_is_missing(&redis);
    for node in nodes {
        assert!(node.metric("posthaste_attempts_total{outcome=\"delivered\"}").await > 0.0, "both send");
        assert_eq!(dropped(&node).await, 0.0);
        assert_eq!(node.stop().await.unsent, 0);
    }
}

fn assert_no_right_is_missing(redis: &SecuredRedis) {
    let log = redis.server.cli(&["ACL", "LOG"]);
    assert!(!log.contains("reason"), "a right is missing: {log}");
}
