//! What the segment writers of a journal share: the folder, the segments, and the numbers.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::ended::EndedRun;
use super::folder::{Folder, SegmentFile as _, write_all};
use super::format::{BootId, Durability, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind, SegmentName};
use super::ledger::{Segment, SharedLedger, lock};
use super::segment::small;

/// Bits of an entry's id below the number of the run that created it.
pub(super) const RUN_SHIFT: u32 = 40;

/// How a journal is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegistrySettings {
    /// Which crashes lose nothing.
    pub(super) level: Durability,
    /// The current boot of the kernel.
    pub(super) boot: BootId,
    /// Bytes of a segment.
    pub(super) segment_bytes: usize,
}

type SpareSegment<F> = Mutex<Option<Arc<Segment<F>>>>;

/// The journal of one folder.
#[derive(Debug)]
pub(super) struct SegmentRegistry<D: Folder> {
    pub(super) folder: D,
    pub(super) settings: RegistrySettings,
    pub(super) run: u64,
    numbers: AtomicU64,
    entries: AtomicU64,
    pub(super) segments: Mutex<BTreeMap<u64, Arc<Segment<D::File>>>>,
    /// One segment of each kind that is created ahead.
    spares: [SpareSegment<D::File>; 2],
    /// What all unsettled entries share.
    pub(super) unsettled: Arc<SharedLedger<D::File>>,
    /// A segment whose sync failed may hold records that are not rewritten yet.
    failed: AtomicBool,
}

impl<D: Folder> SegmentRegistry<D> {
    /// A journal without segments, whose next segment and run have these numbers.
    pub(super) fn new(
        folder: D,
        settings: RegistrySettings,
        run: u64,
        next_number: u64,
        unsettled: Arc<SharedLedger<D::File>>,
    ) -> Self {
        Self {
            folder,
            settings,
            run,
            numbers: AtomicU64::new(next_number),
            entries: AtomicU64::new(run << RUN_SHIFT),
            segments: Mutex::default(),
            spares: Default::default(),
            unsettled,
            failed: AtomicBool::new(false),
        }
    }

    pub(super) fn draw_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    /// Reserves this many ids for entries and returns the first.
    pub(super) fn draw_entries(&self, count: usize) -> u64 {
        self.entries.fetch_add(count as u64, Ordering::SeqCst)
    }

    /// A segment with room for this many bytes, for a writer. `spare`: one that was created ahead may be used.
    pub(super) fn make_segment(
        &self,
        kind: SegmentKind,
        bytes: usize,
        now_ms: u64,
        spare: bool,
    ) -> io::Result<Arc<Segment<D::File>>> {
        let fits = bytes <= self.settings.segment_bytes;
        let made = if spare && fits { lock(self.spare(kind)).take() } else { None };
        let segment = match made {
            Some(segment) => segment,
            None => self.create(kind, bytes.max(self.settings.segment_bytes), now_ms)?,
        };
        segment.take_into_use();
        Ok(segment)
    }

    /// Creates the spare segment of a kind if there is none.
    pub(super) fn make_spare(&self, kind: SegmentKind, now_ms: u64) -> io::Result<()> {
        if lock(self.spare(kind)).is_none() {
            let segment = self.create(kind, self.settings.segment_bytes, now_ms)?;
            *lock(self.spare(kind)) = Some(segment);
        }
        Ok(())
    }

    fn spare(&self, kind: SegmentKind) -> &SpareSegment<D::File> {
        &self.spares[usize::from(kind == SegmentKind::Begun)]
    }

    fn create(&self, kind: SegmentKind, capacity: usize, now_ms: u64) -> io::Result<Arc<Segment<D::File>>> {
        let number = self.draw_number();
        let (level, boot) = (self.settings.level, self.settings.boot);
        let header =
            SegmentHeader { kind, level, capacity: small(capacity), number, run: self.run, boot, created_ms: now_ms };
        let name = SegmentName { number, kind }.to_string();
        let file = self.folder.create(&name, capacity as u64)?;
        if let Err(error) = write_all(&file, &header.encode(), 0) {
            // Best effort: recovery removes a segment without a header.
            let _ = self.folder.remove(&name);
            return Err(error);
        }
        let segment = Arc::new(Segment::new(header, file, capacity, SEGMENT_HEADER_BYTES, Arc::clone(&self.unsettled)));
        lock(&self.segments).insert(number, Arc::clone(&segment));
        Ok(segment)
    }

    /// Makes a segment's content and its existence durable. A failure is final for the segment.
    pub(super) fn sync(&self, segment: &Segment<D::File>) -> io::Result<()> {
        let end = segment.end.load(Ordering::SeqCst);
        if segment.synced.load(Ordering::SeqCst) >= end {
            return Ok(());
        }
        self.sync_all(segment)
    }

    /// Syncs a segment even if nothing was written since the last sync, for example after a record was erased.
    pub(super) fn sync_all(&self, segment: &Segment<D::File>) -> io::Result<()> {
        let _one = lock(&segment.syncing);
        if segment.failed.load(Ordering::SeqCst) {
            return Err(io::Error::other("a sync of this segment failed before"));
        }
        let end = segment.end.load(Ordering::SeqCst);
        let mut done = segment.file.sync();
        if segment.synced.load(Ordering::SeqCst) == 0 {
            done = done.and_then(|()| self.folder.sync());
        }
        match done {
            Ok(()) => segment.synced.store(end, Ordering::SeqCst),
            Err(_) => {
                segment.failed.store(true, Ordering::SeqCst);
                self.failed.store(true, Ordering::SeqCst);
            }
        }
        done
    }

    /// Begins the run: a begun segment and its name are made durable, so that a power cut can't hide the run.
    pub(super) fn mark_run(&self, now_ms: u64) -> io::Result<()> {
        self.make_spare(SegmentKind::Begun, now_ms)?;
        let mark = lock(self.spare(SegmentKind::Begun)).clone();
        mark.map_or(Ok(()), |mark| self.sync(&mark))
    }

    /// Ends the run: makes all segments durable, also those of earlier runs, and leaves a mark that says so. So a start in
    /// another boot, or on another machine, trusts them. Nothing may be written afterwards.
    pub(super) fn end_run(&self) -> io::Result<()> {
        for segment in self.all() {
            self.sync_all(&segment)?;
        }
        self.folder.sync()?;
        let ended = EndedRun { run: self.run, boot: self.settings.boot };
        self.folder.create(&ended.to_string(), 0)?;
        self.folder.sync()
    }

    /// All segments, by number.
    pub(super) fn all(&self) -> Vec<Arc<Segment<D::File>>> {
        lock(&self.segments).values().cloned().collect()
    }

    /// Adds a segment of an earlier run.
    pub(super) fn adopt(&self, segment: Arc<Segment<D::File>>) {
        segment.take_into_use();
        segment.close();
        lock(&self.segments).insert(segment.number(), segment);
    }

    /// Whether a segment whose sync failed may hold records that are not rewritten yet. If so, nothing is accepted.
    pub(super) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Checks whether all records of a failed sync are rewritten.
    pub(super) fn check_failed(&self) {
        // Cleared first: a sync that fails meanwhile sets it again.
        self.failed.store(false, Ordering::SeqCst);
        let at_risk = |s: &Arc<Segment<D::File>>| s.is_accepted() && s.failed.load(Ordering::SeqCst) && !s.is_dead();
        if lock(&self.segments).values().any(at_risk) {
            self.failed.store(true, Ordering::SeqCst);
        }
    }

    /// The number of unsettled firings.
    pub(super) fn left(&self) -> usize {
        let segments = self.all();
        let mut entries: BTreeMap<u64, usize> = BTreeMap::new();
        for segment in segments.iter().filter(|segment| segment.is_accepted()) {
            entries.extend(segment.unsettled().iter().map(|entry| (entry.id, entry.left())));
        }
        entries.values().sum()
    }

    /// Bytes of all files.
    pub(super) fn disk_bytes(&self) -> u64 {
        lock(&self.segments).values().map(|segment| u64::from(small(segment.capacity))).sum()
    }
}
