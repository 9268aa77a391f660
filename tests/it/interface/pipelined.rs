//! Requests of all kinds on one connection, cut anywhere: each has its response, whole and in order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::connections::connect;
use crate::support::Node;

/// A request, the status of its response, and whether that has a body.
#[derive(Debug, Clone)]
struct Exchange {
    request: String,
    status: u16,
    has_body: bool,
}

impl Exchange {
    fn new(request: String, status: u16) -> Self {
        let has_body = !request.starts_with("HEAD ");
        Self { request, status, has_body }
    }
}

/// A request without a body.
fn plain(line: &str, padding: usize, status: u16) -> Exchange {
    Exchange::new(format!("{line} HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(padding)), status)
}

/// An event with this many bytes, in chunks or not, by a path that is served before the HTTP server or by one that is not.
fn event(bytes: usize, path: &str, is_chunked: bool) -> Exchange {
    let body = json!({"type": "a", "data": {"x": "y".repeat(bytes)}}).to_string();
    let (field, body) = if is_chunked {
        let half = body.len() / 2;
        let chunks = [&body[..half], &body[half..], ""].map(|part| format!("{:x}\r\n{part}\r\n", part.len()));
        ("transfer-encoding: chunked".to_owned(), chunks.concat())
    } else {
        (format!("content-length: {}", body.len()), body)
    };
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{field}\r\n\r\n");
    Exchange::new(head + &body, 202)
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let bytes = prop_oneof![0..100_usize, 3_900..4_200_usize, 7_900..8_400_usize, 15_000..17_000_usize, Just(40_000)];
    prop_oneof![
        (0..6_000_usize).prop_map(|padding| plain("GET /healthz", padding, 200)),
        Just(plain("HEAD /healthz", 0, 200)),
        Just(plain("GET /nope", 0, 404)),
        (0..20_000_usize).prop_map(|padding| plain("GET /v1/accounts/a/triggers", padding, 200)),
        (bytes.clone(), any::<bool>()).prop_map(|(bytes, is_chunked)| event(bytes, "/v1/events", is_chunked)),
        bytes.clone().prop_map(|bytes| event(bytes, "/v1/events", false)),
        bytes.prop_map(|bytes| event(bytes, "/v1/events?a", false)),
    ]
}

/// Reads a response. Returns its status.
fn read_response(stream: &mut BufReader<TcpStream>, has_body: bool) -> u16 {
    let (mut head, mut line) = (Vec::new(), String::new());
    while stream.read_line(&mut line).expect("a response") > 2 {
        head.push(std::mem::take(&mut line));
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
    stream.read_exact(&mut vec![0; if has_body { length } else { 0 }]).expect("a body");
    head.first().and_then(|line| line.get(9..12)?.parse().ok()).unwrap_or_else(|| panic!("no response: {head:?}"))
}

fn exchange_all(address: SocketAddr, exchanges: &[Exchange], piece: usize) {
    let stream = connect(address);
    stream.set_nodelay(true).expect("no delay");
    let bytes: String = exchanges.iter().map(|exchange| exchange.request.as_str()).collect();
    let mut writing = stream.try_clone().expect("a second handle");
    // What is not read must not hold up what is sent.
    let written =
        std::thread::spawn(move || bytes.as_bytes().chunks(piece).try_for_each(|part| writing.write_all(part)));
    let mut reading = BufReader::new(stream);
    for (number, Exchange { request, status, has_body }) in exchanges.iter().enumerate() {
        let line = request.lines().next().unwrap_or_default();
        assert_eq!(read_response(&mut reading, *has_body), *status, "number {number}: {line}");
    }
    written.join().expect("no panic").expect("all is read");
    let rest = reading.buffer().to_vec();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[actix_rt::test]
async fn each_request_has_its_response_however_they_arrive() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    let all = move || {
        let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        let pieces = prop_oneof![Just(usize::MAX), 1_000..20_000_usize, 40..700_usize];
        let result = runner.run(&(prop::collection::vec(exchange(), 1..9), pieces), |(exchanges, piece)| {
            exchange_all(address, &exchanges, piece);
            Ok(())
        });
        result.unwrap_or_else(|failed| panic!("{failed}"));
    };
    tokio::task::spawn_blocking(all).await.expect("no panic");
    assert_eq!(node.stop().await.unsent, 0);
}
