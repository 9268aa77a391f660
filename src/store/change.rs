//! Tells what the store holds and what changes in it to whoever keeps it live. A record that
//! can't be read stops nothing: it is named in the log, without a word of its content, and counted.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backend::Place;
use super::{Kind, Record};
use crate::model::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::model::key::Key;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::telemetry::metrics::Metrics;

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

/// What a backend found at a place, or did there.
pub(super) enum Told {
    /// A record that can be read, or a write of this node.
    Changed(Change),
    /// One that can't: it is stored, and live nowhere.
    Unreadable(Place),
    /// Nothing is there any more.
    Gone(Place),
}

/// Reads a record that was found; one that can't be read is named.
pub(super) fn read(place: Place, json: &[u8]) -> Told {
    match decode(&place, json) {
        Ok(change) => Told::Changed(change),
        Err(reason) => {
            tracing::warn!(
                kind = place.kind.as_str(),
                account = place.account.as_ref().map(AccountId::as_str),
                id = place.id,
                reason,
                "a stored record can't be read and is passed over"
            );
            Told::Unreadable(place)
        }
    }
}

/// The way from a backend to the sink.
pub(super) struct Feed {
    sink: Arc<dyn ChangeSink>,
    unreadable: Mutex<Unreadable>,
    metrics: Arc<Metrics>,
}

/// Which records are stored and can't be read: never more than the store holds. Places and no count,
/// since one record may be found twice, by a snapshot and by the log that it is followed with.
type Unreadable = HashSet<Place>;

impl Feed {
    pub(super) fn new(sink: Arc<dyn ChangeSink>, metrics: Arc<Metrics>) -> Self {
        Self { sink, unreadable: Mutex::default(), metrics }
    }

    /// Tells of changes that were made.
    pub(super) fn tell(&self, told: Vec<Told>) {
        let changes = self.keep_count(|unreadable| note(unreadable, told));
        if !changes.is_empty() {
            self.sink.apply(changes);
        }
    }

    /// Begins to tell of all there is.
    pub(super) fn snapshot(&self, records: usize) -> Whole<'_> {
        Whole { feed: self, snapshot: self.sink.snapshot(records), unreadable: Unreadable::new() }
    }

    /// How many records are stored and can't be read.
    pub(super) fn unreadable(&self) -> usize {
        self.lock().len()
    }

    /// Changes what is known of unreadable records, and the metric with it, by as much: the sink counts
    /// there too what it can read and not use.
    fn keep_count<T>(&self, change: impl FnOnce(&mut Unreadable) -> T) -> T {
        let mut unreadable = self.lock();
        let before = unreadable.len();
        let done = change(&mut unreadable);
        self.metrics.store.records_unusable.add(unreadable.len() as i64 - before as i64);
        done
    }

    fn lock(&self) -> MutexGuard<'_, Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that a store holds, on its way to the sink. One that is dropped before its end changes nothing.
pub(super) struct Whole<'a> {
    feed: &'a Feed,
    snapshot: Box<dyn Snapshot + 'a>,
    unreadable: Unreadable,
}

impl Whole<'_> {
    /// Tells of some more.
    pub(super) fn add(&mut self, told: Vec<Told>) {
        self.snapshot.add(note(&mut self.unreadable, told));
    }

    /// This was all.
    pub(super) fn finish(self) {
        self.snapshot.finish();
        self.feed.keep_count(|unreadable| *unreadable = self.unreadable);
    }
}

/// Notes which records can't be read, and says what the sink is told.
fn note(unreadable: &mut Unreadable, told: Vec<Told>) -> Vec<Change> {
    let changes = told.into_iter().filter_map(|told| match told {
        Told::Changed(change) => {
            if !unreadable.is_empty() {
                unreadable.remove(&place_of(&change));
            }
            Some(change)
        }
        Told::Unreadable(place) => {
            let change = gone(&place);
            unreadable.insert(place);
            change
        }
        Told::Gone(place) => {
            unreadable.remove(&place);
            gone(&place)
        }
    });
    changes.collect()
}

fn place_of(change: &Change) -> Place {
    let (kind, account, id) = match change {
        Change::Template(account, id, _) => (Kind::Template, Some(account), id.as_str()),
        Change::Trigger(account, id, _) => (Kind::Trigger, Some(account), id.as_str()),
        Change::Key(id, _) => (Kind::Key, None, id.as_str()),
    };
    Place { kind, account: account.cloned(), id: id.to_owned() }
}

/// What is told of a record that is live no more; `None` where the place can't be one.
fn gone(place: &Place) -> Option<Change> {
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
