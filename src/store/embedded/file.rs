//! Opens the file of an embedded store. It never changes a file before it is known to be an intact store of ours: an
//! existing one is first opened in memory with every checksum verified, and only then for use. It never replaces an
//! existing file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError};

use super::trial::LockedOverlay;
use super::{CACHE_BYTES, FORMAT, FORMAT_KNOWN, META, RECORDS, REFERENCES, unavailable, write};
use crate::store::OpenError;

/// The first bytes of every redb file.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// Between a store's name and an id: the name of a file that becomes that store.
const DRAFT: &str = ".new-";
/// The length of a UUID.
const DRAFT_ID_CHARACTERS: usize = 36;

/// Opens a store's file, or creates it. Returns whether it was created.
pub(super) fn open(path: &Path) -> Result<(Database, bool), OpenError> {
    let made = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).map(|()| true)?,
        Err(error) => return Err(system(path)(error)),
        Ok(found) if !found.is_file() => return Err(OpenError::NotAFile(path.to_owned())),
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty(path.to_owned())),
        Ok(_) => false,
    };
    examine(path)?;
    let database = reopen(path)?;
    remove_drafts(path);
    Ok((database, made))
}

/// Opens the file of a store that is known to be intact.
pub(super) fn reopen(path: &Path) -> Result<Database, OpenError> {
    builder().open(path).map_err(|error| refusal(path, error))
}

/// Creates a new store under a temporary name and then renames it, so that a crash leaves a complete store or none,
/// and another process that does the same loses nothing.
fn create(path: &Path) -> Result<(), OpenError> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(system(folder))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!("{DRAFT}{}", crate::model::id::new_id()));
    let beside = PathBuf::from(beside);
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&beside).map_err(system(path))?;
    let made = FileBackend::new(file)
        .and_then(|backend| builder().create_with_backend(backend))
        .map_err(|error| refusal(path, error))
        .and_then(|created| write::mark(created).map_err(OpenError::from))
        .map(drop)
        .and_then(|()| place(&beside, path).map_err(system(path)));
    // Best effort: after a rename it no longer exists.
    let _ = std::fs::remove_file(&beside);
    made?;
    // The file's name is durable only once the folder is synced.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(system(folder))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Removes what processes have left that ended while they created this store. Best effort: it does no harm.
fn remove_drafts(path: &Path) {
    let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_draft = |name: &str| {
        let id = name.strip_prefix(own).and_then(|rest| rest.strip_prefix(DRAFT));
        id.is_some_and(|id| id.len() == DRAFT_ID_CHARACTERS && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()))
    };
    for entry in std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_draft) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Gives a new file its name, unless another process was faster: then that file is the store.
fn place(beside: &Path, path: &Path) -> io::Result<()> {
    match std::fs::hard_link(beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without hard links. A rename replaces, so only where no file exists.
        Err(_) if !path.try_exists()? => std::fs::rename(beside, path),
        // That process has removed this file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        linked => linked,
    }
}

fn system(path: &Path) -> impl Fn(io::Error) -> OpenError + use<> {
    let path = path.to_owned();
    move |source| OpenError::System { path: path.clone(), source }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Determines what a file is, and whether it is intact, without changing it. Repairs after a crash happen in memory here,
/// and in the file when it is opened.
fn examine(path: &Path) -> Result<(), OpenError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let mut file = opened.map_err(system(path))?;
    let mut magic = Vec::with_capacity(MAGIC.len());
    let mut first = (&mut file).take(MAGIC.len() as u64);
    first.read_to_end(&mut magic).map_err(system(path))?;
    if magic != MAGIC {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let trial = LockedOverlay::new(file).map_err(system(path))?;
    // Damage that no checksum covers may still trip an assertion in redb.
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let mut builder = builder();
        builder.set_check_integrity_on_open(true);
        let opened = builder.create_with_backend(trial);
        check_format(path, &opened.map_err(|error| refusal(path, error))?)
    }));
    checked.unwrap_or_else(|_| {
        Err(OpenError::Damaged { path: path.to_owned(), detail: "its structure is invalid".to_owned() })
    })
}

/// Looks for the mark of a store in an intact database.
fn check_format(path: &Path, database: &Database) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign(path.to_owned());
    let transaction = database.begin_read().map_err(unavailable)?;
    let meta = transaction.open_table(META).map_err(|_| foreign())?;
    let format = meta.get(FORMAT).map_err(unavailable)?;
    match format.map(|format| format.value()) {
        Some(FORMAT_KNOWN) => {}
        Some(found) => {
            return Err(OpenError::OtherFormat { path: path.to_owned(), found, known: FORMAT_KNOWN });
        }
        None => return Err(foreign()),
    }
    let tables = transaction.open_table(RECORDS).map(drop);
    let tables = tables.and_then(|()| transaction.open_table(REFERENCES).map(drop));
    tables.map_err(|error| OpenError::Damaged { path: path.to_owned(), detail: error.to_string() })
}

/// Translates redb's error for the operator.
fn refusal(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::Locked(path),
        // No version of Posthaste wrote that format.
        DatabaseError::UpgradeRequired(_) => OpenError::Foreign(path),
        DatabaseError::Storage(StorageError::Corrupted(detail)) => OpenError::Damaged { path, detail },
        DatabaseError::Storage(StorageError::Io(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
            OpenError::System { path, source }
        }
        other => OpenError::Damaged { path, detail: other.to_string() },
    }
}
