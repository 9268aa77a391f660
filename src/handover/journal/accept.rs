//! Writes the firings of requests on the thread that accepted them. Requests of about the same moment are written
//! together. A request may also come in several parts; its producer gets its response after the last part is written.

use std::io;
use std::sync::Arc;

use super::body::{EventFields, FiringFields, write_accepted, write_fired};
use super::folder::{Folder, SegmentFile};
use super::format::{RecordKind, SegmentKind};
use super::ledger::{LedgerEntry, ListedFirings, NewEntry, ReleasedShares, Segment};
use super::registry::SegmentRegistry;
use super::segment::small;
use super::segment_writer::{SegmentWriter, WrittenRecords};
use crate::flow::fairness::TakenUnits;

/// How many ids of entries are drawn at a time, so that threads seldom share the counter.
const IDS: usize = 1_024;

/// Writes accepted and fired records; one for each thread that accepts events.
#[derive(Debug)]
pub(super) struct Acceptor<D: Folder> {
    journal: Arc<SegmentRegistry<D>>,
    writer: SegmentWriter<D>,
    ids: std::ops::Range<u64>,
    /// The entries that are being written: the id of each, and how many firings it has.
    new: Vec<(u64, u32)>,
}

/// A request that is written in parts.
#[derive(Debug)]
pub(super) struct PartialRequest<F> {
    id: Option<u64>,
    entries: Vec<Arc<LedgerEntry<F>>>,
    /// Where its records end, in each segment that holds some.
    ends: Vec<RecordsEnd<F>>,
}

impl<F> Default for PartialRequest<F> {
    fn default() -> Self {
        Self { id: None, entries: Vec::new(), ends: Vec::new() }
    }
}

/// The segment and the end of records that were written together.
pub(super) type RecordsEnd<F> = (Arc<Segment<F>>, u32);

impl<F: SegmentFile> PartialRequest<F> {
    /// Abandons the request: its producer is told that it was not accepted.
    pub(super) fn abandon(&mut self) {
        for entry in self.entries.drain(..) {
            entry.cancel();
        }
    }

    /// Whether records of its unsettled firings are in a segment whose sync failed: they can't be rewritten before the request
    /// is committed.
    pub(super) fn is_lost(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_in_failed_segment())
    }

    fn written(&mut self, written: WrittenRecords<F>) {
        // One that is dead is removed, and its file takes no room once nobody has it open.
        self.ends.retain(|(segment, _)| !Arc::ptr_eq(segment, &written.segment) && !segment.is_dead());
        self.ends.push((written.segment, written.end));
    }

    /// What must be durable before its producer gets the response.
    pub(super) fn ends(&self) -> &[RecordsEnd<F>] {
        &self.ends
    }
}

/// An event with some of the triggers that it fired.
#[derive(Debug, Clone, Copy)]
pub(super) struct AcceptedPart<'a> {
    pub(super) event: EventFields<'a>,
    /// Each trigger with a hash of its destination.
    pub(super) triggers: &'a [(u64, &'a str)],
    /// Whether its record commits the request.
    pub(super) commits: bool,
}

impl<'a> AcceptedPart<'a> {
    fn count(&self) -> u32 {
        small(self.triggers.len())
    }

    /// Its firings.
    fn listings(&self) -> impl Iterator<Item = FiringFields<'a>> + use<'a> {
        let firings = (0..).zip(self.triggers);
        firings.map(|(index, (destination, trigger))| FiringFields { index, destination: *destination, trigger })
    }
}

/// The entries of records that were written together.
struct NewEntries<'a, S> {
    new: &'a [(u64, u32)],
    records: &'a [(u32, usize)],
    shares: S,
    is_complete: bool,
}

impl<S: Iterator<Item = TakenUnits>> Iterator for NewEntries<'_, S> {
    type Item = NewEntry;

    fn next(&mut self) -> Option<NewEntry> {
        let ((id, firings), new) = self.new.split_first()?;
        let ((offset, bytes), records) = self.records.split_first()?;
        (self.new, self.records) = (new, records);
        let (id, firings, offset, bytes) = (*id, *firings, *offset, *bytes);
        Some(NewEntry { id, firings, offset, bytes, share: self.shares.next(), is_complete: self.is_complete })
    }
}

impl<D: Folder> Acceptor<D> {
    pub(super) fn new(journal: Arc<SegmentRegistry<D>>) -> Self {
        let writer = SegmentWriter::new(Arc::clone(&journal), SegmentKind::Accepted);
        Self { journal, writer, ids: 0..0, new: Vec::new() }
    }

    /// Writes whole requests with one write, or none of them: all their parts, of which the last of each commits it.
    /// `shares`: what each part holds of its account's share. `list` gets the firings of each part, in order. Returns what
    /// must be durable before their producers get the response.
    pub(super) fn write_requests<'a>(
        &mut self,
        parts: impl Iterator<Item = AcceptedPart<'a>>,
        shares: impl Iterator<Item = TakenUnits>,
        now_ms: u64,
        list: impl FnMut(ListedFirings<D::File>),
    ) -> io::Result<RecordsEnd<D::File>> {
        self.check()?;
        self.new.clear();
        let mut request = None;
        for part in parts {
            self.push(&mut request, &part);
            request = request.filter(|_| !part.commits);
        }
        let written = self.writer.write(now_ms)?;
        let new = NewEntries { new: &self.new, records: &written.records, shares, is_complete: true };
        written.segment.hold_new(new, list);
        Ok((written.segment, written.end))
    }

    /// Writes parts of a request, or none of them: then they may be tried again. Returns the firings of each part.
    pub(super) fn add(
        &mut self,
        request: &mut PartialRequest<D::File>,
        parts: &[AcceptedPart<'_>],
        shares: Vec<TakenUnits>,
        now_ms: u64,
    ) -> io::Result<Vec<ListedFirings<D::File>>> {
        self.check()?;
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        self.new.clear();
        let mut id = request.id;
        parts.iter().for_each(|part| self.push(&mut id, part));
        let written = self.writer.write(now_ms)?;
        let mut listed = Vec::with_capacity(parts.len());
        let (records, shares) = (&written.records, shares.into_iter());
        let of_new = NewEntries { new: &self.new, records, shares, is_complete: false };
        written.segment.hold_new(of_new, |new| listed.push(new));
        request.id = id;
        request.entries.extend(listed.iter().map(|(entry, _)| Arc::clone(entry)));
        request.written(written);
        Ok(listed)
    }

    /// Commits a request whose last part is written.
    pub(super) fn commit(&mut self, request: &mut PartialRequest<D::File>, now_ms: u64) -> io::Result<()> {
        self.check()?;
        let (Some(id), Some(last)) = (request.id, request.entries.last()) else { return Ok(()) };
        let ids = (last.id, id);
        self.writer.push(RecordKind::Fired, true, |body| write_fired(body, ids, std::iter::empty()));
        let written = self.writer.write(now_ms)?;
        let place = written.place(0);
        request.written(written);
        let (mut released, is_spread) = (ReleasedShares::default(), request.ends.len() > 1);
        for entry in request.entries.drain(..) {
            if is_spread {
                entry.depend_on(&place);
            }
            entry.complete(&mut released);
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.journal.is_failed() {
            return Err(io::Error::other("records of a failed sync are not rewritten yet"));
        }
        Ok(())
    }

    /// Adds the record of a new event to the next write. The first event of a request gives the request its id.
    fn push(&mut self, request: &mut Option<u64>, part: &AcceptedPart<'_>) {
        let id = self.draw_id();
        let ids = (id, *request.get_or_insert(id));
        self.new.push((id, part.count()));
        let listings = part.listings();
        self.writer.push(RecordKind::Accepted, part.commits, |body| write_accepted(body, ids, &part.event, listings));
    }

    /// Called regularly, so that a thread without requests keeps no old segment open.
    pub(super) fn roll_if_asked(&mut self) {
        self.writer.roll_if_asked();
    }

    fn draw_id(&mut self) -> u64 {
        if self.ids.is_empty() {
            let first = self.journal.draw_entries(IDS);
            self.ids = first..first + IDS as u64;
        }
        self.ids.next().unwrap_or_default()
    }
}
