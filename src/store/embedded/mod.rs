//! The embedded store: one redb file, or the same in memory. This file defines its tables and reads them,
//! [`mod@write`] changes them, [`mod@load`] reads all of them at a start, [`mod@file`] opens them; only these use redb.
//! A read never waits for a write, and neither runs on a thread that serves requests.

mod database;
mod file;
mod load;
mod trial;
mod write;

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _};
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase, TableDefinition};

use super::backend::{Backend, ListBounds, Location, Row, Write};
use super::feed::ChangeFeed;
use super::usage::Usage;
use super::writer::{Writer, WriterState};
use super::{Kind, OpenError, PutResult, Revision, StoreError, StoreState};
use crate::config::StoreSettings;
use crate::flow::background::Background;
use crate::model::id::{AccountId, TemplateId};
use database::{Commits, DatabaseHandle, DatabaseSource, FileSource, Memory};

/// Kind, account or nothing, id.
type RecordKey = (u8, &'static str, &'static str);
/// Revision, template or nothing, JSON.
type RecordValue = (u64, &'static str, &'static [u8]);
/// Account, template, trigger.
type ReferenceKey = (&'static str, &'static str, &'static str);

const RECORDS: TableDefinition<RecordKey, RecordValue> = TableDefinition::new("records");
/// Which triggers name a template.
const REFERENCES: TableDefinition<ReferenceKey, ()> = TableDefinition::new("references");
/// The mark of a store, and its counters. This table has the same shape in all formats.
const META: TableDefinition<&str, u64> = TableDefinition::new("posthaste");
/// In [`META`]: the format of the other tables.
const FORMAT: &str = "format";
/// In [`META`]: how many writes there were; the last revision given.
const VERSION: &str = "version";

const FORMAT_KNOWN: u64 = 1;
/// Threads that read: some may wait for the disk.
const READ_THREADS: usize = 4;
/// redb's cache of pages. Events are matched from the live index, so only changes and lists read
/// here; redb's own default would be 1 GiB.
const CACHE_BYTES: usize = 32 << 20;
/// The same for a store in memory, whose pages are in memory already: what is cached is held twice.
const MEMORY_CACHE_BYTES: usize = 4 << 20;

/// Opens the file, creating it where there is none, or an empty store in memory.
pub(super) async fn open(
    path: Option<PathBuf>,
    settings: &StoreSettings,
    feed: Arc<ChangeFeed>,
) -> Result<Arc<dyn Backend>, OpenError> {
    let usage = Usage::new(settings.quotas.clone());
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(path.as_deref(), usage, feed)).await;
    Ok(Arc::new(opened.map_err(unavailable)??))
}

struct EmbeddedStore {
    // Dropped first, so that the writer commits before the file is closed.
    writer: Writer,
    state: Arc<WriterState>,
    database: Arc<DatabaseHandle>,
    /// Accounts take turns to read, so that one with many large pages delays only itself.
    reads: Background<Option<AccountId>>,
}

impl EmbeddedStore {
    fn open(path: Option<&Path>, usage: Usage, feed: Arc<ChangeFeed>) -> Result<Self, OpenError> {
        match path {
            Some(path) => {
                let (database, made) = file::open(path)?;
                // A node that was started from another folder has another file, which its operator must see.
                let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                let file = file.display();
                if made {
                    tracing::info!(%file, "there was no store at this path; a new one was made");
                } else {
                    tracing::info!(%file, "the existing store was opened");
                }
                Self::on(database, Box::new(FileSource(path.to_owned())), usage, feed)
            }
            None => {
                let mut builder = Builder::new();
                builder.set_cache_size(MEMORY_CACHE_BYTES);
                let created = builder.create_with_backend(InMemoryBackend::new());
                Self::on(write::mark(created.map_err(unavailable)?)?, Box::new(Memory), usage, feed)
            }
        }
    }

    /// A store on an open database.
    fn on(
        database: Database,
        source: Box<dyn DatabaseSource>,
        mut usage: Usage,
        feed: Arc<ChangeFeed>,
    ) -> Result<Self, OpenError> {
        load::load(&database, &mut usage, &feed)?;
        let database = DatabaseHandle::new(database, source);
        let commits = Commits::new(Arc::clone(&database), usage, Arc::clone(&feed))?;
        let state = WriterState::new(Arc::clone(feed.metrics()));
        let writer = Writer::start(commits, feed, Arc::clone(&state));
        Ok(Self { writer: writer.map_err(unavailable)?, state, database, reads: Background::new(READ_THREADS) })
    }

    /// Reads for an account, or for none, on a thread that may wait for the disk.
    fn reading<T, R>(&self, account: Option<AccountId>, read: R) -> BoxFuture<'_, Result<T, StoreError>>
    where
        T: Send + 'static,
        R: FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    {
        let database = Arc::clone(&self.database);
        let task = move || {
            database.with(|database| {
                let transaction = database.begin_read().map_err(unavailable)?;
                read(&transaction).map_err(unavailable)
            })
        };
        async move {
            let done = self.reads.run(account, task).await.map_err(unavailable)?;
            if let Err(error) = &done {
                self.state.read_failed(error);
                self.writer.check();
            }
            done
        }
        .boxed()
    }
}

impl Backend for EmbeddedStore {
    fn get(&self, location: Location) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.reading(location.account.clone(), move |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let found = records.get(key(&location))?;
            Ok(found.map(|found| row(&location.id, found.value())))
        })
    }

    fn list(
        &self,
        after: Location,
        using: Option<TemplateId>,
        most: ListBounds,
    ) -> BoxFuture<'_, Result<(Vec<Row>, bool), StoreError>> {
        self.reading(after.account.clone(), move |transaction| {
            if let Some(template) = using {
                return users(transaction, &after, template.as_str(), most);
            }
            let records = transaction.open_table(RECORDS)?;
            let (kind, account, _) = key(&after);
            let (mut rows, mut bytes) = (Vec::new(), 0);
            for entry in records.range::<(u8, &str, &str)>((Bound::Excluded(key(&after)), Bound::Unbounded))? {
                let (location, value) = entry?;
                let (its_kind, its_account, id) = location.value();
                if (its_kind, its_account) != (kind, account) {
                    break;
                }
                if rows.len() >= most.records || bytes >= most.bytes {
                    return Ok((rows, true));
                }
                let found = row(id, value.value());
                bytes += found.json.len();
                rows.push(found);
            }
            Ok((rows, false))
        })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<PutResult, StoreError>> {
        self.writer.write(write).boxed()
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        self.reading(None, |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let mut found = Vec::new();
            for kind in [Kind::Template, Kind::Trigger] {
                let mut from = String::new();
                // Seeks from account to account, without reading the records of each.
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

    fn state(&self) -> StoreState {
        if self.state.is_read_only() { StoreState::ReadOnly } else { StoreState::Ready }
    }
}

/// Reads a page of the records that refer to a template.
fn users(
    transaction: &ReadTransaction,
    after: &Location,
    template: &str,
    most: ListBounds,
) -> Result<(Vec<Row>, bool), redb::Error> {
    let (records, references) = (transaction.open_table(RECORDS)?, transaction.open_table(REFERENCES)?);
    let (kind, account, id) = key(after);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for entry in references.range::<(&str, &str, &str)>((Bound::Excluded((account, template, id)), Bound::Unbounded))? {
        let (reference, _) = entry?;
        let (its_account, its_template, id) = reference.value();
        if (its_account, its_template) != (account, template) {
            break;
        }
        if rows.len() >= most.records || bytes >= most.bytes {
            return Ok((rows, true));
        }
        if let Some(found) = records.get((kind, account, id))? {
            let found = row(id, found.value());
            bytes += found.json.len();
            rows.push(found);
        }
    }
    Ok((rows, false))
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
