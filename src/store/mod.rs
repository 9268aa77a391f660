//! Where triggers, templates and keys are kept: the interface, which is the same for every kind of store. [`Store`]
//! takes and returns records; the [`backend`] behind it works on bytes, and there is one for each kind of store. A
//! [`ChangeSink`] receives every change before its writer gets a response, so a caller that got one finds the change
//! live.
//!
//! The store never checks what a record means (a template's body, a trigger's address). Matching reads the index that
//! the sink keeps, never the store.

pub mod backend;
mod change;
mod compile_budget;
mod decoders;
mod embedded;
mod error;
mod feed;
mod overlay;
mod record;
#[cfg(feature = "redis")]
mod redis;
mod usage;
mod writer;

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value;

use crate::config::{StoreKind, StoreSettings};
use crate::flow::messages::LiveTemplate;
use crate::model::id::{AccountId, TemplateId};
use crate::telemetry::metrics::Metrics;
use backend::{Backend, ListBounds, Location, PutContent, Row, Write};
use feed::{ChangeFeed, LoadedRecord};

pub use change::{Change, ChangeSink, SavedTemplate, SavedTrigger, Snapshot};
pub use error::{OpenError, StoreError};
pub use record::{AccountRecord, Record};

/// Bytes of the records of a page; the record that passes it is the page's last. A page of a thousand usual triggers
/// has less.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A template. Triggers refer to it, so it comes first.
    Template,
    /// A trigger.
    Trigger,
    /// An API key. It belongs to no account.
    Key,
}

impl Kind {
    /// The kind's word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Trigger => "trigger",
            Self::Key => "key",
        }
    }
}

/// The version of one record: the store's count of writes when it was last written. It grows with
/// every write and is never used again, so it serves as an entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// The condition of a write (RFC 9110, section 13.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// The record exists: `If-Match: *`.
    Exists,
    /// The record has one of these revisions: `If-Match: "7"`.
    Is(Vec<Revision>),
    /// The record does not exist: `If-None-Match: *`.
    Absent,
}

impl Precondition {
    /// Checks a record's current revision. Every backend uses this, so that all agree.
    pub fn check(&self, current: Option<Revision>) -> Result<(), StoreError> {
        let holds = match (self, current) {
            (Self::None, _) | (Self::Exists, Some(_)) | (Self::Absent, None) => true,
            (Self::Is(wanted), Some(current)) => wanted.contains(&current),
            (Self::Exists | Self::Is(_), None) | (Self::Absent, Some(_)) => false,
        };
        if holds { Ok(()) } else { Err(StoreError::PreconditionFailed { current }) }
    }
}

/// A record and its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord<T> {
    /// The record.
    pub value: T,
    /// Its version.
    pub revision: Revision,
}

/// A page of an account's records, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The records that can be read.
    pub items: Vec<StoredRecord<T>>,
    /// The ids of the others.
    pub unreadable: Vec<String>,
    /// The id to start the next page after; `None`: this was the last.
    pub next: Option<String>,
}

/// A page as it is stored.
#[derive(Debug)]
pub struct UnreadPage<T> {
    rows: Vec<Row>,
    more: bool,
    using: Option<TemplateId>,
    records: PhantomData<fn() -> T>,
}

impl<T: Record> UnreadPage<T> {
    /// Reads its records. One that does not use the template was changed by another program, and is left out.
    pub fn read(self) -> Page<T> {
        let next = self.rows.last().filter(|_| self.more).map(|row| row.id.clone());
        let mut page = Page { items: Vec::with_capacity(self.rows.len()), unreadable: Vec::new(), next };
        for row in self.rows {
            let id = row.id.clone();
            match read::<T>(row) {
                Ok(StoredRecord { value, .. })
                    if self.using.as_ref().is_some_and(|own| value.template() != Some(own)) => {}
                Ok(stored) => page.items.push(stored),
                Err(_) => page.unreadable.push(id),
            }
        }
        page
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutResult {
    /// The record's new version.
    pub revision: Revision,
    /// It did not exist before.
    pub created: bool,
}

/// Whether a store can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// It takes reads and writes.
    Ready,
    /// Its disk is full or failed. It takes reads, and becomes ready by itself.
    ReadOnly,
    /// It can't be reached.
    Unreachable,
}

/// A store of any kind. Clones are the same store; it closes with the last one.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    feed: Arc<ChangeFeed>,
}

impl Store {
    /// Opens the store that the settings name (`file:PATH`, `memory:`, Redis) and passes all it holds to the sink:
    /// templates first, at most 1,000 changes at a time. A record that can't be read is named in the log and counted;
    /// the others are live. For Redis, waits as long as the settings say, and follows its changes from then on.
    pub async fn open(
        settings: &StoreSettings,
        sink: Arc<dyn ChangeSink>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        metrics.store.connected.set(1);
        metrics.store.writable.set(1);
        let feed = Arc::new(ChangeFeed::new(sink, Arc::clone(&metrics)));
        let backend = match settings.kind()? {
            StoreKind::Memory => embedded::open(None, settings, Arc::clone(&feed)).await?,
            StoreKind::File(path) => embedded::open(Some(path), settings, Arc::clone(&feed)).await?,
            #[cfg(feature = "redis")]
            StoreKind::Redis => self::redis::open(settings, Arc::clone(&feed), metrics).await?,
            #[cfg(not(feature = "redis"))]
            StoreKind::Redis => return Err(crate::config::StoreUrlError::WithoutRedis.into()),
        };
        Ok(Self::of(backend, feed))
    }

    fn of(backend: Arc<dyn Backend>, feed: Arc<ChangeFeed>) -> Self {
        Self { backend, feed }
    }

    /// Reads one record. A record whose bytes are not valid is an error, never an absence.
    pub async fn get<T: Record>(
        &self,
        account: Option<&AccountId>,
        id: &str,
    ) -> Result<Option<StoredRecord<T>>, StoreError> {
        let location = Location::of::<T>(account, id)?;
        let row = self.backend.get(location).await.map_err(StoreError::of_read)?;
        row.map(read).transpose()
    }

    /// Reads up to `limit` records, and up to [`PAGE_BYTES_MAX`], in the order of their ids, beginning after `after`, which need
    /// not exist (any more): a page is not disturbed by changes before it.
    pub async fn list<T: Record>(
        &self,
        account: Option<&AccountId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        Ok(self.list_unread(account, None, after, limit).await?.read())
    }

    /// Lists records without parsing them, for a caller that parses them on another thread: only those that use a
    /// template, if one is named. Their number determines the cost, and not that of all.
    pub async fn list_unread<T: Record>(
        &self,
        account: Option<&AccountId>,
        using: Option<TemplateId>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<UnreadPage<T>, StoreError> {
        let after = Location::of::<T>(account, after.unwrap_or_default())?;
        let limit = limit.max(1);
        let bounds = ListBounds { records: limit, bytes: PAGE_BYTES_MAX };
        let (rows, more) = self.backend.list(after, using.clone(), bounds).await.map_err(StoreError::of_read)?;
        Ok(UnreadPage { rows, more, using, records: PhantomData })
    }

    /// Creates or replaces a record. A trigger's template must be there.
    pub async fn put<T: Record>(
        &self,
        account: Option<&AccountId>,
        value: &T,
        precondition: Precondition,
    ) -> Result<PutResult, StoreError> {
        self.put_compiled(account, value, None, precondition).await
    }

    /// The same for a caller that has compiled the template it saves.
    pub async fn put_compiled<T: Record>(
        &self,
        account: Option<&AccountId>,
        value: &T,
        live: Option<Arc<LiveTemplate>>,
        precondition: Precondition,
    ) -> Result<PutResult, StoreError> {
        let location = Location::of::<T>(account, value.id())?;
        let content =
            PutContent { json: value.to_stored_json().to_string().into_bytes(), template: value.template().cloned() };
        let saved = value.clone().saved(account.cloned()).ok_or(StoreError::NotFound)?;
        let change = match (saved, live) {
            (LoadedRecord::Ready(change), _) => change,
            (LoadedRecord::Template(account, template), live @ Some(_)) => {
                Change::Template(account, template.id.clone(), Some(SavedTemplate { template, live }))
            }
            (saved, _) if !saved.is_slow() => self.feed.compile_one(saved),
            (saved, _) => {
                let feed = Arc::clone(&self.feed);
                let compiling = tokio::task::spawn_blocking(move || feed.compile_one(saved));
                compiling.await.map_err(|error| StoreError::Unavailable(error.to_string()))?
            }
        };
        self.backend.write(Write { location, content: Some(content), precondition, change }).await
    }

    /// Removes a record. A template that a trigger names stays.
    pub async fn delete<T: Record>(
        &self,
        account: Option<&AccountId>,
        id: &str,
        precondition: Precondition,
    ) -> Result<(), StoreError> {
        let location = Location::of::<T>(account, id)?;
        // Nothing is stored under what is not a valid name.
        let change = T::deleted(account.cloned(), id).ok_or(StoreError::NotFound)?;
        let write = Write { location, content: None, precondition, change };
        self.backend.write(write).await.map(|_| ())
    }

    /// The accounts that hold a template or a trigger, in order.
    pub async fn accounts(&self) -> Result<Vec<AccountId>, StoreError> {
        self.backend.accounts().await.map_err(StoreError::of_read)
    }

    /// Its state, as far as is known without asking it.
    pub fn state(&self) -> StoreState {
        self.backend.state()
    }

    /// Whether it can be reached, as far as is known without asking it.
    pub fn connected(&self) -> bool {
        self.state() != StoreState::Unreachable
    }

    /// How many stored records can't be read.
    pub fn unreadable(&self) -> usize {
        self.feed.unreadable()
    }
}

fn read<T: Record>(row: Row) -> Result<StoredRecord<T>, StoreError> {
    let unreadable = || StoreError::Unreadable { kind: T::KIND, id: row.id.clone() };
    let document: Value = serde_json::from_slice(&row.json).map_err(|_| unreadable())?;
    if !T::repeated(&row.json).is_empty() {
        return Err(unreadable());
    }
    let value = T::from_json(document).map_err(|_| unreadable())?;
    Ok(StoredRecord { value, revision: row.revision })
}
