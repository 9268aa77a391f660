//! Prefetches memory. In an index of a million listeners, hardly anything that an event finds is in a cache. A look-up
//! reads a few places, one after the other, and only the content of one tells where the next is. A place that is
//! prefetched arrives while other work is done. This changes the time of a look-up and nothing else.

use prefetch_index::prefetch_index;

use super::Listener;

/// The bytes of a line of a processor's cache.
const LINE_BYTES: usize = 64;

/// How many bytes of a listener, from its beginning on, most evaluations read.
const LISTENER_BYTES: usize = 256;

/// Prefetches the line of memory at which a value begins.
pub(super) fn ahead<T>(place: &T) {
    prefetch_index(std::slice::from_ref(place), 0);
}

/// Prefetches a row of at most this many items. It does not read the row's length, which may be in no cache itself.
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
