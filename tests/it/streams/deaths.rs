//! Nodes as processes, which are killed and paused under load. The receivers count.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::{self, Running};
use crate::support::{Behaviour, DEADLINE, Receiver, RedisServer};

const EVENTS: usize = 3_000;

struct Process {
    running: Running,
    address: String,
}

fn start(home: &tempfile::TempDir, redis: &RedisServer, roles: &str, more: &[(&str, &str)]) -> Process {
    let url = redis.url();
    let variables = [
        ("POSTHASTE_STORE__URL", url.as_str()),
        ("POSTHASTE_CLUSTER__ROLES", roles),
        ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "500"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "4"),
    ];
    let variables: Vec<_> = variables.iter().chain(more).copied().collect();
    let (running, address) = cli::serve::serve(home, &variables);
    Process { running, address }
}

fn post(address: &str, first: usize, count: usize) {
    let lines: Vec<String> =
        (first..first + count).map(|id| json!({"type": "a", "id": id.to_string(), "data": {}}).to_string()).collect();
    let head = "POST /v1/events HTTP/1.1\r\ncontent-type: application/x-ndjson";
    let (status, body) = cli::call(address, head, lines.join("\n").as_bytes()).expect("a response");
    assert_eq!(status, 202, "{body}");
}

/// How often each event arrived.
fn counts(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in receiver.received() {
        *counts.entry(request.text().to_owned()).or_default() += 1;
    }
    counts
}

/// For each receiver, up to four attempts are in flight on a node, and while it is stalled up to four deliveries are
/// queued; the others are parked.
#[test]
fn none_twice_and_none_lost_except_attempts_in_flight() {
    let (home, redis) = (cli::home(), RedisServer::start());
    let ingest = start(&home, &redis, "[\"ingest\"]", &[]);
    let receivers: Vec<Receiver> = (0..3).map(|_| Receiver::start()).collect();
    for (number, receiver) in receivers.iter().enumerate() {
        cli::serve::set_up(&ingest.address, &number.to_string(), &receiver.url("/"));
    }
    let all_behave = |behaviour| receivers.iter().for_each(|receiver| receiver.behave(behaviour));
    let patient = [("POSTHASTE_CLUSTER__TAKE_MAX", "100"), ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "60000")];
    let dispatch = || start(&home, &redis, "[\"dispatch\"]", &patient);
    let nodes: Vec<Process> = (0..3).map(|_| dispatch()).collect();
    let mut posted = 0;
    let mut load = |until: usize| {
        while posted < until {
            post(&ingest.address, posted, 50);
            posted += 50;
        }
    };
    load(EVENTS / 4);
    nodes[0].running.signal("KILL");
    // From now on more arrives than is sent: each node holds as much as it may.
    all_behave(Behaviour::Silence);
    load(EVENTS / 2);
    nodes[1..].iter().for_each(|node| until_full(&node.address));
    until(&ingest.address, "posthaste_parked_deliveries", |parked| parked > 0.0);
    nodes[1].running.signal("STOP");
    load(EVENTS * 3 / 4);
    nodes[2].running.signal("KILL");
    // No node is left to send until the paused one continues, or a new one claims what they held.
    all_behave(Behaviour::Respond(200));
    let last = dispatch();
    load(EVENTS);
    until(&last.address, "posthaste_backlog_deliveries", |waiting| waiting == 0.0);
    assert!(cli::serve::metric(&last.address, "posthaste_claims_total") >= 18.0, "what two held");
    // Long after its claim time, the paused node finds that its claims are void; it gets new work.
    nodes[1].running.signal("CONT");
    until(&nodes[1].address, "posthaste_tickets_total{result=\"lost\"}", |lost| lost >= 9.0);
    for id in EVENTS..EVENTS + 200 {
        post(&ingest.address, id, 1);
    }
    // Attempts in flight at a kill: at most one for each connection, of two nodes.
    let lost_max = 2 * 4;
    receivers.iter().for_each(|receiver| until_arrived(receiver, EVENTS + 200 - lost_max));
    until(&last.address, "posthaste_backlog_deliveries", |waiting| waiting == 0.0);
    for process in [&ingest, &nodes[1], &last] {
        process.running.signal("TERM");
    }
    for process in [ingest.running, last.running] {
        assert_eq!(process.end().0, Some(0));
    }
    for receiver in &receivers {
        let counts = counts(receiver);
        assert!(counts.values().all(|count| *count == 1), "some came twice");
        assert!(counts.len() >= EVENTS + 200 - lost_max, "{} of {} arrived", counts.len(), EVENTS + 200);
    }
}

/// Waits until each of the three destinations is stalled and has what a stalled one keeps: three or four, as fewer than
/// half are free. Before, a queue may have more for a moment, and gives the rest back.
fn until_full(address: &str) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (status, body) = cli::call(address, "GET /v1/destinations HTTP/1.1", b"").expect("a response");
        assert_eq!(status, 200, "{body}");
        let reply: Value = serde_json::from_str(&body).expect("JSON");
        let items = reply["items"].as_array().expect("destinations");
        let is_full = |one: &Value| one["trouble"] == "stalled" && one["queued"].as_u64().is_some_and(|own| own >= 3);
        if items.len() == 3 && items.iter().all(is_full) {
            return;
        }
        assert!(Instant::now() < deadline, "{reply}");
        crate::support::pause();
    }
}

/// Waits until a value meets a condition. On a busy machine thousands of deliveries take their time, so the deadline is
/// for a value that no longer changes.
fn until_so<T: PartialEq + std::fmt::Debug>(what: &str, mut value: impl FnMut() -> T, is_so: impl Fn(&T) -> bool) {
    let (mut last, mut deadline) = (value(), Instant::now() + DEADLINE);
    while !is_so(&last) {
        assert!(Instant::now() < deadline, "{what} stays {last:?}");
        crate::support::pause();
        let now = value();
        if now != last {
            (last, deadline) = (now, Instant::now() + DEADLINE);
        }
    }
}

/// Waits until a node's metric meets a condition.
fn until(address: &str, name: &str, is_so: impl Fn(f64) -> bool) {
    until_so(name, || cli::serve::metric(address, name), |value| is_so(*value));
}

fn until_arrived(receiver: &Receiver, number: usize) {
    until_so("the number that arrived", || receiver.received().len(), |arrived| *arrived >= number);
}

#[test]
fn killing_an_ingest_node_loses_no_accepted_event() {
    let (home, redis) = (cli::home(), RedisServer::start());
    let ingest = start(&home, &redis, "[\"ingest\"]", &[]);
    let receiver = Receiver::start();
    cli::serve::set_up(&ingest.address, "t", &receiver.url("/"));
    for first in (0..1_000).step_by(50) {
        post(&ingest.address, first, 50);
    }
    ingest.running.signal("KILL");
    let dispatch = start(&home, &redis, "[\"dispatch\"]", &[]);
    until_arrived(&receiver, 1_000);
    assert_eq!(counts(&receiver).len(), 1_000);
    dispatch.running.signal("TERM");
    assert_eq!(dispatch.running.end().0, Some(0));
}
