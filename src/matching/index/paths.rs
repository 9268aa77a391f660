//! The paths of witnesses, as a tree along which the data of an event is walked: only members with witnesses are
//! visited, whether the event or the index has more members.

use std::sync::Arc;

use super::key::{AFFIX_SLOTS, LookupKind, Path, affix_slots};
use super::span::NumberSpan;
use super::tree::{Tree, TreeEntry};
use super::witness::{Witness, WitnessKey};

/// A member with witnesses at it or below it.
#[derive(Debug)]
pub(super) struct PathNode<T> {
    /// The kinds of look-up for values here: only those that listeners are filed under.
    pub(super) probes: Vec<PathLookup>,
    pub(super) ranges: Tree<RangeListener<T>>,
    pub(super) children: Tree<PathChild<T>>,
}

/// A kind of lookup.
#[derive(Debug, Clone)]
pub(super) struct PathLookup {
    pub(super) kind: LookupKind,
    pub(super) length: u8,
    /// The slots of each end ([`affix_slots`]) in which affixes are filed, as sets of bits. Most texts are excluded by
    /// them without a look-up.
    filled: [u64; 2],
    /// For affixes: how many are filed in each slot.
    affixes: Option<Box<AffixCounts>>,
    /// How many witnesses use it.
    count: u32,
}

type AffixCounts = [[u32; AFFIX_SLOTS]; 2];

/// The slots of one end that are in use, as a set of bits.
fn filled(counts: &[u32; AFFIX_SLOTS]) -> u64 {
    counts.iter().rev().fold(0, |filled, count| filled << 1 | u64::from(*count > 0))
}

#[derive(Debug)]
pub(super) struct PathChild<T> {
    pub(super) path: Path,
    pub(super) name: Arc<str>,
    pub(super) node: Arc<PathNode<T>>,
}

/// A listener with a range of numbers.
#[derive(Debug)]
pub(super) struct RangeListener<T> {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) place: u32,
    pub(super) listener: Arc<T>,
}

impl<T> Clone for PathNode<T> {
    fn clone(&self) -> Self {
        Self { probes: self.probes.clone(), ranges: self.ranges.clone(), children: self.children.clone() }
    }
}

impl<T> Default for PathNode<T> {
    fn default() -> Self {
        Self { probes: Vec::new(), ranges: Tree::default(), children: Tree::default() }
    }
}

impl<T> Clone for PathChild<T> {
    fn clone(&self) -> Self {
        Self { path: self.path, name: Arc::clone(&self.name), node: Arc::clone(&self.node) }
    }
}

impl<T> Clone for RangeListener<T> {
    fn clone(&self) -> Self {
        Self { low: self.low, high: self.high, place: self.place, listener: Arc::clone(&self.listener) }
    }
}

impl<T> TreeEntry for PathChild<T> {
    type Key = Path;
    type Span = ();
    fn key(&self) -> Path {
        self.path
    }
    fn span(&self) {}
}

impl<T> TreeEntry for RangeListener<T> {
    type Key = (i64, usize, u32);
    type Span = NumberSpan;
    fn key(&self) -> Self::Key {
        (self.low, address(&self.listener), self.place)
    }
    fn span(&self) -> NumberSpan {
        NumberSpan { low: self.low, high: self.high }
    }
}

/// Identifies a listener among all that exist.
pub(super) fn address<T>(listener: &Arc<T>) -> usize {
    Arc::as_ptr(listener) as usize
}

impl PathLookup {
    fn add(&mut self, witness: &Witness) {
        self.count += 1;
        if let Some(affixes) = &mut self.affixes {
            affixes.iter_mut().zip(witness.slots).for_each(|(counts, slot)| counts[slot] += 1);
            self.filled = affixes.each_ref().map(filled);
        }
    }

    /// Says whether no witness wants it any more.
    fn remove(&mut self, witness: &Witness) -> bool {
        self.count -= 1;
        if let Some(affixes) = &mut self.affixes {
            affixes.iter_mut().zip(witness.slots).for_each(|(counts, slot)| counts[slot] -= 1);
            self.filled = affixes.each_ref().map(filled);
        }
        self.count == 0
    }

    /// Whether this affix may be filed.
    #[inline]
    pub(super) fn may_hold(&self, affix: &[u8]) -> bool {
        let [first, last] = affix_slots(affix);
        self.filled[0] >> first & self.filled[1] >> last & 1 != 0
    }
}

impl<T> PathNode<T> {
    /// The node at a path below this one.
    pub(super) fn at<'n>(&self, mut way: impl Iterator<Item = &'n str>, path: Path) -> Option<&Self> {
        let Some(name) = way.next() else { return Some(self) };
        let path = path.member(name);
        self.children.get(path)?.node.at(way, path)
    }

    /// Files a listener at the end of the path.
    pub(super) fn add<'n>(
        &mut self,
        mut way: impl Iterator<Item = &'n str>,
        path: Path,
        witness: &Witness,
        listener: &Arc<T>,
    ) {
        let Some(name) = way.next() else {
            return self.add_here(witness, listener);
        };
        let path = path.member(name);
        // Removed first, so that it is changed in place if no clone shares it.
        let child = self.children.remove(path);
        let mut child = child.unwrap_or_else(|| PathChild { path, name: name.into(), node: Arc::default() });
        Arc::make_mut(&mut child.node).add(way, path, witness, listener);
        self.children.insert(child);
    }

    fn add_here(&mut self, witness: &Witness, listener: &Arc<T>) {
        let (kind, length) = (witness.kind, witness.length);
        match self.probes.iter_mut().find(|probe| (probe.kind, probe.length) == (kind, length)) {
            Some(probe) => probe.add(witness),
            None => {
                let affixes =
                    matches!(kind, LookupKind::Prefix | LookupKind::Suffix).then(|| Box::new([[0; AFFIX_SLOTS]; 2]));
                let mut probe = PathLookup { kind, length, filled: [0; 2], affixes, count: 0 };
                probe.add(witness);
                self.probes.push(probe);
            }
        }
        if let WitnessKey::Range { low, high } = witness.key {
            self.ranges.insert(RangeListener { low, high, place: witness.place, listener: Arc::clone(listener) });
        }
    }

    /// Removes a listener at the end of the path. Returns whether nothing is left here and below.
    pub(super) fn remove<'n>(
        &mut self,
        mut way: impl Iterator<Item = &'n str>,
        path: Path,
        witness: &Witness,
        listener: &Arc<T>,
    ) -> bool {
        match way.next() {
            None => self.remove_here(witness, listener),
            Some(name) => {
                let path = path.member(name);
                if let Some(mut child) = self.children.remove(path)
                    && !Arc::make_mut(&mut child.node).remove(way, path, witness, listener)
                {
                    self.children.insert(child);
                }
            }
        }
        self.probes.is_empty() && self.children.is_empty()
    }

    fn remove_here(&mut self, witness: &Witness, listener: &Arc<T>) {
        let (kind, length) = (witness.kind, witness.length);
        if let Some(at) = self.probes.iter().position(|probe| (probe.kind, probe.length) == (kind, length))
            && self.probes[at].remove(witness)
        {
            self.probes.swap_remove(at);
        }
        if let WitnessKey::Range { low, .. } = witness.key {
            self.ranges.remove((low, address(listener), witness.place));
        }
    }
}
