//! A number that many threads change and few read. Each thread changes a part of its own, so that none waits for the
//! memory that another one has just written.

use std::sync::atomic::{AtomicUsize, Ordering};

/// With more threads than this, some share a part.
const PARTS: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN_PART: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PARTS;
}

/// A count in parts. Each may be below zero: what one thread adds another one may subtract. A reader beside writers may
/// miss an addition and see a later subtraction, so the sum decides nothing; it is for people.
#[derive(Debug, Default)]
pub(super) struct ThreadCount([CountPart; PARTS]);

/// Alone in its lines of memory; processors fetch two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CountPart(AtomicUsize);

impl ThreadCount {
    pub(super) fn add(&self, number: usize) {
        self.own().fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, number: usize) {
        self.own().fetch_sub(number, Ordering::Relaxed);
    }

    /// The sum; zero if more was seen to end than to begin.
    pub(super) fn get(&self) -> usize {
        let sum = self.0.iter().fold(0, |sum: usize, part| sum.wrapping_add(part.0.load(Ordering::Relaxed)));
        usize::try_from(sum.cast_signed()).unwrap_or_default()
    }

    fn own(&self) -> &AtomicUsize {
        // A thread that ends may have no part any more.
        &self.0[OWN_PART.try_with(|own| *own).unwrap_or_default()].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_thread_adds_another_may_subtract() {
        let count = ThreadCount::default();
        std::thread::scope(|threads| {
            for _ in 0..2 * PARTS {
                threads.spawn(|| count.add(3));
            }
        });
        assert_eq!(count.get(), 6 * PARTS);
        std::thread::scope(|threads| {
            threads.spawn(|| count.sub(6 * PARTS - 1));
        });
        assert_eq!(count.get(), 1);
        count.sub(2);
        assert_eq!(count.get(), 0, "a moment at which more was seen to end");
    }
}
