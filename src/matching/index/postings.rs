//! Listeners under the hashes of their witnesses: a trie over the bits of the hash, whose copies share what did not
//! change. A lookup takes no decision that depends on more than the hash: at each branch its next bits are the place of
//! the next node, and in a leaf they are the place of the entry, or one shortly before it. The branches are small enough
//! for a processor's own cache, so a lookup touches one or two lines of memory that are in none, however many hashes
//! there are. A change copies one leaf and the branches above it.

mod posting;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::fetch;
pub(super) use posting::Posting;
use posting::first_bits;

/// Bits of a hash that a branch tells apart. Few, so that leaves are about as full whatever the number of hashes.
const BITS: u32 = 2;
const WAYS: usize = 1 << BITS;
/// Bits whose branches, 80 kB, stay in a processor's own cache. An event reads one line of the last branches: of more, it
/// would be in no cache either.
const NEAR: u32 = 6 * BITS;
/// With as many hashes, a leaf becomes a branch when it needs more gaps. A change copies a leaf, so they are few...
const LEAF_MAX: usize = 32;
/// ...but not where the branches would no longer be near.
const FAR_LEAF_MAX: usize = 384;
/// How many postings move to the next place, at most, so that one is put in; beyond that the leaf gets more gaps.
const MOVED_MAX: usize = 8;

/// A leaf with this many places for each posting gets fewer gaps.
const SPARSE: usize = 2;

/// How many places are prefetched for a posting: it is at the one that its hash says, or shortly after it.
const NEIGHBOURS: usize = 4;

/// Listeners by hash.
#[derive(Debug)]
pub(super) struct Postings<T>(PostingNode<T>);

/// All below it have the same first bits.
#[derive(Debug)]
enum PostingNode<T> {
    /// In the order of their hashes, with gaps, so that most are at the place that their hash says.
    Leaf(Arc<[Posting<T>]>),
    Branch(Arc<[PostingNode<T>; WAYS]>),
}

impl<T> Clone for PostingNode<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(postings) => Self::Leaf(Arc::clone(postings)),
            Self::Branch(ways) => Self::Branch(Arc::clone(ways)),
        }
    }
}

impl<T> Clone for Postings<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Postings<T> {
    fn default() -> Self {
        Self(PostingNode::Leaf(Arc::default()))
    }
}

impl<T> Postings<T> {
    /// Whether no listener is filed.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.0, PostingNode::Leaf(postings) if postings.is_empty())
    }

    /// Who is filed under a hash.
    pub(super) fn get(&self, hash: u64) -> Option<&Posting<T>> {
        let hash = first_bits(hash);
        let (postings, depth) = self.leaf(hash);
        find(postings, hash, depth).map(|at| &postings[at])
    }

    /// Has the place of a hash fetched.
    pub(super) fn fetch(&self, hash: u64) {
        let (postings, depth) = self.leaf(hash);
        fetch::row(&postings[about(postings.len(), hash, depth)..], NEIGHBOURS);
    }

    /// The leaf that a hash belongs to, and how many of its bits led there.
    fn leaf(&self, hash: u64) -> (&[Posting<T>], u32) {
        let (mut node, mut depth) = (&self.0, 0);
        loop {
            match node {
                PostingNode::Branch(ways) => (node, depth) = (&ways[way(hash, depth)], depth + BITS),
                PostingNode::Leaf(postings) => return (postings, depth),
            }
        }
    }

    /// How many are filed under a hash.
    pub(super) fn count(&self, hash: u64) -> usize {
        match self.get(hash) {
            None | Some(Posting::Gap) => 0,
            Some(Posting::One { .. }) => 1,
            Some(Posting::Several { listeners, .. }) => listeners.len(),
        }
    }

    /// Files a listener. Repeated calls have no effect.
    pub(super) fn insert(&mut self, hash: u64, listener: &Arc<T>) {
        self.0.insert(first_bits(hash), 0, listener);
    }

    /// Takes a listener out of those under a hash.
    pub(super) fn remove(&mut self, hash: u64, listener: &Arc<T>) {
        // Nothing is copied for one that is not there.
        if self.get(hash).is_some_and(|posting| posting.contains(listener)) {
            self.0.remove(first_bits(hash), 0, listener);
        }
    }
}

impl<T> PostingNode<T> {
    fn insert(&mut self, hash: u64, depth: u32, listener: &Arc<T>) {
        let postings = match self {
            Self::Branch(ways) => return Arc::make_mut(ways)[way(hash, depth)].insert(hash, depth + BITS, listener),
            Self::Leaf(postings) => postings,
        };
        if let Some(at) = find(postings, hash, depth) {
            return own(postings)[at].add(listener);
        }
        let Err(posting) = put(own(postings), Posting::new(hash, listener), depth) else { return };
        let mut all = take(postings);
        if all.len() < leaf_max(depth) {
            let at = all.partition_point(|other| other.hash() < hash);
            all.insert(at, posting);
            *postings = spread(all, depth);
            return;
        }
        // Different hashes differ somewhere in their bits, so a split always separates them.
        let mut all = all.into_iter().peekable();
        let mut of = |at| std::iter::from_fn(|| all.next_if(|posting| way(posting.hash(), depth) == at)).collect();
        let mut ways: [Self; WAYS] = std::array::from_fn(|at| Self::Leaf(spread(of(at), depth + BITS)));
        ways[way(hash, depth)].insert(hash, depth + BITS, listener);
        *self = Self::Branch(Arc::new(ways));
    }

    /// Takes out a listener that is there.
    fn remove(&mut self, hash: u64, depth: u32, listener: &Arc<T>) {
        match self {
            Self::Branch(ways) => {
                Arc::make_mut(ways)[way(hash, depth)].remove(hash, depth + BITS, listener);
                if let Some(few) = few(ways, leaf_max(depth) / 2) {
                    *self = Self::Leaf(spread(few, depth));
                }
            }
            Self::Leaf(postings) => {
                let Some(at) = find(postings, hash, depth) else { return };
                let own = own(postings);
                own[at].take_out(listener);
                close(own, at, depth);
                if own.iter().filter(|posting| !posting.is_gap()).count() * SPARSE <= own.len() {
                    *postings = spread(take(postings), depth);
                }
            }
        }
    }
}

/// A leaf for changes in place: a copy, where another index has it. That counts one owner more of each listener, which is
/// most of what a change costs: they are in no cache.
fn own<T>(postings: &mut Arc<[Posting<T>]>) -> &mut [Posting<T>] {
    if Arc::get_mut(postings).is_none() {
        for posting in postings.iter() {
            if let Posting::One { listener, .. } = posting {
                fetch::ahead(&**listener);
            }
        }
    }
    Arc::make_mut(postings)
}

/// Takes all out of a leaf.
fn take<T>(postings: &mut Arc<[Posting<T>]>) -> Vec<Posting<T>> {
    own(postings).iter_mut().filter(|posting| !posting.is_gap()).map(std::mem::take).collect()
}

/// Puts a posting of a new hash into a leaf, if a gap is near its place.
fn put<T>(postings: &mut [Posting<T>], posting: Posting<T>, depth: u32) -> Result<(), Posting<T>> {
    let hash = posting.hash();
    let mut at = about(postings.len(), hash, depth);
    let is_later = |other: &Posting<T>| !other.is_gap() && other.hash() > hash;
    while postings.get(at).is_some_and(|other| other.hash() < hash) {
        at += 1;
    }
    while at > 0 && postings.get(at).is_some_and(is_later) && is_later(&postings[at - 1]) {
        at -= 1;
    }
    let gap = postings.iter().skip(at).take(MOVED_MAX).position(Posting::is_gap);
    let Some(gap) = gap else { return Err(posting) };
    postings[at..=at + gap].rotate_right(1);
    postings[at] = posting;
    Ok(())
}

/// Moves postings that a new gap would part from the place that their hash says, so that it no longer does.
fn close<T>(postings: &mut [Posting<T>], mut gap: usize, depth: u32) {
    if !postings[gap].is_gap() {
        return;
    }
    let places = postings.len();
    let said = |posting: &Posting<T>| (!posting.is_gap()).then(|| about(places, posting.hash(), depth));
    while let Some(next) = postings.get(gap + 1)
        && said(next).is_some_and(|place| place <= gap)
    {
        postings.swap(gap, gap + 1);
        gap += 1;
    }
    // Only those at the end are before their place.
    while gap > 0 && said(&postings[gap - 1]).is_some_and(|place| place >= gap) {
        postings.swap(gap, gap - 1);
        gap -= 1;
    }
}

/// What is below a branch whose leaves have at most this many places.
fn few<T>(ways: &[PostingNode<T>; WAYS], places_max: usize) -> Option<Vec<Posting<T>>> {
    let mut places = 0;
    for way in ways {
        let PostingNode::Leaf(postings) = way else { return None };
        places += postings.len();
    }
    let postings = ways.iter().flat_map(|way| match way {
        PostingNode::Leaf(postings) => &postings[..],
        PostingNode::Branch(_) => &[],
    });
    (places <= places_max).then(|| postings.filter(|posting| !posting.is_gap()).cloned().collect())
}

/// A leaf of these, which are in the order of their hashes: each is at the place that its hash says, or at the next one
/// that is free.
fn spread<T>(all: Vec<Posting<T>>, depth: u32) -> Arc<[Posting<T>]> {
    let room = all.len() + all.len() / 2;
    let mut places = Vec::with_capacity(all.len());
    for posting in &all {
        let free = places.last().map_or(0, |last| last + 1);
        places.push(about(room, posting.hash(), depth).max(free));
    }
    // What is beyond the end moves back, and what is in its way.
    let mut end = room;
    for place in places.iter_mut().rev() {
        *place = (*place).min(end - 1);
        end = *place;
    }
    let mut all = places.into_iter().zip(all).peekable();
    let at = |place| all.next_if(|(own, _)| *own == place).map_or_else(Posting::default, |(_, posting)| posting);
    (0..room).map(at).collect()
}

fn leaf_max(depth: u32) -> usize {
    if depth < NEAR { LEAF_MAX } else { FAR_LEAF_MAX }
}

/// The next bits of a hash.
fn way(hash: u64, depth: u32) -> usize {
    (hash << depth >> (u64::BITS - BITS)) as usize
}

/// The place that a hash says, of this many.
fn about(places: usize, hash: u64, depth: u32) -> usize {
    let later = hash.checked_shl(depth).unwrap_or(0);
    ((u128::from(later) * places as u128) >> u64::BITS) as usize
}

/// The place of a hash among others that have the same bits before `depth`. No gap is between it and the place that the
/// hash says.
fn find<T>(postings: &[Posting<T>], hash: u64, depth: u32) -> Option<usize> {
    let mut at = about(postings.len(), hash, depth);
    while postings.get(at)?.hash() < hash {
        at += 1;
    }
    // Only those at the end may be before their place.
    while !postings[at].is_gap() && postings[at].hash() > hash {
        at = at.checked_sub(1)?;
    }
    (postings[at].hash() == hash).then_some(at)
}
