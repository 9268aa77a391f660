//! A pool of equal units, such as bytes, that members share by dynamic thresholds (Choudhury and Hahne, 1998).
//!
//! A member may hold at most `weight` times what is free. A lone member therefore reaches `weight / (weight + 1)` of
//! the pool, `n` busy members reach `weight / (n * weight + 1)` each, and in every case something is left for one more
//! member. Nothing is taken back: as others take, what is free shrinks, and a member over its threshold gets nothing
//! until it is below it again.
//!
//! Invariants: the members together hold exactly what the pool counts as taken. [`Share::take`] never takes the pool
//! past its capacity.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Members that are remembered before those that hold nothing are looked for and forgotten.
const MEMBERS_SWEPT_AT: usize = 1_024;

/// A pool whose members are named by `K`.
pub struct Pool<K> {
    units: Arc<Units>,
    members: Mutex<Members<K>>,
}

struct Members<K> {
    shares: HashMap<K, Share>,
    swept_at: usize,
}

/// What a pool has, and how much of it is taken.
#[derive(Debug)]
struct Units {
    capacity: usize,
    weight: usize,
    taken: AtomicUsize,
    /// A second, changing bound; `usize::MAX` where there is none.
    ceiling: AtomicUsize,
}

/// One member's share of a pool. Copies are the same share.
#[derive(Clone)]
pub struct Share(Arc<Member>);

struct Member {
    units: Arc<Units>,
    taken: AtomicUsize,
}

/// Units that a member holds. They are given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    share: Share,
    units: usize,
}

/// The same arithmetic for a pool that one thread keeps: whether a member that holds `own` of the `taken` units may
/// take one more of `capacity`.
pub fn within(capacity: usize, taken: usize, own: usize, weight: usize) -> bool {
    taken < capacity && own < weight.saturating_mul(capacity - taken)
}

impl<K: Eq + Hash + Clone> Pool<K> {
    /// A pool of so many units. `weight` is how many times what is free one member may hold.
    pub fn new(capacity: usize, weight: usize) -> Self {
        let units = Units { capacity, weight, taken: AtomicUsize::new(0), ceiling: AtomicUsize::new(usize::MAX) };
        let members = Members { shares: HashMap::new(), swept_at: MEMBERS_SWEPT_AT };
        Self { units: Arc::new(units), members: Mutex::new(members) }
    }

    /// The share of a member.
    pub fn share(&self, member: &K) -> Share {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = members.shares.get(member) {
            return share.clone();
        }
        if members.shares.len() >= members.swept_at {
            // A share that nobody else has a copy of holds nothing.
            members.shares.retain(|_, share| Arc::strong_count(&share.0) > 1);
            members.swept_at = MEMBERS_SWEPT_AT.max(2 * members.shares.len());
        }
        let share = self.apart();
        members.shares.insert(member.clone(), share.clone());
        share
    }

    /// The share of a member that has no name.
    pub fn apart(&self) -> Share {
        Share(Arc::new(Member { units: Arc::clone(&self.units), taken: AtomicUsize::new(0) }))
    }
}

impl<K> Pool<K> {
    /// Units that are taken.
    pub fn taken(&self) -> usize {
        self.units.taken.load(Ordering::SeqCst)
    }

    /// Units that the pool has.
    pub fn capacity(&self) -> usize {
        self.units.capacity
    }

    /// Whether nothing is free.
    pub fn is_full(&self) -> bool {
        self.units.free(self.taken()) == 0
    }

    /// Sets how many units may be taken at most for now, where that is less than the capacity.
    pub fn set_ceiling(&self, units: usize) {
        self.units.ceiling.store(units, Ordering::SeqCst);
    }
}

impl Units {
    fn free(&self, taken: usize) -> usize {
        self.capacity.min(self.ceiling.load(Ordering::SeqCst)).saturating_sub(taken)
    }

    /// The most that a member may hold when so many units are taken. A small pool is not lost to rounding: the unit
    /// that begins counts as free.
    fn threshold(&self, taken: usize) -> usize {
        self.weight.saturating_mul(self.free(taken).saturating_add(1))
    }

    fn is_over(&self, taken: usize) -> bool {
        taken > self.capacity.min(self.ceiling.load(Ordering::SeqCst))
    }
}

impl Share {
    /// Takes so many units, or none where that would be past the member's threshold.
    pub fn take(&self, units: usize) -> Option<Taken> {
        self.reserve(units).then(|| Taken { share: self.clone(), units })
    }

    fn reserve(&self, units: usize) -> bool {
        let Member { units: pool, taken } = &*self.0;
        // Counted first and judged then, so that two threads never take the same unit.
        let own = taken.fetch_add(units, Ordering::SeqCst) + units;
        let all = pool.taken.fetch_add(units, Ordering::SeqCst) + units;
        let is_within = !pool.is_over(all) && own <= pool.threshold(all);
        if !is_within {
            self.release(units);
        }
        is_within
    }

    /// Takes as many of these units as the threshold allows; perhaps none.
    pub fn take_some(&self, units: usize) -> Taken {
        let mut taken = Taken { share: self.clone(), units: 0 };
        // By halves: the threshold moves with what is taken.
        let mut step = units;
        while step > 0 && taken.units < units {
            if !taken.grow(step.min(units - taken.units)) {
                step /= 2;
            }
        }
        taken
    }

    /// Takes so many units whatever the thresholds say: they are in use already.
    pub fn take_over(&self, units: usize) -> Taken {
        self.0.taken.fetch_add(units, Ordering::SeqCst);
        self.0.units.taken.fetch_add(units, Ordering::SeqCst);
        Taken { share: self.clone(), units }
    }

    /// Units that the member holds.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// How many more units the member could hold if `weight` were its weight; a part of the member, such as one of
    /// several queues, may hold as many as are left beside all of them.
    pub fn left(&self, weight: usize) -> usize {
        let all = self.0.units.taken.load(Ordering::SeqCst);
        weight.saturating_mul(self.0.units.free(all)).saturating_sub(self.taken())
    }

    /// Whether what the member holds is well below its threshold: time to try again for whoever was refused.
    pub fn has_eased(&self) -> bool {
        let all = self.0.units.taken.load(Ordering::SeqCst);
        self.taken() <= self.0.units.threshold(all) / 8 * 7
    }

    fn release(&self, units: usize) {
        self.0.units.taken.fetch_sub(units, Ordering::SeqCst);
        self.0.taken.fetch_sub(units, Ordering::SeqCst);
    }
}

impl Taken {
    /// How many units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Whose they are.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Takes so many more, or none where that would be past the threshold.
    pub fn grow(&mut self, units: usize) -> bool {
        let grown = self.share.reserve(units);
        self.units += if grown { units } else { 0 };
        grown
    }

    /// Takes so many more whatever the thresholds say.
    pub fn grow_over(&mut self, units: usize) {
        let mut more = self.share.take_over(units);
        self.units += std::mem::take(&mut more.units);
    }

    /// Parts so many units from the rest; `None` where it has fewer.
    pub fn split(&mut self, units: usize) -> Option<Self> {
        self.units = self.units.checked_sub(units)?;
        Some(Self { share: self.share.clone(), units })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.units > 0 {
            self.share.release(self.units);
        }
    }
}

impl<K> fmt::Debug for Pool<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("units", &self.units).finish_non_exhaustive()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of {:?})", self.taken(), self.0.units)
    }
}

#[cfg(test)]
mod tests;
