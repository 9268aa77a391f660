//! A saved template is compiled once, before any lock; on following nodes, outside the thread that applies changes, and
//! in order.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use posthaste::config::Config;
use posthaste::dictionary::Dictionary;
use posthaste::flow::late::Late;
use posthaste::flow::messages::{LiveTarget, LiveTemplate};
use posthaste::model::id::AccountId;
use posthaste::model::outcome::DropReason;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Change, ChangeSink, Precondition, Snapshot, Store};
use posthaste::telemetry::metrics::Metrics;
use posthaste::templating;
use serde_json::json;

use super::{account, in_file, in_memory, in_redis, save, settings, template, trigger};
use crate::support::DEADLINE;

/// Counts compilations and records applied changes. The template `slow` is compiled when the test allows it.
struct Compiler {
    compiled: Mutex<Vec<String>>,
    applied: Mutex<Vec<(String, bool)>>,
    started: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Compiler {
    fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((started, has_started), (go_on, released)) = (channel(), channel());
        let compiler = Self {
            compiled: Mutex::default(),
            applied: Mutex::default(),
            started: Mutex::new(started),
            go_on: Mutex::new(released),
        };
        (Arc::new(compiler), has_started, go_on)
    }

    fn compiled(&self) -> Vec<String> {
        self.compiled.lock().expect("a lock").clone()
    }

    /// Which templates were applied, and whether they are usable.
    fn applied(&self) -> Vec<(String, bool)> {
        self.applied.lock().expect("a lock").clone()
    }

    fn note(&self, changes: Vec<Change>) {
        let mut applied = self.applied.lock().expect("a lock");
        applied.extend(changes.into_iter().filter_map(|change| match change {
            Change::Template(_, id, saved) => Some((id.to_string(), saved.is_some_and(|saved| saved.live.is_some()))),
            _ => None,
        }));
    }
}

fn compile(template: &Template) -> Option<Arc<LiveTemplate>> {
    let limits = Config::from_layers(None, []).expect("the defaults").templates;
    let checked = templating::compile(template.format, &template.body, &Dictionary::shipped(), None, &limits);
    LiveTemplate::new(template, Late::ready(checked.compiled?))
}

impl ChangeSink for Compiler {
    fn compile(&self, _: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>> {
        self.compiled.lock().expect("a lock").push(template.id.to_string());
        if template.id.as_str() == "slow" {
            self.started.lock().expect("a lock").send(()).expect("the test waits");
            self.go_on.lock().expect("a lock").recv_timeout(DEADLINE).expect("the test goes on");
        }
        compile(template)
    }

    fn target(&self, _: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason> {
        self.compiled.lock().expect("a lock").push(trigger.id.to_string());
        Err(DropReason::UrlRefused)
    }

    fn apply(&self, changes: Vec<Change>) {
        self.note(changes);
    }

    fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
        Box::new(Whole(self))
    }
}

struct Whole<'a>(&'a Compiler);

impl Snapshot for Whole<'_> {
    fn add(&mut self, changes: Vec<Change>) {
        self.0.note(changes);
    }

    fn finish(self: Box<Self>) {}
}

async fn open(url: &str, sink: &Arc<Compiler>) -> Store {
    let opened = Store::open(&settings(url), Arc::clone(sink) as _, Arc::new(Metrics::new())).await;
    opened.expect("a store")
}

#[tokio::test]
async fn a_template_is_compiled_once_for_each_node() {
    for home in [in_memory(), in_file(), in_redis()] {
        let (sink, ..) = Compiler::new();
        let store = open(&home.url, &sink).await;
        let (acme, own) = (account("acme"), template("own"));
        let live = compile(&own);
        let put = store.put_compiled(Some(&acme), &own, live, Precondition::None).await;
        put.expect("written");
        assert_eq!(sink.compiled(), [""; 0], "the caller has compiled it");
        save(&store, &acme, &template("w")).await;
        assert_eq!(sink.compiled(), ["w"], "{}", home.url);
        let with_expressions = trigger("t", "w", "https://h/{{a}}");
        store.put(Some(&acme), &with_expressions, Precondition::None).await.expect("written");
        assert_eq!(sink.compiled(), ["w", "t"], "{}", home.url);
        assert_eq!(sink.applied(), [("own".to_owned(), true), ("w".to_owned(), true)], "{}", home.url);
        drop(store);
        if home.keeps {
            let (sink, ..) = Compiler::new();
            let _store = open(&home.url, &sink).await;
            let mut compiled = sink.compiled();
            // At the start they are compiled in parallel, and applied in order.
            compiled.sort();
            assert_eq!(compiled, ["own", "t", "w"], "{}", home.url);
            assert_eq!(sink.applied(), [("own".to_owned(), true), ("w".to_owned(), true)], "{}", home.url);
        }
    }
}

#[tokio::test]
async fn a_follower_compiles_beside_its_calls_and_in_order() {
    let home = in_redis();
    let (writer, ..) = Compiler::new();
    let (follower, has_started, go_on) = Compiler::new();
    let (one, two) = (open(&home.url, &writer).await, open(&home.url, &follower).await);
    let acme = account("acme");
    let slow = json!({"id": "slow", "format": "text", "body": "{{a}}"});
    let slow = Template::from_json(slow).expect("a template");
    let put = one.put_compiled(Some(&acme), &slow, compile(&slow), Precondition::None).await;
    put.expect("written");
    // The other node is compiling it, and handles calls meanwhile.
    tokio::task::spawn_blocking(move || has_started.recv_timeout(DEADLINE)).await.expect("no panic").expect("started");
    save(&one, &acme, &template("after")).await;
    let found = tokio::time::timeout(DEADLINE, two.get::<Template>(Some(&acme), "after")).await;
    assert!(found.expect("a response while it compiles").expect("a response").is_some());
    assert_eq!(follower.applied(), [], "nothing overtakes the template that is being compiled");
    go_on.send(()).expect("it waits");
    let deadline = std::time::Instant::now() + DEADLINE;
    while follower.applied().len() < 2 {
        assert!(std::time::Instant::now() < deadline, "{:?}", follower.applied());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(follower.applied(), [("slow".to_owned(), true), ("after".to_owned(), true)]);
}
