//! Deliveries that bring events back: hops are counted, and a loop ends.

use awc::http::Method;
use serde_json::json;

use crate::support::{Node, Receiver, json_template};

#[actix_rt::test]
async fn hops_are_counted_and_end_at_eight() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let event = json!({"type": "a", "data": {}}).to_string();
    for (hops, expected) in [(None, "1"), (Some("0"), "1"), (Some("1"), "2"), (Some("7"), "8")] {
        let before = receiver.received().len();
        let headers: Vec<_> = [("content-type", "application/json")]
            .into_iter()
            .chain(hops.map(|hops| ("posthaste-hops", hops)))
            .collect();
        assert_eq!(node.call(Method::POST, "/v1/events", &headers, event.clone()).await.status, 202);
        let received = receiver.wait_for(before + 1).await;
        assert_eq!(received[before].header("posthaste-hops"), Some(expected), "{hops:?}");
        assert_eq!(received[before].header("accept"), Some("*/*"));
    }
    for (hops, problem) in [
        ("8", (508, "loop")),
        ("9", (508, "loop")),
        ("99999999999999999999", (508, "loop")),
        ("", (400, "bad_hops")),
        ("-1", (400, "bad_hops")),
        ("one", (400, "bad_hops")),
    ] {
        let headers = [("content-type", "application/json"), ("posthaste-hops", hops)];
        let reply = node.call(Method::POST, "/v1/events", &headers, event.clone()).await;
        assert_eq!(reply.problem(), (problem.0, problem.1.to_owned()), "{hops:?}");
    }
    assert_eq!(receiver.received().len(), 4);
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"loop\"}").await, 3.0);
}

/// Two nodes whose triggers send to each other: one event ends after eight deliveries.
#[actix_rt::test]
async fn a_loop_through_another_node_ends() {
    let (one, two) = (Node::start(&[]).await, Node::start(&[]).await);
    let template = json!({"format": "json", "body": "{\"type\":\"again\",\"data\":{}}"});
    for (node, other) in [(&one, &two), (&two, &one)] {
        let url = format!("http://{}/v1/events", other.running().address());
        node.set_up("t", &template, json!({"event": "*", "url": url})).await;
    }
    one.fire(json!({"type": "first", "data": {}})).await;
    two.wait_for_metric("posthaste_attempts_total{outcome=\"server_error\"}", 1.0).await;
    // An attempt ends after its receiver has passed the event on, so the last response is not the last outcome.
    let delivered = "posthaste_attempts_total{outcome=\"delivered\"}";
    one.wait_for_metric(delivered, 4.0).await;
    two.wait_for_metric(delivered, 3.0).await;
}

#[actix_rt::test]
async fn a_node_never_sends_to_itself() {
    let node = Node::start(&[]).await;
    let url = format!("http://{}/v1/events", node.running().address());
    node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
    let reply = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await;
    assert_eq!(reply.json()["reason"], "address_refused");
}
