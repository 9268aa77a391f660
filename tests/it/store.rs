//! The conformance tests of stores: each takes a [`Home`] and runs against every kind of store. What can go wrong only
//! with a file is in [`file`].

mod compiling;
mod file;
mod records;
mod redis;
mod writes;

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use posthaste::config::StoreSettings;
use posthaste::flow::messages::{LiveTarget, LiveTemplate};
use posthaste::model::id::{AccountId, TemplateId};
use posthaste::model::key::{Key, KeyScope};
use posthaste::model::outcome::DropReason;
use posthaste::model::quotas::Quotas;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{
    Change, ChangeSink, OpenError, Precondition, PutResult, Record, SavedTemplate, SavedTrigger, Snapshot, Store,
    StoredRecord,
};
use posthaste::telemetry::metrics::Metrics;
use serde_json::json;

use crate::support::{RedisCluster, RedisServer};

/// A place for one store, which is removed with it.
struct Home {
    url: String,
    /// Whether records are still there when it is opened again.
    keeps: bool,
    /// A folder or a server that must live as long.
    _guard: Box<dyn Any>,
}

impl Home {
    async fn open(&self) -> (Store, Arc<Probe>) {
        open(&self.url).await.expect("a store")
    }
}

/// Quotas that no test reaches.
fn generous() -> Quotas {
    let most = usize::MAX / 2;
    Quotas { triggers: most, templates: most, bytes: most, filter_bytes: most, headers: most, secrets: most }
}

/// Settings that name a store and do not wait for it.
fn settings(url: &str) -> StoreSettings {
    StoreSettings { url: url.to_owned(), ca_file: None, start_within: Duration::ZERO, quotas: generous() }
}

async fn open(url: &str) -> Result<(Store, Arc<Probe>), OpenError> {
    let probe = Arc::new(Probe::default());
    let store = Store::open(&settings(url), probe.clone(), Arc::new(Metrics::new())).await?;
    Ok((store, probe))
}

fn in_memory() -> Home {
    Home { url: "memory:".to_owned(), keeps: false, _guard: Box::new(()) }
}

fn in_file() -> Home {
    let folder = tempfile::tempdir().expect("a folder");
    Home { url: format!("file:{}/a/b/store.redb", folder.path().display()), keeps: true, _guard: Box::new(folder) }
}

fn in_redis() -> Home {
    let server = RedisServer::start();
    Home { url: server.url(), keeps: true, _guard: Box::new(server) }
}

fn in_cluster() -> Home {
    let cluster = RedisCluster::start();
    Home { url: cluster.url(), keeps: true, _guard: Box::new(cluster) }
}

/// Records the changes that it receives.
#[derive(Default)]
struct Probe(Mutex<Vec<String>>);

impl ChangeSink for Probe {
    fn compile(&self, _: &AccountId, _: &Template) -> Option<Arc<LiveTemplate>> {
        None
    }

    fn target(&self, _: &AccountId, _: &Trigger) -> Result<LiveTarget, DropReason> {
        Err(DropReason::UrlRefused)
    }

    fn apply(&self, changes: Vec<Change>) {
        assert!(!changes.is_empty());
        self.note(changes);
    }

    fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
        Box::new(Whole(self))
    }
}

/// A snapshot in progress.
struct Whole<'a>(&'a Probe);

impl Snapshot for Whole<'_> {
    fn add(&mut self, changes: Vec<Change>) {
        self.0.note(changes);
    }

    fn finish(self: Box<Self>) {}
}

impl Probe {
    fn note(&self, changes: Vec<Change>) {
        assert!(changes.len() <= 1_000);
        let mut told = self.0.lock().expect("a lock");
        told.extend(changes.into_iter().map(|change| match change {
            Change::Template(account, id, saved) => line("template", &account, &id, saved.map(|saved| saved.template)),
            Change::Trigger(account, id, value) => line("trigger", &account, &id, value.map(|saved| saved.trigger)),
            Change::Key(id, value) => line("key", &"-", &id, value),
        }));
    }
}

fn line<T: Record>(
    kind: &str,
    account: &dyn std::fmt::Display,
    id: &dyn std::fmt::Display,
    value: Option<T>,
) -> String {
    match value {
        Some(value) => format!("{kind} {account}/{id} = {}", value.to_stored_json()),
        None => format!("{kind} {account}/{id} gone"),
    }
}

impl Probe {
    /// The changes since the last call.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("a lock"))
    }
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).expect("a name")
}

fn template(id: &str) -> Template {
    Template::from_json(json!({"id": id, "format": "json", "body": "{\"a\": {{a}}}\r\n"})).expect("a template")
}

fn template_change(account: &AccountId, template: Template) -> Change {
    let saved = SavedTemplate { template, live: None };
    Change::Template(account.clone(), saved.template.id.clone(), Some(saved))
}

fn trigger_change(account: &AccountId, trigger: Trigger) -> Change {
    let saved = SavedTrigger { trigger, target: Err(DropReason::UrlRefused) };
    Change::Trigger(account.clone(), saved.trigger.id.clone(), Some(saved))
}

fn trigger(id: &str, template: &str, url: &str) -> Trigger {
    Trigger::from_json(json!({
        "id": id, "name": "n", "event": "guest.*", "where": {"a": [{"prefix": "x"}]},
        "template": template, "url": url, "headers": {"X-Token": "t"},
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "enabled": false,
    }))
    .expect("a trigger")
}

fn key(name: &str) -> Key {
    let now = "2026-11-02T10:00:00Z".parse().expect("a time");
    let scope = KeyScope::Account(account("acme"));
    Key::make(name.to_owned(), scope, now).expect("randomness").0
}

const URL: &str = "https://example.com/x";

async fn save<T: Record>(store: &Store, account: &AccountId, value: &T) -> PutResult {
    let put = store.put(Some(account), value, Precondition::None);
    put.await.expect("written")
}

async fn remove<T: Record>(store: &Store, account: &AccountId, id: &str) {
    let gone = store.delete::<T>(Some(account), id, Precondition::None);
    gone.await.expect("deleted");
}

async fn get<T: Record>(store: &Store, account: Option<&AccountId>, id: &str) -> Option<StoredRecord<T>> {
    store.get(account, id).await.expect("a response")
}

async fn ids<T: Record>(
    store: &Store,
    account: Option<&AccountId>,
    after: Option<&str>,
    limit: usize,
) -> (Vec<String>, Option<String>) {
    let page = store.list::<T>(account, after, limit).await.expect("a page");
    let ids = page.items.iter().map(|item| item.value.id().to_owned());
    (ids.collect(), page.next)
}

/// A page of the triggers that use a template.
async fn users(
    store: &Store,
    account: &AccountId,
    template: &str,
    after: Option<&str>,
    limit: usize,
) -> (Vec<String>, Option<String>) {
    let template = TemplateId::new(template).expect("a name");
    let page = store.list_unread::<Trigger>(Some(account), Some(template), after, limit).await.expect("a page").read();
    (page.items.iter().map(|item| item.value.id().to_owned()).collect(), page.next)
}

/// Runs all checks against a kind of store.
macro_rules! conforms {
    ($module:ident, $home:path) => {
        mod $module {
            conforms!(@ $home:
                records::what_was_put_is_there_with_its_secrets,
                records::a_record_is_kept_where_its_kind_belongs,
                records::pages_follow_the_bytes_of_the_ids,
                records::a_cursor_outlives_what_it_points_at,
                records::triggers_are_listed_by_their_template,
                writes::preconditions_hold_or_nothing_is_done,
                writes::revisions_grow_over_all_records,
                writes::a_template_in_use_stays,
                writes::the_sink_hears_all_in_order_before_the_response,
                writes::no_update_is_lost_between_writers,
                writes::only_one_of_many_creates,
                records::accounts_are_those_that_hold_something,
                records::what_was_written_is_there_after_a_restart,
            );
        }
    };
    (@ $home:path: $($group:ident::$check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            crate::store::$group::$check($home()).await;
        }
    )*};
}

conforms!(memory_store, super::in_memory);
conforms!(file_store, super::in_file);
conforms!(redis_store, super::in_redis);
conforms!(cluster_store, super::in_cluster);

#[tokio::test]
async fn invalid_store_urls_say_what_to_write() {
    for (url, expected) in [
        ("redis://:hunter2@h:6379/x", "write redis://[user:password@]host[:port][/database]"),
        ("rediss:hunter2", "`://` is missing; write redis://"),
        ("redis+cluster://:hunter2@", "store.url: "),
        ("redis://:hunter2@127.0.0.1:1", "Redis at redis://127.0.0.1:1 could not be reached within 0 s"),
        ("redis+cluster://:hunter2@127.0.0.1:1", "start it, or correct store.url"),
        ("postgres://u:hunter2@h/d", "store.url: the scheme `postgres:` is not known; write file:PATH"),
        ("data/x.redb", "store.url: it names no kind of store; write file:data/posthaste.redb"),
        ("memory:x", "`memory:` has nothing after it; write memory:"),
        ("", "store.url: it is empty; write file:data/posthaste.redb, or memory:"),
        ("file:", "store.url: `file:` needs a path"),
        ("file://host/x", "`file:` needs a path"),
    ] {
        let opened = open(url).await;
        let error: OpenError = opened.map(drop).expect_err(url);
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains("hunter2"), "{url}: {text}");
    }
}
