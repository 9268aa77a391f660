//! How long records are compiled that a store has: all of them while it is loaded, and those that other nodes change. What
//! takes longer is compiled when it is first used ([`crate::flow::late`]). So nobody's templates delay the start of a node,
//! or the changes of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::change::{Change, ChangeSink, SavedTemplate, SavedTrigger};
use super::feed::{ChangeFeed, LoadedRecord, Observation};
use crate::flow::late::Late;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// Records that compile quickly share a thread in this number: less work is not worth a thread.
#[cfg(feature = "redis")]
const QUICK_PER_THREAD: usize = 100;

/// The time that is left for compiling.
#[derive(Debug)]
pub(super) struct CompileBudget {
    /// The time of one account.
    account_max: Duration,
    /// The time of all accounts together, on all processors.
    total_max: Duration,
    /// After this time the budget is as at first.
    renewed_every: Duration,
    spent: Mutex<SpentTime>,
}

#[derive(Debug)]
struct SpentTime {
    since: Instant,
    total: Duration,
    accounts: HashMap<AccountId, Duration>,
}

impl SpentTime {
    fn none() -> Self {
        Self { since: Instant::now(), total: Duration::ZERO, accounts: HashMap::new() }
    }
}

impl CompileBudget {
    /// For one load. An account has the time of as many templates of a usual size as it may have, twice.
    pub(super) fn of_load() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(10), Duration::MAX)
    }

    /// For the changes of other nodes, which wait for one another: less than a hundredth of the time, so that 99 of 100 don't
    /// wait for what takes long.
    #[cfg(feature = "redis")]
    pub(super) fn of_changes() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(60))
    }

    fn new(account_max: Duration, total_max: Duration, renewed_every: Duration) -> Self {
        Self { account_max, total_max, renewed_every, spent: Mutex::new(SpentTime::none()) }
    }

    /// Compiles a record if there is time for that. If not, it will be compiled when it is first used.
    pub(super) fn compile(&self, feed: &ChangeFeed, observed: Observation<LoadedRecord>) -> Observation<Change> {
        match observed {
            Observation::Record(saved) => Observation::Record(self.compile_one(feed, saved)),
            Observation::Unreadable(location) => Observation::Unreadable(location),
            Observation::Deleted(location) => Observation::Deleted(location),
        }
    }

    /// Compiles records in parallel. The order is kept.
    #[cfg(feature = "redis")]
    pub(super) fn compile_all(
        &self,
        feed: &ChangeFeed,
        observed: Vec<Observation<LoadedRecord>>,
    ) -> Vec<Observation<Change>> {
        let slow = observed.iter().filter(|one| one.is_slow()).count();
        let worth = slow.max(observed.len() / QUICK_PER_THREAD);
        in_parallel(observed, worth, |one| self.compile(feed, one))
    }

    fn compile_one(&self, feed: &ChangeFeed, saved: LoadedRecord) -> Change {
        let account = match &saved {
            LoadedRecord::Template(account, _) | LoadedRecord::Trigger(account, _) if saved.is_slow() => {
                account.clone()
            }
            _ => return feed.compile_one(saved),
        };
        if !self.is_left(&account) {
            // The sink holds what is returned.
            return compile_later(Arc::downgrade(feed.sink()), feed.metrics(), saved);
        }
        let begun = Instant::now();
        let change = feed.compile_one(saved);
        self.spend(account, begun.elapsed());
        change
    }

    /// Whether a record of this account may be compiled now.
    fn is_left(&self, account: &AccountId) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.since.elapsed() >= self.renewed_every {
            *spent = SpentTime::none();
        }
        spent.total < self.total_max && spent.accounts.get(account).is_none_or(|own| *own < self.account_max)
    }

    /// A record of this account took so long.
    fn spend(&self, account: AccountId, time: Duration) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.total += time;
        *spent.accounts.entry(account).or_default() += time;
    }
}

/// Does the work on at most as many threads as it is worth. The order is kept.
#[cfg(feature = "redis")]
fn in_parallel<A: Send, B: Send>(all: Vec<A>, worth: usize, work: impl Fn(A) -> B + Sync) -> Vec<B> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(worth);
    if threads < 2 {
        return all.into_iter().map(work).collect();
    }
    let part = all.len().div_ceil(threads);
    let mut rest = all.into_iter();
    let parts = std::iter::from_fn(|| Some(rest.by_ref().take(part).collect::<Vec<_>>()).filter(|p| !p.is_empty()));
    std::thread::scope(|scope| {
        let work = &work;
        let do_part = |part: Vec<A>| scope.spawn(move || part.into_iter().map(work).collect::<Vec<_>>());
        let running: Vec<_> = parts.map(do_part).collect();
        let done =
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        done.flatten().collect()
    })
}

/// A record that the sink compiles when it is first used.
fn compile_later(sink: Weak<dyn ChangeSink>, metrics: &Arc<Metrics>, saved: LoadedRecord) -> Change {
    match saved {
        LoadedRecord::Ready(change) => change,
        LoadedRecord::Template(account, template) => {
            let (owner, own) = (account.clone(), template.clone());
            let compile = move || {
                let sink = sink.upgrade().ok_or(DropReason::Stopped)?;
                let live = sink.compile(&owner, &own).and_then(Arc::into_inner);
                live.ok_or(DropReason::TemplateUnusable)?.compiled.into_inner()
            };
            let live = LiveTemplate::new(&template, Late::new(compile, Arc::clone(metrics)));
            Change::Template(account, template.id.clone(), Some(SavedTemplate { template, live }))
        }
        LoadedRecord::Trigger(account, trigger) => {
            let (owner, own) = (account.clone(), trigger.clone());
            let compile = move || {
                let sink = sink.upgrade().ok_or(DropReason::Stopped)?;
                let live = sink.target(&owner, &own)?.expressions.and_then(Arc::into_inner);
                live.ok_or(DropReason::UrlRefused)?.into_inner()
            };
            let target = Arc::new(trigger.target());
            let target =
                Ok(LiveTarget { target, expressions: Some(Arc::new(Late::new(compile, Arc::clone(metrics)))) });
            Change::Trigger(account, trigger.id.clone(), Some(SavedTrigger { trigger, target }))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dictionary::Dictionary;
    use crate::model::template::Template;
    use crate::model::trigger::Trigger;
    use crate::store::Kind;
    use crate::store::backend::Location;
    use crate::store::change::Snapshot;
    use crate::store::feed::{location_of, read};
    use crate::templating::{self, CompileContext, Expressions, TemplateLimits};

    /// Compiles, and has the ids of what it compiled.
    #[derive(Default)]
    struct Compiler(Mutex<Vec<String>>);

    impl ChangeSink for Compiler {
        fn compile(&self, _: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>> {
            self.0.lock().expect("no panic").push(template.id.to_string());
            let limits = TemplateLimits::default();
            let checked = templating::compile(template.format, &template.body, &Dictionary::shipped(), None, &limits);
            LiveTemplate::new(template, Late::ready(checked.compiled?))
        }

        fn target(&self, _: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason> {
            self.0.lock().expect("no panic").push(trigger.id.to_string());
            let (dictionary, limits) = (Dictionary::shipped(), TemplateLimits::default());
            let setting = CompileContext::of(&dictionary);
            let (expressions, _) = Expressions::compile(&trigger.url, &trigger.headers, &setting, &limits);
            let expressions = expressions.map(|own| Arc::new(Late::ready(own)));
            Ok(LiveTarget { target: Arc::new(trigger.target()), expressions })
        }

        fn apply(&self, _: Vec<Change>) {}

        fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
            unreachable!("no snapshot is taken here")
        }
    }

    fn account(number: u32) -> AccountId {
        AccountId::new(&format!("a{number}")).expect("a name")
    }

    #[test]
    fn an_account_has_its_own_time_and_all_have_theirs_together() {
        let second = Duration::from_secs(1);
        let budget = CompileBudget::new(second, second * 10, Duration::MAX);
        budget.spend(account(0), second / 2);
        assert!(budget.is_left(&account(0)));
        budget.spend(account(0), second / 2);
        assert!(!budget.is_left(&account(0)));
        for number in 1..10 {
            assert!(budget.is_left(&account(number)), "{number}");
            budget.spend(account(number), second);
        }
        assert!(!budget.is_left(&account(10)));
        let renewed = CompileBudget::new(second, second, Duration::ZERO);
        renewed.spend(account(0), second);
        assert!(renewed.is_left(&account(0)));
    }

    #[test]
    fn what_there_is_no_time_for_is_compiled_when_it_is_first_used() {
        let compiler = Arc::<Compiler>::default();
        let metrics = Arc::new(Metrics::new());
        let feed = ChangeFeed::new(Arc::clone(&compiler) as _, Arc::clone(&metrics));
        let compiled = || std::mem::take(&mut *compiler.0.lock().expect("no panic"));
        let budget = CompileBudget::of_load();
        budget.spend(account(0), budget.account_max);
        let saved = |owner: u32, kind: Kind, document: serde_json::Value| {
            let id = document["id"].as_str().expect("an id").to_owned();
            let location = Location { kind, account: Some(account(owner)), id };
            match budget.compile(&feed, read(location, document.to_string().as_bytes())) {
                Observation::Record(change) => change,
                other => unreachable!("{other:?}"),
            }
        };
        let template = |owner: u32, id: &str, body: &str| match saved(
            owner,
            Kind::Template,
            json!({"id": id, "format": "json", "body": body}),
        ) {
            Change::Template(_, _, Some(saved)) => saved.live.expect("a template"),
            other => unreachable!("{other:?}"),
        };
        let target = |owner: u32, id: &str, url: &str| match saved(
            owner,
            Kind::Trigger,
            json!({"id": id, "event": "*", "template": "w", "url": url}),
        ) {
            Change::Trigger(_, _, Some(saved)) => saved.target.expect("a target"),
            other => unreachable!("{other:?}"),
        };
        assert!(template(1, "other", "{}").compiled.is_ready());
        assert!(target(1, "other", "https://h/{{a}}").expressions.as_ref().is_some_and(|own| own.is_ready()));
        // Nothing has to be compiled.
        assert!(target(0, "plain", "https://h/a").expressions.is_none());
        assert_eq!(compiled(), ["other", "other", "plain"]);
        let (good, wrong, url) = (template(0, "w", "{}"), template(0, "x", "{"), target(0, "u", "https://h/{{a}}"));
        assert_eq!(compiled(), [""; 0]);
        assert!(good.compiled.get().is_ok() && good.compiled.get().is_ok());
        assert_eq!(wrong.compiled.get().map(drop), Err(DropReason::TemplateUnusable));
        assert!(url.expressions.as_ref().is_some_and(|own| own.get().is_ok()));
        assert_eq!(compiled(), ["w", "x", "u"]);
        assert_eq!(metrics.store.records_unusable.get(), 1);
        drop(wrong);
        assert_eq!(metrics.store.records_unusable.get(), 0);
    }

    /// Panics for some records, rejects others, and records the order of changes.
    struct Picky(Mutex<Vec<String>>);

    impl ChangeSink for Picky {
        fn compile(&self, _: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>> {
            assert!(!template.body.contains("panic"), "as it was asked to");
            None
        }

        fn target(&self, _: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason> {
            assert!(!trigger.name.contains("panic"), "as it was asked to");
            Err(DropReason::UrlRefused)
        }

        fn apply(&self, changes: Vec<Change>) {
            let mut received = self.0.lock().expect("no panic");
            received.extend(changes.iter().map(|change| location_of(change).id));
        }

        fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
            unreachable!("no snapshot is taken here")
        }
    }

    #[test]
    fn records_are_compiled_in_parallel_in_order_and_a_panic_over_one_ends_none() {
        let sink = Arc::new(Picky(Mutex::default()));
        let feed = ChangeFeed::new(Arc::clone(&sink) as _, Arc::new(Metrics::new()));
        let account = AccountId::new("acme").expect("a name");
        let ids: Vec<String> = (0..100).map(|number| format!("t{number}")).collect();
        let observed = ids.iter().enumerate().map(|(number, id)| {
            let body = if number % 7 == 0 { "panic" } else { "{}" };
            let (kind, document) = if number % 2 == 0 {
                (Kind::Template, json!({"id": id, "format": "text", "body": body}))
            } else {
                (
                    Kind::Trigger,
                    json!({"id": id, "name": body, "event": "*", "template": "w", "url": "https://h/{{a}}"}),
                )
            };
            let location = Location { kind, account: Some(account.clone()), id: id.clone() };
            // Every fifth is deleted.
            if number % 5 == 0 {
                Observation::Deleted(location)
            } else {
                read(location, document.to_string().as_bytes())
            }
        });
        feed.apply(CompileBudget::of_load().compile_all(&feed, observed.collect()));
        assert_eq!(*sink.0.lock().expect("no panic"), ids);
    }
}
