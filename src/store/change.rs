//! What a store tells of: each record as it is now. A [`ChangeSink`] keeps it live.

use std::sync::Arc;

use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::model::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::model::key::Key;
use crate::model::outcome::Dropped;
use crate::model::template::Template;
use crate::model::trigger::Trigger;

/// The most changes in one call of a sink, which bounds what a start holds in memory twice.
pub(super) const CHANGES_MAX: usize = 1_000;

/// One record as it is now; `None`: it was deleted.
#[derive(Debug, Clone)]
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
    /// As it is stored.
    pub template: Template,
    /// `None`: it can't be used, because the dictionary or a bound has changed since it was saved.
    pub live: Option<Arc<LiveTemplate>>,
}

/// A saved trigger and where it sends. Its URL and headers are compiled once, before the change reaches a sink.
#[derive(Debug, Clone)]
pub struct SavedTrigger {
    /// As it is stored.
    pub trigger: Trigger,
    /// Where it sends; or why what it fires is dropped.
    pub target: Result<Arc<LiveTarget>, Dropped>,
}

/// Receives every record when a store is opened, and every change after that, in order and before the write is
/// answered.
pub trait ChangeSink: Send + Sync {
    /// Compiles a template. It may take long, so it is called without a lock, on a thread that may wait, and for
    /// several templates at a time. A template that can't be used is reported here.
    fn compile(&self, account: &AccountId, template: &Template) -> Option<Arc<LiveTemplate>>;

    /// Compiles the URL and the headers of a trigger, under the same terms.
    fn target(&self, account: &AccountId, trigger: &Trigger) -> Result<Arc<LiveTarget>, Dropped>;

    /// Applies some changes in their order. All other writes wait while it runs, and it may run on a thread of the
    /// store's own: it must be quick, and must never call the store.
    fn apply(&self, changes: Vec<Change>);

    /// Begins to receive all that a store holds, about so many records. What was applied before stays as it is
    /// until the end; then all of it is replaced in one step. Nothing is applied meanwhile.
    fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_>;
}

/// All that a store holds, in parts. One that is dropped before its end changes nothing.
pub trait Snapshot: Send {
    /// Adds some more. A record that was added before comes again where it changed meanwhile.
    fn add(&mut self, changes: Vec<Change>);

    /// This was all.
    fn finish(self: Box<Self>);
}
