//! The embedded store: one redb file, or the same in memory. The only file that names redb.
//!
//! It never alters a file before it is known to be a sound store of ours: an existing one is first
//! opened as a trial on an [`Overlay`], with every checksum verified, and only then for good. It
//! never repairs a record, and never creates anything in the place of a file that is there.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    BackendError, Builder, Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageBackend, StorageError, Table, TableDefinition, WriteTransaction,
};

use super::backend::{Backend, Place, Row, Write};
use super::change::{CHANGES_MAX, Feed};
use super::overlay::Overlay;
use super::writer::Writer;
use super::{Kind, OpenError, Revision, StoreError, Written};
use crate::id::{AccountId, TriggerId};

/// (kind, account or nothing, id) -> (revision, template or nothing, JSON).
const RECORDS: TableDefinition<(u8, &str, &str), (u64, &str, &[u8])> =
    TableDefinition::new("records");
/// (account, template, trigger): which triggers name a template.
const REFERENCES: TableDefinition<(&str, &str, &str), ()> = TableDefinition::new("references");
/// The mark by which a store of ours is known, and its numbers. Its shape stays for all formats.
const META: TableDefinition<&str, u64> = TableDefinition::new("posthaste");
/// In [`META`]: the format of the other tables.
const FORMAT: &str = "format";
/// In [`META`]: how many writes were done; the last revision given.
const VERSION: &str = "version";

const FORMAT_KNOWN: u64 = 1;
/// What every redb file begins with.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// redb's cache of pages. Events are matched from the live index, so only changes and lists read
/// here; redb's own default would be 1 GiB.
const CACHE_BYTES: usize = 32 << 20;
/// How many triggers an error names that keep a template from being deleted.
const TRIGGERS_NAMED_MAX: usize = 5;

/// Opens the file, creating it where there is none, or an empty store in memory.
pub(super) async fn open(
    path: Option<PathBuf>,
    feed: Arc<Feed>,
) -> Result<Arc<dyn Backend>, OpenError> {
    let opened = tokio::task::spawn_blocking(move || Embedded::open(path.as_deref(), feed)).await;
    Ok(Arc::new(opened.map_err(unavailable)??))
}

struct Embedded {
    // Dropped first: the writer's last commit comes before the file is closed.
    writer: Writer,
    database: Arc<Database>,
}

impl Embedded {
    fn open(path: Option<&Path>, feed: Arc<Feed>) -> Result<Self, OpenError> {
        let database = match path {
            Some(path) => open_file(path)?,
            None => {
                let memory = InMemoryBackend::new();
                let created = Builder::new().create_with_backend(memory);
                mark(created.map_err(unavailable)?)?
            }
        };
        load(&database, &feed)?;
        let database = Arc::new(database);
        let written = Arc::clone(&database);
        let writer = Writer::start(move |writes| commit(&written, writes), feed);
        Ok(Self {
            writer: writer.map_err(unavailable)?,
            database,
        })
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
    fn get(&self, place: Place) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.reading(move |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let found = records.get(key(&place))?;
            Ok(found.map(|found| row(&place.id, found.value())))
        })
    }

    fn list(&self, after: Place, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        self.reading(move |transaction| {
            let records = transaction.open_table(RECORDS)?;
            let (kind, account, _) = key(&after);
            let mut rows = Vec::new();
            for entry in records
                .range::<(u8, &str, &str)>((Bound::Excluded(key(&after)), Bound::Unbounded))?
            {
                let (place, value) = entry?;
                let (its_kind, its_account, id) = place.value();
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
                // From account to account, past all that one holds.
                while let Some(entry) = records.range((number(kind), from.as_str(), "")..)?.next() {
                    let (place, _) = entry?;
                    let (its_kind, account, _) = place.value();
                    if its_kind != number(kind) {
                        break;
                    }
                    found.extend(AccountId::new(account));
                    // No name holds a NUL, so this is behind this account and before any other.
                    from = format!("{account}\0");
                }
            }
            found.sort_unstable();
            found.dedup();
            Ok(found)
        })
    }
}

/// The kind as the file has it; the order is that of start-up.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Template => 1,
        Kind::Trigger => 2,
        Kind::Key => 3,
    }
}

fn key(place: &Place) -> (u8, &str, &str) {
    let account = place.account.as_ref().map_or("", AccountId::as_str);
    (number(place.kind), account, &place.id)
}

fn row(id: &str, (revision, _, json): (u64, &str, &[u8])) -> Row {
    Row {
        id: id.to_owned(),
        revision: Revision(revision),
        json: json.to_vec(),
    }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Gives all that the file holds to the sink, in the order of kinds.
fn load(database: &Database, feed: &Feed) -> Result<(), StoreError> {
    let read = || -> Result<(), redb::Error> {
        let records = database.begin_read()?.open_table(RECORDS)?;
        let mut batch = Vec::new();
        for entry in records.iter()? {
            let (place, value) = entry?;
            let (kind, account, id) = place.value();
            let kinds = [Kind::Template, Kind::Trigger, Kind::Key];
            // Only a later format has other kinds, and that was refused.
            let Some(kind) = kinds.into_iter().find(|k| number(*k) == kind) else {
                continue;
            };
            let place = Place {
                kind,
                account: AccountId::new(account).ok(),
                id: id.to_owned(),
            };
            batch.push((place, row(id, value.value())));
            if batch.len() == CHANGES_MAX {
                feed.load(std::mem::take(&mut batch));
            }
        }
        feed.load(batch);
        Ok(())
    };
    read().map_err(unavailable)
}

/// Does a group of writes in one transaction.
fn commit(
    database: &Database,
    writes: &[Write],
) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
    let transaction = begin_write(database).map_err(unavailable)?;
    let answers = apply_all(&transaction, writes).map_err(unavailable)?;
    // Where all were refused there is nothing to wait for the disk for.
    if answers.iter().any(Result::is_ok) {
        transaction.commit().map_err(unavailable)?;
    } else {
        transaction.abort().map_err(unavailable)?;
    }
    Ok(answers)
}

fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // With one phase, a damaged last commit is taken for one that a crash cut off, and is rolled
    // back without a word. With two, a commit that was answered is there or the file is damaged.
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

type Records<'t> = Table<'t, (u8, &'static str, &'static str), (u64, &'static str, &'static [u8])>;
type References<'t> = Table<'t, (&'static str, &'static str, &'static str), ()>;

fn apply_all(
    transaction: &WriteTransaction,
    writes: &[Write],
) -> Result<Vec<Result<Written, StoreError>>, redb::Error> {
    let mut meta = transaction.open_table(META)?;
    let mut records = transaction.open_table(RECORDS)?;
    let mut references = transaction.open_table(REFERENCES)?;
    let mut version = meta.get(VERSION)?.map_or(0, |count| count.value());
    let mut answers = Vec::with_capacity(writes.len());
    for write in writes {
        let next = Revision(version + 1);
        let answer = apply(&mut records, &mut references, write, next)?;
        version += u64::from(answer.is_ok());
        answers.push(answer);
    }
    meta.insert(VERSION, version)?;
    Ok(answers)
}

/// Judges one write and does it. A refused one has changed nothing.
fn apply(
    records: &mut Records<'_>,
    references: &mut References<'_>,
    write: &Write,
    next: Revision,
) -> Result<Result<Written, StoreError>, redb::Error> {
    let place = &write.place;
    let (_, account, id) = key(place);
    let current = records.get(key(place))?.map(|found| {
        let (revision, template, _) = found.value();
        (Revision(revision), template.to_owned())
    });
    let revision = current.as_ref().map(|(revision, _)| *revision);
    if let Err(refused) = write.precondition.check(revision) {
        return Ok(Err(refused));
    }
    let template = match &write.content {
        None if current.is_none() => return Ok(Err(StoreError::NotFound)),
        None if place.kind == Kind::Template => {
            let triggers = triggers_of(references, account, id)?;
            if !triggers.is_empty() {
                return Ok(Err(StoreError::TemplateInUse { triggers }));
            }
            ""
        }
        None => "",
        Some(content) => match &content.template {
            None => "",
            Some(template) => {
                let place = (number(Kind::Template), account, template.as_str());
                if records.get(place)?.is_none() {
                    return Ok(Err(StoreError::TemplateMissing(template.clone())));
                }
                template.as_str()
            }
        },
    };
    let before = current.as_ref().map_or("", |(_, template)| template);
    if before != template {
        if !before.is_empty() {
            references.remove((account, before, id))?;
        }
        if !template.is_empty() {
            references.insert((account, template, id), ())?;
        }
    }
    match &write.content {
        Some(content) => {
            records.insert(key(place), (next.0, template, content.json.as_slice()))?;
        }
        None => {
            records.remove(key(place))?;
        }
    }
    Ok(Ok(Written {
        revision: next,
        created: revision.is_none(),
    }))
}

/// Some of the triggers that name a template.
fn triggers_of(
    references: &References<'_>,
    account: &str,
    template: &str,
) -> Result<Vec<TriggerId>, redb::Error> {
    let mut triggers = Vec::new();
    for entry in references.range((account, template, "")..)? {
        let (place, ()) = entry.map(|(place, _)| (place, ()))?;
        let (its_account, its_template, trigger) = place.value();
        if (its_account, its_template) != (account, template)
            || triggers.len() == TRIGGERS_NAMED_MAX
        {
            break;
        }
        triggers.extend(TriggerId::new(trigger));
    }
    Ok(triggers)
}

/// Opens a store's file; where there is none, a new one.
fn open_file(path: &Path) -> Result<Database, OpenError> {
    let system = |source| OpenError::System {
        path: path.to_owned(),
        source,
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_file(path)?,
        Err(error) => return Err(system(error)),
        Ok(found) if !found.is_file() => return Err(OpenError::NotAFile(path.to_owned())),
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty(path.to_owned())),
        Ok(_) => {}
    }
    try_file(path)?;
    let opened = builder().open(path);
    opened.map_err(|error| refusal(path, error))
}

/// Makes a new store beside its place and then puts it there, so that a crash leaves either a
/// whole store or none, and so that another process that does the same can't lose its own.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::System { path, source }
    };
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".new-{}", crate::id::new_id()));
    let beside = PathBuf::from(beside);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(at(path))?;
    let made = FileBackend::new(file)
        .and_then(|backend| builder().create_with_backend(backend))
        .map_err(|error| refusal(path, error))
        .and_then(|created| mark(created).map_err(OpenError::from))
        .map(drop)
        .and_then(|()| match std::fs::hard_link(&beside, path) {
            // Another process was quicker; its file is the store.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.map_err(at(path)),
        });
    let removed = std::fs::remove_file(&beside).map_err(at(&beside));
    made.and(removed)?;
    // The file's name is as lasting as its content only once the folder is on the disk too.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(at(folder))
}

/// Marks an empty database as a store of ours, with all its tables.
fn mark(database: Database) -> Result<Database, StoreError> {
    let write = |database: &Database| -> Result<(), redb::Error> {
        let transaction = begin_write(database)?;
        transaction.open_table(META)?.insert(FORMAT, FORMAT_KNOWN)?;
        transaction.open_table(RECORDS)?;
        transaction.open_table(REFERENCES)?;
        Ok(transaction.commit()?)
    };
    write(&database).map_err(unavailable)?;
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Finds out what a file is, and whether it is sound, without a byte of it being changed: repairs
/// after a crash of ours happen in memory here, and again for good when it is opened.
fn try_file(path: &Path) -> Result<(), OpenError> {
    let system = |source| OpenError::System {
        path: path.to_owned(),
        source,
    };
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file = opened.map_err(system)?;
    let mut magic = Vec::with_capacity(MAGIC.len());
    let first = (&mut file).take(MAGIC.len() as u64);
    { first }.read_to_end(&mut magic).map_err(system)?;
    if magic != MAGIC {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let trial = Trial::new(file).map_err(system)?;
    // Damage that no checksum covers may still trip an assertion in redb.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = builder();
        builder.set_check_integrity_on_open(true);
        let opened = builder.create_with_backend(trial);
        judge(path, &opened.map_err(|error| refusal(path, error))?)
    }));
    judged.unwrap_or_else(|_| {
        Err(OpenError::Damaged {
            path: path.to_owned(),
            detail: "its structure makes no sense".to_owned(),
        })
    })
}

/// Looks for our mark in a sound database.
fn judge(path: &Path, database: &Database) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign(path.to_owned());
    let transaction = database.begin_read().map_err(unavailable)?;
    let meta = transaction.open_table(META).map_err(|_| foreign())?;
    let format = meta.get(FORMAT).map_err(unavailable)?;
    match format.map(|format| format.value()) {
        Some(FORMAT_KNOWN) => {}
        Some(found) => {
            return Err(OpenError::OtherFormat {
                path: path.to_owned(),
                found,
                known: FORMAT_KNOWN,
            });
        }
        None => return Err(foreign()),
    }
    let tables = transaction.open_table(RECORDS).map(drop);
    let tables = tables.and_then(|()| transaction.open_table(REFERENCES).map(drop));
    tables.map_err(|error| OpenError::Damaged {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// What redb's refusal to open means for the person who must act.
fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::Locked(path)
        }
        // Stores of ours never had that format.
        DatabaseError::UpgradeRequired(_) => OpenError::Foreign(path),
        DatabaseError::Storage(StorageError::Corrupted(detail)) => {
            OpenError::Damaged { path, detail }
        }
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() != io::ErrorKind::UnexpectedEof =>
        {
            OpenError::System { path, source }
        }
        other => OpenError::Damaged {
            path,
            detail: other.to_string(),
        },
    }
}

/// An [`Overlay`] that holds the locks of the file under it, so that no other process has it open
/// while it is looked at.
#[derive(Debug)]
struct Trial {
    overlay: Mutex<Overlay>,
    locks: FileBackend,
}

impl Trial {
    fn new(file: File) -> io::Result<Self> {
        let locks = FileBackend::new(file.try_clone()?).map_err(io::Error::other)?;
        Ok(Self {
            overlay: Mutex::new(Overlay::new(file)?),
            locks,
        })
    }

    fn overlay(&self) -> std::sync::MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        Ok(self.overlay().len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.overlay().read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.overlay().set_len(len);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.overlay().write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.locks.close()
    }
    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.locks.try_lock_range(from, to)
    }
    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        to: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.locks.try_lock_shared_range(from, to)
    }
    fn lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.locks.lock_range(from, to)
    }
    fn lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.locks.lock_shared_range(from, to)
    }
    fn unlock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<(), BackendError> {
        self.locks.unlock_range(from, to)
    }
    fn query_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.locks.query_lock_range(from, to)
    }
}
