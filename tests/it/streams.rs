//! Deliveries through Redis Streams, with nodes in this process and a real redis-server: which node sends what, what
//! the bounds are, and what is left when something fails. Nodes that are killed are in [`deaths`]; [`model`] checks all
//! of this without Redis, at every interleaving.

mod bounds;
mod bulk;
mod claims;
mod deaths;
mod duplicates;
mod interleavings;
mod masters;
mod model;
mod packs;
mod parked;
mod redeem;
mod refusals;
mod roles;
mod secured;
mod steps;

use serde_json::{Value, json};

use crate::support::{Behaviour, DEADLINE, Node, Receiver, RedisServer, json_template};

/// The first stream, if there is only one partition.
const STREAM: &str = "{posthaste:0}:deliveries";
/// Its bulk stream.
const BULK: &str = "{posthaste:0}:bulk";
/// Its stream of packs.
const PACKS: &str = "{posthaste:0}:packs";

/// Settings of a node on this Redis, and further ones.
fn on<'a>(url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("POSTHASTE_STORE__URL", url)].into_iter().chain(more.iter().copied()).collect()
}

const INGEST: (&str, &str) = ("POSTHASTE_CLUSTER__ROLES", "[\"ingest\"]");
const DISPATCH: (&str, &str) = ("POSTHASTE_CLUSTER__ROLES", "[\"dispatch\"]");

async fn node(url: &str, more: &[(&str, &str)]) -> Node {
    Node::start(&on(url, more)).await
}

/// Saves a trigger on the type `a` with this URL through one node, and waits until it is live on the others.
async fn set_up(node: &Node, others: &[&Node], id: &str, url: String) {
    node.set_up(id, &json_template(), json!({"event": "a", "url": url})).await;
    let own = node.metric("posthaste_triggers").await;
    for other in others {
        until("a trigger is not live on another node", async || other.metric("posthaste_triggers").await == own).await;
    }
}

/// A node with these settings, and a silent receiver that this many deliveries are for.
async fn with_a_silent_receiver(redis: &RedisServer, more: &[(&str, &str)], deliveries: u32) -> (Node, Receiver) {
    let (node, receiver) = (node(&redis.url(), more).await, Receiver::start());
    receiver.behave(Behaviour::Silence);
    set_up(&node, &[], "t", receiver.url("/")).await;
    for id in 0..deliveries {
        node.fire(event(id)).await;
    }
    (node, receiver)
}

fn event(id: impl ToString) -> Value {
    json!({"type": "a", "id": id.to_string(), "data": {}})
}

/// The ids of the events that a receiver got, in order and with repetitions.
fn ids(receiver: &Receiver) -> Vec<String> {
    let mut ids: Vec<String> = receiver.received().iter().map(|r| r.text().to_owned()).collect();
    ids.sort();
    ids
}

fn expected(ids: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
    ids.sort();
    ids
}

/// The ids of entries in a response of Redis.
fn entry_ids(response: &str) -> Vec<&str> {
    let is_id = |line: &&str| line.contains('-') && line.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    response.lines().filter(is_id).collect()
}

/// How many entries are in the streams of a server.
fn backlog(redis: &RedisServer) -> usize {
    streams(redis).iter().map(|key| redis.cli(&["XLEN", key]).parse::<usize>().expect("a number")).sum()
}

/// The streams that are on a server.
fn streams(redis: &RedisServer) -> Vec<String> {
    let keys = redis.cli(&["KEYS", "{posthaste:*}:*"]);
    let is_stream =
        |key: &&str| [":deliveries", ":bulk", ":packs"].iter().any(|end| key.ends_with(&format!("}}{end}")));
    keys.lines().filter(is_stream).map(str::to_owned).collect()
}

/// How many deliveries a node has dropped, for any reason.
async fn dropped(node: &Node) -> f64 {
    let text = node.metrics().await;
    let lines = text.lines().filter(|line| line.starts_with("posthaste_dropped_total"));
    lines.map(|line| line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")).sum()
}

/// Waits until something holds, with a deadline.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(std::time::Instant::now() < deadline, "{what}");
        crate::support::paused().await;
    }
}
