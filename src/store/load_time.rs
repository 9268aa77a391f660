//! How long records are compiled while a whole store is loaded. What takes longer is compiled when it is first used
//! ([`crate::flow::late`]). So nobody's templates delay the start of a node for all others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::backend::Location;
use super::change::{Change, ChangeSink, SavedTemplate, SavedTrigger};
use super::feed::{ChangeFeed, LoadedRecord, Observation, read};
use crate::flow::late::Late;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;

/// The time of one account: as many templates of a usual size as an account may have, twice.
const ACCOUNT_MAX: Duration = Duration::from_millis(250);
/// The time of all accounts together, on all processors.
const TOTAL_MAX: Duration = Duration::from_secs(10);

/// The time that is left for compiling during one load.
#[derive(Debug, Default)]
pub(super) struct LoadTime(Mutex<SpentTime>);

#[derive(Debug, Default)]
struct SpentTime {
    total: Duration,
    accounts: HashMap<AccountId, Duration>,
}

impl LoadTime {
    /// Reads a stored record. It is compiled if there is time for that, and else when it is first used.
    pub(super) fn read(&self, feed: &ChangeFeed, location: Location, json: &[u8]) -> Observation<Change> {
        match read(location, json) {
            Observation::Record(saved) => Observation::Record(self.compile(feed, saved)),
            Observation::Unreadable(location) => Observation::Unreadable(location),
            Observation::Deleted(location) => Observation::Deleted(location),
        }
    }

    fn compile(&self, feed: &ChangeFeed, saved: LoadedRecord) -> Change {
        let account = match &saved {
            LoadedRecord::Template(account, _) | LoadedRecord::Trigger(account, _) if saved.is_slow() => {
                account.clone()
            }
            _ => return feed.compile_one(saved),
        };
        if !self.is_left(&account) {
            // The sink holds what is returned.
            return compile_later(Arc::downgrade(feed.sink()), saved);
        }
        let begun = Instant::now();
        let change = feed.compile_one(saved);
        self.spend(account, begun.elapsed());
        change
    }

    /// Whether a record of this account may be compiled now.
    fn is_left(&self, account: &AccountId) -> bool {
        let spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.total < TOTAL_MAX && spent.accounts.get(account).is_none_or(|own| *own < ACCOUNT_MAX)
    }

    /// A record of this account took so long.
    fn spend(&self, account: AccountId, time: Duration) {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.total += time;
        *spent.accounts.entry(account).or_default() += time;
    }
}

/// A record that the sink compiles when it is first used.
fn compile_later(sink: Weak<dyn ChangeSink>, saved: LoadedRecord) -> Change {
    match saved {
        LoadedRecord::Ready(change) => change,
        LoadedRecord::Template(account, template) => {
            let (owner, own) = (account.clone(), template.clone());
            let compile = move || {
                let live = sink.upgrade().and_then(|sink| sink.compile(&owner, &own)).and_then(Arc::into_inner);
                live.ok_or(DropReason::TemplateUnusable)?.compiled.into_inner()
            };
            let live = LiveTemplate::new(&template, Late::new(compile));
            Change::Template(account, template.id.clone(), Some(SavedTemplate { template, live }))
        }
        LoadedRecord::Trigger(account, trigger) => {
            let (owner, own) = (account.clone(), trigger.clone());
            let compile = move || {
                let sink = sink.upgrade().ok_or(DropReason::Stopped)?;
                let live = Arc::into_inner(sink.target(&owner, &own)?).and_then(|live| live.expressions);
                live.ok_or(DropReason::UrlRefused)?.into_inner()
            };
            let target = Arc::new(trigger.target());
            let target = Ok(Arc::new(LiveTarget { target, expressions: Some(Late::new(compile)) }));
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
    use crate::store::change::Snapshot;
    use crate::telemetry::metrics::Metrics;
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

        fn target(&self, _: &AccountId, trigger: &Trigger) -> Result<Arc<LiveTarget>, DropReason> {
            self.0.lock().expect("no panic").push(trigger.id.to_string());
            let (dictionary, limits) = (Dictionary::shipped(), TemplateLimits::default());
            let setting = CompileContext::of(&dictionary);
            let (expressions, _) = Expressions::compile(&trigger.url, &trigger.headers, &setting, &limits);
            let expressions = expressions.map(Late::ready);
            Ok(Arc::new(LiveTarget { target: Arc::new(trigger.target()), expressions }))
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
        let time = LoadTime::default();
        time.spend(account(0), ACCOUNT_MAX / 2);
        assert!(time.is_left(&account(0)));
        time.spend(account(0), ACCOUNT_MAX / 2);
        assert!(!time.is_left(&account(0)) && time.is_left(&account(1)));
        for number in 1..TOTAL_MAX.div_duration_f64(ACCOUNT_MAX) as u32 {
            assert!(time.is_left(&account(number)), "{number}");
            time.spend(account(number), ACCOUNT_MAX);
        }
        assert!(!time.is_left(&account(1_000_000)));
    }

    #[test]
    fn what_there_is_no_time_for_is_compiled_when_it_is_first_used() {
        let compiler = Arc::<Compiler>::default();
        let feed = ChangeFeed::new(Arc::clone(&compiler) as _, Arc::new(Metrics::new()));
        let compiled = || std::mem::take(&mut *compiler.0.lock().expect("no panic"));
        let time = LoadTime::default();
        time.spend(account(0), ACCOUNT_MAX);
        let read = |owner: u32, kind: Kind, document: serde_json::Value| {
            let id = document["id"].as_str().expect("an id").to_owned();
            let location = Location { kind, account: Some(account(owner)), id };
            match time.read(&feed, location, document.to_string().as_bytes()) {
                Observation::Record(change) => change,
                other => unreachable!("{other:?}"),
            }
        };
        let template = |owner: u32, id: &str, body: &str| match read(
            owner,
            Kind::Template,
            json!({"id": id, "format": "json", "body": body}),
        ) {
            Change::Template(_, _, Some(saved)) => saved.live.expect("a template"),
            other => unreachable!("{other:?}"),
        };
        let target = |owner: u32, id: &str, url: &str| match read(
            owner,
            Kind::Trigger,
            json!({"id": id, "event": "*", "template": "w", "url": url}),
        ) {
            Change::Trigger(_, _, Some(saved)) => saved.target.expect("a target"),
            other => unreachable!("{other:?}"),
        };
        assert!(template(1, "other", "{}").compiled.is_ready());
        assert!(target(1, "other", "https://h/{{a}}").expressions.as_ref().is_some_and(Late::is_ready));
        // Nothing has to be compiled.
        assert!(target(0, "plain", "https://h/a").expressions.is_none());
        assert_eq!(compiled(), ["other", "other", "plain"]);
        let (good, wrong, url) = (template(0, "w", "{}"), template(0, "x", "{"), target(0, "u", "https://h/{{a}}"));
        assert_eq!(compiled(), [""; 0]);
        assert!(good.compiled.get().is_ok() && good.compiled.get().is_ok());
        assert_eq!(wrong.compiled.get().map(drop), Err(DropReason::TemplateUnusable));
        assert!(url.expressions.as_ref().is_some_and(|own| own.get().is_ok()));
        assert_eq!(compiled(), ["w", "x", "u"]);
    }
}
