//! Puts a large index that is built as a whole into huge pages, and no other memory of the node.
//!
//! With pages of 4 kB, neither what an event finds in such an index nor where its pages are is in the processor's
//! caches: an event among a million triggers took 1.5 times as long. Elsewhere huge pages cost more than they bring.
//! Most buffers are much smaller, so a node used up to a third more memory, and the first write to a page waited until
//! two megabytes were cleared. So huge pages are disabled for the process, and enabled while an index grows, which
//! fills each page at once. A page that is huge stays so. Meanwhile the memory of other threads may be in huge pages,
//! too.

/// With fewer records the index is not much larger than the processor's caches.
const RECORDS_MIN: usize = 50_000;

/// Disables them for this process. Call it before memory is used.
pub fn disable() {
    set_disabled(true);
}

/// While it lives, new memory is in huge pages.
#[derive(Debug)]
pub(super) struct HugePages(());

impl HugePages {
    /// Enables them for an index of this many records, if that is many. A process that never called [`disable`] is left
    /// as it is.
    pub(super) fn for_index(records: usize) -> Option<Self> {
        (records >= RECORDS_MIN && is_disabled()).then(|| {
            set_disabled(false);
            Self(())
        })
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        set_disabled(true);
    }
}

#[cfg(target_os = "linux")]
fn set_disabled(disabled: bool) {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(disabled) {
        tracing::debug!(%error, disabled, "the use of transparent huge pages stays as it is");
    }
}

#[cfg(target_os = "linux")]
fn is_disabled() -> bool {
    rustix::thread::transparent_huge_pages_are_disabled().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn set_disabled(_: bool) {}

#[cfg(not(target_os = "linux"))]
fn is_disabled() -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// One test, since the state is the process's.
    #[test]
    fn only_a_large_index_gets_huge_pages_and_only_after_disable() {
        assert!(HugePages::for_index(RECORDS_MIN).is_none());
        disable();
        assert!(HugePages::for_index(RECORDS_MIN - 1).is_none());
        {
            let _enabled = HugePages::for_index(RECORDS_MIN).expect("they are disabled");
            assert!(!is_disabled());
        }
        assert!(is_disabled());
        set_disabled(false);
    }
}
