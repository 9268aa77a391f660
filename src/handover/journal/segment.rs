//! A segment's file, and how far it is written, synced and sealed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::format::{SegmentHeader, SegmentKind, SegmentName};

/// The `sealed_at` of a segment that is not sealed.
const OPEN: u64 = 0;

/// The state of a segment, without its entries.
#[derive(Debug)]
pub(super) struct SegmentState<F> {
    pub(super) header: SegmentHeader,
    pub(super) file: F,
    /// Bytes of the file.
    pub(super) capacity: usize,
    /// Bytes written.
    pub(super) end: AtomicU32,
    /// Bytes known to be on the disk.
    pub(super) synced: AtomicU32,
    /// A writer has written to it or may have.
    used: AtomicBool,
    /// No writer writes to it any more.
    closed: AtomicBool,
    /// For a begun segment: the number drawn when it was closed and all firings that it names were marked as settled.
    sealed_at: AtomicU64,
    /// For a begun segment: items written and not yet marked as settled.
    unmarked: AtomicUsize,
    /// A sync failed: all that was not synced before may be lost.
    pub(super) failed: AtomicBool,
    /// One sync at a time: the system reports an error of writing back to one of those that wait for it.
    pub(super) syncing: Mutex<()>,
    /// Asks its writer to continue in a new segment.
    pub(super) roll: AtomicBool,
}

impl<F> SegmentState<F> {
    pub(super) fn new(header: SegmentHeader, file: F, capacity: usize, end: usize) -> Self {
        Self {
            header,
            file,
            capacity,
            end: AtomicU32::new(small(end)),
            synced: AtomicU32::new(0),
            used: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            sealed_at: AtomicU64::new(OPEN),
            unmarked: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            syncing: Mutex::new(()),
            roll: AtomicBool::new(false),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.header.number
    }

    pub(super) fn name(&self) -> SegmentName {
        SegmentName { number: self.header.number, kind: self.header.kind }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.header.kind == SegmentKind::Accepted
    }

    pub(super) fn take_into_use(&self) {
        self.used.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::SeqCst)
    }

    /// Its writer uses another segment from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// This many items were written to it.
    pub(super) fn written(&self, items: usize) {
        self.unmarked.fetch_add(items, Ordering::SeqCst);
    }

    /// This many of its items are marked as settled.
    pub(super) fn marked(&self, items: usize) {
        self.unmarked.fetch_sub(items, Ordering::SeqCst);
    }

    /// Whether a closed begun segment can be sealed.
    pub(super) fn can_be_sealed(&self) -> bool {
        self.is_closed() && self.unmarked.load(Ordering::SeqCst) == 0 && self.sealed_at().is_none()
    }

    pub(super) fn seal(&self, number: u64) {
        self.sealed_at.store(number, Ordering::SeqCst);
    }

    pub(super) fn sealed_at(&self) -> Option<u64> {
        Some(self.sealed_at.load(Ordering::SeqCst)).filter(|number| *number != OPEN)
    }
}

/// Converts an offset in a segment. Segments are far smaller than 4 GiB.
pub(super) fn small(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
