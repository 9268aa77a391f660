//! A Redis Cluster that loses one of its three masters under load, and gets it back, as docs/redis.md describes, with
//! producers that never pause. The receivers count.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use posthaste::flow::refusal::Refusal;
use serde_json::{Value, json};

use super::{DISPATCH, INGEST, dropped, node, streams, until};
use crate::support::{Behaviour, Node, Receiver, RedisCluster, RedisServer, json_template};

const PRODUCERS: usize = 8;
/// The least number of destinations on each master.
const ON_EACH_MASTER: usize = 4;
const PARTITIONS: u64 = 16;

/// First the master with the streams is killed, then the one with the triggers too. Before each kill some receivers are
/// silent, so that the streams hold many entries.
#[actix_rt::test]
async fn none_twice_and_none_lost_when_a_master_is_killed_under_load() {
    let mut cluster = RedisCluster::start();
    let ingest = Rc::new(node(&cluster.url(), &[INGEST]).await);
    let sender = [DISPATCH, ("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "500")];
    // Small, so that some entries are read and some are parked.
    let small =
        [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"), ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "8")];
    let sender = [sender, small].concat();
    let senders = [node(&cluster.url(), &sender).await, node(&cluster.url(), &sender).await];
    let receivers = start_receivers(&cluster);
    for (number, (receiver, _)) in receivers.iter().enumerate() {
        let filter = json!({"to": [number.to_string(), "all"]});
        let trigger = json!({"event": "a", "where": filter, "url": receiver.url("/")});
        ingest.set_up(&number.to_string(), &json_template(), trigger).await;
    }
    let load = Load::start(&ingest, receivers.len());
    let holder = cluster.place("{posthaste}:meta");
    for victim in [(holder + 1) % 3, holder] {
        load.wait_for_accepted(Instant::now(), 300).await;
        silence_half(&receivers, true);
        for master in 0..3 {
            let held = || waiting(cluster.master(master)) > Some(20);
            for_a_while("the streams are empty although receivers are silent", held).await;
        }
        until("nothing is parked", async || senders[0].metric("posthaste_parked_deliveries").await > 0.0).await;
        cluster.master_mut(victim).kill();
        let killed = Instant::now();
        // For a moment, events for the living masters alone are still accepted; accepted events arrive.
        let barred = || ingest.running().shared().gate.refusal() == Some(Refusal::Unavailable);
        for_a_while("events are accepted although a master is unavailable", barred).await;
        assert!(killed.elapsed() < Duration::from_secs(1), "as long as a client that asks for the dead one's place");
        assert_eq!(ingest.get("/readyz").await.status, 503);
        silence_half(&receivers, false);

        // Deliveries on the other masters are sent.
        let missing = || load.missing(&receivers, |master| master != victim).len();
        for_a_while("deliveries on the living masters are not sent", || missing() == 0).await;
        for master in (0..3).filter(|master| *master != victim) {
            for_a_while("entries stayed on a living master", || waiting(cluster.master(master)) == Some(0)).await;
        }
        // No event is accepted until it is back, whichever stream it is for.
        for to in 0..receivers.len() {
            let reply = ingest.post("/v1/events", &event("refused", &to.to_string())).await;
            assert_eq!(reply.problem(), (503, "store_unavailable".to_owned()));
        }
        let back = Instant::now();
        cluster.run_all();
        load.wait_for_accepted(back, 300).await;
    }
    let load = load.end().await;
    for_a_while("accepted deliveries are not sent", || load.missing(&receivers, |_| true).is_empty()).await;
    for master in 0..3 {
        for_a_while("entries stayed in the streams", || waiting(cluster.master(master)) == Some(0)).await;
    }
    for sender in senders {
        assert_eq!(dropped(&sender).await, 0.0, "what Redis had taken was dropped");
        assert_eq!(sender.stop().await.unsent, 0);
    }
    load.assert_none_twice(&receivers);
}

/// Receivers, and the master that holds the stream of each.
fn start_receivers(cluster: &RedisCluster) -> Vec<(Receiver, usize)> {
    let mut receivers = Vec::new();
    let has_enough = |receivers: &[(Receiver, usize)], master| {
        receivers.iter().filter(|(_, place)| *place == master).count() >= ON_EACH_MASTER
    };
    while !(0..3).all(|master| has_enough(&receivers, master)) {
        let receiver = Receiver::start();
        let place = cluster.place(&format!("{{posthaste:{}}}:deliveries", partition_of(receiver.port())));
        // The system chooses ports: a receiver on a master that has enough is dropped.
        if !has_enough(&receivers, place) {
            receivers.push((receiver, place));
        }
    }
    receivers
}

/// The partition of a receiver on this machine, computed as docs/redis.md describes.
fn partition_of(port: u16) -> u64 {
    let bytes = b"http127.0.0.1".iter().chain(&port.to_be_bytes()).copied().collect::<Vec<u8>>();
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) % PARTITIONS
}

/// Silences every second receiver of each master, or lets them respond again.
fn silence_half(receivers: &[(Receiver, usize)], silent: bool) {
    let behaviour = if silent { Behaviour::Silence } else { Behaviour::Respond(200) };
    for master in 0..3 {
        let own = receivers.iter().filter(|(_, place)| *place == master);
        own.step_by(2).for_each(|(receiver, _)| receiver.behave(behaviour));
    }
}

/// How many entries are on a master; `None` while it is not sure that it belongs to the cluster.
fn waiting(master: &RedisServer) -> Option<usize> {
    streams(master).iter().map(|key| master.cli(&["XLEN", key]).parse::<usize>().ok()).sum()
}

/// Waits for a condition that is expensive to check: producers continue between two checks, on the same thread.
async fn for_a_while(what: &str, holds: impl Fn() -> bool) {
    until(what, async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        holds()
    })
    .await;
}

/// A producer's request: the response, and the deliveries that it fires, each an event's id and a destination.
struct Post {
    begun: Instant,
    response: (u16, String),
    deliveries: Vec<(String, usize)>,
}

/// Producers that post continuously until they are ended.
struct Load {
    posts: Rc<RefCell<Vec<Post>>>,
    ended: Rc<Cell<bool>>,
    producers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(node: &Rc<Node>, destinations: usize) -> Self {
        let (posts, ended) = (Rc::<RefCell<Vec<Post>>>::default(), Rc::<Cell<bool>>::default());
        let producer = |name| {
            let (node, posts, ended) = (Rc::clone(node), Rc::clone(&posts), Rc::clone(&ended));
            actix_rt::spawn(async move {
                for number in name.. {
                    if ended.get() {
                        return;
                    }
                    let post = post(&node, &format!("{name}.{number}"), number, destinations).await;
                    let refused = post.response.0 != 202;
                    posts.borrow_mut().push(post);
                    if refused {
                        // As a producer would.
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            })
        };
        let producers = (0..PRODUCERS).map(producer).collect();
        Self { posts, ended, producers }
    }

    async fn end(mut self) -> Self {
        self.ended.set(true);
        for producer in self.producers.drain(..) {
            producer.await.expect("no producer fails");
        }
        self
    }

    async fn wait_for_accepted(&self, since: Instant, number: usize) {
        let accepted = || self.posts.borrow().iter().filter(|p| p.begun >= since && p.response.0 == 202).count();
        for_a_while("too few events are accepted", || accepted() >= number).await;
    }

    /// The accepted deliveries to destinations on these masters that have not arrived.
    fn missing(&self, receivers: &[(Receiver, usize)], on: impl Fn(usize) -> bool) -> Vec<(usize, String)> {
        let arrived = arrived(receivers);
        let posts = self.posts.borrow();
        let accepted = posts.iter().filter(|post| post.response.0 == 202).flat_map(|post| &post.deliveries);
        let accepted = accepted.filter(|(_, to)| on(receivers[*to].1)).map(|(id, to)| (*to, body(id)));
        accepted.filter(|delivery| !arrived.contains_key(delivery)).collect()
    }

    /// Whatever the response was: each delivery that arrived was posted, and arrived once.
    fn assert_none_twice(&self, receivers: &[(Receiver, usize)]) {
        let posts = self.posts.borrow();
        for (status, code) in posts.iter().map(|post| &post.response) {
            assert!(*status == 202 || (*status, code.as_str()) == (503, "store_unavailable"), "{status} {code}");
        }
        let deliveries = posts.iter().flat_map(|post| &post.deliveries);
        let posted: BTreeSet<_> = deliveries.map(|(id, to)| (*to, body(id))).collect();
        for (delivery, times) in arrived(receivers) {
            assert_eq!(times, 1, "{delivery:?}");
            assert!(posted.contains(&delivery), "nobody posted {delivery:?}");
        }
    }
}

/// Posts an event for all destinations, or one to three consecutive events for one each.
async fn post(node: &Node, name: &str, number: usize, destinations: usize) -> Post {
    let (events, deliveries): (Vec<Value>, Vec<_>) = if number.is_multiple_of(10) {
        (vec![event(name, "all")], (0..destinations).map(|to| (name.to_owned(), to)).collect())
    } else {
        let each = (number..=number + number % 3).enumerate();
        each.map(|(place, to)| (format!("{name}.{place}"), to % destinations))
            .map(|(id, to)| (event(&id, &to.to_string()), (id, to)))
            .unzip()
    };
    let begun = Instant::now();
    let reply = node.post("/v1/events", &json!(events)).await;
    assert!(reply.status != 202 || reply.json()["accepted"] == events.len(), "{}", reply.json());
    Post { begun, response: reply.problem(), deliveries }
}

fn event(id: &str, to: &str) -> Value {
    json!({"type": "a", "id": id, "data": {"to": to}})
}

fn body(id: &str) -> String {
    format!("{{\"id\":\"{id}\"}}")
}

/// How often each delivery arrived: the number of its receiver and its body.
fn arrived(receivers: &[(Receiver, usize)]) -> BTreeMap<(usize, String), usize> {
    let mut times = BTreeMap::new();
    for (number, (receiver, _)) in receivers.iter().enumerate() {
        for request in receiver.received() {
            *times.entry((number, request.text().to_owned())).or_default() += 1;
        }
    }
    times
}
