//! Passes the records that a backend reads and writes to the sink that keeps them live. Templates, and the URLs and
//! headers of triggers, are compiled on the way, before any lock. An unreadable record is logged, without its content,
//! and counted; it stops nothing.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::Location;
use super::change::{Change, ChangeSink, SavedTemplate, SavedTrigger, Snapshot};
use super::{Kind, Record};
use crate::json::is_compact;
use crate::model::field::FieldError;
use crate::model::id::AccountId;
use crate::model::key::Key;
use crate::model::outcome::DropReason;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::telemetry::metrics::Metrics;

/// A readable record on its way to the sink.
#[derive(Debug)]
pub enum LoadedRecord {
    /// It needs no more work.
    Ready(Change),
    /// A template that must be compiled.
    Template(AccountId, Template),
    /// A trigger whose URL and headers must be compiled.
    Trigger(AccountId, Trigger),
}

impl LoadedRecord {
    /// Whether compiling may take long, so that it must not happen on a thread that others wait for.
    pub(super) fn is_slow(&self) -> bool {
        match self {
            Self::Ready(_) => false,
            Self::Template(..) => true,
            Self::Trigger(_, trigger) => trigger.has_expressions(),
        }
    }
}

/// What a backend found or did at a location. `R` is [`LoadedRecord`] before it is compiled, and [`Change`] after it.
#[derive(Debug)]
pub(super) enum Observation<R> {
    /// A readable record, or a write of this node.
    Record(R),
    /// An unreadable record: it is stored but not live.
    Unreadable(Location),
    /// The record was deleted.
    Deleted(Location),
}

impl Observation<LoadedRecord> {
    /// See [`LoadedRecord::is_slow`].
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Record(saved) if saved.is_slow())
    }
}

/// Why stored bytes are not a record.
#[derive(Debug, thiserror::Error)]
enum DecodeError {
    #[error("it is not JSON")]
    NotJson,
    /// The positions and codes of the mistakes; their details could quote a value.
    #[error("{}", .0.iter().map(|e| format!("{} {}", e.pointer, e.code)).collect::<Vec<_>>().join(", "))]
    Invalid(Vec<FieldError>),
    #[error("its id is not the one it is stored under")]
    OtherId,
    #[error("its id or account is not a valid name")]
    BadName,
}

/// Reads a stored record. An unreadable one is logged.
pub(super) fn read(location: Location, json: &[u8]) -> Observation<LoadedRecord> {
    match decode(&location, json) {
        Ok(saved) => Observation::Record(saved),
        Err(reason) => {
            tracing::warn!(
                kind = location.kind.as_str(),
                account = location.account.as_ref().map(AccountId::as_str),
                id = location.id,
                %reason,
                "a stored record can't be read and is skipped"
            );
            Observation::Unreadable(location)
        }
    }
}

fn decode(location: &Location, json: &[u8]) -> Result<LoadedRecord, DecodeError> {
    match location.kind {
        Kind::Template => decode_as::<Template>(location, json),
        Kind::Trigger => decode_as::<Trigger>(location, json),
        Kind::Key => decode_as::<Key>(location, json),
    }
}

fn decode_as<T: Record>(location: &Location, json: &[u8]) -> Result<LoadedRecord, DecodeError> {
    let document = serde_json::from_slice(json).map_err(|_| DecodeError::NotJson)?;
    // What this program writes is compact.
    if !is_compact(&document, json) {
        let repeated = T::repeated(json);
        if !repeated.is_empty() {
            return Err(DecodeError::Invalid(repeated));
        }
    }
    let value = T::from_json(document).map_err(DecodeError::Invalid)?;
    if value.id() != location.id {
        return Err(DecodeError::OtherId);
    }
    value.saved(location.account.clone()).ok_or(DecodeError::BadName)
}

/// The way from a backend to the sink.
pub(super) struct ChangeFeed {
    sink: Arc<dyn ChangeSink>,
    unreadable: Mutex<UnreadableLocations>,
    metrics: Arc<Metrics>,
}

/// The unreadable records: never more than the store holds. Locations and not a count, since a snapshot and the log
/// that follows it may both contain the same record.
type UnreadableLocations = HashSet<Location>;

impl ChangeFeed {
    pub(super) fn new(sink: Arc<dyn ChangeSink>, metrics: Arc<Metrics>) -> Self {
        Self { sink, unreadable: Mutex::default(), metrics }
    }

    /// Receives what is read.
    pub(super) fn sink(&self) -> &Arc<dyn ChangeSink> {
        &self.sink
    }

    /// The metrics that it counts in.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Compiles a record. A panic makes this record unusable and affects nothing else.
    pub(super) fn compile_one(&self, saved: LoadedRecord) -> Change {
        match saved {
            LoadedRecord::Ready(change) => change,
            LoadedRecord::Template(account, template) => {
                let compile = AssertUnwindSafe(|| self.sink.compile(&account, &template));
                let live = catch_unwind(compile).unwrap_or_default();
                Change::Template(account, template.id.clone(), Some(SavedTemplate { template, live }))
            }
            LoadedRecord::Trigger(account, trigger) => {
                let compile = AssertUnwindSafe(|| self.sink.target(&account, &trigger));
                let target = catch_unwind(compile).unwrap_or(Err(DropReason::Panic));
                Change::Trigger(account, trigger.id.clone(), Some(SavedTrigger { trigger, target }))
            }
        }
    }

    /// Passes changes on.
    pub(super) fn apply(&self, observed: Vec<Observation<Change>>) {
        let changes = self.keep_count(|unreadable| note(unreadable, observed));
        if !changes.is_empty() {
            self.sink.apply(changes);
        }
    }

    /// Starts a snapshot.
    pub(super) fn snapshot(&self, records: usize) -> FeedSnapshot<'_> {
        FeedSnapshot { feed: self, snapshot: self.sink.snapshot(records), unreadable: UnreadableLocations::new() }
    }

    /// The number of unreadable records.
    pub(super) fn unreadable(&self) -> usize {
        self.lock().len()
    }

    /// Changes the set of unreadable records, and the metric by the difference: the sink counts unusable records in the
    /// same metric.
    fn keep_count<T>(&self, change: impl FnOnce(&mut UnreadableLocations) -> T) -> T {
        let mut unreadable = self.lock();
        let before = unreadable.len();
        let done = change(&mut unreadable);
        self.metrics.store.records_unusable.add(unreadable.len() as i64 - before as i64);
        done
    }

    fn lock(&self) -> MutexGuard<'_, UnreadableLocations> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot on its way to the sink. If it is dropped before its end, nothing changes.
pub(super) struct FeedSnapshot<'a> {
    feed: &'a ChangeFeed,
    snapshot: Box<dyn Snapshot + 'a>,
    unreadable: UnreadableLocations,
}

impl FeedSnapshot<'_> {
    /// Adds records.
    pub(super) fn add(&mut self, observed: Vec<Observation<Change>>) {
        self.snapshot.add(note(&mut self.unreadable, observed));
    }

    /// The snapshot is complete.
    pub(super) fn finish(self) {
        self.snapshot.finish();
        self.feed.keep_count(|unreadable| *unreadable = self.unreadable);
    }
}

/// Updates the set of unreadable records, and returns what the sink receives.
fn note(unreadable: &mut UnreadableLocations, observed: Vec<Observation<Change>>) -> Vec<Change> {
    let changes = observed.into_iter().filter_map(|observed| match observed {
        Observation::Record(change) => {
            if !unreadable.is_empty() {
                unreadable.remove(&location_of(&change));
            }
            Some(change)
        }
        Observation::Unreadable(location) => {
            let change = deletion(&location);
            unreadable.insert(location);
            change
        }
        Observation::Deleted(location) => {
            unreadable.remove(&location);
            deletion(&location)
        }
    });
    changes.collect()
}

pub(super) fn location_of(change: &Change) -> Location {
    let (kind, account, id) = match change {
        Change::Template(account, id, _) => (Kind::Template, Some(account), id.as_str()),
        Change::Trigger(account, id, _) => (Kind::Trigger, Some(account), id.as_str()),
        Change::Key(id, _) => (Kind::Key, None, id.as_str()),
    };
    Location { kind, account: account.cloned(), id: id.to_owned() }
}

/// The change that deletes a record; `None` if the location can't hold one.
fn deletion(location: &Location) -> Option<Change> {
    let account = location.account.clone();
    match location.kind {
        Kind::Template => Template::deleted(account, &location.id),
        Kind::Trigger => Trigger::deleted(account, &location.id),
        Kind::Key => Key::deleted(account, &location.id),
    }
}
