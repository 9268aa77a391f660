//! From the node that accepts an event to the node that sends: what a receiver gets, how a trigger is tested, and how
//! each role responds.

use serde_json::json;

use super::{DISPATCH, INGEST, backlog, event, expected, ids, node, set_up, until};
use crate::support::{Behaviour, Node, Receiver, RedisServer, json_template};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[actix_rt::test]
async fn one_node_accepts_and_another_sends() {
    let redis = RedisServer::start();
    let (ingest, dispatch) = (node(&redis.url(), &[INGEST]).await, node(&redis.url(), &[DISPATCH]).await);
    let receiver = Receiver::start();
    for (format, body) in [
        ("json", "{\"name\":\"{{guest.name}}\"}"),
        ("xml", "<guest>{{guest.name}}</guest>"),
        ("form", "name={{guest.name}}"),
        ("text", "{{guest.name}}"),
    ] {
        let trigger = json!({"event": "guest.created", "url": receiver.url(&format!("/{format}?a=%7C")),
                             "headers": {"X-Token": "t"}, "secret": SECRET});
        ingest.set_up(format, &json!({"format": format, "body": body}), trigger).await;
    }
    ingest.fire(json!({"type": "guest.created", "id": "e1", "data": {"guest": {"name": "Zoë \"Zo\" & <o>"}}})).await;
    let mut received = receiver.wait_for(4).await;
    received.sort_by(|a, b| a.path.cmp(&b.path));
    let oracle = standardwebhooks::Webhook::new(SECRET).expect("the oracle takes it");
    for (request, (path, content_type, body)) in received.iter().zip([
        ("/form?a=%7C", "application/x-www-form-urlencoded", "name=Zo%C3%AB%20%22Zo%22%20%26%20%3Co%3E"),
        ("/json?a=%7C", "application/json", "{\"name\":\"Zoë \\\"Zo\\\" & <o>\"}"),
        ("/text?a=%7C", "text/plain; charset=utf-8", "Zoë \"Zo\" & <o>"),
        ("/xml?a=%7C", "application/xml", "<guest>Zoë \"Zo\" &amp; &lt;o&gt;</guest>"),
    ]) {
        assert_eq!((request.path.as_str(), request.header("content-type")), (path, Some(content_type)));
        assert_eq!((request.text(), request.header("x-token")), (body, Some("t")));
        let (id, at) = (request.header("webhook-id").expect("an id"), request.header("webhook-timestamp"));
        let signature = oracle.sign(id, at.expect("a time").parse().expect("seconds"), &request.body);
        assert_eq!(request.header("webhook-signature"), Some(signature.expect("signed").as_str()));
    }
    until("entries stayed in the streams", async || backlog(&redis) == 0).await;
    assert_eq!(dispatch.metric("posthaste_tickets_total{result=\"won\"}").await, 4.0);
    assert_eq!((ingest.stop().await.unsent, dispatch.stop().await.unsent), (0, 0));
}

#[actix_rt::test]
async fn each_role_responds_for_itself() {
    let redis = RedisServer::start();
    let (ingest, dispatch) = (node(&redis.url(), &[INGEST]).await, node(&redis.url(), &[DISPATCH]).await);
    for node in [&ingest, &dispatch] {
        assert_eq!(node.get("/readyz").await.status, 200);
    }
    let refused = dispatch.post("/v1/events", &event(1)).await;
    assert_eq!(refused.problem(), (503, "not_an_ingest_node".to_owned()));
    assert_eq!(ingest.metric("posthaste_destinations").await, 0.0);
    let receiver = Receiver::start();
    set_up(&dispatch, &[&ingest], "t", receiver.url("/")).await;
}

#[actix_rt::test]
async fn a_trigger_is_tested_by_the_node_that_sends() {
    let redis = RedisServer::start();
    let (ingest, _dispatch) = (node(&redis.url(), &[INGEST]).await, node(&redis.url(), &[DISPATCH]).await);
    let receiver = Receiver::start();
    ingest.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    for (behaviour, delivered, status, reason) in [
        (Behaviour::Respond(204), true, json!(204), json!(null)),
        (Behaviour::Respond(500), false, json!(500), json!("server_error")),
        (Behaviour::HangUp, false, json!(null), json!("connection_lost_after_send")),
    ] {
        receiver.behave(behaviour);
        let reply = ingest.post("/v1/accounts/default/triggers/t/test", &json!({})).await;
        let response = reply.json();
        assert_eq!((reply.status, &response["delivered"]), (200, &json!(delivered)), "{response}");
        assert_eq!((&response["status"], &response["reason"]), (&status, &reason));
        assert!(response["duration_ms"].is_u64());
    }
    assert_eq!(redis.cli(&["KEYS", "*reply*"]), "", "what was fetched is gone");
}

#[actix_rt::test]
async fn a_test_that_no_node_makes_gets_a_response() {
    let redis = RedisServer::start();
    let short = [("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "50"), ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "100")];
    let ingest = node(&redis.url(), &[INGEST, short[0], short[1]]).await;
    set_up(&ingest, &[], "t", Receiver::start().url("/")).await;
    let reply = ingest.post("/v1/accounts/default/triggers/t/test", &json!({})).await;
    assert_eq!(reply.problem(), (504, "test_unanswered".to_owned()));
}

/// Under load, and with a backlog: two nodes join, one leaves, another joins, another leaves.
#[actix_rt::test]
async fn nodes_may_join_and_leave_under_load() {
    let redis = RedisServer::start();
    let small = [
        DISPATCH,
        ("POSTHASTE_CLUSTER__TAKE_MAX", "16"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
        // No takeover is awaited: a node that stops gives back its deliveries.
        ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "1000"),
    ];
    let join = async || node(&redis.url(), &small).await;
    let (ingest, first) = (node(&redis.url(), &[INGEST]).await, join().await);
    let receiver = Receiver::start();
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    let mut posted = 0;
    let mut post = async |count: usize| {
        for id in posted..posted + count {
            ingest.fire(event(id)).await;
        }
        posted += count;
    };
    let has_work = async |node: &Node| node.wait_for_metric("posthaste_attempts_in_flight", 2.0).await;
    receiver.behave(Behaviour::Silence);
    post(200).await;
    has_work(&first).await;
    let second = join().await;
    has_work(&second).await;
    post(200).await;
    let third = join().await;
    has_work(&third).await;
    assert_eq!(first.stop().await.unsent, 2, "the two that are under way");
    receiver.behave(Behaviour::Respond(200));
    post(200).await;
    let fourth = join().await;
    post(200).await;
    assert_eq!(second.stop().await.unsent, 0);
    post(200).await;
    receiver.wait_for(1_000).await;
    assert_eq!(ids(&receiver), expected(0..1_000));
    until("entries stayed in the streams", async || backlog(&redis) == 0).await;
    for node in [third, fourth] {
        let share = node.metric("posthaste_tickets_total{result=\"won\"}").await;
        assert!(share >= 50.0, "one that joined sent {share} of 1,000");
    }
}
