//! Nodes that share a store in Redis: a change of one is live on all, whatever happens to Redis and to the connections.

mod continuous;
mod faults;
mod history;
mod measured;
mod other_programs;
mod refusals;
mod secured;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use posthaste::config::StoreSettings;
use posthaste::flow::messages::{LiveTarget, LiveTemplate};
use posthaste::model::id::AccountId;
use posthaste::model::key::Key;
use posthaste::model::outcome::DropReason;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Change, ChangeSink, OpenError, Precondition, Record, Snapshot, Store, StoreError};
use posthaste::telemetry::metrics::Metrics;

use super::{account, template, trigger};
use crate::support::{DEADLINE, RedisServer};

/// Kind, account and id, and the stored record.
type Records = BTreeMap<String, String>;

/// What is live on a node, as the store reported it.
#[derive(Default)]
struct Mirror(Mutex<Records>);

impl Mirror {
    fn records(&self) -> Records {
        self.0.lock().expect("a lock").clone()
    }
}

impl ChangeSink for Mirror {
    fn compile(&self, _: &AccountId, _: &Template) -> Option<Arc<LiveTemplate>> {
        None
    }

    fn target(&self, _: &AccountId, _: &Trigger) -> Result<LiveTarget, DropReason> {
        Err(DropReason::UrlRefused)
    }

    fn apply(&self, changes: Vec<Change>) {
        change(&mut self.0.lock().expect("a lock"), changes);
    }

    fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
        Box::new(Next { mirror: self, records: Records::new() })
    }
}

struct Next<'a> {
    mirror: &'a Mirror,
    records: Records,
}

impl Snapshot for Next<'_> {
    fn add(&mut self, changes: Vec<Change>) {
        change(&mut self.records, changes);
    }

    fn finish(self: Box<Self>) {
        *self.mirror.0.lock().expect("a lock") = self.records;
    }
}

fn change(records: &mut Records, changes: Vec<Change>) {
    fn set<T: Record>(records: &mut Records, place: String, value: Option<T>) {
        match value {
            Some(value) => records.insert(place, value.to_stored_json().to_string()),
            None => records.remove(&place),
        };
    }
    for change in changes {
        match change {
            Change::Template(account, id, saved) => {
                set(records, format!("template {account}/{id}"), saved.map(|saved| saved.template));
            }
            Change::Trigger(account, id, saved) => {
                set(records, format!("trigger {account}/{id}"), saved.map(|saved| saved.trigger));
            }
            Change::Key(id, value) => set(records, format!("key {id}"), value),
        }
    }
}

/// The part of a node that the store affects.
struct Node {
    store: Store,
    mirror: Arc<Mirror>,
    metrics: Arc<Metrics>,
}

impl Node {
    async fn open(settings: &StoreSettings) -> Result<Self, OpenError> {
        let (mirror, metrics) = (Arc::new(Mirror::default()), Arc::new(Metrics::new()));
        let store = Store::open(settings, mirror.clone(), metrics.clone()).await?;
        Ok(Self { store, mirror, metrics })
    }

    async fn at(url: &str) -> Self {
        Self::open(&super::settings(url)).await.expect("a store")
    }

    /// Puts a trigger whose URL identifies it; fails if the store does.
    async fn put(&self, account: &str, id: &str, number: usize) -> Result<(), StoreError> {
        let trigger = trigger(id, "w", &format!("https://h/{number}"));
        self.store.put(Some(&super::account(account)), &trigger, Precondition::None).await.map(drop)
    }

    async fn put_template(&self, account: &str) {
        super::save(&self.store, &super::account(account), &template("w")).await;
    }

    /// The value of a metric, by its name with labels.
    fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    fn snapshots(&self, reason: &str) -> f64 {
        self.metric(&format!("posthaste_store_snapshots_total{{reason=\"{reason}\"}}"))
    }

    /// All that the store holds, read record by record.
    async fn stored(&self) -> Records {
        let mut records = Records::new();
        for account in self.store.accounts().await.expect("a response") {
            let templates = self.all::<Template>(Some(&account)).await.into_iter();
            change(&mut records, templates.map(|t| super::template_change(&account, t)).collect());
            let triggers = self.all::<Trigger>(Some(&account)).await.into_iter();
            change(&mut records, triggers.map(|t| super::trigger_change(&account, t)).collect());
        }
        let keys = self.all::<Key>(None).await.into_iter();
        change(&mut records, keys.map(|key| Change::Key(key.id.clone(), Some(key))).collect());
        records
    }

    /// All records of a kind, page by page.
    async fn all<T: Record>(&self, account: Option<&AccountId>) -> Vec<T> {
        let (mut records, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.list::<T>(account, after.as_deref(), 1_000).await.expect("a page");
            records.extend(page.items.into_iter().map(|stored| stored.value));
            after = page.next;
            if after.is_none() {
                return records;
            }
        }
    }
}

/// Waits for a condition that depends on other threads.
async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until all nodes have live exactly what the store holds.
async fn wait_until_equal(nodes: &[&Node]) -> Records {
    wait_until("all nodes reach the store", || nodes.iter().all(|node| node.store.connected())).await;
    let stored = nodes[0].stored().await;
    wait_until("all nodes have live what is stored", || nodes.iter().all(|node| node.mirror.records() == stored)).await;
    stored
}

/// Repeats a put until it succeeds, for writes while Redis is unavailable at times.
async fn put_at_last(node: &Node, account: &str, id: &str, number: usize) {
    let deadline = Instant::now() + DEADLINE;
    while let Err(error) = node.put(account, id, number).await {
        assert!(matches!(error, StoreError::Unavailable(_) | StoreError::Refused(_)), "{error}");
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_change_of_one_node_is_live_on_the_other() {
    let server = RedisServer::start();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    for number in 0..300 {
        // Each of a few records is created, replaced and deleted by either node.
        let (writer, id) = (if number % 3 == 0 { &one } else { &two }, format!("t{}", number % 7));
        let written = writer.put("a", &id, number).await;
        written.expect("written");
        let is_live = |node: &Node| {
            let kept = node.mirror.records();
            kept.get(&format!("trigger a/{id}")).is_some_and(|t| t.contains(&format!("https://h/{number}\"")))
        };
        assert!(is_live(writer), "live before the response");
        wait_until("live on the other", || is_live(&one) && is_live(&two)).await;
        if number % 5 == 0 {
            super::remove::<Trigger>(&one.store, &account("a"), &id).await;
        }
    }
    let key = super::key("till");
    two.store.put(None, &key, Precondition::None).await.expect("written");
    let stored = wait_until_equal(&[&one, &two]).await;
    assert!(stored.contains_key(&format!("key {}", key.id)));
    for node in [&one, &two] {
        assert_eq!(node.snapshots("start"), 1.0);
        assert_eq!(node.metric("posthaste_store_connected"), 1.0);
        assert_eq!(node.metric("posthaste_store_changes_total"), 362.0, "each change is told once");
    }
}

#[tokio::test]
async fn a_thousand_changes_in_a_second_are_live_within_moments() {
    const CHANGES: usize = 2_000;
    let server = RedisServer::start();
    let (one, two) = (Node::at(&server.url()).await, Node::at(&server.url()).await);
    one.put_template("a").await;
    let begun = Instant::now();
    let writes = (0..CHANGES).map(|number| {
        let one = &one;
        async move {
            tokio::time::sleep_until((begun + Duration::from_millis(number as u64)).into()).await;
            one.put("a", &format!("t{}", number % 500), number).await.expect("written");
        }
    });
    futures_util::future::join_all(writes).await;
    let responded = Instant::now();
    let stored = wait_until_equal(&[&one, &two]).await;
    assert_eq!(stored.len(), 501);
    // `scripts/bench` measures this; here the machine may be busy with other tests.
    assert!(responded.elapsed() < Duration::from_secs(2), "{:?}", responded.elapsed());
    assert_eq!((one.snapshots("gap"), two.snapshots("gap")), (0.0, 0.0));
}
