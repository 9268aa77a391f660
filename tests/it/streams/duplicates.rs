//! Repeated events, if the settings say that they fire nothing: on one node with its own store, and on two nodes that
//! share Redis.

use awc::http::Method;
use serde_json::{Value, json};

use super::{INGEST, event, expected, ids, node, set_up, until};
use crate::support::{Behaviour, Node, Receiver, RedisCluster, RedisServer};

const WINDOW: (&str, &str) = ("POSTHASTE_INGEST__DUPLICATE_WINDOW_MS", "60000");

/// Posts lines of events; returns how many were accepted.
async fn post(node: &Node, events: &[Value]) -> u64 {
    let body = events.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let reply = node.call(Method::POST, "/v1/events", &[("content-type", "application/x-ndjson")], body).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    reply.json()["accepted"].as_u64().expect("a number")
}

async fn each_fires_once(first: &Node, second: &Node, receiver: &Receiver) {
    set_up(first, &[second], "t", receiver.url("/")).await;
    assert_eq!(post(first, &[event(1), event(2), event(1)]).await, 3);
    assert_eq!(post(second, &[event(2), event(3)]).await, 2);
    assert_eq!(post(second, &[event(3)]).await, 1, "nothing new is a response too");
    // Account, source and id identify an event. A generated id is always new.
    let cloud = |source: &str| json!({"specversion": "1.0", "type": "a", "source": source, "id": "1", "data": {}});
    for source in ["/s", "/s", "/t"] {
        let json = [("content-type", "application/cloudevents+json")];
        assert_eq!(second.call(Method::POST, "/v1/events", &json, cloud(source).to_string()).await.status, 202);
    }
    post(first, &[json!({"type": "a", "account": "other", "id": "1", "data": {}})]).await;
    let made = json!({"type": "a", "data": {}});
    assert_eq!(post(first, &[made.clone(), made]).await, 2);
    receiver.wait_for(7).await;
    let duplicates = "posthaste_duplicates_total";
    let apart = !std::ptr::eq(first, second);
    let counted = first.metric(duplicates).await + if apart { second.metric(duplicates).await } else { 0.0 };
    assert_eq!(counted, 4.0);
    let mut known = expected([1, 1, 1, 2, 3]);
    known.sort();
    let arrived: Vec<String> = ids(receiver).into_iter().filter(|id| id.len() < 12).collect();
    assert_eq!((arrived, receiver.received().len()), (known, 7));
}

#[actix_rt::test]
async fn a_single_node_remembers_accepted_events() {
    let (node, receiver) = (Node::start(&[WINDOW]).await, Receiver::start());
    each_fires_once(&node, &node, &receiver).await;
}

#[actix_rt::test]
async fn nodes_on_one_redis_share_their_memory() {
    let redis = RedisServer::start();
    let (first, second) = (node(&redis.url(), &[WINDOW]).await, node(&redis.url(), &[WINDOW]).await);
    let receiver = Receiver::start();
    each_fires_once(&first, &second, &receiver).await;
    let keys = redis.cli(&["KEYS", "posthaste:seen:*"]);
    let life: i64 = redis.cli(&["PTTL", keys.lines().next().expect("a key")]).parse().expect("a number");
    assert!((1..=60_000).contains(&life), "an id goes away by itself");
}

#[actix_rt::test]
async fn nodes_on_a_cluster_share_their_memory() {
    let cluster = RedisCluster::start();
    let (first, second) = (node(&cluster.url(), &[WINDOW]).await, node(&cluster.url(), &[WINDOW]).await);
    each_fires_once(&first, &second, &Receiver::start()).await;
}

#[actix_rt::test]
async fn without_a_window_every_event_fires() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    assert_eq!(post(&node, &[event(1), event(1)]).await, 2);
    assert_eq!(post(&node, &[event(1)]).await, 1);
    receiver.wait_for(3).await;
}

#[actix_rt::test]
async fn a_refused_event_may_be_sent_again() {
    let redis = RedisServer::start();
    let full = [INGEST, WINDOW, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "1")];
    let (ingest, receiver) = (node(&redis.url(), &full).await, Receiver::start());
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    assert_eq!(post(&ingest, &[event(1)]).await, 1);
    assert_eq!(ingest.post("/v1/events", &event(2)).await.status, 429);
    receiver.behave(Behaviour::Respond(200));
    let _dispatch = node(&redis.url(), &[WINDOW]).await;
    until("room is not seen", async || ingest.post("/v1/events", &event(2)).await.status == 202).await;
    receiver.wait_for(2).await;
    until("room is not seen", async || ingest.post("/v1/events", &json!([event(1), event(2)])).await.status == 202)
        .await;
    assert_eq!(ids(&receiver), expected([1, 2]));
    assert_eq!(ingest.metric("posthaste_duplicates_total").await, 2.0);
}

#[actix_rt::test]
async fn many_at_once_fire_once() {
    let redis = RedisServer::start();
    let (first, second) = (node(&redis.url(), &[WINDOW]).await, node(&redis.url(), &[WINDOW]).await);
    let receiver = Receiver::start();
    set_up(&first, &[&second], "t", receiver.url("/")).await;
    // Each request has ids in common with the others, in another order.
    let all: Vec<Value> = (0..20).map(event).collect();
    let turned = |by: usize| [&all[by..], &all[..by]].concat();
    let posts = (0..20).map(|by| {
        let node = if by % 2 == 0 { &first } else { &second };
        let events = turned(by);
        async move { post(node, &events).await }
    });
    let accepted = futures_util::future::join_all(posts).await;
    assert_eq!(accepted, [20; 20]);
    receiver.wait_for(20).await;
    assert_eq!(ids(&receiver), expected(0..20));
}

#[actix_rt::test]
async fn a_closed_connection_costs_no_event() {
    let redis = RedisServer::start();
    let local = ("POSTHASTE_DISPATCH__HAND_OVER", "local");
    let (node, receiver) = (node(&redis.url(), &[WINDOW, local]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    assert_eq!(post(&node, &[event(0)]).await, 1);
    for number in 1..4 {
        redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert_eq!(post(&node, &[event(number)]).await, 1);
    }
    receiver.wait_for(4).await;
}

#[actix_rt::test]
async fn a_claim_that_got_no_response_does_not_keep_its_id() {
    let redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[WINDOW]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    assert_eq!(post(&node, &[event(0)]).await, 1);
    redis.signal("STOP");
    assert_eq!(node.post("/v1/events", &event(1)).await.problem(), (503, "store_unavailable".into()));
    redis.signal("CONT");
    // Redis executes the claim now, and the node frees it.
    until("the claim is not freed", async || match node.post("/v1/events", &event(1)).await {
        reply if reply.status == 202 => true,
        reply => {
            assert_eq!(reply.problem(), (503, "store_unavailable".into()));
            false
        }
    })
    .await;
    receiver.wait_for(2).await;
    assert_eq!(ids(&receiver), expected([0, 1]));
}

#[actix_rt::test]
async fn a_claim_that_got_no_response_does_not_keep_its_id_from_other_nodes() {
    let redis = RedisServer::start();
    let (first, second) = (node(&redis.url(), &[WINDOW]).await, node(&redis.url(), &[WINDOW]).await);
    let receiver = Receiver::start();
    set_up(&first, &[&second], "t", receiver.url("/")).await;
    assert_eq!(post(&first, &[event(0)]).await, 1);
    redis.signal("STOP");
    assert_eq!(first.post("/v1/events", &event(1)).await.problem(), (503, "store_unavailable".into()));
    redis.signal("CONT");
    for (node, number) in [(&first, 2), (&second, 1)] {
        until("Redis is not seen", async || match node.post("/v1/events", &event(number)).await {
            reply if reply.status == 202 => true,
            reply => {
                assert_eq!(reply.problem(), (503, "store_unavailable".into()), "{number}");
                false
            }
        })
        .await;
    }
    receiver.wait_for(3).await;
    assert_eq!(ids(&receiver), expected([0, 1, 2]));
}

#[actix_rt::test]
async fn an_id_that_another_request_holds_is_said() {
    let redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[WINDOW]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    assert_eq!(post(&node, &[event(0)]).await, 1);
    let key = redis.cli(&["KEYS", "posthaste:seen:*"]);
    // A request of a node that died.
    redis.cli(&["SET", key.trim(), "another", "PX", "600000"]);
    let reply = node.post("/v1/events", &event(0)).await;
    assert_eq!((reply.problem(), reply.header("retry-after").as_str()), ((503, "id_in_progress".into()), "5"));
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"id_in_progress\"}").await, 1.0);
}
