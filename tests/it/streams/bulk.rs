//! A partition's second stream: what an account adds that has many entries there does not stand before the few of
//! others. EARLIER(node): where such a node has the role `dispatch`, packs are not read.

use serde_json::{Value, json};

use super::{BULK, DISPATCH, INGEST, PACKS, STREAM, backlog, node, until};
use crate::support::{Node, Receiver, RedisServer, json_template};

pub(super) const ONE_PARTITION: (&str, &str) = ("POSTHASTE_CLUSTER__PARTITIONS", "1");
pub(super) const BACKLOG: &str = "posthaste_backlog_deliveries";

/// Events of an account, whose bodies are their ids.
pub(super) fn events(account: &str, ids: std::ops::Range<usize>) -> Value {
    json!(ids.map(|id| json!({"type": "a", "account": account, "id": id.to_string(), "data": {}})).collect::<Vec<_>>())
}

/// A node that only adds to the streams, with a trigger of each account for this receiver. It knows that an earlier node with
/// the role `dispatch` was there, and has 1 entry.
async fn ingest_node(redis: &RedisServer, accounts: &[&str], receiver: &Receiver) -> Node {
    for stream in [STREAM, BULK] {
        redis.cli(&["XGROUP", "CREATE", stream, "dispatch", "0", "MKSTREAM"]);
    }
    ingest_node_alone(redis, accounts, receiver).await
}

/// The same, and no node with that role was there.
pub(super) async fn ingest_node_alone(redis: &RedisServer, accounts: &[&str], receiver: &Receiver) -> Node {
    let ingest = node(&redis.url(), &[INGEST, ONE_PARTITION]).await;
    for account in accounts {
        ingest.set_up_in(account, "t", &json_template(), json!({"event": "a", "url": receiver.url("/")})).await;
    }
    post(&ingest, events(accounts[0], 0..1)).await;
    ingest.wait_for_metric(BACKLOG, 1.0).await;
    ingest
}

pub(super) async fn post(node: &Node, events: Value) {
    assert_eq!(node.post("/v1/events", &events).await.status, 202);
}

/// How many entries are in the first stream and in the bulk stream.
fn lengths(redis: &RedisServer) -> [String; 2] {
    [STREAM, BULK].map(|stream| redis.cli(&["XLEN", stream]))
}

#[actix_rt::test]
async fn what_an_account_adds_beyond_a_few_goes_to_the_bulk_stream() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let ingest = ingest_node(&redis, &["flood", "other"], &receiver).await;
    post(&ingest, events("flood", 1..200)).await;
    post(&ingest, events("other", 200..203)).await;
    assert_eq!(lengths(&redis), ["67", "136"], "64 of the flood, then the other's");
    post(&ingest, events("flood", 203..204)).await;
    assert_eq!(lengths(&redis), ["67", "137"]);
    let held = ["{posthaste:0}:held", "{posthaste:0}:bulk:held"].map(|key| redis.cli(&["HGET", key, "flood"]));
    assert_eq!(held, ["64", "137"]);
    let dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION]).await;
    receiver.wait_for(204).await;
    assert_eq!(super::ids(&receiver), super::expected(0..204));
    until("entries are not counted out", async || {
        redis.cli(&["KEYS", "{posthaste:*}:*held"]).is_empty() && backlog(&redis) == 0
    })
    .await;
    dispatch.stop().await;
    ingest.wait_for_metric(BACKLOG, 0.0).await;
    post(&ingest, events("flood", 204..205)).await;
    assert_eq!(lengths(&redis), ["1", "0"], "it has few again");
}

#[actix_rt::test]
async fn few_entries_do_not_wait_behind_many() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let ingest = ingest_node(&redis, &["flood", "other"], &receiver).await;
    post(&ingest, events("flood", 1..1_500)).await;
    post(&ingest, events("other", 1_500..1_501)).await;
    let narrow = [("POSTHASTE_CLUSTER__TAKE_MAX", "8"), ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2")];
    let _dispatch = node(&redis.url(), &[&[DISPATCH, ONE_PARTITION], &narrow[..]].concat()).await;
    let received = receiver.wait_for(1_501).await;
    let place = received.iter().position(|request| request.text() == "{\"id\":\"1500\"}").expect("it arrives");
    assert!(place < 250, "{place} of the flood came first");
}

#[actix_rt::test]
async fn what_a_dead_node_held_of_both_streams_is_sent() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    for (stream, body) in [(STREAM, "first"), (BULK, "bulk")] {
        redis.add_delivery(stream, &receiver.url("/"), body, &[]);
        redis.cli(&["XGROUP", "CREATE", stream, "dispatch", "0"]);
        let read = ["XREADGROUP", "GROUP", "dispatch", "dead", "STREAMS", stream, ">"];
        assert_eq!(super::entry_ids(&redis.cli(&read)).len(), 1);
    }
    let quick = ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200");
    let node = node(&redis.url(), &[DISPATCH, ONE_PARTITION, quick]).await;
    let mut bodies: Vec<String> = receiver.wait_for(2).await.iter().map(|request| request.text().to_owned()).collect();
    bodies.sort();
    assert_eq!(bodies, ["bulk", "first"]);
    until("a stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!(node.metric("posthaste_claims_total").await, 2.0);
    for stream in [STREAM, BULK] {
        until("the dead consumer is still known", async || {
            !redis.cli(&["XINFO", "CONSUMERS", stream, "dispatch"]).contains("dead")
        })
        .await;
    }
}

/// EARLIER(node): only the first stream is read there.
#[actix_rt::test]
async fn nothing_is_added_to_the_other_streams_before_a_node_reads_them() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    redis.cli(&["XGROUP", "CREATE", STREAM, "dispatch", "0", "MKSTREAM"]);
    let ingest = ingest_node_alone(&redis, &["flood"], &receiver).await;
    post(&ingest, events("flood", 1..200)).await;
    assert_eq!((lengths(&redis), redis.cli(&["XLEN", PACKS])), (["200", "0"].map(String::from), "0".to_owned()));
    let dispatch = node(&redis.url(), &[DISPATCH, ONE_PARTITION]).await;
    receiver.wait_for(200).await;
    dispatch.stop().await;
    ingest.wait_for_metric(BACKLOG, 0.0).await;
    post(&ingest, events("flood", 200..400)).await;
    assert_eq!(lengths(&redis)[0], "64");
    assert_ne!(redis.cli(&["XLEN", PACKS]), "0");
}
