//! The journal's folder on a real disk. Only one process at a time may use it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use super::folder::{Folder, SegmentFile};
use super::format::BootId;
use crate::flow::drill;

/// The file whose lock marks the folder as in use.
const LOCK: &str = "lock";
/// The end of the name of a file whose room is not allocated yet: a file with its own name has its length.
const DRAFT: &str = ".new";

/// A folder that this process has locked.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    /// The folder itself, opened so that it can be synced.
    folder: File,
    /// Released when the process ends, however it ends.
    _lock: File,
}

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process uses it.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// An error of the file system.
    #[error("{0}: {1}")]
    System(PathBuf, io::Error),
}

impl Disk {
    /// Creates the folder if it does not exist, and locks it.
    pub(super) fn open(path: &Path) -> Result<Self, DiskError> {
        let system = |error| DiskError::System(path.to_owned(), error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(system)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(path.join(LOCK)).map_err(system)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DiskError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(system(error)),
        }
        let folder = File::open(path).map_err(system)?;
        let own = Self { path: path.to_owned(), folder, _lock: lock };
        for draft in own.list().map_err(system)?.iter().filter(|name| name.ends_with(DRAFT)) {
            own.remove(draft).map_err(system)?;
        }
        Ok(own)
    }
}

/// Bytes that files of this user may still take on the file system of a folder.
pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

impl Folder for Disk {
    type File = File;

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.path)?;
        let name = |entry: std::fs::DirEntry| entry.file_name().to_str().map(str::to_owned);
        entries.filter_map(|entry| entry.map(name).transpose()).collect()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<File> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        if bytes == 0 {
            return options.open(path);
        }
        let draft = self.path.join(format!("{name}{DRAFT}"));
        let file = options.open(&draft)?;
        let allocated = match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // The file system can't allocate ahead: a full disk is noticed when a record is written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = allocated.and_then(|()| std::fs::rename(&draft, path)) {
            // Best effort: a start removes it.
            let _ = std::fs::remove_file(&draft);
            return Err(error);
        }
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn check(&self) -> io::Result<()> {
        let own = self.folder.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Err(io::Error::other("its folder was removed or replaced; put it back, or start the node again")),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

impl SegmentFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self, bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        while drill::is_held("POSTHASTE_DRILL_HOLD_SYNC") {
            std::thread::sleep(drill::HELD_CHECKED_EVERY);
        }
        self.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// The current boot of the kernel; unknown if the system does not tell.
pub(super) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().parse::<uuid::Uuid>().map_or(BootId::default(), |id| BootId(id.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_room_with_its_name_and_what_a_crash_left_of_one_is_removed() {
        let scratch = tempfile::tempdir().expect("a folder");
        std::fs::write(scratch.path().join(format!("7.begun{DRAFT}")), "").expect("a file");
        let disk = Disk::open(scratch.path()).expect("a folder");
        assert_eq!(disk.list().expect("names"), [LOCK]);
        assert_eq!(disk.create("8.begun", 9_000).and_then(|file| file.length()).expect("room"), 9_000);
        let mut names = disk.list().expect("names");
        names.sort();
        assert_eq!(names, ["8.begun", LOCK]);
        assert!(disk.create("9.begun", u64::MAX >> 1).is_err());
        assert_eq!(disk.list().expect("names").len(), 2);
    }
}
