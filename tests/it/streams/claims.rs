//! Only one node may make an attempt, whenever another node takes the delivery over.

use super::{STREAM, entry_ids, expected, ids, node, until, with_a_silent_receiver};
use crate::support::{Behaviour, Node, Receiver, RedisServer};

/// One connection and a silent receiver that does not count as stalled, so that all deliveries but one are queued on
/// the node.
const NARROW: [(&str, &str); 3] = [
    ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
    ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
    ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
];
const ONE_STREAM: (&str, &str) = ("POSTHASTE_CLUSTER__PARTITIONS", "1");

/// A node with this many deliveries: the first attempt is in flight, the others are queued.
async fn holding(redis: &RedisServer, deliveries: u32) -> (Node, Receiver) {
    let settings = [&NARROW[..], &[ONE_STREAM]].concat();
    let (node, receiver) = with_a_silent_receiver(redis, &settings, deliveries).await;
    receiver.wait_for(1).await;
    node.wait_for_metric("posthaste_queue_depth", f64::from(deliveries - 1)).await;
    (node, receiver)
}

#[actix_rt::test]
async fn an_entry_that_another_node_acknowledged_is_not_attempted() {
    let redis = RedisServer::start();
    let (node, receiver) = holding(&redis, 10).await;
    // Simulates a node that took them over while this one was paused: some it has only claimed, some it has also
    // acknowledged. This node may still redeem those that were only claimed.
    let pending = redis.cli(&["XPENDING", STREAM, "dispatch", "-", "+", "9"]);
    let waiting = entry_ids(&pending);
    assert_eq!(waiting.len(), 9, "{pending}");
    for id in &waiting[..6] {
        redis.cli(&["XCLAIM", STREAM, "dispatch", "another", "0", id, "JUSTID"]);
    }
    for id in &waiting[..3] {
        assert_eq!(redis.cli(&["XACK", STREAM, "dispatch", id]), "1");
    }
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(7).await;
    node.wait_for_metric("posthaste_tickets_total{result=\"lost\"}", 3.0).await;
    assert_eq!(ids(&receiver), expected([0, 4, 5, 6, 7, 8, 9]));
    assert_eq!(node.metric("posthaste_tickets_total{result=\"won\"}").await, 7.0);
}

#[actix_rt::test]
async fn a_claim_waits_for_its_response_and_none_permits_no_attempt() {
    let mut redis = RedisServer::lasting();
    let (node, receiver) = holding(&redis, 3).await;
    redis.kill();
    receiver.behave(Behaviour::Respond(200));
    // The first attempt ends; the next delivery's claim is requested and gets no response.
    until("the first attempt does not end", async || {
        node.metric("posthaste_attempts_total{outcome=\"delivered\"}").await == 1.0
    })
    .await;
    until("the next has not asked", async || node.metric("posthaste_queue_depth").await == 1.0).await;
    assert_eq!(receiver.received().len(), 1, "nothing is sent without a response");
    redis.run();
    receiver.wait_for(3).await;
    assert_eq!(ids(&receiver), expected(0..3));
}

#[actix_rt::test]
async fn a_response_that_came_too_late_loses_nothing() {
    let redis = RedisServer::start();
    let (node, receiver) = holding(&redis, 3).await;
    redis.signal("STOP");
    receiver.behave(Behaviour::Respond(200));
    until("the next has not asked", async || node.metric("posthaste_queue_depth").await == 1.0).await;
    // Longer than a node waits for a response: it gives up a request that Redis has not read yet.
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    redis.signal("CONT");
    receiver.wait_for(3).await;
    assert_eq!(ids(&receiver), expected(0..3));
    assert_eq!(node.metric("posthaste_tickets_total{result=\"lost\"}").await, 0.0);
}

#[actix_rt::test]
async fn entries_of_a_dead_consumer_are_claimed_and_it_is_removed() {
    let redis = RedisServer::start();
    redis.cli(&["XGROUP", "CREATE", STREAM, "dispatch", "0", "MKSTREAM"]);
    let receiver = Receiver::start();
    for id in 0..100 {
        redis.add_delivery(STREAM, &receiver.url("/"), &format!("{{\"id\":\"{id}\"}}"), &[]);
    }
    for consumer in ["dead", "dying"] {
        redis.cli(&["XREADGROUP", "GROUP", "dispatch", consumer, "COUNT", "40", "STREAMS", STREAM, ">"]);
    }
    redis.cli(&["SET", "{posthaste:0}:alive:dying", "1", "PX", "1500"]);
    let node = node(&redis.url(), &[ONE_STREAM, ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200")]).await;
    receiver.wait_for(100).await;
    assert_eq!(ids(&receiver), expected(0..100));
    assert_eq!(node.metric("posthaste_claims_total").await, 80.0);
    until("the dead are remembered", async || {
        let consumers = redis.cli(&["XINFO", "CONSUMERS", STREAM, "dispatch"]);
        !consumers.contains("dead") && !consumers.contains("dying")
    })
    .await;
}
