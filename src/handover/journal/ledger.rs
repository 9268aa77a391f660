//! The unsettled records in memory: entries, which of their firings are settled, and the segments that hold them. A
//! firing is settled when a begun record names it. Threads that accept and threads that send share this; each lock
//! covers one entry or one segment and is held for a few instructions.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::SegmentFile;
use super::format::{SegmentHeader, SegmentKind, SegmentName};
use crate::flow::fairness::Taken;

/// The `sealed_at` of a segment that is not sealed.
const OPEN: u64 = 0;

/// An existing segment.
#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) header: SegmentHeader,
    pub(super) file: F,
    /// Bytes of the file.
    pub(super) capacity: usize,
    /// Bytes written.
    pub(super) end: AtomicU32,
    /// Bytes known to be on the disk.
    pub(super) synced: AtomicU32,
    /// A lane has written to it or may have.
    used: AtomicBool,
    /// No lane writes to it any more.
    closed: AtomicBool,
    /// For a begun segment: the number drawn when it was closed and all firings that it names were marked as settled.
    sealed_at: AtomicU64,
    /// For a begun segment: items written and not yet marked as settled.
    unmarked: AtomicUsize,
    /// A sync failed: all that was not synced before may be lost.
    pub(super) failed: AtomicBool,
    /// Asks its lane to continue in a new segment.
    pub(super) roll: AtomicBool,
    /// The number of its unsettled entries.
    live: AtomicUsize,
    live_bytes: AtomicU64,
    /// Its entries; settled ones are removed at intervals.
    entries: Mutex<Vec<Arc<Entry<F>>>>,
}

impl<F: SegmentFile> Segment<F> {
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
            roll: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            live_bytes: AtomicU64::new(0),
            entries: Mutex::default(),
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

    /// Its lane writes to another segment from now on.
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

    /// Whether all entries that it lists are settled and no more will be added.
    pub(super) fn is_dead(&self) -> bool {
        self.is_closed() && self.live.load(Ordering::SeqCst) == 0
    }

    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes.load(Ordering::SeqCst)
    }

    /// Its unsettled entries.
    pub(super) fn unsettled(&self) -> Vec<Arc<Entry<F>>> {
        let mut entries = lock(&self.entries);
        entries.retain(|entry| !entry.is_settled());
        entries.clone()
    }

    fn hold(&self, entry: &Arc<Entry<F>>, bytes: usize) {
        self.live.fetch_add(1, Ordering::SeqCst);
        self.live_bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        lock(&self.entries).push(Arc::clone(entry));
    }

    fn let_go(&self, bytes: usize) {
        self.live_bytes.fetch_sub(bytes as u64, Ordering::SeqCst);
        self.live.fetch_sub(1, Ordering::SeqCst);
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

/// An event that fired something and is in the journal.
#[derive(Debug)]
pub(super) struct Entry<F> {
    pub(super) id: u64,
    state: Mutex<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    /// The firings that no begun record names.
    unsettled: Bits,
    /// How many they are.
    left: u32,
    /// The index of the next firing.
    next: u32,
    /// Whether all of its firings are listed and its request is committed.
    complete: bool,
    places: Vec<RecordPosition<F>>,
    all: Arc<Unsettled<F>>,
    /// Its part of its account's share, until it is settled.
    shares: Vec<Taken>,
}

/// A firing in the journal.
pub(super) type Firing<F> = (Arc<Entry<F>>, u32);

/// What all unsettled entries share.
#[derive(Debug)]
pub(super) struct Unsettled<F> {
    bytes: AtomicU64,
    /// Firings that ended without an attempt and that no begun record names yet.
    pub(super) dropped: Mutex<Vec<Firing<F>>>,
    /// The node is stopping: firings that are dropped now stay in the journal and are sent after the next start.
    closing: AtomicBool,
}

impl<F> Default for Unsettled<F> {
    fn default() -> Self {
        Self { bytes: AtomicU64::new(0), dropped: Mutex::default(), closing: AtomicBool::new(false) }
    }
}

impl<F> Unsettled<F> {
    /// Bytes of all unsettled records.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    /// From now on, firings that end without an attempt stay in the journal.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// A firing has ended without an attempt.
    pub(super) fn dropped(&self, firing: Firing<F>) {
        if !self.closing.load(Ordering::SeqCst) {
            lock(&self.dropped).push(firing);
        }
    }
}

impl<F: SegmentFile> Entry<F> {
    /// An entry without firings.
    pub(super) fn new(id: u64, all: Arc<Unsettled<F>>) -> Arc<Self> {
        let (unsettled, places, shares) = (Bits::default(), Vec::with_capacity(1), Vec::new());
        let state = State { unsettled, left: 0, next: 0, complete: false, places, all, shares };
        Arc::new(Self { id, state: Mutex::new(state) })
    }

    /// Adds these firings, whose record is at this position.
    pub(super) fn list(self: &Arc<Self>, firings: impl Iterator<Item = u32>, place: RecordPosition<F>) {
        place.segment.hold(self, place.bytes);
        let mut state = lock(&self.state);
        for index in firings {
            state.left += u32::from(state.unsettled.set(index));
            state.next = state.next.max(index + 1);
        }
        state.all.bytes.fetch_add(place.bytes as u64, Ordering::SeqCst);
        state.places.push(place);
    }

    /// Keeps the segment of the record that commits its request.
    pub(super) fn depend_on(self: &Arc<Self>, place: &RecordPosition<F>) {
        let is_there = |own: &RecordPosition<F>| Arc::ptr_eq(&own.segment, &place.segment);
        if !lock(&self.state).places.iter().any(is_there) {
            self.list(std::iter::empty(), place.clone());
        }
    }

    /// Keeps a part of its account's share until it is settled.
    pub(super) fn charge(&self, share: Taken) {
        lock(&self.state).shares.push(share);
    }

    /// One of its firings has ended without an attempt.
    pub(super) fn dropped(self: Arc<Self>, index: u32) {
        let all = Arc::clone(&lock(&self.state).all);
        all.dropped((self, index));
    }

    /// The index of its next firing.
    pub(super) fn next(&self) -> u32 {
        lock(&self.state).next
    }

    /// All of its firings are listed, and its request is committed.
    pub(super) fn complete(&self) {
        let mut state = lock(&self.state);
        state.complete = true;
        state.end();
    }

    /// A begun record names the firing.
    pub(super) fn settle(&self, index: u32) {
        let mut state = lock(&self.state);
        if state.unsettled.clear(index) {
            state.left -= 1;
            state.end();
        }
    }

    /// Discards it: its request was refused. Returns how many firings were unsettled.
    pub(super) fn cancel(&self) -> usize {
        let mut state = lock(&self.state);
        let left = std::mem::take(&mut state.left);
        (state.unsettled, state.complete) = (Bits::default(), true);
        state.end();
        left as usize
    }

    /// Bytes of its records.
    pub(super) fn bytes(&self) -> usize {
        lock(&self.state).places.iter().map(|place| place.bytes).sum()
    }

    /// Whether this firing is unsettled.
    pub(super) fn has(&self, index: u32) -> bool {
        lock(&self.state).unsettled.has(index)
    }

    /// The number of unsettled firings.
    pub(super) fn left(&self) -> usize {
        lock(&self.state).left as usize
    }

    pub(super) fn is_settled(&self) -> bool {
        let state = lock(&self.state);
        state.left == 0 && state.complete
    }

    /// Where its records are and which firings are unsettled, if all firings are listed and some are unsettled.
    pub(super) fn unsettled(&self) -> Option<(Vec<RecordPosition<F>>, Bits)> {
        let state = lock(&self.state);
        (state.complete && state.left > 0).then(|| (state.places.clone(), state.unsettled.clone()))
    }

    /// Its unsettled firings are at this position now.
    pub(super) fn move_to(self: &Arc<Self>, place: RecordPosition<F>) {
        let mut state = lock(&self.state);
        // If it was settled meanwhile, the new record is not needed.
        if state.left == 0 {
            return;
        }
        place.segment.hold(self, place.bytes);
        state.all.bytes.fetch_add(place.bytes as u64, Ordering::SeqCst);
        let before = std::mem::replace(&mut state.places, vec![place]);
        state.let_go(before);
    }
}

impl<F: SegmentFile> State<F> {
    fn end(&mut self) {
        if self.left == 0 && self.complete {
            let places = std::mem::take(&mut self.places);
            self.let_go(places);
            self.shares.clear();
        }
    }

    fn let_go(&self, places: Vec<RecordPosition<F>>) {
        for place in places {
            self.all.bytes.fetch_sub(place.bytes as u64, Ordering::SeqCst);
            place.segment.let_go(place.bytes);
        }
    }
}

/// A set of small numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    first: u64,
    more: Vec<u64>,
}

impl Bits {
    /// Adds a number; false if it was in the set.
    pub(super) fn set(&mut self, number: u32) -> bool {
        let word = (number / 64) as usize;
        if self.more.len() < word {
            self.more.resize(word, 0);
        }
        let (word, bit) = self.word(number).expect("made above");
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Removes a number; false if it was not in the set.
    pub(super) fn clear(&mut self, number: u32) -> bool {
        let Some((word, bit)) = self.word(number) else { return false };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    pub(super) fn has(&self, number: u32) -> bool {
        let word = (number / 64) as usize;
        let word = if word == 0 { Some(&self.first) } else { self.more.get(word - 1) };
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    fn word(&mut self, number: u32) -> Option<(&mut u64, u64)> {
        let word = (number / 64) as usize;
        let word = if word == 0 { Some(&mut self.first) } else { self.more.get_mut(word - 1) };
        word.map(|word| (word, 1 << (number % 64)))
    }
}

/// A poisoned lock is still valid: each change is a few assignments.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts an offset in a segment. Segments are far smaller than 4 GiB.
pub(super) fn small(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
