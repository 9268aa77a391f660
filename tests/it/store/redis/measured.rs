//! Measures how long after a write's response its change is live on another node, at a thousand changes per second.
//! Fails if it is more than 50 ms for more than one in a hundred, or if fewer changes were made. Not part of the tests,
//! as a machine may be busy: `scripts/bench cluster changes`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use posthaste::dictionary::Dictionary;
use posthaste::flow::messages::{LiveTarget, LiveTemplate};
use posthaste::live::Live;
use posthaste::model::id::AccountId;
use posthaste::model::outcome::DropReason;
use posthaste::model::template::Template;
use posthaste::model::trigger::Trigger;
use posthaste::store::{Change, ChangeSink, Precondition, Snapshot, Store};
use posthaste::telemetry::metrics::Metrics;
use serde_json::json;

use super::{Node, wait_until};
use crate::store::{account, settings};
use crate::support::{self, RedisServer};

/// The live index of a node, which records when each URL first is in it.
struct Clock {
    live: Live,
    in_effect: Mutex<HashMap<String, Instant>>,
}

impl ChangeSink for Clock {
    fn compile(&self, account: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>> {
        self.live.compile(account, template)
    }

    fn target(&self, account: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason> {
        self.live.target(account, trigger)
    }

    fn apply(&self, changes: Vec<Change>) {
        let url = |change: &Change| match change {
            Change::Trigger(_, _, Some(saved)) => Some(saved.trigger.url.as_written().to_owned()),
            _ => None,
        };
        let urls: Vec<String> = changes.iter().filter_map(url).collect();
        self.live.apply(changes);
        let now = Instant::now();
        self.in_effect.lock().expect("a lock").extend(urls.into_iter().map(|url| (url, now)));
    }

    fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_> {
        self.live.snapshot(records)
    }
}

/// Puts a trigger that events may fire.
async fn put(store: &Store, id: usize, number: usize) {
    let trigger = json!({"id": format!("t{id}"), "event": "guest.created", "template": "w", "url": url(number)});
    let trigger = Trigger::from_json(trigger).expect("a trigger");
    store.put(Some(&account("a")), &trigger, Precondition::None).await.expect("written");
}

fn url(number: usize) -> String {
    format!("https://h/{number}")
}

#[tokio::test]
#[ignore = "it measures"]
#[allow(clippy::print_stdout)]
async fn change_to_live() {
    const CHANGES: usize = 10_000;
    /// Half of the changes create a trigger, and half replace one.
    const TRIGGERS: usize = CHANGES / 2;
    const AIM_MS: f64 = 50.0;
    let server = RedisServer::start();
    let one = Node::at(&server.url()).await;
    let metrics = Arc::new(Metrics::new());
    let own = support::settings(&[]);
    let dictionary = Arc::new(Dictionary::shipped());
    let live = Live::new(dictionary, own.templates, own.matching, own.dispatch.egress, Arc::clone(&metrics));
    let clock = Arc::new(Clock { live, in_effect: Mutex::default() });
    let _two = Store::open(&settings(&server.url()), clock.clone(), metrics).await.expect("a store");
    one.put_template("a").await;
    let begun = Instant::now();
    let writes = (0..CHANGES).map(|number| {
        let store = &one.store;
        async move {
            // Whatever happened to the writes before.
            tokio::time::sleep_until((begun + Duration::from_millis(number as u64)).into()).await;
            let asked = Instant::now();
            put(store, number % TRIGGERS, number).await;
            (asked, Instant::now())
        }
    });
    let responses = futures_util::future::join_all(writes).await;
    let took = begun.elapsed().as_secs_f64();
    wait_until("all are in effect", || clock.in_effect.lock().expect("a lock").len() == CHANGES).await;
    assert_eq!(clock.live.index().triggers(), TRIGGERS);
    let in_effect = clock.in_effect.lock().expect("a lock");
    let of = |pick: fn(Instant, (Instant, Instant)) -> Duration| {
        let one = |(number, response): (usize, &(Instant, Instant))| pick(in_effect[&url(number)], *response);
        let mut all: Vec<Duration> = responses.iter().enumerate().map(one).collect();
        all.sort();
        [50, 90, 99, 100].map(|percent| all[(all.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3)
    };
    let rate = CHANGES as f64 / took;
    let after_response = of(|live, (_, end)| live.saturating_duration_since(end));
    println!("{CHANGES} changes in {took:.2} s, {rate:.0} a second; milliseconds at 50, 90, 99 and 100 %:");
    println!("from the write's response to its effect on another node: {after_response:.2?} (aim at 99 %: {AIM_MS})");
    println!("from the write's start to its effect on another node: {:.2?}", of(|live, (begin, _)| live - begin));
    println!("from the write's start to its response: {:.2?}", of(|_, (begin, end)| end - begin));
    assert!(rate >= 990.0, "only {rate:.0} changes a second were made");
    assert!(after_response[2] < AIM_MS, "{:.2} ms at 99 %", after_response[2]);
}
