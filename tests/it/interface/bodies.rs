//! What becomes of bodies that are compressed, in another encoding, or JSON in parts only.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use awc::http::Method;
use flate2::Compression;
use flate2::read::{DeflateEncoder, GzEncoder};
use serde_json::{Value, json};

use crate::support::{DEADLINE, Node, Receiver, json_template};

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut gzip = Vec::new();
    GzEncoder::new(plain, Compression::best()).read_to_end(&mut gzip).expect("compressed");
    gzip
}

async fn post(node: &Node, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> (u16, Value) {
    let reply = node.call(Method::POST, "/v1/events", headers, body).await;
    (reply.status, reply.json())
}

#[actix_rt::test]
async fn events_may_be_compressed_with_gzip_and_with_nothing_else() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let event = |id: &str| json!({"type": "a", "id": id, "data": {}}).to_string();
    assert_eq!(post(&node, &[JSON, GZIP], gzip(event("1").as_bytes())).await.0, 202);
    let lines = [("content-type", "application/x-ndjson"), ("content-encoding", "X-GZip")];
    assert_eq!(post(&node, &lines, gzip(format!("{}\n{}", event("2"), event("3")).as_bytes())).await.0, 202);
    assert_eq!(post(&node, &[JSON, ("content-encoding", "identity")], event("4")).await.0, 202);
    receiver.wait_for(4).await;

    let mut deflate = Vec::new();
    DeflateEncoder::new(event("5").as_bytes(), Compression::fast()).read_to_end(&mut deflate).expect("compressed");
    for (coding, body, expected, named) in [
        ("gzip", event("5").into_bytes(), (400, "bad_gzip"), "not gzip"),
        ("gzip", gzip(event("5").as_bytes())[..20].to_vec(), (400, "bad_gzip"), "not all of it"),
        ("deflate", deflate, (415, "unsupported_content_coding"), "\"deflate\" is not supported"),
        ("br", Vec::new(), (415, "unsupported_content_coding"), "\"br\" is not supported"),
        ("gzip, gzip", gzip(&gzip(event("5").as_bytes())), (415, "unsupported_content_coding"), "\"gzip, gzip\""),
    ] {
        let (status, problem) = post(&node, &[JSON, ("content-encoding", coding)], body).await;
        assert_eq!((status, problem["code"].as_str()), (expected.0, Some(expected.1)), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{problem}");
    }
    // Other documents are small.
    let template = gzip(json_template().to_string().as_bytes());
    let reply = node.call(Method::PUT, "/v1/accounts/default/templates/z", &[JSON, GZIP], template).await;
    assert_eq!(reply.problem(), (415, "unsupported_content_coding".into()));
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 4);
}

/// A bomb is refused, and what a body holds is what its account's share is charged.
#[actix_rt::test]
async fn what_a_compressed_body_holds_is_bounded_and_charged() {
    let node = Node::start(&[]).await;
    let bomb = gzip(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 1 << 16, "{}", bomb.len());
    let (status, problem) = post(&node, &[JSON, GZIP], bomb).await;
    assert_eq!((status, problem["code"].as_str()), (413, Some("body_too_large")), "{problem}");
    node.wait_for_metric("posthaste_body_bytes", 0.0).await;

    let small = Node::start(&[("POSTHASTE_INGEST__BODIES_BYTES_MAX", "10000")]).await;
    let event = json!({"type": "a", "data": {"a": "x".repeat(50_000)}}).to_string();
    let (status, problem) = post(&small, &[JSON, GZIP], gzip(event.as_bytes())).await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("engine_full")), "{problem}");
    small.wait_for_metric("posthaste_body_bytes", 0.0).await;
}

/// A client that waits for `100 Continue` before a body that is too large gets the refusal first.
#[actix_rt::test]
async fn a_too_long_body_is_refused_before_100_continue() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    let ask = |path: &'static str, length: usize| {
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("a node");
            stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
            write!(stream, "{head}content-length: {length}\r\nexpect: 100-continue\r\n\r\n").expect("sent");
            let mut first = [0; 12];
            stream.read_exact(&mut first).expect("a response");
            let mut rest = String::new();
            if &first != b"HTTP/1.1 100" {
                // It ends by itself.
                stream.read_to_string(&mut rest).expect("the end");
            }
            (String::from_utf8(first.to_vec()).expect("ASCII"), rest)
        })
    };
    for path in ["/v1/events", "/v1/accounts/default/templates"] {
        let (first, rest) = ask(path, (1 << 20) + 1).await.expect("asked");
        assert_eq!(first, "HTTP/1.1 413", "{path}");
        let rest = rest.to_ascii_lowercase();
        for part in [
            "\r\nconnection: close",
            "\r\nx-content-type-options: nosniff",
            "application/problem+json",
            "\"code\":\"body_too_large\"",
        ] {
            assert!(rest.contains(part), "{path} {part}: {rest}");
        }
        assert_eq!(ask(path, 10).await.expect("asked").0, "HTTP/1.1 100", "{path}");
    }
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"body_too_large\"}").await, 1.0);
}

/// The usual notation of the path is served before the HTTP server, others by it. Requests that arrive together, in pieces or
/// with their bodies later all get their responses, in their order and alike. Those in pieces wait for the response to the one
/// before: actix-http closes a connection on which the next request has begun to arrive when a response is sent. Where the
/// last of several requests asks for the end of the connection, it says so in the responses to those before, too.
#[actix_rt::test]
async fn requests_on_one_connection_get_their_responses_however_they_arrive() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let address = node.running().address();
    let body = json!({"type": "a", "data": {"text": "x".repeat(300)}}).to_string();
    let request = |path: &str, end: &str| {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{end}\r\n{body}"
        )
    };
    let (usual, other) = (request("/v1/events", ""), request("/v1/%65vents", ""));
    let last = request("/v1/events?last", "connection: close\r\n");
    let all = [&usual, &usual, &usual, &other, &usual, &other, &usual, &last].map(String::clone);
    for (together, piece) in [(8, usize::MAX), (1, 700), (1, 97), (1, 1)] {
        let all = all.clone();
        let responded = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("a node");
            stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
            stream.set_nodelay(true).expect("an option");
            let mut responses = Vec::new();
            for requests in all.chunks(together) {
                requests.concat().as_bytes().chunks(piece).for_each(|piece| stream.write_all(piece).expect("sent"));
                responses.extend(requests.iter().map(|_| next_response(&mut stream)));
            }
            assert_eq!(stream.read(&mut [0]).expect("the end"), 0, "the last one closes");
            responses
        });
        let mut heads: Vec<Vec<String>> = responded.await.expect("asked");
        heads[..7].iter_mut().for_each(|head| head.retain(|line| line != "connection: close"));
        let is_accepted = |head: &[String]| head.contains(&"HTTP/1.1 202 Accepted".to_owned());
        assert!(
            heads[..7].iter().all(|head| *head == heads[0] && is_accepted(head)),
            "in pieces of {piece}: {heads:?}"
        );
        assert!(is_accepted(&heads[7]) && heads[7].contains(&"connection: close".to_owned()), "{heads:?}");
    }
    receiver.wait_for(32).await;
    assert_eq!(node.stop().await.unsent, 0);
}

/// Reads one response; returns its head.
pub(super) fn next_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a response");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("ASCII");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
    stream.read_exact(&mut vec![0; length]).expect("a body");
    head
}

/// The lines of the next response's head, but for its date, in the order of the alphabet. Its body is read.
fn next_response(stream: &mut TcpStream) -> Vec<String> {
    let head = next_head(stream);
    let lines = head.lines().filter(|line| !line.is_empty() && !line.starts_with("date: "));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[actix_rt::test]
async fn one_bad_element_of_an_array_costs_that_element() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let good = |id: &str| format!(r#"{{"type":"a","id":"{id}","data":{{}}}}"#);
    let cloud = |id: &str| format!(r#"{{"specversion":"1.0","type":"a","source":"/s","id":"{id}","data":{{}}}}"#);
    let bad = r#"{"type":"a","data":{"text":"so nice \ud83d"}}"#;
    let not_text = [b"{\"type\":\"a\",\"data\":{\"text\":\"".as_slice(), b"\xff\"}}"].concat();
    for (content_type, first, bad, last, named) in [
        ("application/json", good("1"), bad.as_bytes(), good("2"), "surrogate"),
        ("application/json", good("3"), not_text.as_slice(), good("4"), "UTF-8"),
        ("application/cloudevents-batch+json", cloud("5"), bad.as_bytes(), cloud("6"), "surrogate"),
    ] {
        let body = [b"[", first.as_bytes(), b",", bad, b",", last.as_bytes(), b"]"].concat();
        let (status, receipt) = post(&node, &[("content-type", content_type)], body).await;
        let rejected = &receipt["rejected"];
        assert_eq!((status, &receipt["accepted"], rejected.as_array().map(Vec::len)), (202, &json!(2), Some(1)));
        assert_eq!((&rejected[0]["index"], &rejected[0]["code"]), (&json!(1), &json!("malformed_json")), "{receipt}");
        assert!(rejected[0]["detail"].as_str().is_some_and(|detail| detail.contains(named)), "{receipt}");
    }
    receiver.wait_for(6).await;
    // Where one event ends and the next begins is in doubt.
    let body = format!(r#"[{},{{"type":"a","data":{{"x":"say "hi""}}}},{}]"#, good("7"), good("8"));
    let (status, problem) = post(&node, &[JSON], body).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("malformed_body")), "{problem}");
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 6);
}

/// The fix is named wherever JSON is read.
#[actix_rt::test]
async fn other_encodings_and_look_alikes_are_named() {
    let node = Node::start(&[]).await;
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let marked = |text: &str| [b"\xff\xfe".to_vec(), wide(text)].concat();
    let event = r#"{"type":"a","data":{}}"#;
    let lines = "application/x-ndjson";
    let json = "application/json";
    for (path, content_type, body, named) in [
        ("/v1/events", json, wide(event), "UTF-8"),
        ("/v1/events", json, marked(event), "UTF-8"),
        ("/v1/events", lines, marked(&format!("{event}\n{event}\n")), "UTF-8"),
        ("/v1/accounts/a/templates", json, marked("{}"), "UTF-8"),
        ("/v1/events", json, "{\u{a0}\"type\":\"a\",\"data\":{}}".into(), "a no-break space (U+00A0): write a blank"),
        ("/v1/events", lines, "{\u{201c}type\u{201d}:\"a\",\"data\":{}}".into(), "a curly quote (U+201C)"),
        ("/v1/events", json, "{\"type\":\"a\",\u{200b}\"data\":{}}".into(), "can't be seen (U+200B): remove it"),
        ("/v1/accounts/a/triggers", json, "{\"id\"\u{ff1a}1}".into(), "another kind of colon (U+FF1A): write :"),
        ("/v1/accounts/a/triggers", json, "{\u{201c}id\u{201d}: 1}".into(), "a curly quote (U+201C)"),
        ("/v1/keys", json, "{\"name\": \u{2018}x\u{2019}}".into(), "a curly apostrophe (U+2018)"),
    ] {
        let reply = node.call(Method::POST, path, &[("content-type", content_type)], body).await;
        let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 400 && detail.contains(named), "{path} {named}: {} {detail}", reply.status);
    }
    // A byte order mark of UTF-8 is passed over.
    let template = format!("\u{feff}{}", json_template());
    let reply = node.call(Method::PUT, "/v1/accounts/default/templates/t", &[JSON], template).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
}
