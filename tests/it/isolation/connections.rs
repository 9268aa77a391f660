//! The share of outgoing connections, with a process that may open few files.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::cli::serve::metric;
use crate::cli::{Running, call, home, post, put};
use crate::support::{DEADLINE, Receiver};

/// Of a limit of 256 open files destinations may have 184, of which the last sixteenth is for first connections only.
const OPEN_FILES: usize = 256;
/// Receivers that accept no connection and that together want several times that.
const HOLES: usize = 20;
/// Fewer than they get in any order, and more than half of all.
const HELD: f64 = 150.0;
/// Receivers of another account.
const OTHERS: usize = 8;

fn set_up(address: &str, account: &str, id: usize, event: &str, url: &str) {
    let template = json!({"format": "text", "body": "{{event.id}}"});
    put(address, &format!("/v1/accounts/{account}/templates/w"), &template);
    let trigger = json!({"event": event, "template": "w", "url": url});
    put(address, &format!("/v1/accounts/{account}/triggers/t{id}"), &trigger);
}

/// Receivers that never accept hold all connections that their account may have: a new destination of another account
/// still opens its first one, and no delivery of either is dropped.
#[actix_rt::test]
async fn a_new_destination_opens_its_first_connection_beside_black_holes() {
    let home = home();
    let mut serve = Command::new("sh");
    serve.args(["-c", &format!("ulimit -n {OPEN_FILES}; exec \"$0\" serve"), env!("CARGO_BIN_EXE_posthaste")]);
    serve.current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    serve.envs([
        ("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0"),
        ("POSTHASTE_SERVER__CONNECTIONS_MAX", "8"),
        ("POSTHASTE_STORE__URL", "memory:"),
        ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300000"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ]);
    let running = Running::start(serve);
    let address = running.line_or_end("listening on http://").expect("it listens");
    // The system completes their connections, and nobody accepts them.
    let holes: Vec<TcpListener> = (0..HOLES).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    for (id, hole) in holes.iter().enumerate() {
        set_up(&address, "flood", id, "flood", &format!("http://{}/", hole.local_addr().expect("bound")));
    }
    let others: Vec<Receiver> = (0..OTHERS).map(|_| Receiver::start()).collect();
    for (id, other) in others.iter().enumerate() {
        set_up(&address, "other", id, &format!("other.n{id}"), &other.url("/"));
    }
    let many: Vec<_> = (0..60).map(|_| json!({"type": "flood", "account": "flood", "data": {}})).collect();
    // Its response comes when its attempts have begun: not before the end of the test.
    let at = address.clone();
    let posted = std::thread::spawn(move || post(&at, &json!(many)));
    let deadline = std::time::Instant::now() + DEADLINE;
    while metric(&address, "posthaste_attempts_in_flight") < HELD {
        let held = metric(&address, "posthaste_attempts_in_flight");
        assert!(std::time::Instant::now() < deadline, "{held} attempts are in flight");
        crate::support::paused().await;
    }
    for (id, other) in others.iter().enumerate() {
        let event = json!({"type": format!("other.n{id}"), "account": "other", "id": "first", "data": {}});
        assert_eq!(post(&address, &event).expect("a response"), 202);
        assert_eq!(other.wait_for(1).await[0].text(), "first");
    }
    let (_, metrics) = call(&address, "GET /metrics HTTP/1.1", b"").expect("metrics");
    let is_loss = |line: &&str| {
        line.starts_with("posthaste_dropped_total") || line.starts_with("posthaste_attempts_total{outcome=\"connect\"")
    };
    let lost: Vec<&str> = metrics.lines().filter(is_loss).filter(|line| !line.ends_with(" 0")).collect();
    assert!(lost.is_empty(), "{lost:#?}");
    drop((running, posted));
}
