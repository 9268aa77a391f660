//! Continuous changes on two nodes while connections break and Redis is unavailable, trimmed, emptied or replaced. In
//! the end all nodes have live what the store holds, and the store holds all confirmed writes, as far as Redis itself
//! kept them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use posthaste::model::trigger::Trigger;
use posthaste::store::{Precondition, StoreError};
use tokio::task::JoinHandle;

use super::history::put_many_directly;
use super::{Node, Records, wait_until, wait_until_equal};
use crate::store::{account, template};
use crate::support::{Forwarder, RedisCluster, RedisServer, free_port};

/// Writers at each node, and the triggers of each.
const WRITERS: usize = 3;
const TRIGGERS: usize = 8;

/// What a writer knows of each of its triggers: when the last confirmed change was requested, and the number in the
/// URL, or that the trigger is deleted.
type Known = BTreeMap<String, (Instant, Option<usize>)>;

/// Writers that put and delete continuously until they are ended.
struct Writers {
    ended: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<Known>>,
}

impl Writers {
    fn start(nodes: &[&Arc<Node>]) -> Self {
        let (ended, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let names = (0..nodes.len() * WRITERS).zip(nodes.iter().cycle());
        let task = |(name, node): (usize, &&Arc<Node>)| {
            tokio::spawn(write(Arc::clone(node), name, Arc::clone(&ended), Arc::clone(&written)))
        };
        let tasks = names.map(task).collect();
        Self { ended, written, tasks }
    }

    /// Waits until this many more changes are confirmed.
    async fn go_on_for(&self, changes: usize) {
        let before = self.written.load(Ordering::Relaxed);
        wait_until("changes go on", || self.written.load(Ordering::Relaxed) >= before + changes).await;
    }

    /// Ends them, and waits until the nodes have live what is stored, which must include all writes confirmed since.
    async fn end(self, since: Instant, nodes: &[&Node]) -> Records {
        self.ended.store(true, Ordering::Relaxed);
        let mut known = Known::new();
        for task in self.tasks {
            known.extend(task.await.expect("no writer fails"));
        }
        let stored = wait_until_equal(nodes).await;
        known.retain(|_, (asked, _)| *asked >= since);
        assert!(known.len() > WRITERS, "too little was written since");
        for (id, (_, number)) in known {
            let kept = stored.get(&format!("trigger a/{id}"));
            let expected = number.map(|number| format!("https://h/{number}\""));
            let as_responded = match (kept, expected) {
                (Some(kept), Some(expected)) => kept.contains(&expected),
                (kept, expected) => kept.is_none() && expected.is_none(),
            };
            assert!(as_responded, "{id} should be {number:?}, and is {kept:?}");
        }
        stored
    }
}

async fn write(node: Arc<Node>, name: usize, ended: Arc<AtomicBool>, written: Arc<AtomicUsize>) -> Known {
    let mut known = Known::new();
    let mut lives = [0; TRIGGERS];
    for number in 0.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let which = number % TRIGGERS;
        let id = format!("w{name}.{which}.{}", lives[which]);
        let (asked, deletes) = (Instant::now(), number % 5 == 4);
        let done = if deletes {
            node.store.delete::<Trigger>(Some(&account("a")), &id, Precondition::None).await
        } else {
            node.put("a", &id, number).await
        };
        match done {
            Ok(()) => {
                known.insert(id, (asked, (!deletes).then_some(number)));
                written.fetch_add(1, Ordering::Relaxed);
            }
            Err(StoreError::NotFound) if deletes => {
                known.insert(id, (asked, None));
            }
            // The store was emptied.
            Err(StoreError::TemplateMissing(_)) => {
                let _ = node.store.put(Some(&account("a")), &template("w"), Precondition::None).await;
            }
            // The write may have been executed, or may be yet: the state of this trigger is unknown.
            Err(StoreError::Unavailable(_) | StoreError::Refused(_)) => {
                known.remove(&id);
                lives[which] += 1;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    known
}

async fn two_nodes(url: &str) -> (Arc<Node>, Arc<Node>) {
    let (one, two) = (Arc::new(Node::at(url).await), Arc::new(Node::at(url).await));
    one.put_template("a").await;
    (one, two)
}

/// How many snapshots a node has read after its start.
fn snapshots_read(node: &Node) -> f64 {
    ["gap", "history", "behind", "epoch"].map(|reason| node.snapshots(reason)).iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_killed() {
    let server = RedisServer::start();
    let begun = Instant::now();
    let (one, two) = two_nodes(&server.url()).await;
    let writers = Writers::start(&[&one, &two]);
    for _ in 0..10 {
        writers.go_on_for(20).await;
        let killed = server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert!(killed.parse::<usize>().expect("a number") > 0);
    }
    writers.go_on_for(20).await;
    writers.end(begun, &[&one, &two]).await;
    assert_eq!(snapshots_read(&one) + snapshots_read(&two), 0.0, "the log told everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_restarts_with_its_data() {
    let mut server = RedisServer::lasting();
    let begun = Instant::now();
    let (one, two) = two_nodes(&server.url()).await;
    let writers = Writers::start(&[&one, &two]);
    for _ in 0..3 {
        writers.go_on_for(60).await;
        server.kill();
        server.run();
    }
    writers.go_on_for(60).await;
    writers.end(begun, &[&one, &two]).await;
    assert_eq!(snapshots_read(&one) + snapshots_read(&two), 0.0, "the log told everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_restarts_without_its_data() {
    let mut server = RedisServer::start();
    let (one, two) = two_nodes(&server.url()).await;
    let writers = Writers::start(&[&one, &two]);
    let mut since = Instant::now();
    for _ in 0..2 {
        writers.go_on_for(60).await;
        server.kill();
        since = Instant::now();
        server.run();
    }
    writers.go_on_for(60).await;
    writers.end(since, &[&one, &two]).await;
    for node in [&one, &two] {
        assert_eq!(node.snapshots("epoch"), 2.0);
    }
}

/// First a master that holds nothing of the store, which is not missed; then the one that holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masters_of_a_cluster_are_killed() {
    let mut cluster = RedisCluster::start();
    let begun = Instant::now();
    let (one, two) = two_nodes(&cluster.url()).await;
    let writers = Writers::start(&[&one, &two]);
    writers.go_on_for(60).await;
    cluster.other_than_holder("{posthaste}:meta").kill();
    writers.go_on_for(200).await;
    cluster.holder("{posthaste}:meta").kill();
    wait_until("both know that it is unavailable", || !one.store.connected() && !two.store.connected()).await;
    assert!(matches!(one.put("a", "t", 1).await, Err(StoreError::Unavailable(_) | StoreError::Refused(_))));
    assert!(!two.mirror.records().is_empty(), "what was live is");
    cluster.run_all();
    writers.go_on_for(60).await;
    writers.end(begun, &[&one, &two]).await;
    assert_eq!(snapshots_read(&one) + snapshots_read(&two), 0.0, "the log told everything");
}

/// One node is disconnected while the log is trimmed; the other follows it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_trimmed() {
    let server = RedisServer::start();
    let door = Forwarder::to(server.port());
    let begun = Instant::now();
    let one = Arc::new(Node::at(&server.url()).await);
    let two = Arc::new(Node::at(&format!("redis://127.0.0.1:{}", door.port())).await);
    one.put_template("a").await;
    let writers = Writers::start(&[&one, &two]);
    for round in 1..=2 {
        writers.go_on_for(30).await;
        door.lead_to(free_port());
        writers.go_on_for(60).await;
        server.cli(&["XTRIM", "{posthaste}:log", "MAXLEN", "5"]);
        door.lead_to(server.port());
        wait_until("it reads a snapshot", || snapshots_read(&two) >= f64::from(round)).await;
    }
    // While both follow it, to zero entries.
    for _ in 0..5 {
        writers.go_on_for(5).await;
        server.cli(&["XTRIM", "{posthaste}:log", "MAXLEN", "0"]);
    }
    writers.go_on_for(30).await;
    writers.end(begun, &[&one, &two]).await;
}

/// First a replica without the last changes takes over; then one that has had many others meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_changes() {
    let mut master = RedisServer::start();
    let door = Forwarder::to(master.port());
    let (one, two) = two_nodes(&format!("redis://127.0.0.1:{}", door.port())).await;
    let writers = Writers::start(&[&one, &two]);
    let mut since = Instant::now();
    for others in [0, 500] {
        let replica = RedisServer::start();
        replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
        let version = || replica.cli(&["HGET", "{posthaste}:meta", "version"]);
        wait_until("the replica follows", || !version().is_empty()).await;
        writers.go_on_for(60).await;
        replica.cli(&["REPLICAOF", "NO", "ONE"]);
        let kept: u64 = version().parse().expect("a number");
        writers.go_on_for(60).await;
        let lost = master.cli(&["HGET", "{posthaste}:meta", "version"]).parse::<u64>().expect("a number") - kept;
        assert!(lost >= 60, "only {lost} are lost");
        put_many_directly(&replica, (0..others).map(|number| (format!("other{number}"), number)));
        let read_before = [&one, &two].map(|node| snapshots_read(node));
        door.lead_to(replica.port());
        since = Instant::now();
        master = replica;
        writers.go_on_for(60).await;
        for (node, before) in [&one, &two].into_iter().zip(read_before) {
            wait_until("it reads a snapshot", || snapshots_read(node) > before).await;
        }
    }
    let stored = writers.end(since, &[&one, &two]).await;
    assert_eq!(stored.keys().filter(|place| place.starts_with("trigger a/other")).count(), 500);
    assert!(one.snapshots("behind") + one.snapshots("history") >= 2.0);
    drop(master);
}
