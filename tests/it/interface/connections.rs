//! Connections that cost the node resources: heads that are too large or never end, idle connections, clients that
//! don't read their responses. Each has its bound, and other clients are served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::support::{DEADLINE, Node};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n";
/// A request whose body does not end.
const UNFINISHED: &str =
    "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
const GAVE_WAY: &str = "posthaste_connections_ended_total{reason=\"gave_way\"}";
const OVER_SHARE: &str = "posthaste_connections_ended_total{reason=\"over_share\"}";

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a node");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// Sends these pieces on a new connection and reads until the node closes it.
pub(super) async fn exchange(address: SocketAddr, pieces: Vec<Vec<u8>>) -> String {
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address);
        stream.set_nodelay(true).expect("no delay");
        for piece in pieces {
            // The node may have closed the connection already.
            if stream.write_all(&piece).is_err() {
                break;
            }
        }
        let mut response = Vec::new();
        stream.read_to_end(&mut response).expect("closed, not reset");
        String::from_utf8(response).expect("UTF-8")
    });
    exchange.await.expect("an exchange")
}

pub(super) fn statuses(response: &str) -> Vec<&str> {
    response.match_indices("HTTP/1.1 ").map(|(at, begin)| &response[at + begin.len()..][..3]).collect()
}

/// A metric, read over a new connection: a kept one may give way to others.
async fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = exchange(address, vec![b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec()]).await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no metric {name} in {text}")).parse().expect("a number")
}

#[actix_rt::test]
async fn heads_over_a_limit_are_refused_however_they_arrive() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    let long = format!("{HEALTH}a: {}\r\n\r\n", "x".repeat(40_000));
    let many = format!("{HEALTH}{}\r\n", "a: b\r\n".repeat(96));
    let bytes = |text: &str| text.bytes().map(|byte| vec![byte]).collect::<Vec<_>>();
    for (pieces, code) in [
        (vec![long.clone().into_bytes()], "head_too_large"),
        (long.as_bytes().chunks(1_000).map(<[u8]>::to_vec).collect(), "head_too_large"),
        (vec![many.clone().into_bytes()], "too_many_headers"),
        (bytes(&many), "too_many_headers"),
        // Requests after a refused head are not served.
        (vec![format!("{long}{HEALTH}\r\n").into_bytes()], "head_too_large"),
    ] {
        let response = exchange(address, pieces).await;
        assert_eq!(statuses(&response), ["431"], "{response}");
        assert!(response.contains(&format!("\"code\":\"{code}\"")), "{response}");
        assert!(response.contains("content-type: application/problem+json"), "{response}");
    }
    // Requests before it are served, in order.
    let response = exchange(address, vec![format!("{HEALTH}\r\n{HEALTH}\r\n{long}").into_bytes()]).await;
    assert_eq!(statuses(&response), ["200", "200", "431"], "{response}");
    assert_eq!(node.metric("posthaste_connections_ended_total{reason=\"head_too_large\"}").await, 6.0);
    // A head at both limits is served.
    let most = format!("{HEALTH}connection: close\r\na: {}\r\n{}\r\n", "x".repeat(30_000), "a: b\r\n".repeat(93));
    assert_eq!(statuses(&exchange(address, bytes(&most)).await), ["200"]);
    node.wait_for_metric("posthaste_connections", 1.0).await;
}

#[actix_rt::test]
async fn a_request_that_is_not_http_gets_a_problem_document() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    for request in [
        "POST /v1/events HTTP/1.0\r\nhost: x\r\n\r\n{}",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\ncontent-length: 2\r\n\r\n{}",
        "GET /healthz HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nhost: x\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        // Requests before it are served, those after it are not.
        for (text, expected) in
            [(format!("{request}{HEALTH}\r\n"), &["400"][..]), (format!("{HEALTH}\r\n{request}"), &["200", "400"])]
        {
            let response = exchange(address, vec![text.clone().into_bytes()]).await;
            assert_eq!(statuses(&response), expected, "{text}: {response}");
            assert!(response.contains("\"code\":\"malformed_request\""), "{text}: {response}");
            assert!(response.contains("content-type: application/problem+json"), "{text}: {response}");
            assert!(response.contains("connection: close"), "{text}: {response}");
        }
    }
}

#[actix_rt::test]
async fn a_malformed_chunk_ends_the_connection() {
    let node = Node::start(&[]).await;
    let head =
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunks in ["zz\r\nabc\r\n", "3\r\n{\"a\r\nzz\r\n"] {
        let response = exchange(node.running().address(), vec![format!("{head}{chunks}").into_bytes()]).await;
        assert_eq!(statuses(&response), ["400"], "{response}");
        assert!(response.contains("connection: close\r\n"), "{response}");
        assert!(response.contains("chunks is malformed"), "{response}");
    }
}

#[actix_rt::test]
async fn an_offer_to_upgrade_is_not_taken_and_not_announced() {
    let node = Node::start(&[]).await;
    let event = json!({"type": "a", "data": {}}).to_string();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{event}",
        event.len()
    );
    let response = exchange(node.running().address(), vec![request.into_bytes()]).await;
    assert_eq!(statuses(&response), ["202"], "{response}");
    assert!(response.contains("connection: close\r\n") && !response.contains("upgrade"), "{response}");
}

/// The activity has no length. To a client of HTTP/1.0 it is sent until the connection ends.
#[actix_rt::test]
async fn a_stream_has_no_chunks_for_a_client_of_http_1_0() {
    let node = Node::start(&[]).await;
    let address = node.running().address();
    let read = tokio::task::spawn_blocking(move || {
        let mut stream = connect(address);
        stream.write_all(b"GET /v1/activity HTTP/1.0\r\nhost: x\r\n\r\n").expect("sent");
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(":\n\n") {
            let mut room = [0; 512];
            let length = stream.read(&mut room).expect("a part");
            assert!(length > 0, "it ended");
            all.extend_from_slice(&room[..length]);
        }
        String::from_utf8(all).expect("UTF-8")
    });
    let response = read.await.expect("a response");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert!(body.starts_with("retry: 2000\n\n"), "{body}");
}

/// Clients can't request the path of refused heads.
#[actix_rt::test]
async fn the_path_of_refused_heads_is_not_served() {
    let node = Node::start(&[]).await;
    let request = b"GET /-/refused-head HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec();
    assert_eq!(statuses(&exchange(node.running().address(), vec![request]).await), ["404"]);
}

#[actix_rt::test]
async fn a_head_that_does_not_end_gets_a_response() {
    let node = Node::start(&[("POSTHASTE_SERVER__HEAD_TIMEOUT_MS", "50")]).await;
    for begin in ["", "GET / HTT", "GET /healthz HTTP/1.1\r\nhost: x\r\n"] {
        let response = exchange(node.running().address(), vec![begin.into()]).await;
        assert_eq!(statuses(&response), ["408"], "{begin:?}: {response}");
        assert!(response.contains("\"code\":\"head_timeout\""), "{response}");
    }
    assert_eq!(node.metric("posthaste_connections_ended_total{reason=\"head_timeout\"}").await, 3.0);
}

#[actix_rt::test]
async fn idle_connections_give_way_to_new_ones_and_busy_ones_do_not() {
    let node = Node::start(&[("POSTHASTE_SERVER__CONNECTIONS_MAX", "8")]).await;
    let address = node.running().address();
    let mut busy = connect(address);
    let event = json!({"type": "a", "data": {}}).to_string();
    let head = format!("content-type: application/json\r\ncontent-length: {}", event.len());
    write!(busy, "POST /v1/events HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n{}", &event[..5]).expect("sent");
    node.wait_for_metric("posthaste_body_bytes", 5.0).await;
    // Three kinds of idle connections: silent, with a part of a head, between two requests.
    let connecting = tokio::task::spawn_blocking(move || {
        let connected = (0..60).map(|number| {
            let mut stream = connect(address);
            match number % 3 {
                0 => {}
                1 => stream.write_all(HEALTH.as_bytes()).expect("sent"),
                _ => {
                    write!(stream, "{HEALTH}\r\n").expect("sent");
                    // Before that it is busy, and none of its client gives way where all are.
                    let mut response = [0; 12];
                    stream.read_exact(&mut response).expect("a response");
                    assert_eq!(&response, b"HTTP/1.1 200");
                }
            }
            stream
        });
        connected.collect::<Vec<TcpStream>>()
    });
    let idle = connecting.await.expect("connected");
    // A new connection is served, and in the end no more than the limit are open.
    let response = exchange(address, vec![format!("{HEALTH}connection: close\r\n\r\n").into()]).await;
    assert_eq!(statuses(&response), ["200"]);
    let deadline = std::time::Instant::now() + DEADLINE;
    while metric(address, "posthaste_connections").await > 8.0 {
        assert!(std::time::Instant::now() < deadline, "too many are open");
    }
    assert!(metric(address, GAVE_WAY).await >= 52.0);
    drop(idle);
    busy.write_all(&event.as_bytes()[5..]).expect("sent");
    let responded = tokio::task::spawn_blocking(move || {
        let mut response = [0; 12];
        busy.read_exact(&mut response).expect("a response");
        response
    });
    assert_eq!(&responded.await.expect("responded"), b"HTTP/1.1 202");
}

/// A connection from this address.
async fn connect_from(own: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind((own, 0).into()).expect("a free port");
    let stream = socket.connect(address).await.expect("a node").into_std().expect("a socket");
    stream.set_nonblocking(false).expect("blocking");
    stream
}

/// Both threads together keep to the bound while all is busy, and another client is served by each.
#[actix_rt::test]
async fn a_client_can_not_occupy_all_connections() {
    let node = Node::start(&[("POSTHASTE_SERVER__CONNECTIONS_MAX", "20")]).await;
    let address = node.running().address();
    let mut busy = Vec::new();
    for _ in 0..60 {
        let mut stream = connect_from([127, 0, 0, 2], address).await;
        stream.write_all(UNFINISHED.as_bytes()).expect("sent");
        busy.push(stream);
    }
    for _ in 0..4 {
        let response = exchange(address, vec![format!("{HEALTH}connection: close\r\n\r\n").into()]).await;
        assert_eq!(statuses(&response), ["200"]);
    }
    let deadline = std::time::Instant::now() + DEADLINE;
    // A thread has ten, of which one is kept free: each of the others was refused, or ended before its request came.
    while metric(address, OVER_SHARE).await + metric(address, GAVE_WAY).await < 42.0
        || metric(address, "posthaste_connections").await > 20.0
    {
        assert!(std::time::Instant::now() < deadline, "too many are open");
    }
    drop(busy);
}

/// Saves templates whose list exceeds the buffers of a socket.
async fn save_a_long_list(node: &Node) {
    for number in 0..80 {
        let template = json!({"format": "text", "body": "x".repeat(60_000)});
        let reply = node.put(&format!("/v1/accounts/default/templates/{number}"), &template).await;
        assert_eq!(reply.status, 201);
    }
}

/// Requests the list on some connections and reads no response.
fn ask_and_take_nothing(address: SocketAddr, connections: usize) -> Vec<TcpStream> {
    let asked = (0..connections).map(|_| {
        let mut stream = connect(address);
        // The client's system takes little, so that a response or two are left to the node.
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4_096).expect("set");
        let list = "GET /v1/accounts/default/templates?limit=1000 HTTP/1.1\r\nhost: x\r\n\r\n";
        // The node's system buffers up to four megabytes.
        stream.write_all(list.repeat(6).as_bytes()).expect("sent");
        stream
    });
    asked.collect()
}

#[actix_rt::test]
async fn a_client_that_reads_nothing_is_disconnected_in_time() {
    let node = Node::start(&[("POSTHASTE_SERVER__RESPONSE_TIMEOUT_MS", "100")]).await;
    save_a_long_list(&node).await;
    let asked = ask_and_take_nothing(node.running().address(), 3);
    node.wait_for_metric("posthaste_connections_ended_total{reason=\"response_timeout\"}", 3.0).await;
    node.wait_for_metric("posthaste_connections", 1.0).await;
    drop(asked);
}

#[actix_rt::test]
async fn unread_responses_have_a_common_bound() {
    let node = Node::start(&[("POSTHASTE_SERVER__RESPONSE_BYTES_MAX", "50000")]).await;
    save_a_long_list(&node).await;
    let asked = ask_and_take_nothing(node.running().address(), 8);
    let deadline = std::time::Instant::now() + DEADLINE;
    while node.metric("posthaste_connections_ended_total{reason=\"response_bytes\"}").await < 3.0 {
        assert!(std::time::Instant::now() < deadline, "the bytes have no bound");
        crate::support::paused().await;
    }
    drop(asked);
}

#[actix_rt::test]
async fn incomplete_heads_have_a_common_bound() {
    let node = Node::start(&[("POSTHASTE_SERVER__HEAD_BYTES_MAX", "100000")]).await;
    let begin = format!("{HEALTH}a: {}", "x".repeat(20_000));
    let begun: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = connect(node.running().address());
            stream.write_all(begin.as_bytes()).expect("sent");
            stream
        })
        .collect();
    let deadline = std::time::Instant::now() + DEADLINE;
    while node.metric("posthaste_connections_ended_total{reason=\"head_bytes\"}").await < 3.0 {
        assert!(std::time::Instant::now() < deadline, "the bytes have no bound");
        crate::support::paused().await;
    }
    drop(begun);
}

/// While every connection of the first server is busy, the second one responds.
#[actix_rt::test]
async fn the_second_server_responds_when_the_first_is_full() {
    let more = [("POSTHASTE_SERVER__CONNECTIONS_MAX", "2"), ("POSTHASTE_SERVER__ADMIN_LISTEN", "127.0.0.1:0")];
    let node = Node::start(&more).await;
    let (address, admin) = (node.running().address(), node.running().admin_address().expect("a second server"));
    let busy: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(UNFINISHED.as_bytes()).expect("sent");
            stream
        })
        .collect();
    for (path, status) in [("healthz", "200"), ("readyz", "200"), ("metrics", "200"), ("v1/keys", "404")] {
        let request = format!("GET /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        assert_eq!(statuses(&exchange(admin, vec![request.into()]).await), [status], "{path}");
    }
    drop(busy);
}
