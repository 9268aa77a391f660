//! Too large requests: bodies of a hundred megabytes, bodies that never end, more events than may be in flight. Each
//! gets its response, no event of it is accepted, and the next request is served.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::support::{Behaviour, DEADLINE, Node, Receiver, json_template};

const HUNDRED_MEGABYTES: usize = 100 << 20;

/// Writes a request's head and then its body, like a sender that reads the response only when it is done or can't
/// continue; returns the response's status and code.
fn send(address: SocketAddr, head: &str, body: impl FnOnce(&mut TcpStream)) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a node");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    write!(stream, "{head}\r\nhost: x\r\ncontent-type: application/json\r\n\r\n").expect("sent");
    body(&mut stream);
    let mut response = Vec::new();
    let mut chunk = [0; 4_096];
    // Until the problem document is complete: a kept connection does not end.
    while !response.ends_with(b"}") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => response.extend_from_slice(&chunk[..read]),
        }
    }
    let response = String::from_utf8(response).expect("UTF-8");
    let response = response.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&response);
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    let code = response.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    (status.unwrap_or_else(|| panic!("no status in {response:?}")), code.to_owned())
}

/// A hundred megabytes, or as much as the node reads.
fn pour(stream: &mut TcpStream, chunked: bool) {
    let megabyte = vec![b' '; 1 << 20];
    for _ in 0..HUNDRED_MEGABYTES >> 20 {
        let framed = !chunked || write!(stream, "{:x}\r\n", megabyte.len()).is_ok();
        if !framed || stream.write_all(&megabyte).is_err() || (chunked && stream.write_all(b"\r\n").is_err()) {
            return;
        }
    }
}

#[actix_rt::test]
async fn a_body_of_a_hundred_megabytes_is_refused() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let address = node.running().address();
    let declared = format!("content-length: {HUNDRED_MEGABYTES}");
    for (path, method) in [("/v1/events", "POST"), ("/v1/accounts/default/templates/t", "PUT")] {
        for (framing, chunked) in [(declared.as_str(), false), ("transfer-encoding: chunked", true)] {
            let head = format!("{method} {path} HTTP/1.1\r\n{framing}");
            let sent = tokio::task::spawn_blocking(move || send(address, &head, |stream| pour(stream, chunked)));
            assert_eq!(sent.await.expect("sent"), (413, "body_too_large".to_owned()), "{path} {framing}");
        }
    }
    // A client that waits for `100 Continue` gets the refusal before it sends its body.
    let head = format!("POST /v1/events HTTP/1.1\r\n{declared}\r\nexpect: 100-continue");
    let sent = tokio::task::spawn_blocking(move || send(address, &head, |_| {}));
    assert_eq!(sent.await.expect("sent"), (413, "body_too_large".to_owned()));
    node.fire(json!({"type": "a", "id": "next", "data": {}})).await;
    assert_eq!(receiver.wait_for(1).await[0].text(), "{\"id\":\"next\"}");
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"body_too_large\"}").await, 3.0);
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 1);
}

#[actix_rt::test]
async fn a_body_that_does_not_arrive_frees_its_connection() {
    let node = Node::start(&[("POSTHASTE_SERVER__BODY_TIMEOUT_MS", "50")]).await;
    let address = node.running().address();
    for path in ["/v1/events", "/v1/accounts/default/templates"] {
        let head = format!("POST {path} HTTP/1.1\r\ncontent-length: 100");
        let sent = tokio::task::spawn_blocking(move || {
            send(address, &head, |stream| stream.write_all(b"{\"type\"").expect("sent"))
        });
        assert_eq!(sent.await.expect("sent"), (408, "body_timeout".to_owned()), "{path}");
    }
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"body_timeout\"}").await, 1.0);
    node.fire(json!({"type": "a", "data": {}})).await;
}

/// A request that alone exceeds the bound is accepted once its account has nothing in flight.
#[actix_rt::test]
async fn a_request_over_the_bound_is_accepted_once_nothing_is_in_flight() {
    let (node, receiver) = (
        Node::start(&[
            ("POSTHASTE_INGEST__EVENTS_IN_FLIGHT_MAX", "2"),
            ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
            ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
            ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
        ])
        .await,
        Receiver::start(),
    );
    node.set_up("t", &json_template(), json!({"event": "slow", "url": receiver.url("/")})).await;
    receiver.behave(Behaviour::Silence);
    node.fire(json!({"type": "slow", "data": {}})).await;
    let three = json!([{"type": "a", "data": {}}, {"type": "a", "data": {}}, {"type": "a", "data": {}}]);
    let waiting = node.fire(json!({"type": "slow", "data": {}}));
    let refused = async {
        node.wait_for_metric("posthaste_events_in_flight", 1.0).await;
        let reply = node.post("/v1/events", &three).await;
        assert_eq!((reply.problem(), reply.header("retry-after").as_str()), ((429, "engine_full".into()), "1"));
        assert_eq!(node.metric("posthaste_events_accepted_total").await, 2.0);
        receiver.behave(Behaviour::Respond(200));
    };
    futures_util::future::join(waiting, refused).await;
    assert_eq!(node.post("/v1/events", &three).await.status, 202);
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"engine_full\"}").await, 3.0);
}

#[actix_rt::test]
async fn all_bodies_together_have_a_bound() {
    let node = Node::start(&[("POSTHASTE_INGEST__BODIES_BYTES_MAX", "1000")]).await;
    let mut dribbling = TcpStream::connect(node.running().address()).expect("a node");
    dribbling.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let body = format!("{{\"type\":\"a\",\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(700));
    let (first, rest) = body.split_at(600);
    let length = body.len();
    let head =
        format!("POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}");
    write!(dribbling, "{head}\r\n\r\n{first}").expect("sent");
    node.wait_for_metric("posthaste_body_bytes", 600.0).await;
    let event = json!({"type": "a", "data": {"a": "x".repeat(400)}});
    let reply = node.post("/v1/events", &event).await;
    assert_eq!((reply.problem(), reply.header("retry-after").as_str()), ((429, "engine_full".into()), "1"));
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"engine_full\"}").await, 1.0);
    dribbling.write_all(rest.as_bytes()).expect("sent");
    let responded = tokio::task::spawn_blocking(move || {
        let mut response = [0; 12];
        dribbling.read_exact(&mut response).expect("a response");
        response
    });
    assert_eq!(&responded.await.expect("responded"), b"HTTP/1.1 202");
    node.wait_for_metric("posthaste_body_bytes", 0.0).await;
    node.fire(event).await;
}

/// Deletions and rotations count as writes: an account with half of all that run gets 429, and another one does not.
#[actix_rt::test]
async fn all_writes_of_an_account_have_a_bound() {
    let node = Node::start(&[]).await;
    let check = "POST /v1/accounts/a/templates/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let unfinished: Vec<TcpStream> = (0..32)
        .map(|_| {
            let mut stream = TcpStream::connect(node.running().address()).expect("a node");
            stream.write_all(check.as_bytes()).expect("sent");
            stream
        })
        .collect();
    node.wait_for_metric("posthaste_body_bytes", 32.0).await;
    let refused = (429, "engine_full".to_owned());
    assert_eq!(node.delete("/v1/accounts/a/triggers/t").await.problem(), refused);
    assert_eq!(node.post("/v1/accounts/a/triggers/t/secret/rotate", &json!({})).await.problem(), refused);
    assert_eq!(node.delete("/v1/accounts/b/triggers/t").await.status, 404);
    drop(unfinished);
    node.wait_for_metric("posthaste_body_bytes", 0.0).await;
    assert_eq!(node.delete("/v1/accounts/a/triggers/t").await.status, 404);
}

/// A client that is silent, or stops within a head, does not keep its connection.
#[actix_rt::test]
async fn silent_clients_are_disconnected() {
    let (head, idle) = ("POSTHASTE_SERVER__HEAD_TIMEOUT_MS", "POSTHASTE_SERVER__KEEP_ALIVE_MS");
    for (setting, said) in
        [(head, ""), (head, "GET /healthz HTTP/1.1\r\nhost"), (idle, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")]
    {
        let node = Node::start(&[(setting, "50")]).await;
        let address = node.running().address();
        let ended = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("a node");
            // Earlier than the server would do it by default.
            stream.set_read_timeout(Some(Duration::from_secs(4))).expect("a deadline");
            stream.write_all(said.as_bytes()).expect("sent");
            let mut response = Vec::new();
            stream.read_to_end(&mut response).is_ok()
        });
        assert!(ended.await.expect("ended"), "{said:?}: it was not let go");
    }
}
