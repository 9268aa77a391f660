//! What is live: the triggers, templates and keys that events and requests are checked against, as one immutable
//! [`Index`] that is replaced as a whole. Readers never wait and never see half a change. The store passes changes on;
//! nothing here writes to the store.

pub mod huge_pages;
mod index;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use huge_pages::HugePages;
pub use index::{Index, LiveAccount, LiveTrigger};

use crate::dictionary::Dictionary;
use crate::flow::late::Late;
use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::matching;
use crate::model::egress::EgressRules;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::model::quotas::Quotas;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Change, ChangeSink, Snapshot};
use crate::telemetry::metrics::Metrics;
use crate::templating::{self, CompileContext, Expressions, TemplateLimits};

/// Called with the number of records of a snapshot that were read, and their total.
pub type SnapshotProgress = Box<dyn Fn(usize, usize) + Send + Sync>;

/// Holds the current index and builds the next one from each change.
pub struct Live {
    index: ArcSwap<Index>,
    /// Counts changes of the index.
    version: AtomicU64,
    /// Serializes changes. Readers do not take it.
    writing: Mutex<()>,
    dictionary: Arc<Dictionary>,
    limits: TemplateLimits,
    matching: matching::FilterLimits,
    egress: EgressRules,
    metrics: Arc<Metrics>,
    quotas: Option<Quotas>,
    progress: Option<SnapshotProgress>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Live {
    /// Starts with nothing live.
    pub fn new(
        dictionary: Arc<Dictionary>,
        limits: TemplateLimits,
        matching: matching::FilterLimits,
        egress: EgressRules,
        metrics: Arc<Metrics>,
    ) -> Self {
        let index = ArcSwap::from_pointee(Index::default());
        Self {
            index,
            version: AtomicU64::new(0),
            writing: Mutex::new(()),
            dictionary,
            limits,
            matching,
            egress,
            metrics,
            quotas: None,
            progress: None,
        }
    }

    /// Sets quotas. Triggers over these quotas fire nothing.
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas: Some(quotas), ..self }
    }

    /// Sets a callback for the progress of snapshots.
    pub fn with_progress(self, progress: Option<SnapshotProgress>) -> Self {
        Self { progress, ..self }
    }

    /// The limits of matching.
    pub fn matching(&self) -> &matching::FilterLimits {
        &self.matching
    }

    /// The current index. It does not change; hold it for one piece of work only.
    pub fn index(&self) -> Guard<Arc<Index>> {
        self.index.load()
    }

    /// Counts changes of the index. An index that is loaded after this call is current as long as this does not change.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    fn swap(&self, index: Index) {
        self.metrics.store.triggers.set(index.triggers() as i64);
        self.metrics.store.templates.set(index.templates() as i64);
        let unusable = index.unusable() as i64;
        let before = self.index.swap(Arc::new(index));
        // After the index, so that who knows the new number does not load the old index.
        self.version.fetch_add(1, Ordering::SeqCst);
        // Only the difference is added: the store counts unreadable records in the same metric.
        self.metrics.store.records_unusable.add(unusable - before.unusable() as i64);
    }
}

impl ChangeSink for Live {
    fn compile(&self, account: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>> {
        let refuse = |code: &str| {
            tracing::warn!(
                %account, template = %template.id, code,
                "a stored template breaks a newer rule; its firings are dropped"
            );
        };
        if let Some(broken) = template.broken_rules().first() {
            refuse(broken.code);
            return None;
        }
        let checked =
            templating::compile(template.format, &template.body, self.dictionary.as_ref(), None, &self.limits);
        let live = checked.compiled.and_then(|compiled| LiveTemplate::new(template, Late::ready(compiled)));
        if live.is_none() {
            refuse(checked.diagnostics.first().map_or("content_type", |first| first.code));
        }
        live
    }

    /// Where a trigger sends, or why its firings are dropped: it breaks a rule that is newer than the trigger, or names
    /// a tag that the dictionary no longer has.
    fn target(&self, account: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason> {
        let refuse = |member: &str, reason: DropReason| {
            tracing::warn!(
                %account, trigger = %trigger.id, member, reason = reason.as_str(),
                "a stored trigger breaks a newer rule; its firings are dropped"
            );
            reason
        };
        let over = self.quotas.as_ref().map(|quotas| quotas.check_trigger(trigger)).unwrap_or_default();
        if let Some(broken) = trigger.broken_rules(&self.egress).into_iter().chain(over).next() {
            return Err(refuse(&broken.error.pointer, broken.reason));
        }
        // Without expressions there is nothing to compile. Warnings were given to the author when the trigger was saved.
        if !trigger.has_expressions() {
            return Ok(LiveTarget { target: Arc::new(trigger.target()), expressions: None });
        }
        let setting = CompileContext::of(self.dictionary.as_ref());
        let (expressions, found) = Expressions::compile(&trigger.url, &trigger.headers, &setting, &self.limits);
        if let Some(error) = found.iter().find(|found| templating::is_error(found)) {
            return Err(match error.header {
                None => refuse("/url", DropReason::UrlRefused),
                Some(_) => refuse("/headers", DropReason::HeaderRefused),
            });
        }
        Ok(LiveTarget {
            target: Arc::new(trigger.target()),
            expressions: expressions.map(|own| Arc::new(Late::ready(own))),
        })
    }

    fn apply(&self, changes: Vec<Change>) {
        // A poisoned lock is still valid: a panic leaves the whole old index in place.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut index = Index::clone(&self.index.load());
        change(&mut index, changes);
        self.swap(index);
    }

    fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_> {
        let huge_pages = HugePages::for_index(records);
        Box::new(NextIndex { live: self, index: Index::default(), read: 0, records, _huge_pages: huge_pages })
    }
}

/// Applies changes to an index.
fn change(index: &mut Index, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Trigger(account, id, saved) => index.set_trigger(&account, id, saved),
            Change::Template(account, id, saved) => index.set_template(&account, id, saved.map(|saved| saved.live)),
            Change::Key(id, key) => index.set_key(id, key),
        }
    }
}

/// An index that is built beside the live one.
struct NextIndex<'a> {
    live: &'a Live,
    index: Index,
    read: usize,
    records: usize,
    _huge_pages: Option<HugePages>,
}

impl Snapshot for NextIndex<'_> {
    fn add(&mut self, changes: Vec<Change>) {
        self.read += changes.len();
        change(&mut self.index, changes);
        if let Some(progress) = &self.live.progress {
            progress(self.read, self.records);
        }
    }

    fn finish(self: Box<Self>) {
        let _writing = self.live.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.live.swap(self.index);
        if let Some(progress) = &self.live.progress {
            progress(self.records, self.records);
        }
    }
}
