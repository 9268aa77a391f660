//! Logs with missing entries, and histories that differ from the one that was followed: a snapshot is read, and deleted
//! records disappear.

use posthaste::model::trigger::Trigger;
use serde_json::Value;

use super::{Node, put_at_last, wait_until, wait_until_equal};
use crate::store::{account, remove};
use crate::support::{Forwarder, RedisServer};

const WRITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/redis/write.lua");

/// Puts a trigger as another program does.
fn put_directly(server: &RedisServer, id: &str, number: usize) {
    let json = format!(r#"{{"id":"{id}","event":"*","template":"w","url":"https://h/{number}"}}"#);
    let response = server.cli(&["--eval", WRITE, "{posthaste}:meta", ",", "put", "trigger", "a", id, &json]);
    assert!(response.starts_with("written"), "{response}");
}

/// The same for many triggers in one call.
pub(super) fn put_many_directly(server: &RedisServer, puts: impl Iterator<Item = (String, usize)>) {
    let script = Script::load(server);
    server.pipe(&puts.map(|(id, number)| script.put(&id, number)).collect::<String>());
}

/// The script, by the hash that the server knows it by.
struct Script(String);

impl Script {
    fn load(server: &RedisServer) -> Self {
        let text = std::fs::read_to_string(WRITE).expect("the script");
        Self(server.cli(&["SCRIPT", "LOAD", &text]))
    }

    /// A line for `redis-cli`.
    fn put(&self, id: &str, number: usize) -> String {
        let json = format!(r#"{{\"id\":\"{id}\",\"event\":\"*\",\"template\":\"w\",\"url\":\"https://h/{number}\"}}"#);
        format!("EVALSHA {} 1 {{posthaste}}:meta put trigger a {id} \"{json}\"\n", self.0)
    }
}

#[tokio::test]
async fn a_log_that_was_trimmed_before_it_was_read_is_noticed() {
    let server = RedisServer::start();
    let node = Node::at(&server.url()).await;
    node.put_template("a").await;
    node.put("a", "old", 0).await.expect("written");
    let script = Script::load(&server);
    for turn in 0..3 {
        // In one step, so that no reader sees the entry before it is removed.
        let puts = ["t", "u"].map(|name| script.put(&format!("{name}{turn}"), 1)).concat();
        let keep = ["XTRIM {posthaste}:log MAXLEN 0", "XTRIM {posthaste}:log MAXLEN 1", "DEL {posthaste}:log"][turn];
        server.pipe(&format!("MULTI\n{puts}{keep}\nEXEC\n"));
        wait_until("a snapshot was read", || {
            let live = node.mirror.records();
            live.contains_key(&format!("trigger a/t{turn}")) && live.contains_key(&format!("trigger a/u{turn}"))
        })
        .await;
        put_at_last(&node, "a", &format!("v{turn}"), turn).await;
        wait_until_equal(&[&node]).await;
    }
    assert_eq!(node.snapshots("gap") + node.snapshots("history"), 3.0);
}

/// A replica without the last writes takes over, and other writes follow.
#[tokio::test]
async fn a_failover_that_lost_writes_is_noticed() {
    // How many changes the new master has and the old one had not: fewer than were lost, as many, more.
    for (number, expected) in [(1_usize, "behind"), (3, "history"), (6, "history")] {
        let (first, second) = (RedisServer::start(), RedisServer::start());
        let door = Forwarder::to(first.port());
        let url = format!("redis://127.0.0.1:{}", door.port());
        let (one, two) = (Node::at(&url).await, Node::at(&url).await);
        one.put_template("a").await;
        one.put("a", "kept", 0).await.expect("written");
        one.put("a", "deleted", 0).await.expect("written");
        second.cli(&["REPLICAOF", "127.0.0.1", &first.port().to_string()]);
        let length = first.cli(&["HGET", "{posthaste}:meta", "version"]);
        wait_until("the replica has it", || second.cli(&["HGET", "{posthaste}:meta", "version"]) == length).await;
        second.cli(&["REPLICAOF", "NO", "ONE"]);

        // Lost: one created, one changed, one deleted.
        one.put("a", "lost", 1).await.expect("written");
        two.put("a", "kept", 1).await.expect("written");
        remove::<Trigger>(&two.store, &account("a"), "deleted").await;
        wait_until_equal(&[&one, &two]).await;
        for number in 0..number {
            put_directly(&second, &format!("new{number}"), number);
        }
        door.lead_to(second.port());
        drop(first);

        let live = wait_until_equal_to(&[&one, &two], 4 - 1 + number).await;
        assert!(!live.contains_key("trigger a/lost"), "{number}");
        assert!(live.contains_key("trigger a/deleted"), "{number}");
        let kept: Value = serde_json::from_str(&live["trigger a/kept"]).expect("JSON");
        assert_eq!(kept["url"], "https://h/0", "{number}");
        for node in [&one, &two] {
            assert_eq!(node.snapshots(expected), 1.0, "{number}");
        }
        put_at_last(&two, "a", "after", 9).await;
        wait_until_equal(&[&one, &two]).await;
    }
}

async fn wait_until_equal_to(nodes: &[&Node], records: usize) -> super::Records {
    wait_until("the lost changes are gone and the rest is there", || {
        nodes.iter().all(|node| node.store.connected() && node.mirror.records().len() == records)
    })
    .await;
    wait_until_equal(nodes).await
}

#[tokio::test]
async fn a_log_that_another_program_damaged_is_repaired() {
    let server = RedisServer::start();
    let node = Node::at(&server.url()).await;
    node.put_template("a").await;
    // Far ahead of the version, and without meaning.
    server.cli(&["XADD", "{posthaste}:log", "*", "some", "thing"]);
    put_at_last(&node, "a", "t", 1).await;
    // Behind the log.
    server.cli(&["HSET", "{posthaste}:meta", "version", "0"]);
    put_at_last(&node, "a", "u", 2).await;
    assert_eq!(wait_until_equal(&[&node]).await.len(), 3);
    server.cli(&["FLUSHALL"]);
    wait_until("nothing is live", || node.mirror.records().is_empty()).await;
}

#[tokio::test]
async fn a_long_log_stays_bounded_and_a_late_node_reads_everything() {
    let server = RedisServer::start();
    let node = Node::at(&server.url()).await;
    node.put_template("a").await;
    put_many_directly(&server, (0..2_500).map(|number| (format!("t{}", number % 2_000), number)));
    let late = Node::at(&server.url()).await;
    assert_eq!(wait_until_equal(&[&node, &late]).await.len(), 2_001);
    assert_eq!(node.snapshots("gap"), 0.0);
}
