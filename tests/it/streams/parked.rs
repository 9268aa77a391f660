//! Deliveries beyond what a node holds for a destination are parked in their stream: any node sends them when it has
//! room, and meanwhile they delay no other.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BULK, DISPATCH, INGEST, STREAM, backlog, entry_ids, event, expected, ids, node, set_up, until,
    with_a_silent_receiver,
};
use crate::journal::Counter;
use crate::support::{Behaviour, Node, Received, Receiver, RedisServer, json_template};

/// Two connections, eight permits; no takeover, so that only parked deliveries move.
const SMALL: [(&str, &str); 5] = [
    ("POSTHASTE_CLUSTER__PARTITIONS", "1"),
    ("POSTHASTE_CLUSTER__TAKE_MAX", "8"),
    ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "600000"),
    ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
    ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
];
const PARKED: &str = "posthaste_parked_deliveries";
const WAITING: &str = "posthaste_queue_depth";
const QUEUE_FULL: &str = "posthaste_dropped_total{reason=\"queue_full\"}";

/// A node with 100 deliveries for a receiver that does not respond yet: two are in flight, two are queued, the others
/// are parked.
async fn holding_a_burst(redis: &RedisServer) -> (Node, Receiver) {
    let (node, receiver) = holding(redis, &[], 100, 96).await;
    assert_eq!((node.metric(WAITING).await, backlog(redis)), (2.0, 98));
    (node, receiver)
}

/// The same with further settings, and with this many deliveries, so that this many are parked.
async fn holding(redis: &RedisServer, more: &[(&str, &str)], deliveries: u32, parked: u32) -> (Node, Receiver) {
    let (node, receiver) = with_a_silent_receiver(redis, &[&SMALL[..], more].concat(), deliveries).await;
    node.wait_for_metric(PARKED, f64::from(parked)).await;
    (node, receiver)
}

#[actix_rt::test]
async fn it_is_sent_when_there_is_room_and_delays_no_other() {
    let redis = RedisServer::start();
    let (node, busy) = holding_a_burst(&redis).await;
    let prompt = Receiver::start();
    set_up(&node, &[], "prompt", prompt.url("/")).await;
    node.fire(event(100)).await;
    assert_eq!(prompt.wait_for(1).await[0].text(), "{\"id\":\"100\"}", "it came behind all the others");
    busy.behave(Behaviour::Respond(200));
    busy.wait_for(101).await;
    assert_eq!(ids(&busy), expected(0..101));
    node.wait_for_metric(PARKED, 0.0).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!(node.metric(QUEUE_FULL).await, 0.0);
    // Nothing is left of the consumer that they were parked under, once a node has checked for dead consumers.
    let _other = super::node(&redis.url(), &SMALL).await;
    until("it is still remembered", async || {
        !redis.cli(&["XINFO", "CONSUMERS", STREAM, "dispatch"]).contains("parked:")
    })
    .await;
}

#[actix_rt::test]
async fn it_keeps_its_order() {
    let redis = RedisServer::start();
    // With two connections, two deliveries could overtake one another.
    let one = [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1")];
    let (_node, receiver) = holding(&redis, &one, 100, 98).await;
    receiver.behave(Behaviour::Respond(200));
    let sent: Vec<String> = receiver.wait_for(100).await.iter().map(|request| request.text().to_owned()).collect();
    let in_order: Vec<String> = (0..100).map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
    assert_eq!(sent, in_order);
}

#[actix_rt::test]
async fn a_new_node_gets_its_share_at_once() {
    let redis = RedisServer::start();
    let (first, receiver) = holding_a_burst(&redis).await;
    let second = node(&redis.url(), &SMALL).await;
    second.wait_for_metric("posthaste_attempts_in_flight", 2.0).await;
    second.wait_for_metric(WAITING, 2.0).await;
    second.wait_for_metric(PARKED, 92.0).await;
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(100).await;
    assert_eq!(ids(&receiver), expected(0..100));
    for node in [first, second] {
        assert!(node.metric("posthaste_tickets_total{result=\"won\"}").await >= 4.0);
        assert_eq!(node.metric("posthaste_tickets_total{result=\"lost\"}").await, 0.0);
    }
}

#[actix_rt::test]
async fn a_stop_leaves_parked_deliveries_to_other_nodes() {
    let redis = RedisServer::start();
    let (first, receiver) = holding_a_burst(&redis).await;
    assert_eq!(first.stop().await.unsent, 2, "the two whose attempts are under way");
    assert_eq!(backlog(&redis), 98);
    receiver.behave(Behaviour::Respond(200));
    let _second = node(&redis.url(), &SMALL).await;
    receiver.wait_for(100).await;
    assert_eq!(ids(&receiver), expected(0..100));
}

#[actix_rt::test]
async fn deliveries_that_another_node_sent_are_left_out() {
    let redis = RedisServer::start();
    let (node, receiver) = holding_a_burst(&redis).await;
    // Of the bulk stream, which is empty until the node's first poll, and the rest of the first one.
    let (mut left, mut sent) = (expected(0..100), 0);
    for (stream, number) in [(BULK, 10), (STREAM, 30)] {
        let last = redis.cli(&["XREVRANGE", stream, "+", "-", "COUNT", &(number - sent).to_string()]);
        let entries = entry_ids(&last);
        if !entries.is_empty() {
            redis.cli(&[&["XACK", stream, "dispatch"], &entries[..]].concat());
            redis.cli(&[&["XDEL", stream], &entries[..]].concat());
        }
        sent += entries.len();
        left.retain(|body| !last.lines().any(|line| line == body));
    }
    assert_eq!((sent, left.len()), (30, 70));
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(70).await;
    node.wait_for_metric(PARKED, 0.0).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!((ids(&receiver), node.metric(QUEUE_FULL).await), (left, 0.0));
}

/// A new node handles all that is in the streams, however much it is.
#[actix_rt::test]
async fn a_new_node_drops_nothing_of_a_backlog() {
    let redis = RedisServer::start();
    // A hundred is what a lone account may have of it.
    let bound = ("POSTHASTE_CLUSTER__BACKLOG_MAX", "112");
    let ingest = node(&redis.url(), &[&SMALL[..], &[INGEST, bound]].concat()).await;
    let receiver = Receiver::start();
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    for id in 0..100 {
        ingest.fire(event(id)).await;
    }
    assert_eq!(ingest.post("/v1/events", &event(100)).await.status, 429);
    let dispatch = node(&redis.url(), &[&SMALL[..], &[DISPATCH, bound]].concat()).await;
    receiver.wait_for(100).await;
    assert_eq!(ids(&receiver), expected(0..100));
    for node in [ingest, dispatch] {
        assert_eq!(node.metric(QUEUE_FULL).await, 0.0);
    }
}

/// Half of the streams is for all other destinations. Over its share a destination gets no more deliveries, but events
/// are accepted.
#[actix_rt::test]
async fn no_destination_fills_the_streams() {
    let redis = RedisServer::start();
    let bound = [("POSTHASTE_CLUSTER__BACKLOG_MAX", "100")];
    let node = node(&redis.url(), &[&SMALL[..], &bound].concat()).await;
    let (silent, prompt) = (Receiver::start(), Receiver::start());
    silent.behave(Behaviour::Silence);
    set_up(&node, &[], "silent", silent.url("/")).await;
    let mut fired = 0;
    // One after the other: each is parked before the next is posted.
    while node.metric(QUEUE_FULL).await < 10.0 {
        node.fire(event(fired)).await;
        fired += 1;
        until("an event is still on its way", async || {
            let ended = node.metric(WAITING).await + node.metric(QUEUE_FULL).await + node.metric(PARKED).await;
            ended + node.metric("posthaste_attempts_in_flight").await == f64::from(fired)
        })
        .await;
    }
    // Four times what it and the two queued ones leave of fifty.
    assert_eq!(node.metric(PARKED).await, 39.0);
    // Another account has room for the same destination.
    let dropped = node.metric(QUEUE_FULL).await;
    set_up_other(&node, &silent).await;
    for id in 0..3 {
        node.fire(of_other(id)).await;
    }
    // One of them has a place in the queue.
    node.wait_for_metric(PARKED, 41.0).await;
    assert_eq!(node.metric(QUEUE_FULL).await, dropped);
    set_up(&node, &[], "prompt", prompt.url("/")).await;
    node.fire(event("last")).await;
    prompt.wait_for(1).await;
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"engine_full\"}").await, 0.0);
}

/// Saves a trigger of another account.
async fn set_up_other(node: &Node, receiver: &Receiver) {
    let trigger = json!({"event": "a", "template": "w", "url": receiver.url("/other")});
    for (path, document) in [("templates/w", json_template()), ("triggers/t", trigger)] {
        assert!(node.put(&format!("/v1/accounts/other/{path}"), &document).await.status < 300);
    }
}

fn of_other(id: usize) -> Value {
    json!({"type": "a", "account": "other", "id": id.to_string(), "data": {}})
}

fn from_other(received: &[Received]) -> usize {
    received.iter().filter(|received| received.path == "/other").count()
}

/// Where much of one account is parked, another account's deliveries to the same destination take turns with it.
#[actix_rt::test]
async fn accounts_take_turns_at_a_destination() {
    let redis = RedisServer::start();
    let (node, receiver) = holding_a_burst(&redis).await;
    set_up_other(&node, &receiver).await;
    for id in 0..4 {
        node.fire(of_other(id)).await;
    }
    // One of them has a place in the queue.
    node.wait_for_metric(PARKED, 99.0).await;
    receiver.behave(Behaviour::Respond(200));
    let received = receiver.wait_for(104).await;
    assert_eq!((from_other(&received[..40]), from_other(&received)), (4, 4), "they came behind the others");
}

/// What one account has in a stream keeps no other account's deliveries in that stream waiting, also where its own
/// destination always goes on.
#[actix_rt::test]
async fn an_account_that_fills_a_stream_holds_up_no_other() {
    let redis = RedisServer::start();
    let ingest = node(&redis.url(), &[&SMALL[..], &[INGEST]].concat()).await;
    let (steady, prompt) = (Counter::start(Duration::from_millis(20)), Receiver::start());
    set_up(&ingest, &[], "t", steady.url()).await;
    set_up_other(&ingest, &prompt).await;
    for id in 0..400 {
        ingest.fire(event(id)).await;
    }
    ingest.fire(of_other(0)).await;
    let _dispatch = node(&redis.url(), &[&SMALL[..], &[DISPATCH]].concat()).await;
    prompt.wait_for(1).await;
    let before = steady.arrived().len();
    assert!(before < 300, "{before} came before it");
}

/// Without a queue, each is fetched when a connection is free, and all connections are used.
#[actix_rt::test]
async fn it_is_sent_without_a_queue() {
    let redis = RedisServer::start();
    let more =
        [("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "0"), ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "4")];
    let (node, receiver) = holding(&redis, &more, 50, 46).await;
    node.wait_for_metric("posthaste_attempts_in_flight", 4.0).await;
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(50).await;
    assert_eq!(ids(&receiver), expected(0..50));
}

/// Another program may add a delivery to the wrong stream: it is sent from there.
#[actix_rt::test]
async fn it_is_sent_from_a_stream_that_is_not_its_destinations() {
    let redis = RedisServer::start();
    let more = [("POSTHASTE_CLUSTER__PARTITIONS", "2"), ("POSTHASTE_DISPATCH__THREADS", "2")];
    let (first, receiver) = holding(&redis, &more, 1, 0).await;
    receiver.wait_for(1).await;
    let streams = [STREAM, "{posthaste:1}:deliveries"];
    for id in 1..101 {
        let body = format!("{{\"id\":\"{id}\"}}");
        redis.add_delivery(streams[id % 2], &receiver.url("/"), &body, &[]);
    }
    until("little is parked", async || first.metric(PARKED).await > 80.0).await;
    first.stop().await;
    // A node that learns of it only through Redis.
    let quick = [more[0], ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200")];
    let _second = node(&redis.url(), &[&SMALL[..], &quick].concat()).await;
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(101).await;
    assert_eq!(ids(&receiver), expected(0..101));
    until("the streams are not empty", async || backlog(&redis) == 0).await;
}

/// A node at its bound of destinations leaves a further one to other nodes or to later.
#[actix_rt::test]
async fn it_is_sent_when_there_is_room_for_its_destination() {
    let redis = RedisServer::start();
    let more = [
        ("POSTHASTE_DISPATCH__THREADS", "1"),
        ("POSTHASTE_DISPATCH__DESTINATIONS_MAX", "1"),
        ("POSTHASTE_DISPATCH__IDLE_DESTINATION_MS", "100"),
    ];
    let (node, busy) = holding(&redis, &more, 1, 0).await;
    let other = Receiver::start();
    busy.wait_for(1).await;
    set_up(&node, &[], "other", other.url("/")).await;
    node.fire(event(1)).await;
    node.wait_for_metric(PARKED, 1.0).await;
    assert_eq!(other.received().len(), 0);
    busy.behave(Behaviour::Respond(200));
    other.wait_for(1).await;
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"destinations_full\"}").await, 0.0);
}

/// Bodies that are too large for the queue are sent when a connection is free.
#[actix_rt::test]
async fn it_is_sent_although_no_body_may_be_queued() {
    let redis = RedisServer::start();
    let more = [("POSTHASTE_DISPATCH__QUEUE_BYTES_PER_DESTINATION", "0")];
    let (node, receiver) = holding(&redis, &more, 50, 48).await;
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(50).await;
    assert_eq!(ids(&receiver), expected(0..50));
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"queue_bytes_full\"}").await, 0.0);
}

/// After a broken connection Redis may have given entries that never arrived: they are claimed from the old name.
#[actix_rt::test]
async fn broken_connections_lose_and_repeat_nothing() {
    let redis = RedisServer::start();
    let quick = [("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "200")];
    let (_node, receiver) = holding(&redis, &quick, 500, 496).await;
    receiver.behave(Behaviour::Respond(200));
    for arrived in [50, 100, 200, 300] {
        receiver.wait_for(arrived).await;
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    receiver.wait_for(500).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!(ids(&receiver), expected(0..500));
}
