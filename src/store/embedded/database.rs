//! The database of an embedded store. After a failed or full disk, redb refuses every call until the file is opened
//! again. This file reopens it, and determines whether writes work again. It decides nothing about records.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, ReadableDatabase as _};

use super::{META, VERSION, load, unavailable, write};
use crate::store::backend::Write;
use crate::store::feed::ChangeFeed;
use crate::store::usage::Usage;
use crate::store::writer::{Committer, WriteResult};
use crate::store::{OpenError, StoreError};

/// The space that the disk must have before a full store is tried again: some groups of writes.
const ROOM_BYTES: usize = 1 << 20;

/// Where a database is reopened from.
pub(super) trait DatabaseSource: Send + Sync {
    /// Opens it. It was opened before, so it is known to be a store.
    fn open(&self) -> Result<Database, OpenError>;

    /// Determines, without the database, whether the disk has room.
    fn has_room(&self) -> bool;
}

/// A file.
pub(super) struct FileSource(pub(super) PathBuf);

impl DatabaseSource for FileSource {
    fn open(&self) -> Result<Database, OpenError> {
        super::file::reopen(&self.0)
    }

    fn has_room(&self) -> bool {
        let mut beside = self.0.as_os_str().to_owned();
        beside.push(".room");
        let beside = Path::new(&beside);
        let fits = write_zeros(beside).is_ok();
        // If it could not be created, there is nothing to remove.
        let _ = std::fs::remove_file(beside);
        fits
    }
}

/// Memory, which never reports that it is full.
pub(super) struct Memory;

impl DatabaseSource for Memory {
    fn open(&self) -> Result<Database, OpenError> {
        Err(unavailable("a store in memory can't be opened again").into())
    }

    fn has_room(&self) -> bool {
        false
    }
}

fn write_zeros(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(&vec![0; ROOM_BYTES])?;
    file.sync_data()
}

/// The database, shared by its readers and its one writer.
pub(super) struct DatabaseHandle {
    /// `None` only while it is reopened, and after that failed.
    open: RwLock<Option<Database>>,
    source: Box<dyn DatabaseSource>,
}

impl DatabaseHandle {
    pub(super) fn new(database: Database, source: Box<dyn DatabaseSource>) -> Arc<Self> {
        Arc::new(Self { open: RwLock::new(Some(database)), source })
    }

    /// Works with the open database.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        // A panic in a read leaves the database as it was.
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError::Unavailable("its file could not be opened again".to_owned());
        work(open.as_ref().ok_or_else(closed)?)
    }

    /// Closes and reopens the database.
    fn reopen(&self) -> Result<(), OpenError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first, because its lock on the file would exclude the new one.
        drop(open.take());
        *open = Some(self.source.open()?);
        Ok(())
    }

    /// The count of writes.
    fn version(&self) -> Result<u64, StoreError> {
        self.with(|database| {
            let read = || -> Result<u64, redb::Error> {
                let meta = database.begin_read()?.open_table(META)?;
                Ok(meta.get(VERSION)?.map_or(0, |count| count.value()))
            };
            read().map_err(unavailable)
        })
    }
}

/// Commits groups of writes, and heals the database after a failure.
pub(super) struct Commits {
    handle: Arc<DatabaseHandle>,
    feed: Arc<ChangeFeed>,
    usage: Usage,
    /// The number of writes that the sink has.
    version: u64,
}

impl Commits {
    pub(super) fn new(handle: Arc<DatabaseHandle>, usage: Usage, feed: Arc<ChangeFeed>) -> Result<Self, StoreError> {
        let version = handle.version()?;
        Ok(Self { handle, feed, usage, version })
    }

    /// Reopens the database, so that reads work. A commit that reported an error may have succeeded: then the sink
    /// receives all records. Returns whether that was the case.
    fn recover(&mut self) -> Result<bool, StoreError> {
        self.handle.reopen().map_err(unavailable)?;
        let version = self.handle.version()?;
        if version == self.version {
            return Ok(false);
        }
        self.handle.with(|database| load::load(database, &mut self.usage, &self.feed))?;
        self.version = version;
        Ok(true)
    }
}

impl Committer for Commits {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<WriteResult>, StoreError> {
        let done = self.handle.with(|database| write::commit(database, &mut self.usage, writes));
        match done {
            Ok(responses) => {
                let newest = responses.iter().flatten().map(|written| written.revision.0).max();
                self.version = newest.unwrap_or(self.version);
                self.usage.committed();
                Ok(responses)
            }
            Err(error) => {
                self.usage.rolled_back();
                tracing::error!(%error, "the store is read-only: its disk is full or failed. What is live stays live");
                match self.recover() {
                    Ok(false) => Err(StoreError::ReadOnly),
                    // Which writes were done is unknown.
                    Ok(true) | Err(_) => Err(error),
                }
            }
        }
    }

    fn heal(&mut self) -> bool {
        if !self.handle.source.has_room() {
            // Reads may work although writes do not.
            let readable = self.handle.version().is_ok() || self.recover().is_ok();
            tracing::debug!(readable, "the disk of the store has no room");
            return false;
        }
        let healed = self.recover().and_then(|_| self.handle.with(write::touch));
        match healed {
            Ok(()) => {
                tracing::info!("the store accepts writes again");
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the store is still read-only");
                // After a failed write, redb refuses reads too.
                let _ = self.recover();
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use redb::backends::InMemoryBackend;
    use redb::{BackendError, Builder, StorageBackend};
    use serde_json::json;

    use super::*;
    use crate::config::Config;
    use crate::flow::messages::{LiveTarget, LiveTemplate};
    use crate::model::id::AccountId;
    use crate::model::outcome::DropReason;
    use crate::model::template::Template;
    use crate::model::trigger::Trigger;
    use crate::store::embedded::EmbeddedStore;
    use crate::store::{Change, ChangeSink, Precondition, PutResult, Snapshot, Store, StoreState};
    use crate::telemetry::metrics::Metrics;

    /// A disk that can be full. Its bytes outlive the databases that are opened on it.
    #[derive(Debug, Clone)]
    struct Disk(Arc<(InMemoryBackend, AtomicBool)>);

    impl Disk {
        fn check(&self) -> io::Result<()> {
            let full = self.0.1.load(Ordering::SeqCst);
            if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.0.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.0.0.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.check()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            self.0.0.write(offset, data)
        }
        fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
            Ok(true)
        }
        fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
            Ok(())
        }
    }

    impl DatabaseSource for Disk {
        fn open(&self) -> Result<Database, OpenError> {
            Ok(Builder::new().create_with_backend(self.clone()).map_err(unavailable)?)
        }
        fn has_room(&self) -> bool {
            self.check().is_ok()
        }
    }

    /// Records the names of live templates.
    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);

    impl Names {
        fn note(&self, changes: Vec<Change>) {
            let names = changes.into_iter().filter_map(|change| match change {
                Change::Template(_, id, Some(_)) => Some(id.to_string()),
                _ => None,
            });
            self.0.lock().expect("a lock").extend(names);
        }
    }

    impl ChangeSink for Names {
        fn compile(&self, _: &AccountId, _: &Template) -> Option<Arc<LiveTemplate>> {
            None
        }
        fn target(&self, _: &AccountId, _: &Trigger) -> Result<LiveTarget, DropReason> {
            Err(DropReason::UrlRefused)
        }
        fn apply(&self, changes: Vec<Change>) {
            self.note(changes);
        }
        fn snapshot(&self, _: usize) -> Box<dyn Snapshot + '_> {
            self.0.lock().expect("a lock").clear();
            Box::new(Part(self))
        }
    }

    struct Part<'a>(&'a Names);

    impl Snapshot for Part<'_> {
        fn add(&mut self, changes: Vec<Change>) {
            self.0.note(changes);
        }
        fn finish(self: Box<Self>) {}
    }

    async fn put(store: &Store, id: &str) -> Result<PutResult, StoreError> {
        let template = json!({"id": id, "format": "text", "body": "x"});
        let template = Template::from_json(template).expect("a template");
        let account = AccountId::new("acme").expect("a name");
        store.put(Some(&account), &template, Precondition::None).await
    }

    async fn ids(store: &Store) -> Vec<String> {
        let account = AccountId::new("acme").expect("a name");
        let page = store.list::<Template>(Some(&account), None, 100).await.expect("a page");
        page.items.into_iter().map(|stored| stored.value.id.to_string()).collect()
    }

    /// The disk fills up twice and has room again. Nothing is restarted.
    #[tokio::test]
    async fn a_disk_that_has_room_again_is_written_to_again() {
        let disk = Disk(Arc::new((InMemoryBackend::new(), AtomicBool::new(false))));
        let database = write::mark(disk.open().expect("a database")).expect("marked");
        let quotas = Config::from_layers(None, []).expect("the defaults").store.quotas;
        let (names, metrics) = (Arc::new(Names::default()), Arc::new(Metrics::new()));
        let feed = Arc::new(ChangeFeed::new(Arc::clone(&names) as _, Arc::clone(&metrics)));
        let embedded = EmbeddedStore::on(database, Box::new(disk.clone()), Usage::new(quotas), Arc::clone(&feed))
            .expect("a store");
        let store = Store::of(Arc::new(embedded), feed);
        put(&store, "before").await.expect("room");
        for round in ["first", "second"] {
            disk.0.1.store(true, Ordering::SeqCst);
            for _ in 0..3 {
                let refused = put(&store, "refused").await.expect_err("no room");
                assert!(matches!(refused, StoreError::ReadOnly | StoreError::Unavailable(_)), "{refused:?}");
            }
            assert_eq!(store.state(), StoreState::ReadOnly);
            disk.0.1.store(false, Ordering::SeqCst);
            let deadline = Instant::now() + Duration::from_secs(20);
            while store.state() == StoreState::ReadOnly {
                assert!(Instant::now() < deadline, "it does not heal");
                tokio::task::yield_now().await;
            }
            put(&store, round).await.expect("room again");
        }
        // The stored and the live records agree, whether or not the failed commits were done.
        let stored = ids(&store).await;
        assert!(["before", "first", "second"].iter().all(|id| stored.iter().any(|own| own == id)), "{stored:?}");
        let mut live = names.0.lock().expect("a lock").clone();
        live.sort();
        live.dedup();
        assert_eq!(live, stored);
    }
}
