//! No account can delay or displace another: small, deterministic versions of the rows of `scripts/bench isolation`.

mod connections;
mod trigger_tests;

use std::io::Write as _;
use std::net::TcpStream;

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{Behaviour, DEADLINE, Node, Receiver, json_template};

/// Saves a template and a trigger in an account.
async fn set_up(node: &Node, account: &str, id: &str, trigger: Value) {
    let path = format!("/v1/accounts/{account}");
    let reply = node.put(&format!("{path}/templates/w"), &json_template()).await;
    assert!(reply.status < 300, "{}", reply.json());
    let mut trigger = trigger;
    trigger["template"] = "w".into();
    let reply = node.put(&format!("{path}/triggers/{id}"), &trigger).await;
    assert!(reply.status < 300, "{}", reply.json());
}

fn event(account: &str, id: usize) -> Value {
    json!({"type": "a", "account": account, "id": id.to_string(), "data": {}})
}

/// A request that fires more than its account may have in flight is accepted and worked off, and no more than that is
/// held at a time. Meanwhile another account's events are accepted and sent, and the counts are right.
#[actix_rt::test]
async fn a_request_that_fires_much_delays_no_other_account() {
    let node = Node::start(&[
        ("POSTHASTE_INGEST__DELIVERIES_IN_FLIGHT_MAX", "90"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "9"),
        // The receiver is silent for as long as the test wants.
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ])
    .await;
    let (flood, other) = (Receiver::start(), Receiver::start());
    flood.behave(Behaviour::Silence);
    for id in 0..50 {
        set_up(&node, "flood", &format!("t{id}"), json!({"event": "a", "url": flood.url("/flood")})).await;
    }
    set_up(&node, "other", "t", json!({"event": "a", "url": other.url("/other")})).await;
    let many: Vec<Value> = (0..20).map(|id| event("flood", id)).collect();
    let posted = async {
        let reply = node.post("/v1/events", &json!(many)).await;
        assert_eq!((reply.status, reply.json()["accepted"].as_u64()), (202, Some(20)));
    };
    let others = async {
        // All connections of the silent receiver that its account may have, and all permits.
        node.wait_for_metric("posthaste_attempts_in_flight", 8.0).await;
        node.wait_for_metric("posthaste_queue_depth", 80.0).await;
        for id in 0..50 {
            node.fire(event("other", id)).await;
        }
        other.wait_for(50).await;
        let fired = node.metric("posthaste_firings_matched_total").await;
        assert_eq!(fired, 50.0 + 88.0, "what the account may hold, and not all");
        flood.behave(Behaviour::Respond(200));
    };
    futures_util::future::join(posted, others).await;
    assert_eq!((flood.wait_for(1_000).await.len(), other.received().len()), (1_000, 50));
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 1_050.0).await;
    for reason in ["stopped", "queue_full", "queue_bytes_full", "panic"] {
        assert_eq!(node.metric(&format!("posthaste_dropped_total{{reason=\"{reason}\"}}")).await, 0.0, "{reason}");
    }
    assert_eq!(node.metric("posthaste_firings_matched_total").await, 1_050.0);
}

/// A request that exceeds what its account may have in flight gets 429, and no event of it is accepted. Once nothing is
/// in flight, the same request is accepted.
#[actix_rt::test]
async fn an_account_over_its_share_is_refused_and_a_later_try_succeeds() {
    let (node, receiver) = (
        Node::start(&[
            ("POSTHASTE_INGEST__DELIVERIES_IN_FLIGHT_MAX", "9"),
            ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
            ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
            ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
        ])
        .await,
        Receiver::start(),
    );
    for id in 0..5 {
        set_up(&node, "own", &format!("t{id}"), json!({"event": "a", "url": receiver.url("/")})).await;
    }
    receiver.behave(Behaviour::Silence);
    let first = node.fire(event("own", 1));
    let second = async {
        node.wait_for_metric("posthaste_attempts_in_flight", 1.0).await;
        let two = json!([event("own", 2), event("own", 3)]);
        let reply = node.post("/v1/events", &two).await;
        assert_eq!((reply.problem(), reply.header("retry-after").as_str()), ((429, "engine_full".into()), "1"));
        assert_eq!(node.metric("posthaste_events_accepted_total").await, 1.0);
        receiver.behave(Behaviour::Respond(200));
        two
    };
    let ((), two) = futures_util::future::join(first, second).await;
    receiver.wait_for(5).await;
    let reply = node.post("/v1/events", &two).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    assert_eq!(receiver.wait_for(15).await.len(), 15);
}

/// Incomplete bodies with one key leave room for the bodies of another key.
#[actix_rt::test]
async fn incomplete_bodies_leave_room_for_others() {
    let operator = "operator-key-0123456789";
    let mut node =
        Node::start(&[("POSTHASTE_AUTH__OPERATOR_KEY", operator), ("POSTHASTE_INGEST__BODIES_BYTES_MAX", "90000")])
            .await;
    node.key = Some(operator.to_owned());
    let mut keys = Vec::new();
    for account in ["flood", "other"] {
        let reply = node.post("/v1/keys", &json!({"scope": "producer", "account": account})).await;
        keys.push(reply.json()["key"].as_str().unwrap_or_else(|| panic!("{}", reply.json())).to_owned());
    }
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 10000\r\n\r\n",
        keys[0]
    );
    let mut open = Vec::new();
    for number in 1..=12_u32 {
        let mut stream = TcpStream::connect(node.running().address()).expect("a node");
        write!(stream, "{head}{}", "x".repeat(9_000)).expect("sent");
        open.push(stream);
        let held = f64::from(number.min(8)) * 9_000.0;
        let deadline = std::time::Instant::now() + DEADLINE;
        while node.metric("posthaste_body_bytes").await < held {
            assert!(std::time::Instant::now() < deadline, "{number}");
        }
    }
    assert!(node.metric("posthaste_body_bytes").await <= 81_000.0);
    node.key = Some(keys[1].clone());
    for id in 0..100 {
        node.fire(event("other", id)).await;
    }
    node.key = Some(keys[0].clone());
    let reply = node.call(Method::POST, "/v1/events", &[("content-type", "application/json")], "x".repeat(9_000)).await;
    assert_eq!(reply.problem(), (429, "engine_full".to_owned()));
}

/// Requests over an account's rate get 429 with `Retry-After`.
#[actix_rt::test]
async fn an_account_has_a_rate_of_events() {
    let node = Node::start(&[("POSTHASTE_INGEST__RATE_PER_ACCOUNT_S", "10")]).await;
    let ten: Vec<Value> = (0..10).map(|id| event("own", id)).collect();
    assert_eq!(node.post("/v1/events", &json!(ten)).await.status, 202);
    let reply = node.post("/v1/events", &json!(ten)).await;
    assert_eq!((reply.problem(), reply.header("retry-after").as_str()), ((429, "rate_limited".into()), "1"));
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"rate_limited\"}").await, 10.0);
    assert_eq!(node.post("/v1/events", &event("other", 1)).await.status, 202);
    // A request above a second's worth passes when nothing is owed, and all of it is owed then.
    let many: Vec<Value> = (0..1_000).map(|id| event("large", id)).collect();
    assert_eq!(node.post("/v1/events", &json!(many)).await.status, 202);
    let reply = node.post("/v1/events", &json!(many)).await;
    assert_eq!(reply.problem(), (429, "rate_limited".into()));
    let wait: u64 = reply.header("retry-after").parse().expect("seconds");
    assert!((50..=100).contains(&wait), "{wait}");
}

/// Destinations that never respond hold bodies up to the bound, and their account's other destination is served.
#[actix_rt::test]
async fn bodies_in_flight_to_silent_receivers_are_bounded() {
    let node = Node::start(&[("POSTHASTE_DISPATCH__BYTES_MAX", "1048576")]).await;
    let silent: Vec<Receiver> = (0..4).map(|_| Receiver::start()).collect();
    let prompt = Receiver::start();
    let body = json!({"format": "text", "body": "{{text}}"});
    assert!(node.put("/v1/accounts/own/templates/large", &body).await.status < 300);
    for (number, receiver) in silent.iter().enumerate() {
        receiver.behave(Behaviour::Silence);
        let trigger = json!({"event": "large", "template": "large", "url": receiver.url("/")});
        assert!(node.put(&format!("/v1/accounts/own/triggers/s{number}"), &trigger).await.status < 300);
    }
    set_up(&node, "own", "prompt", json!({"event": "a", "url": prompt.url("/")})).await;
    for _ in 0..60 {
        node.fire(json!({"type": "large", "account": "own", "data": {"text": "x".repeat(30_000)}})).await;
        let held = node.metric("posthaste_delivery_bytes").await;
        assert!(held <= 1_048_576.0, "{held}");
    }
    assert!(node.metric("posthaste_dropped_total{reason=\"queue_bytes_full\"}").await > 0.0);
    for id in 0..20 {
        node.fire(event("own", id)).await;
    }
    assert_eq!(prompt.wait_for(20).await.len(), 20);
    silent.iter().for_each(|receiver| receiver.behave(Behaviour::HangUp));
}

/// They hold what it waits for, and are behind it on the only thread.
#[actix_rt::test]
async fn a_paced_request_and_others_of_its_account_all_end() {
    let narrow = [("POSTHASTE_SERVER__WORKERS", "1"), ("POSTHASTE_INGEST__DELIVERIES_IN_FLIGHT_MAX", "10")];
    let (node, receiver) = (Node::start(&narrow).await, Receiver::start());
    for number in 0..10 {
        let id = format!("t{number}");
        set_up(&node, "own", &id, json!({"event": "many", "url": receiver.url("/")})).await;
    }
    set_up(&node, "own", "one", json!({"event": "one", "url": receiver.url("/")})).await;
    let until_accepted = async |events: &Value| {
        let deadline = std::time::Instant::now() + DEADLINE;
        while node.post("/v1/events", events).await.status != 202 {
            assert!(std::time::Instant::now() < deadline, "it is refused for ever");
            crate::support::paused().await;
        }
    };
    let batch: Value =
        (0..60).map(|id| json!({"type": "many", "account": "own", "id": id.to_string(), "data": {}})).collect();
    let until_accepted = &until_accepted;
    let producers = (0..40).map(|producer| async move {
        for id in 0..5 {
            let id = format!("{producer}-{id}");
            until_accepted(&json!({"type": "one", "account": "own", "id": id, "data": {}})).await;
        }
    });
    let all = futures_util::future::join(until_accepted(&batch), futures_util::future::join_all(producers));
    tokio::time::timeout(DEADLINE, all).await.expect("each of them ends");
    receiver.wait_for(60 * 10 + 40 * 5).await;
}

/// A destination that never responds takes all of its account's permits. The account's other destination is served as soon
/// as the first one is found to be stalled, and not only when its attempts end.
#[actix_rt::test]
async fn a_silent_destination_holds_up_no_other_of_its_account() {
    let node = Node::start(&[
        ("POSTHASTE_INGEST__DELIVERIES_IN_FLIGHT_MAX", "20"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
    ])
    .await;
    let (silent, prompt) = (Receiver::start(), Receiver::start());
    silent.behave(Behaviour::Silence);
    set_up(&node, "own", "silent", json!({"event": "s", "url": silent.url("/")})).await;
    set_up(&node, "own", "prompt", json!({"event": "a", "url": prompt.url("/")})).await;
    let post = async |event: Value| {
        let deadline = std::time::Instant::now() + DEADLINE;
        while node.post("/v1/events", &event).await.status != 202 {
            assert!(std::time::Instant::now() < deadline, "it is refused for ever");
        }
    };
    for id in 0..60 {
        post(json!({"type": "s", "account": "own", "id": format!("s{id}"), "data": {}})).await;
    }
    for id in 0..20 {
        post(event("own", id)).await;
    }
    assert_eq!(prompt.wait_for(20).await.len(), 20);
    // The silent ones are under way; the last prompt one ends after it has arrived.
    node.wait_for_metric("posthaste_attempts_in_flight", 2.0).await;
    silent.behave(Behaviour::HangUp);
}

/// More destinations than may be live take turns: none is dropped, also where the first to come never respond.
#[actix_rt::test]
async fn more_destinations_than_may_be_live_are_all_served() {
    let node = Node::start(&[
        ("POSTHASTE_DISPATCH__DESTINATIONS_MAX", "4"),
        ("POSTHASTE_DISPATCH__THREADS", "1"),
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300"),
    ])
    .await;
    let (silent, prompt): (Vec<_>, Vec<_>) = (0..20).map(|_| (Receiver::start(), Receiver::start())).unzip();
    silent.iter().for_each(|receiver| receiver.behave(Behaviour::Silence));
    for (number, (silent, prompt)) in silent.iter().zip(&prompt).enumerate() {
        let (event, url) = (json!("a"), silent.url("/"));
        set_up(&node, "flood", &format!("t{number}"), json!({"event": event, "url": url})).await;
        set_up(&node, "other", &format!("t{number}"), json!({"event": event, "url": prompt.url("/")})).await;
    }
    node.fire(event("flood", 1)).await;
    for id in 0..5 {
        node.fire(event("other", id)).await;
    }
    for receiver in &prompt {
        assert_eq!(receiver.wait_for(5).await.len(), 5);
    }
    node.wait_for_metric("posthaste_attempts_total{outcome=\"timeout_response\"}", 20.0).await;
    assert!(node.metric("posthaste_destinations").await <= 4.0);
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"destinations_full\"}").await, 0.0);
    silent.iter().for_each(|receiver| receiver.behave(Behaviour::HangUp));
}

/// Templates that take long are rendered one after the other, each in its account's turn. Both accounts' deliveries leave
/// over one connection, in the order in which they were rendered, and the other account's is among the first.
#[actix_rt::test]
async fn another_account_has_its_turn_between_templates_that_take_long() {
    const COSTLY: usize = 100;
    let node = Node::start(&[
        ("POSTHASTE_SERVER__WORKERS", "1"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ])
    .await;
    let receiver = Receiver::start();
    // More steps than are taken at once.
    let costly = json!({"format": "text", "body": "{{#each n}}{{#each ../n}}{{/each}}{{/each}}costly"});
    let numbers = vec![1; 110];
    for id in 0..COSTLY {
        node.set_up_in("flood", &format!("t{id}"), &costly, json!({"event": "a", "url": receiver.url("/")})).await;
    }
    let plain = json!({"format": "text", "body": "plain"});
    node.set_up_in("other", "t", &plain, json!({"event": "a", "url": receiver.url("/")})).await;
    let of = |account: &str| json!({"type": "a", "account": account, "data": {"n": numbers}});
    // One request, so that the order in which they arrive at the node is known.
    node.fire(json!([of("flood"), of("other")])).await;
    let received = receiver.wait_for(COSTLY + 1).await;
    let place = received.iter().position(|received| received.text() == "plain");
    assert!(place.is_some_and(|place| place < 10), "it was {place:?}");
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 101.0).await;
}

/// A burst of one account for a destination that another account uses too: what exceeds the burst's share of the queue
/// is dropped, nothing of the other account's is, and both take turns.
#[actix_rt::test]
async fn a_burst_for_a_shared_destination_costs_another_account_nothing() {
    const BURST: usize = 500;
    let node = Node::start(&[
        ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "90"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ])
    .await;
    let receiver = Receiver::start();
    receiver.behave(Behaviour::Silence);
    for account in ["flood", "other"] {
        set_up(&node, account, "t", json!({"event": "a", "url": receiver.url(&format!("/{account}"))})).await;
    }
    let burst: Vec<Value> = (0..BURST).map(|id| event("flood", id)).collect();
    // One is being sent, and eight ninths of the queue are its account's.
    let dropped = (BURST - 81) as f64;
    let few: Vec<Value> = (0..5).map(|id| event("other", id)).collect();
    let responds = async {
        node.wait_for_metric("posthaste_dropped_total{reason=\"queue_full\"}", dropped).await;
        node.wait_for_metric("posthaste_queue_depth", 80.0).await;
        let others = node.fire(json!(few));
        let release = async {
            node.wait_for_metric("posthaste_queue_depth", 85.0).await;
            receiver.behave(Behaviour::Respond(200));
        };
        futures_util::future::join(others, release).await;
    };
    // Each response comes when the last attempt of its request has begun.
    futures_util::future::join(node.fire(json!(burst)), responds).await;
    let paths: Vec<String> = receiver.wait_for(86).await.into_iter().map(|received| received.path).collect();
    let of_other = paths.iter().enumerate().filter(|(_, path)| *path == "/other").map(|(place, _)| place);
    let of_other: Vec<usize> = of_other.collect();
    assert!(of_other.len() == 5 && of_other[4] <= 12, "{of_other:?}");
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"queue_full\"}").await, dropped);
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 86.0).await;
}
