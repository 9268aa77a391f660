//! Listeners under the hashes of their witnesses: a trie over the bits of the hash, whose copies share what did not
//! change. A lookup takes no decision that depends on more than the hash: at each branch its next bits are the place of
//! the next node, and in a leaf they are about the place of the entry. So it touches two lines of memory that are not
//! in a cache, however many hashes there are. A change copies one leaf and the branches above it.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::fetch;
use super::paths::address;
use super::tree::{Tree, TreeEntry};
use crate::matching::program::Op;

/// Bits of a hash that a branch tells apart.
const BITS: u32 = 4;
const WAYS: usize = 1 << BITS;
/// Bits whose branches are few and read often, so that they are in a cache.
const NEAR: u32 = 3 * BITS;
/// Hashes of a leaf, at most; one with more becomes a branch.
const LEAF_MAX: usize = 24;
/// A branch with no more hashes than this becomes a leaf.
const BRANCH_MIN: usize = LEAF_MAX / 2;

/// Where a posting is fetched, this many places are: it is beside the one that its hash says.
const NEIGHBOURS: usize = 3;

/// Listeners by hash.
#[derive(Debug)]
pub(super) struct Postings<T>(PostingNode<T>);

/// All below it have the same first bits.
#[derive(Debug)]
enum PostingNode<T> {
    /// In the order of their hashes.
    Leaf(Arc<[Posting<T>]>),
    Branch(Arc<[PostingNode<T>; WAYS]>),
}

/// A hash that at least one listener is filed under.
#[derive(Debug)]
pub(super) struct Posting<T> {
    hash: u64,
    listeners: Listeners<T>,
}

/// Who is filed under one hash: mostly one.
#[derive(Debug)]
pub(super) enum Listeners<T> {
    One(ListenerRef<T>),
    Several(Tree<ListenerRef<T>>),
}

/// A listener in a set of them, with what its evaluation needs: a candidate that does not match is excluded without a
/// look at its own memory.
#[derive(Debug)]
pub(super) struct ListenerRef<T> {
    pub(super) listener: Arc<T>,
    /// Those of its pattern; none, if it has no pattern.
    pub(super) operations: Arc<[Op]>,
    /// It is filed under several witnesses, so one event can find it more than once.
    pub(super) in_several: bool,
}

impl<T> TreeEntry for ListenerRef<T> {
    type Key = usize;
    type Span = ();
    fn key(&self) -> usize {
        address(&self.listener)
    }
    fn span(&self) {}
}

impl<T> Clone for ListenerRef<T> {
    fn clone(&self) -> Self {
        let operations = Arc::clone(&self.operations);
        Self { listener: Arc::clone(&self.listener), operations, in_several: self.in_several }
    }
}

impl<T> Clone for Listeners<T> {
    fn clone(&self) -> Self {
        match self {
            Self::One(only) => Self::One(only.clone()),
            Self::Several(tree) => Self::Several(tree.clone()),
        }
    }
}

impl<T> Clone for Posting<T> {
    fn clone(&self) -> Self {
        Self { hash: self.hash, listeners: self.listeners.clone() }
    }
}

/// What is left where one was moved away.
impl<T> Default for Posting<T> {
    fn default() -> Self {
        Self { hash: 0, listeners: Listeners::Several(Tree::default()) }
    }
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
    pub(super) fn get(&self, hash: u64) -> Option<&Listeners<T>> {
        let (mut node, mut depth) = (&self.0, 0);
        loop {
            match node {
                PostingNode::Branch(ways) => (node, depth) = (&ways[way(hash, depth)], depth + BITS),
                PostingNode::Leaf(postings) => {
                    return find(postings, hash, depth).ok().map(|at| &postings[at].listeners);
                }
            }
        }
    }

    /// Has the last branch on the way to a hash fetched, where those before it are few.
    pub(super) fn fetch_branch(&self, hash: u64) {
        let (mut node, mut depth) = (&self.0, 0);
        while let PostingNode::Branch(ways) = node {
            node = &ways[way(hash, depth)];
            depth += BITS;
            if depth == NEAR {
                return fetch::ahead(node);
            }
        }
    }

    /// Has the place of a hash fetched.
    pub(super) fn fetch(&self, hash: u64) {
        let (mut node, mut depth) = (&self.0, 0);
        while let PostingNode::Branch(ways) = node {
            (node, depth) = (&ways[way(hash, depth)], depth + BITS);
        }
        if let PostingNode::Leaf(postings) = node {
            let at = about(postings.len(), hash, depth);
            fetch::row(&postings[at.saturating_sub(1)..], NEIGHBOURS);
        }
    }

    /// How many are filed under a hash.
    pub(super) fn count(&self, hash: u64) -> usize {
        match self.get(hash) {
            None => 0,
            Some(Listeners::One(_)) => 1,
            Some(Listeners::Several(tree)) => tree.len(),
        }
    }

    /// Files a listener. Repeated calls have no effect.
    pub(super) fn insert(&mut self, hash: u64, member: &ListenerRef<T>) {
        self.0.insert(hash, 0, member);
    }

    /// Takes a listener out of those under a hash.
    pub(super) fn remove(&mut self, hash: u64, listener: &Arc<T>) {
        // Nothing is copied for one that is not there.
        if self.get(hash).is_some_and(|listeners| listeners.contains(listener)) {
            self.0.remove(hash, 0, listener);
        }
    }
}

impl<T> Listeners<T> {
    fn contains(&self, listener: &Arc<T>) -> bool {
        match self {
            Self::One(only) => Arc::ptr_eq(&only.listener, listener),
            Self::Several(tree) => tree.get(address(listener)).is_some(),
        }
    }

    fn add(&mut self, member: &ListenerRef<T>) {
        match self {
            Self::One(only) if Arc::ptr_eq(&only.listener, &member.listener) => {}
            Self::One(only) => {
                let mut tree = Tree::default();
                tree.insert(only.clone());
                tree.insert(member.clone());
                *self = Self::Several(tree);
            }
            Self::Several(tree) => tree.insert(member.clone()),
        }
    }

    /// Takes one of several out.
    fn take_out(&mut self, listener: &Arc<T>) {
        let Self::Several(tree) = self else { return };
        tree.remove(address(listener));
        let mut last = None;
        if tree.len() == 1 {
            tree.walk(None, (), |member| {
                last = Some(member.clone());
                true
            });
        }
        if let Some(last) = last {
            *self = Self::One(last);
        }
    }

    /// The listeners from an address on, in the order of addresses, as long as `wanted` says so.
    pub(super) fn walk<'t>(&'t self, from: usize, mut wanted: impl FnMut(&'t ListenerRef<T>) -> bool) {
        match self {
            Self::One(only) if only.key() >= from => {
                wanted(only);
            }
            Self::One(_) => {}
            Self::Several(tree) => tree.walk(Some(from), (), wanted),
        }
    }
}

impl<T> Listeners<T> {
    /// Has the operations of the only listener fetched, and the listener.
    pub(super) fn fetch(&self) {
        if let Self::One(only) = self {
            fetch::operations(&only.operations);
            fetch::ahead(&*only.listener);
        }
    }
}

impl<T> PostingNode<T> {
    fn insert(&mut self, hash: u64, depth: u32, member: &ListenerRef<T>) {
        let postings = match self {
            Self::Branch(ways) => return Arc::make_mut(ways)[way(hash, depth)].insert(hash, depth + BITS, member),
            Self::Leaf(postings) => postings,
        };
        match find(postings, hash, depth) {
            Ok(at) => Arc::make_mut(postings)[at].listeners.add(member),
            // Different hashes differ somewhere in their bits, so a split always separates them.
            Err(_) if postings.len() == LEAF_MAX => {
                let mut own = take(postings).into_iter().peekable();
                let mut of =
                    |at| std::iter::from_fn(|| own.next_if(|posting| way(posting.hash, depth) == at)).collect();
                let mut ways: [Self; WAYS] = std::array::from_fn(|at| Self::Leaf(of(at)));
                ways[way(hash, depth)].insert(hash, depth + BITS, member);
                *self = Self::Branch(Arc::new(ways));
            }
            Err(at) => {
                let mut all = take(postings);
                all.insert(at, Posting { hash, listeners: Listeners::One(member.clone()) });
                *postings = all.into();
            }
        }
    }

    /// Takes out a listener that is there.
    fn remove(&mut self, hash: u64, depth: u32, listener: &Arc<T>) {
        match self {
            Self::Branch(ways) => {
                Arc::make_mut(ways)[way(hash, depth)].remove(hash, depth + BITS, listener);
                if let Some(few) = few(ways) {
                    *self = Self::Leaf(few);
                }
            }
            Self::Leaf(postings) => {
                let Ok(at) = find(postings, hash, depth) else { return };
                if matches!(postings[at].listeners, Listeners::Several(_)) {
                    Arc::make_mut(postings)[at].listeners.take_out(listener);
                } else {
                    let mut all = take(postings);
                    all.remove(at);
                    *postings = all.into();
                }
            }
        }
    }
}

/// What is in a leaf, with room for one more. It is moved where no other index has it: to count another owner of a listener
/// takes a look at its memory, which is in no cache.
fn take<T>(postings: &mut Arc<[Posting<T>]>) -> Vec<Posting<T>> {
    let mut all = Vec::with_capacity(postings.len() + 1);
    match Arc::get_mut(postings) {
        Some(own) => all.extend(own.iter_mut().map(std::mem::take)),
        None => all.extend(postings.iter().cloned()),
    }
    all
}

/// What is below a branch, where it fits into a leaf well.
fn few<T>(ways: &[PostingNode<T>; WAYS]) -> Option<Arc<[Posting<T>]>> {
    let mut number = 0;
    for way in ways {
        let PostingNode::Leaf(postings) = way else { return None };
        number += postings.len();
    }
    let postings = ways.iter().flat_map(|way| match way {
        PostingNode::Leaf(postings) => &postings[..],
        PostingNode::Branch(_) => &[],
    });
    (number <= BRANCH_MIN).then(|| postings.cloned().collect())
}

/// The next bits of a hash.
fn way(hash: u64, depth: u32) -> usize {
    (hash << depth >> (u64::BITS - BITS)) as usize
}

/// About the place of a hash among this many others.
fn about(number: usize, hash: u64, depth: u32) -> usize {
    let later = hash.checked_shl(depth).unwrap_or(0);
    ((u128::from(later) * number as u128) >> u64::BITS) as usize
}

/// The place of a hash among others that have the same bits before `depth`, or where it would be. Hashes are spread
/// evenly, so its later bits say about where that is.
fn find<T>(postings: &[Posting<T>], hash: u64, depth: u32) -> Result<usize, usize> {
    let mut at = about(postings.len(), hash, depth);
    while at > 0 && postings[at - 1].hash >= hash {
        at -= 1;
    }
    while at < postings.len() && postings[at].hash < hash {
        at += 1;
    }
    if postings.get(at).is_some_and(|posting| posting.hash == hash) { Ok(at) } else { Err(at) }
}
