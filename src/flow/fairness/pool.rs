//! A pool of equal units, such as bytes, that members share by dynamic thresholds (Choudhury and Hahne, 1998).
//!
//! A member may hold at most `weight` times what is free. A lone member therefore reaches `weight / (weight + 1)` of
//! the pool, and `n` busy members reach `weight / (n * weight + 1)` each; in both cases something is left for one more
//! member. Nothing is revoked: as other members take units, less is free, and a member above its threshold gets nothing
//! until it is below it again.
//!
//! Invariants: the members together hold exactly what the pool counts as taken. [`Share::take`] never takes more than
//! the pool's capacity.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use crate::flow::sweep::Sweep;

/// At this number of known members, those that hold nothing are forgotten.
const MEMBERS_SWEPT_AT: usize = 1_024;

/// A pool whose members are identified by `K`.
pub struct Pool<K> {
    units: Arc<Units>,
    members: Mutex<PoolMembers<K>>,
}

struct PoolMembers<K> {
    shares: HashMap<K, Share>,
    sweep: Sweep<MEMBERS_SWEPT_AT>,
}

/// The capacity of a pool, and how much of it is taken.
#[derive(Debug)]
struct Units {
    capacity: usize,
    weight: usize,
    taken: AtomicUsize,
    /// A second bound, which changes; `usize::MAX` if there is none.
    ceiling: AtomicUsize,
}

/// One member's share of a pool. Clones refer to the same share.
#[derive(Clone)]
pub struct Share(Arc<PoolMember>);

struct PoolMember {
    units: Arc<Units>,
    taken: AtomicUsize,
    /// What it holds elsewhere: not of the pool, but of its share.
    elsewhere: AtomicUsize,
}

/// Units that a member holds. Dropping it gives them back.
#[derive(Debug)]
pub struct TakenUnits {
    share: Share,
    units: usize,
}

/// The same arithmetic for a pool that belongs to one thread: whether a member that holds `own` of the `taken` units
/// may take one more of `capacity`.
pub fn within(capacity: usize, taken: usize, own: usize, weight: usize) -> bool {
    taken < capacity && own < weight.saturating_mul(capacity - taken)
}

impl<K: Eq + Hash + Clone> Pool<K> {
    /// A pool of `capacity` units. A member may hold at most `weight` times what is free.
    pub fn new(capacity: usize, weight: usize) -> Self {
        let units = Units { capacity, weight, taken: AtomicUsize::new(0), ceiling: AtomicUsize::new(usize::MAX) };
        let members = PoolMembers { shares: HashMap::default(), sweep: Sweep::default() };
        Self { units: Arc::new(units), members: Mutex::new(members) }
    }

    /// The share of a member.
    pub fn share(&self, member: &K) -> Share {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = members.shares.get(member) {
            return share.clone();
        }
        let PoolMembers { shares, sweep } = &mut *members;
        // A share without another clone holds nothing.
        sweep.before_insert(shares, |_, share| Arc::strong_count(&share.0) > 1);
        let share = self.apart();
        members.shares.insert(member.clone(), share.clone());
        share
    }

    /// The share of an anonymous member.
    pub fn apart(&self) -> Share {
        let (taken, elsewhere) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Share(Arc::new(PoolMember { units: Arc::clone(&self.units), taken, elsewhere }))
    }
}

impl<K> Pool<K> {
    /// How many units are taken.
    pub fn taken(&self) -> usize {
        self.units.taken.load(Ordering::SeqCst)
    }

    /// How many units the pool has.
    pub fn capacity(&self) -> usize {
        self.units.capacity
    }

    /// Whether no unit is free.
    pub fn is_full(&self) -> bool {
        self.units.free(self.taken()) == 0
    }

    /// Limits the units that may be taken for now, below the capacity.
    pub fn set_ceiling(&self, units: usize) {
        self.units.ceiling.store(units, Ordering::SeqCst);
    }
}

impl Units {
    fn free(&self, taken: usize) -> usize {
        self.capacity.min(self.ceiling.load(Ordering::SeqCst)).saturating_sub(taken)
    }

    /// The most that a member may hold while this many units are taken. The first free unit counts fully, so that a
    /// small pool is not lost to rounding.
    fn threshold(&self, taken: usize) -> usize {
        self.weight.saturating_mul(self.free(taken).saturating_add(1))
    }

    /// Whether a member may hold `own` of the `taken` units.
    fn may_hold(&self, own: usize, taken: usize) -> bool {
        taken <= self.capacity.min(self.ceiling.load(Ordering::SeqCst)) && own <= self.threshold(taken)
    }
}

impl Share {
    /// Takes this many units, or none if the member would exceed its threshold.
    pub fn take(&self, units: usize) -> Option<TakenUnits> {
        self.reserve(units).then(|| TakenUnits { share: self.clone(), units })
    }

    /// The same without a value that gives them back: [`Share::release`] does.
    pub fn reserve(&self, units: usize) -> bool {
        let PoolMember { units: pool, taken, elsewhere } = &*self.0;
        // Counts first and decides then, so that two threads never take the same unit.
        let own = taken.fetch_add(units, Ordering::SeqCst) + units;
        let all = pool.taken.fetch_add(units, Ordering::SeqCst) + units;
        let is_within = pool.may_hold(own.saturating_add(elsewhere.load(Ordering::SeqCst)), all);
        if !is_within {
            self.release(units);
        }
        is_within
    }

    /// Whether this many units could be taken now.
    pub fn has_room(&self, units: usize) -> bool {
        let PoolMember { units: pool, taken, elsewhere } = &*self.0;
        let own = taken.load(Ordering::SeqCst).saturating_add(elsewhere.load(Ordering::SeqCst));
        pool.may_hold(own.saturating_add(units), pool.taken.load(Ordering::SeqCst).saturating_add(units))
    }

    /// Takes as many of these units as the threshold allows, possibly none.
    pub fn take_some(&self, units: usize) -> TakenUnits {
        TakenUnits { share: self.clone(), units: self.reserve_some(units) }
    }

    /// Reserves as many of these units as the threshold allows, possibly none. Returns how many.
    pub fn reserve_some(&self, units: usize) -> usize {
        let mut reserved = 0;
        // By halving steps, because the threshold depends on the units that are taken.
        let mut step = units;
        while step > 0 && reserved < units {
            let more = step.min(units - reserved);
            if self.reserve(more) {
                reserved += more;
            } else {
                step /= 2;
            }
        }
        reserved
    }

    /// Takes this many units whatever the threshold is: they are in use already.
    pub fn take_over(&self, units: usize) -> TakenUnits {
        self.add(units);
        TakenUnits { share: self.clone(), units }
    }

    /// The same without a value that gives them back: [`Share::release`] does.
    pub fn add(&self, units: usize) {
        self.0.taken.fetch_add(units, Ordering::SeqCst);
        self.0.units.taken.fetch_add(units, Ordering::SeqCst);
    }

    /// How many units all members hold, and how many there are.
    pub fn of_all(&self) -> (usize, usize) {
        (self.0.units.taken.load(Ordering::SeqCst), self.0.units.capacity)
    }

    /// How many units the member holds.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Says how many units the member holds elsewhere, which count for its share as well.
    pub fn set_elsewhere(&self, units: usize) {
        self.0.elsewhere.store(units, Ordering::SeqCst);
    }

    /// Units that the member holds elsewhere.
    pub fn elsewhere(&self) -> usize {
        self.0.elsewhere.load(Ordering::SeqCst)
    }

    /// How many more units the member could hold if its weight were `weight`. A part of a member, such as one of its
    /// queues, may hold that many in addition to the other parts.
    pub fn left(&self, weight: usize) -> usize {
        let all = self.0.units.taken.load(Ordering::SeqCst);
        weight.saturating_mul(self.0.units.free(all)).saturating_sub(self.taken())
    }

    /// Whether the member is well below its threshold: time for a refused request to try again.
    pub fn has_eased(&self) -> bool {
        let all = self.0.units.taken.load(Ordering::SeqCst);
        self.taken().saturating_add(self.elsewhere()) <= self.0.units.threshold(all) / 8 * 7
    }

    /// Gives units back that were reserved or added.
    pub fn release(&self, units: usize) {
        self.0.units.taken.fetch_sub(units, Ordering::SeqCst);
        self.0.taken.fetch_sub(units, Ordering::SeqCst);
    }
}

impl TakenUnits {
    /// Gives all of them back.
    pub fn give_back(&mut self) {
        let units = std::mem::take(&mut self.units);
        if units > 0 {
            self.share.release(units);
        }
    }

    /// How many units it holds.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The share that holds them.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Takes this many more, or none if the member would exceed its threshold.
    pub fn grow(&mut self, units: usize) -> bool {
        let grown = self.share.reserve(units);
        self.units += if grown { units } else { 0 };
        grown
    }

    /// Takes this many more, whatever the threshold is.
    pub fn grow_over(&mut self, units: usize) {
        self.share.add(units);
        self.units += units;
    }

    /// Adds the units of `other`, or returns it if it is of another share.
    pub fn absorb(&mut self, mut other: Self) -> Option<Self> {
        if !Arc::ptr_eq(&self.share.0, &other.share.0) {
            return Some(other);
        }
        self.units += std::mem::take(&mut other.units);
        None
    }

    /// Splits off this many units; `None` if it has fewer.
    pub fn split(&mut self, units: usize) -> Option<Self> {
        self.units = self.units.checked_sub(units)?;
        Some(Self { share: self.share.clone(), units })
    }
}

impl Drop for TakenUnits {
    fn drop(&mut self) {
        self.give_back();
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
