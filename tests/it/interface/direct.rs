//! Usual requests with events are served before the HTTP server, and all others by it. A client can't tell which.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use serde_json::json;

use super::bodies::next_head;
use super::connections::{connect, exchange, statuses};
use crate::support::{Node, Receiver, json_template};

/// A request that only the server serves. It serves what arrives with it, too.
const OTHER: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const JSON: &str = "content-type: application/json\r\n";

fn request(fields: &str, body: &str) -> String {
    format!("POST /v1/events HTTP/1.1\r\nhost: x\r\n{fields}content-length: {}\r\n\r\n{body}", body.len())
}

/// Sends these bytes and nothing more; returns all responses.
async fn responses(address: SocketAddr, bytes: String) -> String {
    let responses = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address);
        stream.write_all(bytes.as_bytes()).expect("sent");
        stream.shutdown(Shutdown::Write).expect("sent");
        let mut responses = String::new();
        stream.read_to_string(&mut responses).expect("closed, not reset");
        responses
    });
    responses.await.expect("responses")
}

/// The same, which the server serves.
fn by_server(request: &str) -> String {
    request.replace("/v1/events", "/v1/events?a=b")
}

/// Sends each of these requests after the response to the one before it; returns the heads of the responses without
/// their dates. The last request ends the connection.
async fn one_by_one(node: &Node, requests: Vec<String>) -> Vec<String> {
    let address = node.running().address();
    let responses = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address);
        let each = requests.iter().map(|request| {
            stream.write_all(request.as_bytes()).expect("sent");
            let head = next_head(&mut stream);
            head.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
        });
        let responses = each.collect();
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
        responses
    });
    responses.await.expect("responses")
}

/// A response's lines in an order of their own, without what the time determines. The server does not say that it closes
/// a connection whose client has ended in the middle of a body.
fn comparable(response: &str) -> Vec<&str> {
    let is_compared = |line: &&str| !line.starts_with("date: ") && *line != "connection: close";
    let mut lines: Vec<_> = response.lines().filter(is_compared).collect();
    lines.sort_unstable();
    lines
}

#[actix_rt::test]
async fn both_ways_respond_alike() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    let event = json!({"type": "a", "data": {}}).to_string();
    let short = request(JSON, &event).replace(&format!("content-length: {}", event.len()), "content-length: 90");
    for (bytes, status) in [
        (request(JSON, &event), "202"),
        (request("content-type: application/x-ndjson\r\nconnection: keep-alive\r\n", &format!("{event}\n{{}}")), "202"),
        (
            request(
                "ce-specversion: 1.0\r\nce-type: a\r\nce-id: 1\r\nce-source: s\r\ncontent-type: text/json\r\n",
                "{}",
            ),
            "202",
        ),
        (request("ce-specversion: 1.0\r\nce-type: a\r\nce-id: 1\r\nce-source: s\r\n", "{}"), "202"),
        (request(JSON, "{"), "400"),
        (request(JSON, "[]"), "422"),
        (request("content-type: text/plain\r\n", &event), "415"),
        (request(&format!("{JSON}content-encoding: gzip\r\n"), &event), "400"),
        (request(&format!("{JSON}posthaste-hops: x\r\n"), &event), "400"),
        (request(&format!("{JSON}posthaste-hops: 99\r\n"), &event), "508"),
        (request(&format!("{JSON}authorization: Bearer x\r\n"), &event), "401"),
        (request(&format!("{JSON}origin: http://example.com\r\n"), &event), "403"),
        (short, "400"),
        // The server alone serves these.
        (request(&format!("{JSON}a: \u{1}\r\n"), &event), "400"),
        (request(&format!("{JSON}content-length: 1\r\n"), &event), "400"),
        (request(&format!("{JSON}connection: close\r\n"), &event), "202"),
        (by_server(&request(JSON, &event)), "202"),
        (request(JSON, &event).replace("host: x\r\n", ""), "400"),
        (request(JSON, ""), "400"),
    ] {
        let direct = responses(address, bytes.clone()).await;
        let after_other = responses(address, format!("{OTHER}{bytes}")).await;
        let by_server = &after_other[after_other.rfind("HTTP/1.1 ").expect("a response")..];
        assert_eq!(statuses(&direct), [status], "{bytes}\n{direct}");
        assert_eq!(comparable(&direct), comparable(by_server), "{bytes}");
        assert!(direct.contains("\r\ndate: ") && direct.contains(" GMT\r\n"), "{direct}");
    }
}

#[actix_rt::test]
async fn requests_are_served_in_order_however_they_arrive() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let event = |id: usize, more: usize| {
        request(JSON, &json!({"type": "a", "id": id.to_string(), "data": {"x": "y".repeat(more)}}).to_string())
    };
    let chunked = request(&format!("{JSON}transfer-encoding: chunked\r\n"), "");
    let chunked =
        chunked.replace("content-length: 0\r\n", "") + "1b\r\n{\"type\":\"a\",\"data\":{\"a\":1}}\r\n0\r\n\r\n";
    let bad = request(JSON, "[]");
    // The second is longer than one read, and the third has another length than the first.
    let all =
        [event(1, 0), event(2, 50_000), event(3, 5), bad.clone(), chunked, event(4, 0), OTHER.into(), event(5, 0)];
    let end = OTHER.replace("host: x", "host: x\r\nconnection: close");
    let whole = all.concat() + &end;
    let expected = ["202", "202", "202", "422", "202", "202", "200", "202", "200"];
    let in_parts = |size: usize| whole.as_bytes().chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    for pieces in [in_parts(whole.len()), in_parts(7), in_parts(1_000), in_parts(20_000)] {
        let response = exchange(node.running().address(), pieces).await;
        assert_eq!(statuses(&response), expected, "{response}");
    }
    receiver.wait_for(4 * 6).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 4 * 6);
}

/// Whatever the server has read when a request with events follows: no byte of it is lost, and none of a body is a request.
#[actix_rt::test]
async fn requests_that_follow_large_heads_lose_nothing() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let address = node.running().address();
    let heads = OTHER.replace("host: x", &format!("host: x\r\na: {}", "x".repeat(5_260))).repeat(3);
    let event = |bytes: usize| request(JSON, &json!({"type": "a", "data": {"x": "y".repeat(bytes)}}).to_string());
    let large = request(&format!("{JSON}a: {}\r\n", "x".repeat(17_000)), r#"{"type":"a","data":{}}"#);
    let end = OTHER.replace("host: x", "host: x\r\nconnection: close");
    let together = [event(1), OTHER.into(), event(16_600), event(2), OTHER.into(), event(40_000)].concat();
    for (following, expected) in
        [(together, &["202", "200", "202", "202", "200", "202", "200"][..]), (large, &["202", "200"])]
    {
        let (heads, bytes) = (heads.clone(), following + &end);
        let responses = tokio::task::spawn_blocking(move || {
            let mut stream = connect(address);
            // The server's buffer grows, and is empty then.
            stream.write_all(heads.as_bytes()).expect("sent");
            for _ in 0..3 {
                next_head(&mut stream);
            }
            stream.write_all(bytes.as_bytes()).expect("sent");
            let mut responses = String::new();
            stream.read_to_string(&mut responses).expect("closed, not reset");
            responses
        });
        let responses = responses.await.expect("responses");
        assert_eq!(statuses(&responses), expected, "{responses}");
    }
    receiver.wait_for(5).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 5);
}

/// A response that the server closes the connection after, also where it does not say so, is the last one. What the server
/// takes for a part of a body is no request.
#[actix_rt::test]
async fn nothing_follows_what_the_server_does_not_end() {
    let node = Node::start(&[]).await;
    let event = request(JSON, &json!({"type": "a", "data": {}}).to_string());
    for (head, rest) in [
        ("POST /nope HTTP/1.0\r\ncontent-length: 2\r\n\r\n", "{}"),
        ("POST /nope HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n", "{}"),
        ("POST /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n", "{}"),
        ("POST /nope HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", "0\r\n\n"),
        ("POST /nope HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", "3\r\nabc\r\n0\r\na: b\n\n"),
    ] {
        let (address, event) = (node.running().address(), event.clone());
        let responses = tokio::task::spawn_blocking(move || {
            let mut stream = connect(address);
            stream.write_all(head.as_bytes()).expect("sent");
            next_head(&mut stream);
            // The server may have closed it.
            let _ = stream.write_all(rest.as_bytes()).and_then(|()| stream.write_all(event.as_bytes()));
            let mut responses = Vec::new();
            let _ = stream.read_to_end(&mut responses);
            String::from_utf8_lossy(&responses).into_owned()
        });
        let responses = responses.await.expect("responses");
        assert!(!responses.contains(" 202 "), "{head}: {responses}");
    }
}

/// The client reads the response although the node reads no more of its body.
#[actix_rt::test]
async fn a_refusal_before_the_body_has_arrived_is_the_last_response() {
    let node = Node::start(&[]).await;
    let head = |length: usize, fields: &str| {
        format!("POST /v1/events HTTP/1.1\r\nhost: x\r\n{fields}content-length: {length}\r\n\r\n{}", "x".repeat(20_000))
    };
    for (head, status) in [
        (head(300_000, "content-type: text/plain\r\n"), "415"),
        (head(3_000_000, JSON), "413"),
        (head(100_000, &format!("{JSON}authorization: Bearer x\r\n")), "401"),
    ] {
        let response = exchange(node.running().address(), vec![head.into_bytes(), vec![b'x'; 50_000]]).await;
        assert_eq!(statuses(&response), [status], "{response}");
        assert!(response.contains("\r\nconnection: close\r\n"), "{response}");
    }
    // A client that goes on to send more than is discarded behind a refused head reads it, too.
    let pieces = [vec![head(3_000_000, JSON).into_bytes()], vec![vec![b'x'; 20_000]; 75]].concat();
    assert_eq!(statuses(&exchange(node.running().address(), pieces).await), ["413"]);
}

#[actix_rt::test]
async fn a_refusal_of_a_request_that_has_arrived_leaves_its_connection_open() {
    let node = Node::start(&[]).await;
    let refused = request("content-type: text/plain\r\n", &"x".repeat(5_000));
    let (good, last) = (request(JSON, "{}"), request(&format!("{JSON}connection: close\r\n"), "[]"));
    let both = |request: &String| [request.clone(), by_server(request)];
    for refused in both(&refused).iter().flat_map(|first| both(&refused).map(|second| [first.clone(), second])) {
        let responses = one_by_one(&node, [&refused[..], &[good.clone(), last.clone()]].concat()).await;
        let responses: Vec<_> = responses.iter().map(|head| &head[9..12]).collect();
        assert_eq!(responses, ["415", "415", "422", "422"], "{refused:?}");
    }
}

/// A connection that is used for other requests, too, has its usual requests with events served as before.
#[actix_rt::test]
async fn other_requests_between_them_change_nothing() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let event = |id: usize| request(JSON, &json!({"type": "a", "id": id.to_string(), "data": {}}).to_string());
    let end = OTHER.replace("host: x", "host: x\r\nconnection: close");
    let requests: Vec<_> = (10..20).flat_map(|id| [event(id), OTHER.into(), by_server(&event(id + 10))]).collect();
    let responses = one_by_one(&node, [requests, vec![end]].concat()).await;
    // Both write the same fields, each in its order.
    let (direct, served) = (&responses[0], &responses[2]);
    assert_ne!(direct, served);
    for round in responses.chunks_exact(3) {
        assert_eq!((&round[0], &round[2]), (direct, served));
        assert!(round[1].starts_with("HTTP/1.1 200 "), "{}", round[1]);
    }
    receiver.wait_for(20).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 20);
}

/// What precedes a head that is refused is served.
#[actix_rt::test]
async fn a_request_before_a_refused_head_gets_its_response() {
    let node = Node::start(&[]).await;
    let event = json!({"type": "a", "data": {"text": "x".repeat(400)}}).to_string();
    let good = request(JSON, &event);
    let (both, body_end) = (format!("{good}GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(97)), good.len());
    // Whole, with the end of the body, and with nothing of it.
    for cut in [0, body_end - 190, body_end - 5, body_end] {
        let pieces = [&both[..cut], &both[cut..]].map(|piece| piece.as_bytes().to_vec());
        let response = exchange(node.running().address(), pieces.into()).await;
        assert_eq!(statuses(&response), ["202", "431"], "{cut}: {response}");
    }
}

/// The server would write a response as it suits the last head that it has read.
#[actix_rt::test]
async fn a_request_that_arrives_with_another_does_not_change_its_response() {
    let node = Node::start(&[]).await;
    let event = by_server(&request(JSON, r#"{"type":"a","data":{}}"#));
    let head = OTHER.replace("GET", "HEAD");
    let old = OTHER.replace("HTTP/1.1", "HTTP/1.0");
    for first in [event.clone(), request(JSON, r#"{"type":"a","data":{}}"#)] {
        let all = [first.as_str(), &head, OTHER, &head, &event, &event, &old].concat();
        let got = responses(node.running().address(), all).await;
        let each: Vec<&str> = got.split_inclusive("HTTP/1.").skip(1).collect();
        let is_new: Vec<bool> = each.iter().map(|response| response.starts_with('1')).collect();
        assert_eq!(is_new, [true, true, true, true, true, true, false], "{got}");
        let without_body = |response: &&&str| response.trim_end_matches("HTTP/1.").ends_with("\r\n\r\n");
        assert_eq!(
            each.iter().map(|response| without_body(&response)).collect::<Vec<_>>(),
            [false, true, false, true, false, false, false],
            "{got}"
        );
    }
}

/// The response to a CONNECT is the last one: what follows would not be bounded.
#[actix_rt::test]
async fn nothing_is_served_behind_a_connect() {
    let node = Node::start(&[]).await;
    let large = OTHER.replace("host: x", &format!("host: x\r\na: {}", "x".repeat(60_000)));
    let event = by_server(&request(JSON, r#"{"type":"a","data":{}}"#));
    for fields in ["", "content-length: 0\r\n", "content-length: 1\r\n"] {
        for (before, expected) in [("", &["404"][..]), (&event, &["202", "404"])] {
            let sent = format!("{before}CONNECT / HTTP/1.1\r\nhost: x\r\n{fields}\r\nx{large}");
            let got = exchange(node.running().address(), vec![sent.into_bytes()]).await;
            assert_eq!(statuses(&got), expected, "{fields}: {got}");
        }
    }
}

/// A request that the server can't read, with more behind it than the server reads at once.
#[actix_rt::test]
async fn the_refusal_of_a_malformed_request_is_not_lost_in_a_reset() {
    let node = Node::start(&[]).await;
    let body = "x".repeat(300_000);
    let twice = by_server(&request(&format!("content-length: {}\r\n", body.len()), &body));
    let got = exchange(node.running().address(), vec![twice.into_bytes()]).await;
    assert_eq!(statuses(&got), ["400"], "{got}");
    assert!(got.contains("malformed_request"), "{got}");
}

/// However much of a request the server's buffer has room for when it is found to be no request of the server's.
#[actix_rt::test]
async fn a_request_that_goes_to_the_other_side_is_whole() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let end = OTHER.replace("host: x", "host: x\r\nconnection: close");
    let mut sent = 0;
    for bytes in [1, 900, 4_000, 7_000, 8_200, 12_000, 15_500, 20_000, 40_000] {
        let data = "y\n".repeat(bytes / 2);
        let event =
            request(JSON, &serde_json::to_string_pretty(&json!({"type": "a", "data": {"x": data}})).expect("JSON"));
        let lines = request(
            "content-type: application/x-ndjson\r\n",
            &"{\"type\":\"a\",\"data\":{}}\n".repeat(bytes / 500 + 1),
        );
        for second in [event, lines.clone()] {
            let both = format!("{OTHER}{second}");
            for cut in [0, OTHER.len() + 20, OTHER.len() + 60, 3_000] {
                let (both, end, address) = (both.clone(), end.clone(), node.running().address());
                let responses = tokio::task::spawn_blocking(move || {
                    let mut stream = connect(address);
                    let (first, rest) = both.as_bytes().split_at(cut.min(both.len()));
                    // Nothing follows before it has its response.
                    let heads = [first, rest]
                        .map(|part| stream.write_all(part).expect("sent"))
                        .map(|()| next_head(&mut stream));
                    stream.write_all(end.as_bytes()).expect("sent");
                    let mut rest = String::new();
                    stream.read_to_string(&mut rest).expect("closed, not reset");
                    heads.concat() + &rest
                });
                let got = responses.await.expect("responses");
                assert_eq!(statuses(&got), ["200", "202", "200"], "{bytes} bytes, cut at {cut}: {got}");
            }
            sent += 4 * if second == lines { bytes / 500 + 1 } else { 1 };
        }
    }
    receiver.wait_for(sent).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), sent);
}

/// A client that has sent many requests reads the last response, whatever of them is not served.
#[actix_rt::test]
async fn the_last_response_is_not_lost_in_a_reset() {
    let node = Node::start(&[]).await;
    let end = OTHER.replace("host: x", "host: x\r\nconnection: close");
    let got = exchange(node.running().address(), vec![(end + &OTHER.repeat(20_000)).into_bytes()]).await;
    assert_eq!(statuses(&got), ["200"]);
}
