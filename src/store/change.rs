//! Tells what the store holds and what changes in it to whoever keeps it live. A record that
//! can't be read stops nothing: it is named in the log, without a word of its content, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::backend::{Place, Row};
use super::{Kind, Record};
use crate::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::key::Key;
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
}

/// The way from a backend to the sink.
pub(super) struct Feed {
    sink: Arc<dyn ChangeSink>,
    unreadable: AtomicU64,
}

impl Feed {
    pub(super) fn new(sink: Arc<dyn ChangeSink>) -> Self {
        Self { sink, unreadable: AtomicU64::new(0) }
    }

    /// Tells of changes that were made.
    pub(super) fn tell(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.sink.apply(changes);
        }
    }

    /// Tells of records that were found.
    pub(super) fn load(&self, rows: Vec<(Place, Row)>) {
        let changes = rows.into_iter().filter_map(|(place, row)| {
            let change = decode(&place, &row);
            change.map_err(|reason| self.skip(&place, &reason)).ok()
        });
        self.tell(changes.collect());
    }

    /// Names a record that can't be read, and counts it.
    pub(super) fn skip(&self, place: &Place, reason: &str) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
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

fn decode(place: &Place, row: &Row) -> Result<Change, String> {
    match place.kind {
        Kind::Template => decode_as::<Template>(place, row),
        Kind::Trigger => decode_as::<Trigger>(place, row),
        Kind::Key => decode_as::<Key>(place, row),
    }
}

fn decode_as<T: Record>(place: &Place, row: &Row) -> Result<Change, String> {
    let document = serde_json::from_slice(&row.json).map_err(|_| "it is no JSON".to_owned())?;
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
