//! Tells what the store holds and what changes in it to whoever keeps it live. A record that
//! can't be read stops nothing: it is named in the log, without a word of its content, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::backend::Place;
use super::{Kind, Record};
use crate::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::key::Key;
use crate::metrics::Metrics;
use crate::template::Template;
use crate::trigger::Trigger;

/// The most changes told at once, which bounds what start-up holds in memory twice.
pub(super) const CHANGES_MAX: usize = 1_000;

/// One record as it is now; `None`: it is gone.
#[derive(Debug, Clone)]
pub enum Change {
    /// A template.
    Template(AccountId, TemplateId, Option<Template>),
    /// A trigger.
    Trigger(AccountId, TriggerId, Option<Trigger>),
    /// A key.
    Key(KeyId, Option<Key>),
}

/// Hears of every record when a store is opened, and of every change after, in order and before
/// the write is answered. All other writes wait while it runs, and it may run on a thread of the
/// store's own: it must be quick, and must never call the store.
pub trait ChangeSink: Send + Sync {
    /// Takes some changes, to be applied in their order.
    fn apply(&self, changes: Vec<Change>);

    /// Begins to take all that a store holds, about so many records. What was told before stays as it
    /// is until the end, and then all of it is replaced in one step. Nothing is told meanwhile.
    fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_>;
}

/// All that a store holds, told in parts. One that is dropped before its end changes nothing.
pub trait Snapshot: Send {
    /// Takes some more. A record that was there before comes again where it changed meanwhile.
    fn add(&mut self, changes: Vec<Change>);

    /// This was all.
    fn finish(self: Box<Self>);
}

/// The way from a backend to the sink.
pub(super) struct Feed {
    sink: Arc<dyn ChangeSink>,
    unreadable: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Feed {
    pub(super) fn new(sink: Arc<dyn ChangeSink>, metrics: Arc<Metrics>) -> Self {
        Self { sink, unreadable: AtomicU64::new(0), metrics }
    }

    /// Tells of changes that were made.
    pub(super) fn tell(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.sink.apply(changes);
        }
    }

    /// Begins to tell of all there is.
    pub(super) fn snapshot(&self, records: usize) -> Box<dyn Snapshot + '_> {
        self.sink.snapshot(records)
    }

    /// Reads a record that was found; one that can't be read is named and counted.
    pub(super) fn read(&self, place: &Place, json: &[u8]) -> Option<Change> {
        decode(place, json).map_err(|reason| self.skip(place, &reason)).ok()
    }

    /// Names a record that can't be read, and counts it.
    pub(super) fn skip(&self, place: &Place, reason: &str) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
        self.metrics.records_unusable.inc();
        tracing::warn!(
            kind = place.kind.as_str(),
            account = place.account.as_ref().map(AccountId::as_str),
            id = place.id,
            reason,
            "a stored record can't be read and is passed over"
        );
    }

    pub(super) fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }
}

/// What is told of a record that is gone; `None` where the place can't be one.
pub(super) fn gone(place: &Place) -> Option<Change> {
    let account = place.account.clone();
    match place.kind {
        Kind::Template => Template::change(account, &place.id, None),
        Kind::Trigger => Trigger::change(account, &place.id, None),
        Kind::Key => Key::change(account, &place.id, None),
    }
}

fn decode(place: &Place, json: &[u8]) -> Result<Change, String> {
    match place.kind {
        Kind::Template => decode_as::<Template>(place, json),
        Kind::Trigger => decode_as::<Trigger>(place, json),
        Kind::Key => decode_as::<Key>(place, json),
    }
}

fn decode_as<T: Record>(place: &Place, json: &[u8]) -> Result<Change, String> {
    let document = serde_json::from_slice(json).map_err(|_| "it is no JSON".to_owned())?;
    let value = T::from_json(document).map_err(|errors| {
        // Where and what kind of mistake; the details could quote a value.
        let mistakes = errors.iter().map(|e| format!("{} {}", e.pointer, e.code));
        mistakes.collect::<Vec<_>>().join(", ")
    })?;
    if value.id() != place.id {
        return Err("it has another id than its place".to_owned());
    }
    T::change(place.account.clone(), &place.id, Some(value))
        .ok_or_else(|| "its id or account can't be a name".to_owned())
}
