//! The handshake of CloudEvents: a receiver is asked for its consent, and may allow a rate.

use serde_json::json;

use super::{field, receiver};
use crate::support::{Node, json_template};

/// Asks for the consent of receivers on loopback.
const ASKING: [(&str, &str); 2] = [
    ("POSTHASTE_DISPATCH__HANDSHAKE_HOSTS", "[\"127.0.0.1\"]"),
    ("POSTHASTE_DISPATCH__HANDSHAKE_ORIGIN", "events.example.com"),
];

#[actix_rt::test]
async fn a_receiver_is_asked_once_and_its_response_counts() {
    for (fields, reason) in [
        ("webhook-allowed-origin: events.example.com\r\nwebhook-allowed-rate: *\r\n", None),
        ("WebHook-Allowed-Origin: *\r\n", None),
        ("webhook-allowed-origin: other.example.com\r\n", Some("handshake_refused")),
        ("", Some("handshake_refused")),
    ] {
        let (port, seen) = receiver(move |head| {
            let fields = if head[0].starts_with("options ") { fields } else { "" };
            format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n")
        });
        let node = Node::start(&ASKING).await;
        let url = format!("http://127.0.0.1:{port}/hook?a=b");
        node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
        for _ in 0..3 {
            let reply = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
            assert_eq!(reply["delivered"], reason.is_none(), "{fields:?}: {reply}");
            assert_eq!(reply["reason"], json!(reason), "{fields:?}");
        }
        let seen = seen.lock().expect("whole");
        assert_eq!(seen[0][0], "options /hook?a=b http/1.1");
        assert_eq!(field(&seen[0], "webhook-request-origin"), Some("events.example.com"));
        let posts = if reason.is_none() { 3 } else { 0 };
        assert_eq!(seen.len(), 1 + posts, "{fields:?}: {seen:?}");
        assert!(seen[1..].iter().all(|head| head[0].starts_with("post ")));
    }
}

/// A rate of 600 per minute is ten per second.
#[actix_rt::test]
async fn the_rate_that_a_receiver_allows_is_respected() {
    let (port, _seen) = receiver(|_| {
        "HTTP/1.1 200 OK\r\nwebhook-allowed-origin: *\r\nwebhook-allowed-rate: 600\r\ncontent-length: 0\r\n\r\n"
            .to_owned()
    });
    let node = Node::start(&ASKING).await;
    let url = format!("http://127.0.0.1:{port}/");
    node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
    let begun = std::time::Instant::now();
    let events: Vec<_> = (0..6).map(|_| json!({"type": "a", "data": {}})).collect();
    node.post("/v1/events", &events.into()).await;
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 6.0).await;
    assert!(begun.elapsed() >= std::time::Duration::from_millis(500), "{:?}", begun.elapsed());
}

/// What is over the rate has not begun: it waits where it is not lost with the node.
#[actix_rt::test]
async fn what_is_over_the_rate_waits_in_its_queue() {
    let (port, seen) = receiver(|_| {
        "HTTP/1.1 200 OK\r\nwebhook-allowed-origin: *\r\nwebhook-allowed-rate: 1\r\ncontent-length: 0\r\n\r\n"
            .to_owned()
    });
    let node = Node::start(&ASKING).await;
    let url = format!("http://127.0.0.1:{port}/");
    node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
    let events: Vec<_> = (0..5).map(|_| json!({"type": "a", "data": {}})).collect();
    node.post("/v1/events", &events.into()).await;
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 1.0).await;
    node.wait_for_metric("posthaste_attempts_in_flight", 0.0).await;
    let destinations = node.get("/v1/destinations").await.json();
    assert_eq!(destinations["items"][0]["queued"], 4, "{destinations}");
    let seen: Vec<_> = seen.lock().expect("whole").iter().map(|head| head[0].clone()).collect();
    assert_eq!(seen, ["options / http/1.1", "post / http/1.1"]);
}
