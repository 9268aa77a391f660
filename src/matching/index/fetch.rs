//! Has memory fetched before it is read. In an index of a million listeners nearly everything that an event finds is in
//! no cache. Each look-up goes through a few places, each of which is known only once the one before it was read; asking
//! for a place early lets other work go on while it comes. Nothing depends on it but time.

use prefetch_index::prefetch_index;

use crate::matching::program::Op;

/// More operations than most patterns have.
const OPERATIONS_MAX: usize = 10;

/// The bytes of a line of a processor's cache.
const LINE_BYTES: usize = 64;

/// Has what begins here fetched; it is not read.
pub(super) fn ahead<T>(place: &T) {
    prefetch_index(std::slice::from_ref(place), 0);
}

/// The same for a row of at most this many items. How many there are is not read: that would be waited for.
pub(super) fn row<T>(row: &[T], items_max: usize) {
    if let Some(items_of_a_line) = LINE_BYTES.checked_div(size_of::<T>()) {
        (0..items_max).step_by(items_of_a_line.max(1)).for_each(|at| prefetch_index(row, at));
        prefetch_index(row, items_max.saturating_sub(1));
    }
}

/// The same for the operations of a pattern; their number is at hand.
pub(super) fn operations(operations: &[Op]) {
    row(operations, operations.len().min(OPERATIONS_MAX));
}
