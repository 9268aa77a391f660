//! The unsettled records in memory: entries, which of their firings are settled, and the segments that hold them. A
//! firing is settled when a begun record names it. Threads that accept and threads that send share this; each lock
//! covers one entry or one segment and is held for a few instructions.

use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use super::bits::Bits;
use super::folder::SegmentFile;
use super::format::SegmentHeader;
use super::segment::SegmentState;
use crate::flow::fairness::TakenUnits;

/// A segment, and the entries whose records it holds.
#[derive(Debug)]
pub(super) struct Segment<F> {
    state: SegmentState<F>,
    /// The number of its unsettled entries.
    live: AtomicUsize,
    live_bytes: AtomicU64,
    entries: Mutex<Slab<Arc<LedgerEntry<F>>>>,
    /// What all segments share.
    all: Arc<SharedLedger<F>>,
}

impl<F> Deref for Segment<F> {
    type Target = SegmentState<F>;

    fn deref(&self) -> &SegmentState<F> {
        &self.state
    }
}

impl<F: SegmentFile> Segment<F> {
    pub(super) fn new(header: SegmentHeader, file: F, capacity: usize, end: usize, all: Arc<SharedLedger<F>>) -> Self {
        let state = SegmentState::new(header, file, capacity, end);
        Self { state, live: AtomicUsize::new(0), live_bytes: AtomicU64::new(0), entries: Mutex::default(), all }
    }

    /// Whether all entries that it lists are settled and no more will be added.
    pub(super) fn is_dead(&self) -> bool {
        self.is_closed() && self.live.load(Ordering::SeqCst) == 0
    }

    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::SeqCst)
    }

    /// Its unsettled entries, in the order of their acceptance.
    pub(super) fn unsettled(&self) -> Vec<Arc<LedgerEntry<F>>> {
        let mut entries: Vec<_> = lock(&self.entries).iter().map(|(_, entry)| Arc::clone(entry)).collect();
        entries.sort_unstable_by_key(|entry| entry.id);
        entries
    }

    /// Creates an entry for each of these new events, whose records were written to this segment together, and passes it
    /// to `list`.
    pub(super) fn hold_new(
        self: &Arc<Self>,
        new: impl Iterator<Item = NewEntry>,
        mut list: impl FnMut(ListedFirings<F>),
    ) {
        let (mut number, mut sum) = (0, 0);
        let mut slots = lock(&self.entries);
        for NewEntry { id, firings, offset, bytes, share, is_complete } in new {
            let slot = slots.vacant_entry();
            let place =
                HeldRecord { place: RecordPosition { segment: Arc::clone(self), offset, bytes }, slot: slot.key() };
            let (unsettled, first, more) = (Bits::below(firings), Some(place), Vec::new());
            let state = EntryState { unsettled, left: firings, is_complete, first, more, share };
            let entry = Arc::new(LedgerEntry { id, state: Mutex::new(state) });
            slot.insert(Arc::clone(&entry));
            (number, sum) = (number + 1, sum + bytes);
            list((entry, 0..firings));
        }
        drop(slots);
        self.count(number, sum);
    }

    /// Keeps the record of an entry until it is released.
    fn hold(&self, entry: &Arc<LedgerEntry<F>>, bytes: usize) -> usize {
        self.count(1, bytes);
        lock(&self.entries).insert(Arc::clone(entry))
    }

    fn count(&self, entries: usize, bytes: usize) {
        self.live.fetch_add(entries, Ordering::SeqCst);
        self.live_bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        self.all.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    fn let_go(&self, released: &[HeldRecord<F>]) {
        let mut slots = lock(&self.entries);
        let bytes = released.iter().map(|held| {
            // Its handles elsewhere are dropped after the lock is free.
            slots.try_remove(held.slot);
            held.place.bytes as u64
        });
        let bytes = bytes.sum();
        drop(slots);
        self.all.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.live_bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.live.fetch_sub(released.len(), Ordering::SeqCst);
    }
}

/// Where a record of an entry is.
#[derive(Debug)]
pub(super) struct RecordPosition<F> {
    pub(super) segment: Arc<Segment<F>>,
    pub(super) offset: u32,
    pub(super) bytes: usize,
}

impl<F> Clone for RecordPosition<F> {
    fn clone(&self) -> Self {
        Self { segment: Arc::clone(&self.segment), offset: self.offset, bytes: self.bytes }
    }
}

/// A record that its segment keeps.
#[derive(Debug)]
struct HeldRecord<F> {
    place: RecordPosition<F>,
    /// The entry's key in the segment.
    slot: usize,
}

/// An event that fired something, whose record is written.
#[derive(Debug)]
pub(super) struct NewEntry {
    pub(super) id: u64,
    /// How many triggers it fired.
    pub(super) firings: u32,
    pub(super) offset: u32,
    pub(super) bytes: usize,
    /// Its part of its account's share.
    pub(super) share: Option<TakenUnits>,
    /// See [`LedgerEntry::complete`].
    pub(super) is_complete: bool,
}

/// An event that fired something and is in the journal.
#[derive(Debug)]
pub(super) struct LedgerEntry<F> {
    pub(super) id: u64,
    state: Mutex<EntryState<F>>,
}

#[derive(Debug)]
struct EntryState<F> {
    /// The firings that no begun record names.
    unsettled: Bits,
    /// How many they are.
    left: u32,
    /// Whether its request is committed. Until then it is not rewritten, and a start drops it.
    is_complete: bool,
    /// Most entries have one record.
    first: Option<HeldRecord<F>>,
    more: Vec<HeldRecord<F>>,
    /// Its part of its account's share, until it is settled.
    share: Option<TakenUnits>,
}

/// What settled entries release, gathered so that what threads share is changed once for many of them.
#[derive(Debug)]
pub(super) struct ReleasedShares<F: SegmentFile> {
    records: Vec<HeldRecord<F>>,
    shares: Vec<TakenUnits>,
}

impl<F: SegmentFile> Default for ReleasedShares<F> {
    fn default() -> Self {
        Self { records: Vec::new(), shares: Vec::new() }
    }
}

impl<F: SegmentFile> ReleasedShares<F> {
    fn add(&mut self, first: Option<HeldRecord<F>>, more: &mut Vec<HeldRecord<F>>, share: Option<TakenUnits>) {
        if let Some(first) = first {
            self.records.push(first);
        }
        if !more.is_empty() {
            self.records.append(more);
        }
        let Some(share) = share else { return };
        let other = match self.shares.last_mut() {
            Some(last) => last.absorb(share),
            None => Some(share),
        };
        self.shares.extend(other);
    }
}

impl<F: SegmentFile> Drop for ReleasedShares<F> {
    fn drop(&mut self) {
        for of_one in self.records.chunk_by(|a, b| Arc::ptr_eq(&a.place.segment, &b.place.segment)) {
            if let [first, ..] = of_one {
                first.place.segment.let_go(of_one);
            }
        }
    }
}

/// A firing in the journal.
pub(super) type EntryFiring<F> = (Arc<LedgerEntry<F>>, u32);

/// Firings of an entry that were written together.
pub(super) type ListedFirings<F> = (Arc<LedgerEntry<F>>, Range<u32>);

/// What all unsettled entries share.
#[derive(Debug)]
pub(super) struct SharedLedger<F> {
    bytes: AtomicU64,
    /// Firings that ended without an attempt and that no begun record names yet.
    pub(super) dropped: Mutex<Vec<EntryFiring<F>>>,
    /// The node is stopping: firings that are dropped now stay in the journal and are sent after the next start.
    closing: AtomicBool,
}

impl<F> Default for SharedLedger<F> {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), dropped: Mutex::default(), closing: AtomicBool::new(false) }
    }
}

impl<F> SharedLedger<F> {
    /// Bytes of all unsettled records.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// From now on, firings that end without an attempt stay in the journal.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// A firing has ended without an attempt.
    pub(super) fn dropped(&self, firing: EntryFiring<F>) {
        if !self.closing.load(Ordering::SeqCst) {
            lock(&self.dropped).push(firing);
        }
    }
}

impl<F: SegmentFile> LedgerEntry<F> {
    /// An entry that a start has found, with some unsettled firings.
    pub(super) fn found(id: u64, unsettled: &[u32], place: RecordPosition<F>) -> Arc<Self> {
        let (unsettled_now, first, more) = (Bits::default(), None, Vec::new());
        let state = EntryState { unsettled: unsettled_now, left: 0, is_complete: false, first, more, share: None };
        let entry = Arc::new(Self { id, state: Mutex::new(state) });
        entry.list(unsettled.iter().copied(), place);
        entry
    }

    /// Adds these firings, whose record is at this position.
    pub(super) fn list(self: &Arc<Self>, firings: impl Iterator<Item = u32>, place: RecordPosition<F>) {
        let slot = place.segment.hold(self, place.bytes);
        let mut state = lock(&self.state);
        for index in firings {
            state.left += u32::from(state.unsettled.set(index));
        }
        let held = HeldRecord { place, slot };
        match &state.first {
            Some(_) => state.more.push(held),
            None => state.first = Some(held),
        }
    }

    /// Keeps the segment of the record that commits its request.
    pub(super) fn depend_on(self: &Arc<Self>, place: &RecordPosition<F>) {
        let is_there = |own: &HeldRecord<F>| Arc::ptr_eq(&own.place.segment, &place.segment);
        if !lock(&self.state).records().any(is_there) {
            self.list(std::iter::empty(), place.clone());
        }
    }

    /// Keeps a part of its account's share until it is settled.
    pub(super) fn charge(&self, share: TakenUnits) {
        lock(&self.state).share = Some(share);
    }

    /// One of its firings has ended without an attempt.
    pub(super) fn dropped(self: Arc<Self>, index: u32) {
        // A settled entry has no record.
        let all = lock(&self.state).records().next().map(|held| Arc::clone(&held.place.segment.all));
        if let Some(all) = all {
            all.dropped((self, index));
        }
    }

    /// All of its firings are listed, and its request is committed.
    pub(super) fn complete(&self, released: &mut ReleasedShares<F>) {
        let mut state = lock(&self.state);
        state.is_complete = true;
        state.end(released);
    }

    /// A begun record names the firing.
    pub(super) fn settle(&self, index: u32, released: &mut ReleasedShares<F>) {
        let mut state = lock(&self.state);
        if state.unsettled.clear(index) {
            state.left -= 1;
            state.end(released);
        }
    }

    /// Discards it: its request was refused. Returns how many firings were unsettled.
    pub(super) fn cancel(&self) -> usize {
        let mut released = ReleasedShares::default();
        let mut state = lock(&self.state);
        let left = std::mem::take(&mut state.left);
        (state.unsettled, state.is_complete) = (Bits::default(), true);
        state.end(&mut released);
        left as usize
    }

    /// Bytes of its records.
    pub(super) fn bytes(&self) -> usize {
        lock(&self.state).records().map(|held| held.place.bytes).sum()
    }

    /// Whether this firing is unsettled.
    pub(super) fn has(&self, index: u32) -> bool {
        lock(&self.state).unsettled.has(index)
    }

    /// The number of unsettled firings. A start finds none of a request that was not committed.
    pub(super) fn left(&self) -> usize {
        let state = lock(&self.state);
        if state.is_complete { state.left as usize } else { 0 }
    }

    /// Whether a record of its unsettled firings is in a segment whose sync failed.
    pub(super) fn is_in_failed_segment(&self) -> bool {
        lock(&self.state).records().any(|held| held.place.segment.failed.load(Ordering::SeqCst))
    }

    pub(super) fn is_settled(&self) -> bool {
        let state = lock(&self.state);
        state.left == 0 && state.is_complete
    }

    /// Where its records are and which firings are unsettled, if all firings are listed and some are unsettled.
    pub(super) fn unsettled(&self) -> Option<(Vec<RecordPosition<F>>, Bits)> {
        let state = lock(&self.state);
        let places = || state.records().map(|held| held.place.clone()).collect();
        (state.is_complete && state.left > 0).then(|| (places(), state.unsettled.clone()))
    }

    /// Its unsettled firings are at this position now.
    pub(super) fn move_to(self: &Arc<Self>, place: RecordPosition<F>) {
        let mut released = ReleasedShares::default();
        let held = HeldRecord { slot: place.segment.hold(self, place.bytes), place };
        let mut state = lock(&self.state);
        if state.left == 0 {
            // It was settled meanwhile: the new record is not needed.
            drop(state);
            return released.add(Some(held), &mut Vec::new(), None);
        }
        let before = state.first.replace(held);
        released.add(before, &mut state.more, None);
    }
}

impl<F: SegmentFile> EntryState<F> {
    fn records(&self) -> impl Iterator<Item = &HeldRecord<F>> {
        self.first.iter().chain(&self.more)
    }

    /// Without unsettled firings nothing of it is needed, whether its request is committed or not.
    fn end(&mut self, released: &mut ReleasedShares<F>) {
        if self.left == 0 {
            released.add(self.first.take(), &mut self.more, self.share.take());
        }
    }
}

/// A poisoned lock is still valid: each change is a few assignments.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
