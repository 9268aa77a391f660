//! One thread's part of the journal: the segment that it writes, and the records that it writes together.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::folder::{Folder, SegmentFile as _, write_all};
use super::format::{
    BODY_BYTES_MAX, Durability, RECORD_HEADER_BYTES, RecordHeader, RecordKind, SEGMENT_HEADER_BYTES, SegmentKind,
};
use super::ledger::{RecordPosition, Segment};
use super::registry::SegmentRegistry;
use super::segment::small;

/// Writes one segment after the other. Belongs to one thread.
#[derive(Debug)]
pub(super) struct SegmentWriter<D: Folder> {
    journal: Arc<SegmentRegistry<D>>,
    kind: SegmentKind,
    open: Option<OpenSegment<D>>,
    /// The records of the next write, each with room for its header and padded.
    buffer: Vec<u8>,
    records: Vec<PendingRecord>,
}

#[derive(Debug)]
struct OpenSegment<D: Folder> {
    segment: Arc<Segment<D::File>>,
    at: usize,
    epoch: u16,
}

#[derive(Debug, Clone, Copy)]
struct PendingRecord {
    at: usize,
    kind: RecordKind,
    commits: bool,
    length: usize,
}

/// A writer's buffer keeps this much memory between writes.
const BUFFER_KEPT_BYTES: usize = 1 << 20;

/// Records that were written together.
#[derive(Debug)]
pub(super) struct WrittenRecords<F> {
    pub(super) segment: Arc<Segment<F>>,
    /// Where the last one ends in the segment.
    pub(super) end: u32,
    /// The offset and the length of each; often few.
    pub(super) records: SmallVec<[(u32, usize); 4]>,
}

impl<F> WrittenRecords<F> {
    pub(super) fn place(&self, record: usize) -> RecordPosition<F> {
        let (offset, bytes) = self.records[record];
        RecordPosition { segment: Arc::clone(&self.segment), offset, bytes }
    }
}

impl<D: Folder> SegmentWriter<D> {
    pub(super) fn new(journal: Arc<SegmentRegistry<D>>, kind: SegmentKind) -> Self {
        Self { journal, kind, open: None, buffer: Vec::new(), records: Vec::new() }
    }

    /// Adds a record to the next write; `write` appends its body.
    pub(super) fn push(&mut self, kind: RecordKind, commits: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.buffer.len();
        self.buffer.resize(at + RECORD_HEADER_BYTES, 0);
        write(&mut self.buffer);
        let length = self.buffer.len() - at - RECORD_HEADER_BYTES;
        let pending = PendingRecord { at, kind, commits, length };
        self.buffer.resize(at + pending.header(0, 0).stride(), 0);
        self.records.push(pending);
    }

    /// The size of the next write.
    pub(super) fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Discards the next write.
    fn discard(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.records.clear();
    }

    /// Writes all added records with one system call, or none of them.
    pub(super) fn write(&mut self, now_ms: u64) -> io::Result<WrittenRecords<D::File>> {
        let written = self.try_write(now_ms);
        self.discard();
        written
    }

    fn try_write(&mut self, now_ms: u64) -> io::Result<WrittenRecords<D::File>> {
        if self.records.iter().any(|record| record.length > BODY_BYTES_MAX) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let bytes = self.buffer.len();
        self.make_room(bytes, now_ms, true)?;
        let Some(open) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let segment = Arc::clone(&open.segment);
        let durable = segment.synced.load(Ordering::SeqCst);
        let mut records = SmallVec::with_capacity(self.records.len());
        for record in &self.records {
            let header = record.header(open.epoch, durable);
            let offset = open.at + record.at;
            header.seal(&mut self.buffer[record.at..], segment.number(), offset as u64);
            records.push((small(offset), header.stride()));
        }
        if let Err(error) = write_all(&segment.file, &self.buffer, open.at as u64) {
            // The epoch distinguishes a partly written record from those that follow.
            // A record whose missing bytes are zero, as those of the file are, would be valid: its checksum is erased. The
            // last one first, so that a crash in between leaves no gap.
            let erase = |record: &PendingRecord| segment.file.write_at(&[0; 8], (open.at + record.at) as u64);
            self.records.iter().rev().for_each(|record| drop(erase(record)));
            if self.journal.settings.level == Durability::Power {
                // Its producers get no response before a power cut can't bring them back. A failure ends the segment.
                let _ = self.journal.sync_all(&segment);
            }
            match open.epoch.checked_add(1) {
                Some(epoch) if error.kind() == io::ErrorKind::StorageFull => open.epoch = epoch,
                _ => self.close(),
            }
            return Err(error);
        }
        open.at += self.buffer.len();
        segment.end.store(small(open.at), Ordering::SeqCst);
        Ok(WrittenRecords { segment, end: small(open.at), records })
    }

    /// Makes sure that this many bytes of records fit into the open segment, and returns how many do. `spare`: a
    /// segment that was created ahead may be used.
    pub(super) fn make_room(&mut self, bytes: usize, now_ms: u64, spare: bool) -> io::Result<usize> {
        if self.open.as_ref().is_some_and(|open| open.must_end(bytes)) {
            self.close();
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let segment = self.journal.make_segment(self.kind, SEGMENT_HEADER_BYTES + bytes, now_ms, spare)?;
                none.insert(OpenSegment { segment, at: SEGMENT_HEADER_BYTES, epoch: 0 })
            }
        };
        Ok(open.segment.capacity - open.at)
    }

    /// Closes the segment if the journal asks for it or its sync failed. Called regularly, also if nothing is written.
    pub(super) fn roll_if_asked(&mut self) {
        if self.open.as_ref().is_some_and(OpenSegment::must_roll) {
            self.close();
        }
    }

    /// Closes the segment; the next record starts a new one.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.segment.close();
        }
    }
}

impl<D: Folder> OpenSegment<D> {
    fn must_end(&self, bytes: usize) -> bool {
        self.at + bytes > self.segment.capacity || self.must_roll()
    }

    fn must_roll(&self) -> bool {
        self.segment.failed.load(Ordering::SeqCst) || self.segment.roll.load(Ordering::SeqCst)
    }
}

impl<D: Folder> Drop for SegmentWriter<D> {
    fn drop(&mut self) {
        self.close();
    }
}

impl PendingRecord {
    fn header(&self, epoch: u16, durable: u32) -> RecordHeader {
        RecordHeader { kind: self.kind, commits: self.commits, epoch, durable, length: self.length }
    }
}
