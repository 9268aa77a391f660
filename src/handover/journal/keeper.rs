//! Keeps the journal small: removes segments without unsettled firings, and rewrites the records that keep other
//! segments alive. Runs on its own thread and delays no event.
//!
//! A begun segment is needed while an accepted segment lists a firing that it names. To decide that without comparing
//! firings, the begun segment is *sealed*: when it is closed and all firings that it names are marked as settled, a
//! number is drawn. It is removed when no accepted segment with a lower number exists. An accepted segment with a
//! higher number lists none of its firings: later events have other firings, and a rewrite chooses its firings after
//! the number of its segment was drawn, when these were marked as settled.
//!
//! An accepted segment is rewritten when less than half of it is unsettled, and when the begun segments that it keeps
//! alive outgrow the unsettled records. So the folder takes at most about three times the unsettled bytes, and each
//! accepted or begun byte is written about twice.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::bits::Bits;
use super::body::{AcceptedRecord, FiringFields, read_accepted, read_fired, write_accepted, write_item};
use super::folder::{Folder, SegmentFile, read_up_to};
use super::format::{Durability, RecordHeader, RecordKind, SegmentKind};
use super::ledger::{EntryFiring, LedgerEntry, RecordPosition, ReleasedShares, Segment, lock};
use super::registry::SegmentRegistry;
use super::segment_writer::SegmentWriter;

/// Records are rewritten in groups of about this many bytes.
const GROUP_BYTES: usize = 1 << 20;
/// Begun segments may take the bytes of this many segments before accepted ones are rewritten to release them.
const BEGUN_SEGMENTS_FREE: u64 = 4;

/// Removes and rewrites segments.
#[derive(Debug)]
pub(super) struct Keeper<D: Folder> {
    journal: Arc<SegmentRegistry<D>>,
    /// Writes rewritten records. Never takes a spare segment: its segments' numbers must be drawn at the moment they are
    /// needed.
    accepted: SegmentWriter<D>,
    /// Writes begun records for firings that end without an attempt.
    begun: SegmentWriter<D>,
}

/// The result of one round.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeeperRound {
    pub(super) removed: usize,
    pub(super) rewritten: usize,
    /// Records that could not be read back, and stay where they are.
    pub(super) unreadable: usize,
}

impl<D: Folder> Keeper<D> {
    pub(super) fn new(journal: Arc<SegmentRegistry<D>>) -> Self {
        let accepted = SegmentWriter::new(Arc::clone(&journal), SegmentKind::Accepted);
        let begun = SegmentWriter::new(Arc::clone(&journal), SegmentKind::Begun);
        Self { journal, accepted, begun }
    }

    /// One round. An error of the file system ends it; the next round starts over.
    pub(super) fn round(&mut self, now_ms: u64) -> io::Result<KeeperRound> {
        let mut round = KeeperRound::default();
        self.journal.folder.check()?;
        let settled = self.settle_dropped(now_ms);
        self.seal_closed();
        // On a full disk this makes the room that the rest needs.
        self.remove(&mut round)?;
        settled?;
        for segment in self.journal.all() {
            // Its writer closes it before: what the writer has just written may not be among the segment's entries yet.
            if segment.is_closed() && segment.is_accepted() && segment.failed.load(Ordering::SeqCst) {
                self.rewrite(&segment, now_ms, &mut round)?;
            }
        }
        self.journal.check_failed();
        self.remove(&mut round)?;
        for segment in self.journal.all() {
            if segment.is_closed() && segment.is_accepted() && segment.live_bytes() * 2 < segment.capacity as u64 {
                self.rewrite(&segment, now_ms, &mut round)?;
            }
        }
        if self.begun_is_outgrown() {
            self.rewrite_all(now_ms, &mut round)?;
        }
        self.remove(&mut round)?;
        self.accepted.roll_if_asked();
        self.begun.roll_if_asked();
        self.journal.make_spare(SegmentKind::Accepted, now_ms)?;
        self.journal.make_spare(SegmentKind::Begun, now_ms)?;
        Ok(round)
    }

    /// Writes begun records for dropped firings.
    pub(super) fn settle_dropped(&mut self, now_ms: u64) -> io::Result<()> {
        loop {
            let mut dropped = {
                let mut waiting = lock(&self.journal.unsettled.dropped);
                let keep = waiting.len().saturating_sub(GROUP_BYTES / super::body::ITEM_BYTES);
                waiting.split_off(keep)
            };
            if dropped.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.write_begun(&dropped, now_ms) {
                lock(&self.journal.unsettled.dropped).append(&mut dropped);
                return Err(error);
            }
        }
    }

    fn write_begun(&mut self, firings: &[EntryFiring<D::File>], now_ms: u64) -> io::Result<()> {
        self.begun.push(RecordKind::Begun, false, |body| {
            firings.iter().for_each(|(entry, index)| write_item(body, entry.id, *index));
        });
        let written = self.begun.write(now_ms)?;
        written.segment.written(firings.len());
        // They are marked even if the sync fails: a dropped firing that is recovered is sent at most once.
        let synced = self.sync(&written.segment);
        let mut released = ReleasedShares::default();
        firings.iter().for_each(|(entry, index)| entry.settle(*index, &mut released));
        drop(released);
        written.segment.marked(firings.len());
        synced
    }

    fn sync(&self, segment: &Segment<D::File>) -> io::Result<()> {
        match self.journal.settings.level {
            Durability::Process => Ok(()),
            Durability::Power => self.journal.sync(segment),
        }
    }

    fn seal_closed(&self) {
        for segment in self.journal.all() {
            if !segment.is_accepted() && segment.can_be_sealed() {
                segment.seal(self.journal.draw_number());
            }
        }
    }

    /// Removes settled accepted segments, and then the begun segments that no accepted segment needs.
    fn remove(&self, round: &mut KeeperRound) -> io::Result<()> {
        let all = self.journal.all();
        let dead: Vec<_> = all.iter().filter(|segment| segment.is_accepted() && segment.is_dead()).collect();
        for segment in &dead {
            self.remove_one(segment, round)?;
        }
        if !dead.is_empty() {
            // Without this sync a power cut could bring them back without their begun segments.
            self.journal.folder.sync()?;
        }
        let remaining = self.journal.all();
        let oldest =
            remaining.iter().filter(|segment| segment.is_accepted() && segment.is_used()).map(|s| s.number()).min();
        for segment in &remaining {
            let is_free = |sealed_at| oldest.is_none_or(|oldest| oldest > sealed_at);
            if !segment.is_accepted() && segment.sealed_at().is_some_and(is_free) {
                self.remove_one(segment, round)?;
            }
        }
        Ok(())
    }

    fn remove_one(&self, segment: &Segment<D::File>, round: &mut KeeperRound) -> io::Result<()> {
        match self.journal.folder.remove(&segment.name().to_string()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        lock(&self.journal.segments).remove(&segment.number());
        round.removed += 1;
        Ok(())
    }

    /// Whether begun segments that only wait for old accepted segments have outgrown the unsettled records, and rewriting
    /// those can help: not while the oldest one has only entries of requests that are not committed yet.
    fn begun_is_outgrown(&self) -> bool {
        let all = self.journal.all();
        let waiting: u64 = all.iter().filter(|segment| segment.sealed_at().is_some()).map(|s| s.capacity as u64).sum();
        let free = BEGUN_SEGMENTS_FREE * self.journal.settings.segment_bytes as u64;
        let accepted = all.iter().filter(|segment| segment.is_accepted() && segment.is_used() && !segment.is_dead());
        waiting > self.journal.unsettled.bytes().max(free)
            && accepted.min_by_key(|segment| segment.number()).is_none_or(|oldest| {
                !oldest.is_closed() || oldest.unsettled().iter().any(|entry| entry.unsettled().is_some())
            })
    }

    /// Rewrites all unsettled records of closed segments, and asks writers to close their segments.
    fn rewrite_all(&mut self, now_ms: u64, round: &mut KeeperRound) -> io::Result<()> {
        self.accepted.close();
        for segment in self.journal.all() {
            if segment.is_closed() && segment.is_accepted() {
                self.rewrite(&segment, now_ms, round)?;
            } else if segment.is_used() {
                segment.roll.store(true, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// Rewrites a segment's unsettled records into another one.
    fn rewrite(&mut self, segment: &Arc<Segment<D::File>>, now_ms: u64, round: &mut KeeperRound) -> io::Result<()> {
        let mut entries = segment.unsettled().into_iter().peekable();
        while entries.peek().is_some() {
            // The new segment must have its number before the unsettled firings are determined.
            let largest = entries.peek().and_then(|e| e.unsettled()).map_or(0, |(places, _)| bytes_of(&places));
            let room = self.accepted.make_room(largest, now_ms, false)?.min(GROUP_BYTES.max(largest));
            let mut moved = Vec::new();
            while let Some(entry) = entries.peek() {
                let Some((places, unsettled)) = entry.unsettled() else {
                    entries.next();
                    continue;
                };
                if self.accepted.pending_bytes() + bytes_of(&places) > room {
                    break;
                }
                let is_read = self.add(entry, &places, &unsettled);
                let entry = entries.next();
                if is_read {
                    moved.extend(entry);
                } else {
                    round.unreadable += 1;
                }
            }
            if moved.is_empty() {
                continue;
            }
            let written = self.accepted.write(now_ms)?;
            self.sync(&written.segment)?;
            for (record, entry) in moved.iter().enumerate() {
                entry.move_to(written.place(record));
            }
            round.rewritten += moved.len();
        }
        Ok(())
    }

    /// Adds the current record of an entry; false if its records can't be read any more.
    fn add(&mut self, entry: &LedgerEntry<D::File>, places: &[RecordPosition<D::File>], unsettled: &Bits) -> bool {
        // What a disk can't read keeps others from nothing.
        let Some(records) = records_at(places) else { return false };
        let Some((accepted, listings)) = join(entry.id, places, &records) else { return false };
        let left = listings.into_iter().filter(|listing| unsettled.has(listing.index));
        self.accepted.push(RecordKind::Accepted, true, |body| {
            write_accepted(body, (entry.id, entry.id), &accepted.event, left);
        });
        true
    }
}

fn bytes_of<F>(places: &[RecordPosition<F>]) -> usize {
    places.iter().map(|place| place.bytes).sum()
}

/// The records of an entry; `None` if one of them can't be read.
pub(super) fn records_at<F: SegmentFile>(places: &[RecordPosition<F>]) -> Option<Vec<Vec<u8>>> {
    let read = |place: &RecordPosition<F>| read_up_to(&place.segment.file, u64::from(place.offset), place.bytes).ok();
    places.iter().map(read).collect()
}

/// An entry's event, and all firings that its records list. The record that commits its request may be of another entry.
pub(super) fn join<'a, F: SegmentFile>(
    entry: u64,
    places: &[RecordPosition<F>],
    records: &'a [Vec<u8>],
) -> Option<(AcceptedRecord<'a>, Vec<FiringFields<'a>>)> {
    let (mut accepted, mut listings) = (None, Vec::new());
    for (place, record) in places.iter().zip(records) {
        let (header, body) = RecordHeader::open(record, place.segment.number(), u64::from(place.offset))?;
        match header.kind {
            RecordKind::Accepted => {
                let mut read = read_accepted(body)?;
                if read.entry == entry {
                    listings.append(&mut read.firings);
                    accepted = Some(read);
                }
            }
            RecordKind::Fired => {
                let read = read_fired(body)?;
                listings.extend(read.firings.into_iter().filter(|_| read.entry == entry));
            }
            RecordKind::Begun => return None,
        }
    }
    Some((accepted?, listings))
}
