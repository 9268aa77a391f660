//! Prefetches memory. In an index of a million listeners, hardly anything that an event finds is in a cache. A look-up
//! reads a few places one after the other, each of which is known only once the one before it was read. Other work goes
//! on while a place comes that was asked for early. This changes only the time of a look-up.

use prefetch_index::prefetch_index;

use super::Listener;

/// The bytes of a line of a processor's cache.
const LINE_BYTES: usize = 64;

/// What an evaluation reads of most listeners, in bytes from their beginning on.
const LISTENER_BYTES: usize = 256;

/// Prefetches what begins here; it is not read.
pub(super) fn ahead<T>(place: &T) {
    prefetch_index(std::slice::from_ref(place), 0);
}

/// Prefetches a row of at most this many items. Its length is not read, since that would be waited for.
pub(super) fn row<T>(row: &[T], items_max: usize) {
    if let Some(items_of_a_line) = LINE_BYTES.checked_div(size_of::<T>()) {
        (0..items_max).step_by(items_of_a_line.max(1)).for_each(|at| prefetch_index(row, at));
        prefetch_index(row, items_max.saturating_sub(1));
    }
}

/// Prefetches a listener: what its evaluation reads is near its beginning.
pub(super) fn listener(listener: &impl Listener) {
    let beginning = std::slice::from_ref(listener.filing());
    row(beginning, LISTENER_BYTES.div_ceil(size_of_val(beginning)));
}
