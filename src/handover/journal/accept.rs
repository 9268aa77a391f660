//! Writes the firings of a request on the thread that accepted it. A request may come in several parts; its producer
//! gets its response after the last part is written.

use std::io;
use std::sync::Arc;

use super::body::{EventFields, Listing, write_accepted, write_fired};
use super::folder::Folder;
use super::format::{RecordKind, SegmentKind};
use super::lane::{Lane, Written};
use super::ledger::Firing;
use super::ledger::{Entry, Segment};
use super::registry::Journal;

/// How many ids of entries are drawn at a time, so that threads seldom share the counter.
const IDS: usize = 1_024;

/// Writes accepted and fired records; one for each thread that accepts events.
#[derive(Debug)]
pub(super) struct Acceptor<D: Folder> {
    journal: Arc<Journal<D>>,
    lane: Lane<D>,
    ids: std::ops::Range<u64>,
}

/// A request that is being written.
#[derive(Debug)]
pub(super) struct Request<F> {
    id: Option<u64>,
    entries: Vec<Arc<Entry<F>>>,
    /// Where its records end, in each segment that holds some.
    ends: Vec<(Arc<Segment<F>>, u32)>,
}

impl<F> Default for Request<F> {
    fn default() -> Self {
        Self { id: None, entries: Vec::new(), ends: Vec::new() }
    }
}

impl<F> Request<F> {
    /// What must be durable before its producer gets the response.
    pub(super) fn ends(&self) -> &[(Arc<Segment<F>>, u32)] {
        &self.ends
    }
}

/// An event with some of the triggers that it fired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) event: EventFields<'a>,
    /// Each trigger with a hash of its destination.
    pub(super) triggers: &'a [(u64, &'a str)],
    /// Whether the event is the last one of the request's previous part, with more firings.
    pub(super) is_more: bool,
}

impl<D: Folder> Acceptor<D> {
    pub(super) fn new(journal: Arc<Journal<D>>) -> Self {
        let lane = Lane::new(Arc::clone(&journal), SegmentKind::Accepted);
        Self { journal, lane, ids: 0..0 }
    }

    /// Writes parts of a request, or none of them; the last call has `commits`. Returns each firing's handle, in order.
    /// After an error the request must be abandoned.
    pub(super) fn accept(
        &mut self,
        request: &mut Request<D::File>,
        parts: &[Part<'_>],
        commits: bool,
        now_ms: u64,
    ) -> io::Result<Vec<Firing<D::File>>> {
        if self.journal.is_failed() {
            return Err(io::Error::other("records of a failed sync are not rewritten yet"));
        }
        if parts.is_empty() {
            return self.commit(request, now_ms).map(|()| Vec::new());
        }
        let mut entries = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let is_last = commits && number + 1 == parts.len();
            let entry = match request.entries.last().filter(|_| part.is_more && number == 0) {
                Some(entry) => Arc::clone(entry),
                None => Entry::new(self.draw_id(), Arc::clone(&self.journal.unsettled)),
            };
            let ids = (entry.id, *request.id.get_or_insert(entry.id));
            let first = entry.next();
            let listings = (first..).zip(part.triggers);
            let listings =
                listings.map(|(index, (destination, trigger))| Listing { index, destination: *destination, trigger });
            if first > 0 {
                self.lane.push(RecordKind::Fired, is_last, |body| write_fired(body, ids, listings));
            } else {
                self.lane.push(RecordKind::Accepted, is_last, |body| write_accepted(body, ids, &part.event, listings));
            }
            entries.push((entry, first));
        }
        let written = self.lane.write(now_ms)?;
        let mut firings = Vec::new();
        for (number, ((entry, first), part)) in entries.into_iter().zip(parts).enumerate() {
            let indexes = first..first + super::ledger::small(part.triggers.len());
            entry.list(indexes.clone(), written.place(number));
            firings.extend(indexes.map(|index| (Arc::clone(&entry), index)));
            if first == 0 {
                request.entries.push(entry);
            }
        }
        self.written(request, written, commits);
        Ok(firings)
    }

    /// Commits a request whose last part is written.
    fn commit(&mut self, request: &mut Request<D::File>, now_ms: u64) -> io::Result<()> {
        let (Some(id), Some(last)) = (request.id, request.entries.last()) else { return Ok(()) };
        let ids = (last.id, id);
        self.lane.push(RecordKind::Fired, true, |body| write_fired(body, ids, std::iter::empty()));
        let written = self.lane.write(now_ms)?;
        self.written(request, written, true);
        Ok(())
    }

    fn written(&self, request: &mut Request<D::File>, written: Written<D::File>, commits: bool) {
        request.ends.retain(|(segment, _)| !Arc::ptr_eq(segment, &written.segment));
        let last = written.place(written.records.len() - 1);
        request.ends.push((written.segment, written.end));
        if !commits {
            return;
        }
        let is_spread = request.ends.len() > 1;
        for entry in request.entries.drain(..) {
            if is_spread {
                entry.depend_on(&last);
            }
            entry.complete();
        }
    }

    /// Forgets the request: its producer gets the response that it was not accepted.
    pub(super) fn abandon(&mut self, request: &mut Request<D::File>) {
        self.lane.discard();
        for entry in request.entries.drain(..) {
            entry.cancel();
        }
    }

    /// Called regularly, so that a thread without requests keeps no old segment open.
    pub(super) fn roll_if_asked(&mut self) {
        self.lane.roll_if_asked();
    }

    fn draw_id(&mut self) -> u64 {
        if self.ids.is_empty() {
            let first = self.journal.draw_entries(IDS);
            self.ids = first..first + IDS as u64;
        }
        self.ids.next().unwrap_or_default()
    }
}
