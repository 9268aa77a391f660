//! Where the memory of a trigger is, by its parts, in bytes that the program asks its allocator for; and how many
//! allocations one change of a trigger needs. What an allocator adds is in `scripts/bench match` and `scripts/bench many`.
//!
//! The argument is the number of triggers (100,000).
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::alloc::System;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use posthaste::config::Config;
use posthaste::dictionary::Dictionary;
use posthaste::live::Live;
use posthaste::matching::Pattern;
use posthaste::model::id::AccountId;
use posthaste::model::quotas::Quotas;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Change, ChangeSink, Precondition, SavedTemplate, SavedTrigger, Store};
use posthaste::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A kind of triggers: its name, and the filter of the trigger of a number.
type Kind = (&'static str, fn(usize) -> Option<Value>);

const KINDS: [Kind; 3] = [
    ("no filter", |_| None),
    ("three conditions", |n| {
        Some(json!({
            "rental": {"id": [format!("r-{n}")]},
            "guest": {"country": ["PT", "ES"]},
            "inquiry": {"cost": [{"numeric": [">", n]}]},
        }))
    }),
    ("77 texts", |n| {
        Some(json!({"rental": {"id": (0..77).map(|text| format!("{n:06}{text:04}")).collect::<Vec<_>>()}}))
    }),
];

fn held() -> usize {
    let now = ALLOCATOR.stats();
    now.bytes_allocated - now.bytes_deallocated
}

/// What a step makes, and the bytes that it holds then.
fn weigh<T>(step: impl FnOnce() -> T) -> (T, usize) {
    let before = held();
    let made = step();
    (made, held().saturating_sub(before))
}

fn account() -> AccountId {
    AccountId::default_account()
}

fn config() -> Config {
    let mut config = Config::from_layers(None, []).expect("the defaults");
    config.store.quotas = Quotas { triggers: usize::MAX, bytes: usize::MAX, ..config.store.quotas };
    config
}

fn live() -> Live {
    let config = config();
    let dictionary = Arc::new(Dictionary::shipped());
    Live::new(dictionary, config.templates, config.matching, config.dispatch.egress, Arc::new(Metrics::new()))
}

fn trigger(kind: &Kind, number: usize, enabled: bool) -> Trigger {
    let mut document = json!({
        "id": format!("t{number}"), "event": "inquiry.created", "template": "w",
        "url": format!("https://hooks.example.com/services/T{number}"), "enabled": enabled,
    });
    if let Some(filter) = (kind.1)(number) {
        document["where"] = filter;
    }
    Trigger::from_json(document).expect("a trigger")
}

fn template() -> Template {
    let body = r#"{"guest":"{{guest.name}}","rental":"{{rental.id}}","cost":{{inquiry.cost}}}"#;
    Template::from_json(json!({"id": "w", "format": "json", "body": body})).expect("a template")
}

fn apply(live: &Live, kind: &Kind, number: usize, enabled: bool) {
    let trigger = trigger(kind, number, enabled);
    let target = live.target(&account(), &trigger);
    let saved = SavedTrigger { trigger, target };
    live.apply(vec![Change::Trigger(account(), saved.trigger.id.clone(), Some(saved))]);
}

/// All of what is live: the triggers, a template, and one enabled trigger, whose text of the event the others share.
fn index(kind: &Kind, number: usize, enabled: bool) -> usize {
    let (_live, bytes) = weigh(|| {
        let live = live();
        let (template, id) = (template(), template().id);
        let compiled = live.compile(&account(), &template);
        live.apply(vec![Change::Template(account(), id, Some(SavedTemplate { template, live: compiled }))]);
        (0..number).for_each(|at| apply(&live, kind, at, enabled || at == 0));
        live
    });
    bytes
}

/// Bytes of what is live and of a store, of which a file has more.
fn stored(kind: &Kind, number: usize, url: &str) -> usize {
    let run = || {
        actix_rt::System::new().block_on(async {
            let mut settings = config().store;
            settings.url = url.to_owned();
            let sink = Arc::new(live());
            let store = Store::open(&settings, sink, Arc::new(Metrics::new())).await.expect("a store");
            let account = account();
            store.put(Some(&account), &template(), Precondition::None).await.expect("saved");
            for first in (0..number).step_by(1_000) {
                let triggers: Vec<Trigger> =
                    (first..number.min(first + 1_000)).map(|at| trigger(kind, at, true)).collect();
                let puts = triggers.iter().map(|trigger| store.put(Some(&account), trigger, Precondition::None));
                join_all(puts).await.into_iter().for_each(|put| assert!(put.is_ok(), "saved"));
            }
            store
        })
    };
    weigh(run).1
}

fn parts(kind: &Kind, number: usize) {
    let each = |bytes: usize| bytes / number;
    let document: usize = (0..number).map(|at| trigger(kind, at, true).to_stored_json().to_string().len()).sum();
    let (_filters, filter) = weigh(|| {
        let all = (0..number).filter_map(|at| Some(Box::new(Pattern::new(&(kind.1)(at)?).expect("a filter"))));
        let mut filters = Vec::with_capacity(number);
        filters.extend(all);
        filters
    });
    let filter = filter - number * size_of::<usize>();
    drop(_filters);
    let scratch = live();
    let (_targets, target) = weigh(|| {
        let all = (0..number).map(|at| scratch.target(&account(), &trigger(kind, at, true)).expect("a target"));
        let mut targets = Vec::with_capacity(number);
        targets.extend(all);
        targets
    });
    let target = target - number * size_of::<usize>();
    drop(_targets);
    let (disabled, enabled) = (index(kind, number, false), index(kind, number, true));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.redb");
    let (memory, file) = (stored(kind, number, "memory:"), stored(kind, number, &format!("file:{}", path.display())));
    println!(
        "{:<17} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        kind.0,
        each(document),
        each(filter),
        each(target),
        each(disabled.saturating_sub(filter + target)),
        each(enabled.saturating_sub(disabled)),
        each(enabled),
        each(memory.saturating_sub(enabled)),
        each(file.saturating_sub(enabled)),
        each(file_bytes(&path)),
    );
}

fn file_bytes(path: &Path) -> usize {
    std::fs::metadata(path).map_or(0, |file| file.len() as usize)
}

/// Allocations and bytes of a change among this many triggers: one is replaced by its like.
fn changes(number: usize) {
    let live = live();
    let kind = &KINDS[1];
    (0..number).for_each(|at| apply(&live, kind, at, true));
    let count = number.min(500);
    let (mut allocations, mut bytes) = (0, 0);
    for at in 0..count {
        let trigger = trigger(kind, at * (number / count), true);
        let target = live.target(&account(), &trigger);
        let change = Change::Trigger(account(), trigger.id.clone(), Some(SavedTrigger { trigger, target }));
        let before = ALLOCATOR.stats();
        live.apply(vec![change]);
        let after = ALLOCATOR.stats();
        allocations += after.allocations + after.reallocations - before.allocations - before.reallocations;
        bytes += after.bytes_allocated - before.bytes_allocated;
    }
    println!("{number:>9} {:>12} {:>8}", allocations / count, bytes / count);
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let number = words.next().and_then(|word| word.replace(',', "").parse().ok()).unwrap_or(100_000);
    let compiled = {
        let live = live();
        weigh(|| live.compile(&account(), &template())).1
    };
    println!("a compiled template of {} bytes: {compiled} bytes, once for each template\n", template().body.len());
    println!("bytes of a trigger, {number} of them");
    println!("                  document   filter   target   record    index all live +memory:   +file:  in file");
    KINDS.iter().for_each(|kind| parts(kind, number));
    println!("\n triggers  allocations    bytes  of one change");
    [1, 1_000, number, number * 10].into_iter().for_each(changes);
}
