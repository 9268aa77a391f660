//! A file that redb can open, repair and check without changing a byte of it.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::store::overlay::Overlay;

/// An [`Overlay`] that holds the locks of the underlying file, so that no other process opens it.
#[derive(Debug)]
pub(super) struct LockedOverlay {
    overlay: Mutex<Overlay>,
    locks: FileBackend,
}

impl LockedOverlay {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let locks = FileBackend::new(file.try_clone()?).map_err(io::Error::other)?;
        Ok(Self { overlay: Mutex::new(Overlay::new(file)?), locks })
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for LockedOverlay {
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
    fn try_lock_shared_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
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
