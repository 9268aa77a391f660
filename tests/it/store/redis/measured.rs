//! A measure, not a check: how long after a write's answer its change is live on another node, at a
//! thousand changes a second. `cargo test --release --test it change_to_live -- --ignored --nocapture`

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use posthaste::metrics::Metrics;
use posthaste::store::{Change, ChangeSink, Snapshot, Store};

use super::{Node, wait_until};
use crate::store::settings;
use crate::support::RedisServer;

/// Notes when it first hears of each URL.
#[derive(Default)]
struct Clock(Mutex<HashMap<String, Instant>>);

impl ChangeSink for Clock {
    fn apply(&self, changes: Vec<Change>) {
        let mut heard = self.0.lock().expect("a lock");
        for change in changes {
            if let Change::Trigger(_, _, Some(trigger)) = change {
                heard.entry(trigger.url).or_insert_with(Instant::now);
            }
        }
    }

    fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
        Box::new(Nothing)
    }
}

struct Nothing;

impl Snapshot for Nothing {
    fn add(&mut self, _: Vec<Change>) {}

    fn finish(self: Box<Self>) {}
}

#[tokio::test]
#[ignore = "it measures"]
#[allow(clippy::print_stdout)]
async fn change_to_live() {
    const CHANGES: usize = 10_000;
    let server = RedisServer::start();
    let (one, clock) = (Node::at(&server.url()).await, Arc::new(Clock::default()));
    let _two = Store::open(&settings(&server.url()), clock.clone(), Arc::new(Metrics::new())).await.expect("a store");
    one.put_template("a").await;
    let begun = Instant::now();
    let writes = (0..CHANGES).map(|number| {
        let one = &one;
        async move {
            tokio::time::sleep_until((begun + Duration::from_millis(number as u64)).into()).await;
            let asked = Instant::now();
            // Each a record of its own, so that none is overtaken by a later one.
            one.put("a", &format!("t{number}"), number).await.expect("written");
            (asked, Instant::now())
        }
    });
    let answers = futures_util::future::join_all(writes).await;
    let took = begun.elapsed();
    wait_until("all are live", || clock.0.lock().expect("a lock").len() == CHANGES).await;
    let heard = clock.0.lock().expect("a lock");
    let live = |number: usize| heard[&format!("https://h/{number}")];
    let of = |pick: fn(Instant, (Instant, Instant)) -> Duration| {
        let mut all: Vec<Duration> = answers.iter().enumerate().map(|(n, answer)| pick(live(n), *answer)).collect();
        all.sort();
        [50, 90, 99, 100].map(|percent| all[(all.len() * percent / 100).min(all.len() - 1)].as_secs_f64() * 1e3)
    };
    println!("{CHANGES} changes in {:.1} s; milliseconds at 50, 90, 99 and 100 %:", took.as_secs_f64());
    println!(
        "from the write's answer to live on another node: {:.2?}",
        of(|live, (_, end)| live.saturating_duration_since(end))
    );
    println!("from the write's begin to live on another node: {:.2?}", of(|live, (begin, _)| live - begin));
    println!("from the write's begin to its answer: {:.2?}", of(|_, (begin, end)| end - begin));
}
