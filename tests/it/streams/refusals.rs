//! A Redis that responds but does not work as expected: it is full or a replica, closes connections, has lost its data,
//! or has a key of another type.

use super::bounds::until_response;
use super::{
    DISPATCH, INGEST, STREAM, backlog, event, expected, ids, node, on, set_up, streams, until, with_a_silent_receiver,
};
use crate::support::{Behaviour, Node, Receiver, RedisServer};

/// Load balancers see that this node accepts no events.
async fn until_not_ready(node: &Node) {
    until("it counts as ready", async || {
        let ready = node.get("/readyz").await;
        ready.status == 503 && ready.problem().1 == "store_unavailable"
    })
    .await;
}

/// From now on it accepts no writes.
fn fill(redis: &RedisServer) {
    redis.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
}

#[actix_rt::test]
async fn a_full_redis_accepts_nothing_and_returns_everything() {
    let redis = RedisServer::start();
    // Most of them are parked.
    let narrow = [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"), ("POSTHASTE_CLUSTER__TAKE_MAX", "1")];
    let (node, receiver) = with_a_silent_receiver(&redis, &narrow, 100).await;
    receiver.wait_for(1).await;
    fill(&redis);
    let refused = node.post("/v1/events", &event("x")).await;
    assert_eq!(refused.problem(), (503, "store_unavailable".to_owned()));
    until_not_ready(&node).await;
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(100).await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    until_response(&node, 202, "").await;
    assert_eq!(node.get("/readyz").await.status, 200);
    node.fire(event(100)).await;
    receiver.wait_for(101).await;
    assert_eq!(ids(&receiver), expected(0..101));
}

/// A group that was added and whose number was not kept would be added again if its response is lost.
#[test]
fn a_full_redis_adds_nothing_to_an_empty_stream() {
    const ADD: &str = concat!(
        include_str!("../../../src/handover/streams/keys.lua"),
        include_str!("../../../src/handover/streams/add.lua")
    );
    let redis = RedisServer::start();
    let add = |group: &str| {
        let head = ["EVAL", ADD, "1", STREAM, "{posthaste:0}:added:one", group, "1", "2", "1", "1", "acme", "1"];
        redis.cli(&[&head[..], &["field", "value"]].concat())
    };
    fill(&redis);
    assert!(add("1").contains("OOM"), "{}", add("1"));
    assert_eq!((redis.cli(&["XLEN", STREAM]), redis.cli(&["DBSIZE"])), ("0".to_owned(), "0".to_owned()));
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    for _ in 0..2 {
        assert!(add("1").starts_with('1'), "{}", add("1"));
    }
    assert_eq!(redis.cli(&["XLEN", STREAM]), "1");
}

#[actix_rt::test]
async fn a_new_node_empties_a_full_redis() {
    let redis = RedisServer::start();
    let (ingest, receiver) = (node(&redis.url(), &[INGEST]).await, Receiver::start());
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    // Once, so that the group exists.
    let first = node(&redis.url(), &[DISPATCH]).await;
    ingest.fire(event(0)).await;
    receiver.wait_for(1).await;
    assert_eq!(first.stop().await.unsent, 0);
    for id in 1..50 {
        ingest.fire(event(id)).await;
    }
    fill(&redis);
    let _dispatch = node(&redis.url(), &[DISPATCH]).await;
    receiver.wait_for(50).await;
    assert_eq!(ids(&receiver), expected(0..50));
}

#[actix_rt::test]
async fn a_replica_accepts_nothing_and_nothing_is_lost() {
    let redis = RedisServer::start();
    let (node, receiver) = with_a_silent_receiver(&redis, &[], 1).await;
    receiver.wait_for(1).await;
    // Of a master that does not exist: it keeps its data and refuses writes.
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    until_not_ready(&node).await;
    assert_eq!(node.post("/v1/events", &event("x")).await.problem(), (503, "store_unavailable".to_owned()));
    redis.cli(&["REPLICAOF", "NO", "ONE"]);
    receiver.behave(Behaviour::Respond(200));
    until_response(&node, 202, "").await;
    for id in 1..20 {
        node.fire(event(id)).await;
    }
    receiver.wait_for(20).await;
    assert_eq!(ids(&receiver), expected(0..20));
}

/// A group that was sent over a closed connection is sent again, and added once.
#[actix_rt::test]
async fn a_connection_that_was_closed_costs_no_event() {
    let redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[INGEST]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    for id in 0..20 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        node.fire(event(id)).await;
        // Its streams were polled over a connection that is still open.
        node.wait_for_metric("posthaste_backlog_deliveries", f64::from(id + 1)).await;
    }
    assert_eq!(backlog(&redis), 20);
}

#[actix_rt::test]
async fn a_key_of_another_type_stops_only_its_own_destinations() {
    let redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    node.fire(event(0)).await;
    receiver.wait_for(1).await;
    let used = |key: &str| !redis.cli(&["XINFO", "STREAM", key]).contains("last-generated-id\n0-0");
    let keys = streams(&redis);
    let slot = |key: &str| key.split_once('}').expect("a hash tag").0.to_owned();
    let own = slot(keys.iter().find(|key| used(key)).expect("one"));
    let others: Vec<&String> = keys.iter().filter(|key| slot(key) != own).collect();
    assert_eq!(others.len(), 45, "all but those of the receiver's partition: {keys:?}");
    for key in &others {
        redis.cli(&["DEL", key]);
        redis.cli(&["SET", key, "no stream"]);
    }
    for id in 1..50 {
        node.fire(event(id)).await;
    }
    receiver.wait_for(50).await;
    assert_eq!(ids(&receiver), expected(0..50));
    assert_eq!(node.get("/readyz").await.status, 200);
}

#[actix_rt::test]
async fn a_user_who_may_not_park_delays_no_attempt() {
    let redis = RedisServer::start();
    let narrow = [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "4"), ("POSTHASTE_CLUSTER__TAKE_MAX", "4")];
    let (node, receiver) = (node(&redis.url(), &narrow).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    receiver.behave(Behaviour::Silence);
    redis.cli(&["ACL", "SETUSER", "default", "-xclaim"]);
    for id in 0..20 {
        node.fire(event(id)).await;
    }
    // Four are in flight, four are queued, and as many as there are permits can't be parked.
    until("nobody is refused", async || redis.cli(&["ACL", "LOG"]).contains("xclaim")).await;
    assert_eq!(node.metric("posthaste_parked_deliveries").await, 0.0);
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(8).await;
    redis.cli(&["ACL", "SETUSER", "default", "+xclaim"]);
    receiver.wait_for(20).await;
    assert_eq!(ids(&receiver), expected(0..20));
    until("the streams are not empty", async || backlog(&redis) == 0).await;
}

#[actix_rt::test]
async fn nodes_must_agree_on_the_partitions() {
    let redis = RedisServer::start();
    let _first = node(&redis.url(), &[]).await;
    let other = crate::support::settings(&on(&redis.url(), &[("POSTHASTE_CLUSTER__PARTITIONS", "8")]));
    let error = posthaste::node::Node::start(other).await.err().expect("refused").to_string();
    assert!(error.contains("`cluster.partitions` is 8 here") && error.contains("agreed on 16"), "{error}");
}

#[actix_rt::test]
async fn nodes_agree_again_after_redis_lost_its_data() {
    let redis = RedisServer::start();
    let _first = node(&redis.url(), &[DISPATCH]).await;
    redis.cli(&["FLUSHALL"]);
    until("it is not agreed on", async || redis.cli(&["GET", "{posthaste}:partitions"]) == "16").await;
    // Another node was faster: this node would use streams that no node reads.
    let ingest = node(&redis.url(), &[INGEST]).await;
    redis.cli(&["SET", "{posthaste}:partitions", "8"]);
    until_not_ready(&ingest).await;
    redis.cli(&["SET", "{posthaste}:partitions", "16"]);
    until_response(&ingest, 202, "").await;
}
