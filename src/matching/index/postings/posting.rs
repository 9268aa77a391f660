//! What is filed under one hash, in few bytes: the more postings a line of memory has, the less a look-up costs.

use std::sync::Arc;

use super::super::paths::address;
use super::super::tree::{Tree, TreeEntry};
use super::super::{Listener, fetch};

/// The hash of a place of a leaf that holds none. No hash is filed as it.
pub(super) const GAP: u64 = u64::MAX;

/// The bits of a hash that it is filed by, so that a posting is 16 bytes: two of a million are alike once in 500 times,
/// and then share a posting.
pub(super) const FILED_BITS: u32 = 48;

/// A hash that at least one listener is filed under, with those listeners: mostly one. Or a gap. Four are a line of
/// memory.
#[derive(Debug, Default)]
pub(in crate::matching::index) enum Posting<T> {
    #[default]
    Gap,
    One {
        hash: FiledHash,
        listener: Arc<T>,
    },
    Several {
        hash: FiledHash,
        listeners: Arc<Tree<Arc<T>>>,
    },
}

/// The first bits of a hash, the last ones of these first.
type FiledHash = [u16; FILED_BITS as usize / u16::BITS as usize];

/// What a hash is filed as.
pub(super) fn first_bits(hash: u64) -> u64 {
    let left_out = u64::BITS - FILED_BITS;
    hash >> left_out << left_out
}

impl<T> TreeEntry for Arc<T> {
    type Key = usize;
    type Span = ();
    fn key(&self) -> usize {
        address(self)
    }
    fn span(&self) {}
}

impl<T> Clone for Posting<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Gap => Self::Gap,
            Self::One { hash, listener } => Self::One { hash: *hash, listener: Arc::clone(listener) },
            Self::Several { hash, listeners } => Self::Several { hash: *hash, listeners: Arc::clone(listeners) },
        }
    }
}

impl<T> Posting<T> {
    pub(super) fn new(hash: u64, listener: &Arc<T>) -> Self {
        let hash = [hash >> 16, hash >> 32, hash >> 48].map(|bits| bits as u16);
        Self::One { hash, listener: Arc::clone(listener) }
    }

    pub(super) fn hash(&self) -> u64 {
        match self {
            Self::Gap => GAP,
            Self::One { hash: [last, middle, first], .. } | Self::Several { hash: [last, middle, first], .. } => {
                u64::from(*last) << 16 | u64::from(*middle) << 32 | u64::from(*first) << 48
            }
        }
    }

    pub(super) fn is_gap(&self) -> bool {
        matches!(self, Self::Gap)
    }

    pub(super) fn contains(&self, listener: &Arc<T>) -> bool {
        match self {
            Self::Gap => false,
            Self::One { listener: only, .. } => Arc::ptr_eq(only, listener),
            Self::Several { listeners, .. } => listeners.get(address(listener)).is_some(),
        }
    }

    pub(super) fn add(&mut self, listener: &Arc<T>) {
        match self {
            Self::Gap => {}
            Self::One { listener: only, .. } if Arc::ptr_eq(only, listener) => {}
            Self::One { hash, listener: only } => {
                let mut listeners = Tree::default();
                listeners.insert(Arc::clone(only));
                listeners.insert(Arc::clone(listener));
                *self = Self::Several { hash: *hash, listeners: Arc::new(listeners) };
            }
            Self::Several { listeners, .. } => Arc::make_mut(listeners).insert(Arc::clone(listener)),
        }
    }

    /// Takes a listener out; the last one leaves a gap.
    pub(super) fn take_out(&mut self, listener: &Arc<T>) {
        let Self::Several { hash, listeners } = self else {
            *self = Self::Gap;
            return;
        };
        let tree = Arc::make_mut(listeners);
        tree.remove(address(listener));
        let mut last = None;
        if tree.len() == 1 {
            tree.walk(None, (), |listener| {
                last = Some(Arc::clone(listener));
                true
            });
        }
        if let Some(listener) = last {
            *self = Self::One { hash: *hash, listener };
        }
    }

    /// Calls `wanted` with the listeners from an address on, in the order of addresses, as long as it returns true.
    pub(in crate::matching::index) fn walk<'t>(&'t self, from: usize, mut wanted: impl FnMut(&'t Arc<T>) -> bool) {
        match self {
            Self::One { listener, .. } if address(listener) >= from => {
                wanted(listener);
            }
            Self::Several { listeners, .. } => listeners.walk(Some(from), (), wanted),
            Self::One { .. } | Self::Gap => {}
        }
    }
}

impl<T: Listener> Posting<T> {
    /// Prefetches the listener, if there is only one.
    pub(in crate::matching::index) fn fetch(&self) {
        if let Self::One { listener, .. } = self {
            fetch::listener(listener.as_ref());
        }
    }
}
