//! Listeners under the hashes of their witnesses: a trie over the bits of the hash, whose copies share what did not
//! change. A lookup is guided by the hash alone: at each branch the hash's next bits are the place of the next node, and
//! in a leaf they are the place of the posting, or one shortly before it. The branches fit into a processor's own cache,
//! so a lookup reads one or two lines of memory that are in no cache, however many hashes there are. A change copies
//! one leaf and the branches above it.

mod posting;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::fetch;
pub(super) use posting::Posting;
use posting::first_bits;

/// How many bits of a hash a branch uses. Few, so that leaves are about equally full for any number of hashes.
const BITS: u32 = 2;
const WAYS: usize = 1 << BITS;
/// The branches of this many bits, 80 kB, stay in a processor's own cache. With more branches, the line of the last one
/// that an event reads would be in no cache either.
const NEAR: u32 = 6 * BITS;
/// A leaf with this many hashes becomes a branch when it needs more gaps. Few, because a change copies a leaf...
const LEAF_MAX: usize = 32;
/// ...but more below branches that would not stay in the cache, see [`NEAR`].
const FAR_LEAF_MAX: usize = 384;
/// The most postings that are moved by one place to insert another; if more were needed, the leaf gets more gaps.
const MOVED_MAX: usize = 8;

/// A leaf with this many places for each posting, or more, is rebuilt with fewer gaps.
const SPARSE: usize = 2;

/// How many places are prefetched for a posting: it is at the place of its hash, or shortly after it.
const NEIGHBOURS: usize = 4;

/// Listeners by hash.
#[derive(Debug)]
pub(super) struct Postings<T>(PostingNode<T>);

/// A node of the trie. All hashes below it begin with the same bits.
#[derive(Debug)]
enum PostingNode<T> {
    /// Postings in the order of their hashes, with gaps, so that most are at the place of their hash.
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

    /// Prefetches the place of a hash.
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

    /// Removes a listener from those under a hash.
    pub(super) fn remove(&mut self, hash: u64, listener: &Arc<T>) {
        // For a listener that is not there nothing is copied.
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

    /// Removes a listener that is there.
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

/// A leaf for changes in place: a copy, if another index shares it. Copying increments each listener's reference count,
/// which is most of the cost of a change, since the listeners are in no cache; so they are prefetched.
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

/// Removes all postings from a leaf and returns them.
fn take<T>(postings: &mut Arc<[Posting<T>]>) -> Vec<Posting<T>> {
    own(postings).iter_mut().filter(|posting| !posting.is_gap()).map(std::mem::take).collect()
}

/// Inserts a posting of a new hash into a leaf, if a gap is near its place.
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

/// After a removal: moves postings into the new gap that is between them and the place of their hash, until no such gap
/// is left.
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
    // Only postings at the end of a leaf are before their place.
    while gap > 0 && said(&postings[gap - 1]).is_some_and(|place| place >= gap) {
        postings.swap(gap, gap - 1);
        gap -= 1;
    }
}

/// The postings below a branch, if its children are leaves with at most this many places together.
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

/// A leaf of these postings, which are in the order of their hashes. Each is at the place of its hash, or at the next
/// free one.
fn spread<T>(all: Vec<Posting<T>>, depth: u32) -> Arc<[Posting<T>]> {
    let room = all.len() + all.len() / 2;
    let mut places = Vec::with_capacity(all.len());
    for posting in &all {
        let free = places.last().map_or(0, |last| last + 1);
        places.push(about(room, posting.hash(), depth).max(free));
    }
    // Postings beyond the end move back, together with those before them that are in the way.
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

/// The place of a hash among this many places.
fn about(places: usize, hash: u64, depth: u32) -> usize {
    let later = hash.checked_shl(depth).unwrap_or(0);
    ((u128::from(later) * places as u128) >> u64::BITS) as usize
}

/// Where the posting of a hash is, in a leaf at this depth. No gap is between it and the place of the hash.
fn find<T>(postings: &[Posting<T>], hash: u64, depth: u32) -> Option<usize> {
    let mut at = about(postings.len(), hash, depth);
    while postings.get(at)?.hash() < hash {
        at += 1;
    }
    // Only postings at the end of a leaf may be before their place.
    while !postings[at].is_gap() && postings[at].hash() > hash {
        at = at.checked_sub(1)?;
    }
    (postings[at].hash() == hash).then_some(at)
}
