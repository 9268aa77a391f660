//! The embedded store: one redb file, or the same in memory. This file defines its tables and reads them,
//! [`mod@write`] changes them, [`mod@file`] opens them; only these name redb. A read never waits for a write, and
//! neither runs on a thread that serves requests.

mod file;
mod trial;
mod write;

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use redb::backends::InMemoryBackend;
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata as _, TableDefinition,
};

use super::backend::{Backend, Location, Row, Write};
use super::change::CHANGES_MAX;
use super::feed::{self, Feed};
use super::writer::Writer;
use super::{Kind, OpenError, Revision, StoreError, Written};
use crate::model::id::AccountId;

/// Kind, account or nothing, id.
type RecordKey = (u8, &'static str, &'static str);
/// Revision, template or nothing, JSON.
type RecordValue = (u64, &'static str, &'static [u8]);
/// Account, template, trigger.
type ReferenceKey = (&'static str, &'static str, &'static str);

const RECORDS: TableDefinition<RecordKey, RecordValue> = TableDefinition::new("records");
/// Which triggers name a template.
const REFERENCES: TableDefinition<ReferenceKey, ()> = TableDefinition::new("references");
/// The mark of a store of ours, and its counters. Its shape is the same in all formats.
const META: TableDefinition<&str, u64> = TableDefinition::new("posthaste");
/// In [`META`]: the format of the other tables.
const FORMAT: &str = "format";
/// In [`META`]: how many writes there were; the last revision given.
const VERSION: &str = "version";

const FORMAT_KNOWN: u64 = 1;
/// redb's cache of pages. Events are matched from the live index, so only changes and lists read
/// here; redb's own default would be 1 GiB.
const CACHE_BYTES: usize = 32 << 20;
/// Opens the file, creating it where there is none, or an empty store in memory.
pub(super) async fn open(path: Option<PathBuf>, feed: Arc<Feed>) -> Result<Arc<dyn Backend>, OpenError> {
    let opened = tokio::task::spawn_blocking(move || Embedded::open(path.as_deref(), feed)).await;
    Ok(Arc::new(opened.map_err(unavailable)??))
}

struct Embedded {
    // Dropped first, so that the writer's last commit comes before the file is closed.
    writer: Writer,
    database: Arc<Database>,
}

impl Embedded {
    fn open(path: Option<&Path>, feed: Arc<Feed>) -> Result<Self, OpenError> {
        let database = match path {
            Some(path) => file::open(path)?,
            None => {
                let memory = InMemoryBackend::new();
                let created = Builder::new().create_with_backend(memory);
                write::mark(created.map_err(unavailable)?)?
            }
        };
        load(&database, &feed)?;
        let database = Arc::new(database);
        let written = Arc::clone(&database);
        let writer = Writer::start(move |writes| write::commit(&written, writes), feed);
        Ok(Self { writer: writer.map_err(unavailable)?, database })
    }

    /// Reads on a thread that may wait for the disk.
    fn reading<T, R>(&self, read: R) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        R: FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    {
        let database = Arc::clone(&self.database);
        let task = move || {
            let transaction = database.begin_read()?;
            read(&transaction)
        };
        async move {
            let done = tokio::task::spawn_blocking(task).await;
            done.map_err(unavailable)?.map_err(unavailable)
        }
        .boxed()
    }
}

impl Backend for Embedded {
    fn get(&self, location: Location) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.reading(move |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let found = records.get(key(&location))?;
            Ok(found.map(|found| row(&location.id, found.value())))
        })
    }

    fn list(&self, after: Location, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.reading(move |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let (kind, account, _) = key(&after);
            let mut rows = Vec::new();
            for entry in records.range::<(u8, &str, &str)>((Bound::Excluded(key(&after)), Bound::Unbounded))? {
                let (location, value) = entry?;
                let (its_kind, its_account, id) = location.value();
                if rows.len() >= limit || (its_kind, its_account) != (kind, account) {
                    break;
                }
                rows.push(row(id, value.value()));
            }
            Ok(rows)
        })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<Written, StoreError>> {
        self.writer.write(write).boxed()
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        self.reading(|transaction| {
            let records = transaction.open_table(RECORDS)?;
            let mut found = Vec::new();
            for kind in [Kind::Template, Kind::Trigger] {
                let mut from = String::new();
                // From account to account, skipping the records of each.
                while let Some(entry) = records.range((number(kind), from.as_str(), "")..)?.next() {
                    let (location, _) = entry?;
                    let (its_kind, account, _) = location.value();
                    if its_kind != number(kind) {
                        break;
                    }
                    found.extend(AccountId::new(account));
                    // No name holds a NUL, so this sorts after this account and before any other.
                    from = format!("{account}\0");
                }
            }
            found.sort_unstable();
            found.dedup();
            Ok(found)
        })
    }
}

/// The number of a kind in the file; a start reads in this order.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Template => 1,
        Kind::Trigger => 2,
        Kind::Key => 3,
    }
}

fn key(location: &Location) -> (u8, &str, &str) {
    let account = location.account.as_ref().map_or("", AccountId::as_str);
    (number(location.kind), account, &location.id)
}

fn row(id: &str, (revision, _, json): (u64, &str, &[u8])) -> Row {
    Row { id: id.to_owned(), revision: Revision(revision), json: json.to_vec() }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Passes all that the file holds to the sink, in the order of kinds.
fn load(database: &Database, feed: &Feed) -> Result<(), StoreError> {
    let read = || -> Result<(), redb::Error> {
        let records = database.begin_read()?.open_table(RECORDS)?;
        let mut snapshot = feed.snapshot(usize::try_from(records.len()?).unwrap_or(usize::MAX));
        let mut batch = Vec::new();
        for entry in records.iter()? {
            let (location, value) = entry?;
            let (kind, account, id) = location.value();
            let kinds = [Kind::Template, Kind::Trigger, Kind::Key];
            // Only a later format has other kinds, and that was refused.
            let Some(kind) = kinds.into_iter().find(|k| number(*k) == kind) else {
                continue;
            };
            let location = Location { kind, account: AccountId::new(account).ok(), id: id.to_owned() };
            let (_, _, json) = value.value();
            batch.push(feed::read(location, json));
            if batch.len() == CHANGES_MAX {
                snapshot.add(feed.compile(std::mem::take(&mut batch)));
            }
        }
        snapshot.add(feed.compile(batch));
        snapshot.finish();
        Ok(())
    };
    read().map_err(unavailable)
}
