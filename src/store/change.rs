//! What a store reports: the current state of each record. A [`ChangeSink`] keeps it live.

use std::sync::Arc;

use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::model::key::Key;
use crate::model::outcome::DropReason;
use crate::model::template::Template;
use crate::model::trigger::Trigger;

/// The current state of one record; `None`: it was deleted.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all records of a large store are triggers")]
pub enum Change {
    /// A template.
    Template(AccountId, TemplateId, Option<SavedTemplate>),
    /// A trigger.
    Trigger(AccountId, TriggerId, Option<SavedTrigger>),
    /// A key.
    Key(KeyId, Option<Key>),
}

/// A saved template and what it compiles to. It is compiled once, before the change reaches a sink.
#[derive(Debug, Clone)]
pub struct SavedTemplate {
    /// The stored template.
    pub template: Template,
    /// `None`: it is unusable, because the dictionary or a bound has changed since it was saved.
    pub live: Option<Arc<LiveTemplate>>,
}

/// A saved trigger and where it sends. Its URL and headers are compiled once, before the change reaches a sink.
#[derive(Debug, Clone)]
pub struct SavedTrigger {
    /// As it is stored.
    pub trigger: Trigger,
    /// Where it sends, or why its firings are dropped.
    pub target: Result<LiveTarget, DropReason>,
}

/// Receives every record when a store is opened, and after that every change, in order and before the response to the
/// write.
pub trait ChangeSink: Send + Sync {
    /// Compiles a template, and logs one that is unusable. It may take long, so it is called without a lock, on a thread
    /// that may wait, and concurrently.
    fn compile(&self, account: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>>;

    /// Compiles the URL and the headers of a trigger, under the same terms.
    fn target(&self, account: &AccountId, trigger: &Trigger) -> Result<LiveTarget, DropReason>;

    /// Applies changes in order. All other writes wait meanwhile, and it may run on a thread of the store: it must be
    /// quick, and must never call the store.
    fn apply(&self, changes: Vec<Change>);

    /// Starts a snapshot of all records, about this many. Changes that were applied before stay live until its end;
    /// then everything is replaced in one step. No change is applied during that time.
    fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_>;
}

/// A snapshot of all records, in parts. If it is dropped before its end, nothing changes.
pub trait Snapshot: Send {
    /// Adds records. A record that changes during that time is added again.
    fn add(&mut self, changes: Vec<Change>);

    /// The snapshot is complete.
    fn finish(self: Box<Self>);
}
