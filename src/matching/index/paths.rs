//! The paths of witnesses, as a tree along which the data of an event is walked: only members with witnesses are
//! visited, whether the event or the index has more members.

use std::sync::Arc;

use super::key::{AFFIX_SLOTS, LookupKind, Path, affix_slots};
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
    /// How many affixes are filed in each slot of each end ([`affix_slots`]). Most texts are excluded by it without a
    /// look-up.
    affixes: Option<Box<AffixCounts>>,
    /// How many witnesses use it.
    count: u32,
}

type AffixCounts = [[u32; AFFIX_SLOTS]; 2];

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
    type Top = ();
    type Low = ();
    fn key(&self) -> Path {
        self.path
    }
    fn top(&self) {}
    fn low(_: Path) {}
}

impl<T> TreeEntry for RangeListener<T> {
    type Key = (i64, usize, u32);
    type Top = i64;
    type Low = i64;
    fn key(&self) -> Self::Key {
        (self.low, address(&self.listener), self.place)
    }
    fn top(&self) -> i64 {
        self.high
    }
    fn low((low, _, _): Self::Key) -> i64 {
        low
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
        }
    }

    /// Says whether no witness wants it any more.
    fn remove(&mut self, witness: &Witness) -> bool {
        self.count -= 1;
        if let Some(affixes) = &mut self.affixes {
            affixes.iter_mut().zip(witness.slots).for_each(|(counts, slot)| counts[slot] -= 1);
        }
        self.count == 0
    }

    /// Whether this affix may be filed.
    pub(super) fn may_hold(&self, affix: &[u8]) -> bool {
        let counted =
            |counts: &AffixCounts| counts.iter().zip(affix_slots(affix)).all(|(counts, slot)| counts[slot] > 0);
        self.affixes.as_deref().is_none_or(counted)
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
                let mut probe = PathLookup { kind, length, affixes, count: 0 };
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
