//! A sorted set whose copies share what did not change: a B+ tree of immutable nodes. A change copies the nodes on one
//! path from the root to a leaf, or changes them in place if no copy shares them. So it costs about the same in a set of
//! a few entries and of a million. Finding, counting and walking a range never lock and never allocate.
//!
//! A walk reads few lines of memory: each node has one line that excludes members (`span`), and only the others are read.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::fetch;
use super::span::{Span, WIDTH};

/// A node with fewer members is joined with the one beside it, if both fit into one.
const NARROW: usize = WIDTH / 4;

/// What a [`Tree`] holds.
pub(super) trait TreeEntry: Clone {
    /// Determines the order. No two entries have the same key.
    type Key: Copy + Ord + std::fmt::Debug;
    /// By which a walk excludes entries; `()` if it excludes none.
    type Span: Span;
    fn key(&self) -> Self::Key;
    fn span(&self) -> Self::Span;
}

/// The set.
#[derive(Debug)]
pub(super) struct Tree<E: TreeEntry> {
    root: Option<TreeNode<E>>,
}

#[derive(Debug)]
enum TreeNode<E: TreeEntry> {
    Leaf(Arc<TreeLeaf<E>>),
    Inner(Arc<TreeBranch<E>>),
}

/// Entries and their spans.
#[derive(Debug, Clone)]
#[repr(C)]
struct TreeLeaf<E: TreeEntry> {
    spans: <E::Span as Span>::Row,
    entries: ArrayVec<E, WIDTH>,
}

/// The children of a node and their spans.
#[derive(Debug, Clone)]
#[repr(C)]
struct TreeBranch<E: TreeEntry> {
    spans: <E::Span as Span>::Row,
    children: ArrayVec<TreeChild<E>, WIDTH>,
}

#[derive(Debug, Clone)]
struct TreeChild<E: TreeEntry> {
    least: E::Key,
    /// Covers all that its entries cover.
    span: E::Span,
    count: usize,
    node: TreeNode<E>,
}

/// The point that the entries of a walk must cover.
type Point<E> = <<E as TreeEntry>::Span as Span>::Point;

impl<E: TreeEntry> Clone for TreeNode<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<E: TreeEntry> Clone for Tree<E> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<E: TreeEntry> Default for Tree<E> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<E: TreeEntry> Tree<E> {
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, TreeNode::count)
    }

    /// Inserts an entry, or replaces the one with the same key.
    pub(super) fn insert(&mut self, entry: E) {
        let Some(root) = &mut self.root else {
            self.root = Some(TreeNode::leaf([entry].into_iter().collect()));
            return;
        };
        if let Some(right) = root.insert(entry) {
            let children = [TreeChild::of(root.clone()), right];
            self.root = Some(TreeNode::inner(children.into_iter().collect()));
        }
    }

    /// Removes the entry with this key.
    pub(super) fn remove(&mut self, key: E::Key) -> Option<E> {
        // For an entry that is not there nothing is copied.
        self.get(key)?;
        let root = self.root.as_mut()?;
        let removed = root.remove(key);
        let only = match root {
            TreeNode::Leaf(leaf) if leaf.entries.is_empty() => None,
            TreeNode::Inner(inner) if inner.children.len() == 1 => Some(inner.children[0].node.clone()),
            _ => return removed,
        };
        self.root = only;
        removed
    }

    pub(super) fn get(&self, key: E::Key) -> Option<&E> {
        let mut node = self.root.as_ref()?;
        loop {
            match node {
                TreeNode::Leaf(leaf) => {
                    let at = leaf.entries.binary_search_by_key(&key, E::key).ok()?;
                    return Some(&leaf.entries[at]);
                }
                TreeNode::Inner(inner) => node = &inner.children[below(&inner.children, key)].node,
            }
        }
    }

    /// Prefetches the first leaf with an entry that may cover a point.
    pub(super) fn fetch(&self, point: Point<E>) {
        let mut node = self.root.as_ref();
        while let Some(TreeNode::Inner(inner)) = node {
            node = members(&inner.children, E::Span::places(&inner.spans, point))
                .find(|child| child.span.covers(point))
                .map(|child| &child.node);
        }
        if let Some(TreeNode::Leaf(leaf)) = node {
            fetch::ahead(&leaf.spans);
        }
    }

    /// Calls `wanted` with the entries that cover a point, in their order, from a key on (`None`: from the first), as
    /// long as it returns true.
    pub(super) fn walk<'t>(&'t self, from: Option<E::Key>, point: Point<E>, mut wanted: impl FnMut(&'t E) -> bool) {
        if let Some(root) = &self.root {
            root.walk(from, point, &mut wanted);
        }
    }
}

/// The members at the places that are set in `places`. If none is set, not even the number of members is read.
fn members<T>(members: &ArrayVec<T, WIDTH>, mut places: u32) -> impl Iterator<Item = &T> {
    std::iter::from_fn(move || {
        if places == 0 {
            return None;
        }
        let member = members.get(places.trailing_zeros() as usize)?;
        places &= places - 1;
        Some(member)
    })
}

/// `places` without those before `first`.
fn from_place(places: u32, first: usize) -> u32 {
    places >> first << first
}

/// The child that holds a key, or would hold it.
fn below<E: TreeEntry>(children: &[TreeChild<E>], key: E::Key) -> usize {
    children.partition_point(|child| child.least <= key).saturating_sub(1)
}

impl<E: TreeEntry> TreeChild<E> {
    fn of(node: TreeNode<E>) -> Self {
        Self { least: node.least(), span: node.span(), count: node.count(), node }
    }
}

impl<E: TreeEntry> TreeLeaf<E> {
    fn of(entries: ArrayVec<E, WIDTH>) -> Self {
        Self { spans: E::Span::row(entries.iter().map(E::span)), entries }
    }

    /// Updates the spans after a change of the entries.
    fn sync(&mut self) {
        self.spans = E::Span::row(self.entries.iter().map(E::span));
    }
}

impl<E: TreeEntry> TreeBranch<E> {
    fn of(children: ArrayVec<TreeChild<E>, WIDTH>) -> Self {
        Self { spans: E::Span::row(children.iter().map(|child| child.span)), children }
    }

    /// Updates the spans after a change of the children.
    fn sync(&mut self) {
        self.spans = E::Span::row(self.children.iter().map(|child| child.span));
    }

    /// Updates what is stored of a child after a change below it. Returns whether its span has changed.
    fn refresh(&mut self, at: usize) -> bool {
        let child = &mut self.children[at];
        let before = child.span;
        (child.least, child.span, child.count) = (child.node.least(), child.node.span(), child.node.count());
        child.span != before
    }

    /// Inserts an entry. If there was no room for it, returns the right half, which was split off.
    fn insert(&mut self, entry: E) -> Option<TreeChild<E>> {
        let at = below(&self.children, entry.key());
        let right = self.children[at].node.insert(entry);
        let is_changed = self.refresh(at);
        let right = match right {
            Some(right) => put(&mut self.children, at + 1, right),
            None if is_changed => None,
            None => return None,
        };
        self.sync();
        right.map(|right| TreeChild::of(TreeNode::inner(right)))
    }

    /// Removes an entry. A child that becomes empty is removed, and one that becomes narrow is joined with one beside it.
    fn remove(&mut self, key: E::Key) -> Option<E> {
        let at = below(&self.children, key);
        let removed = self.children[at].node.remove(key);
        let width = self.children[at].node.width();
        if width == 0 {
            self.children.remove(at);
        } else {
            self.refresh(at);
            if width < NARROW {
                let _ = self.join(at) || (at > 0 && self.join(at - 1));
            }
        }
        self.sync();
        removed
    }

    /// Joins a child with the one to its right, if both fit into one.
    fn join(&mut self, at: usize) -> bool {
        let width = |at: usize| self.children.get(at).map_or(WIDTH, |child| child.node.width());
        if width(at) + width(at + 1) > WIDTH {
            return false;
        }
        let right = self.children.remove(at + 1);
        match (&mut self.children[at].node, right.node) {
            (TreeNode::Leaf(left), TreeNode::Leaf(right)) => {
                let left = Arc::make_mut(left);
                left.entries.extend(right.entries.iter().cloned());
                left.sync();
            }
            (TreeNode::Inner(left), TreeNode::Inner(right)) => {
                let left = Arc::make_mut(left);
                left.children.extend(right.children.iter().cloned());
                left.sync();
            }
            _ => unreachable!("nodes beside one another are of one height"),
        }
        self.refresh(at);
        true
    }
}

impl<E: TreeEntry> TreeNode<E> {
    fn leaf(entries: ArrayVec<E, WIDTH>) -> Self {
        Self::Leaf(Arc::new(TreeLeaf::of(entries)))
    }

    fn inner(children: ArrayVec<TreeChild<E>, WIDTH>) -> Self {
        Self::Inner(Arc::new(TreeBranch::of(children)))
    }

    fn least(&self) -> E::Key {
        match self {
            Self::Leaf(leaf) => leaf.entries[0].key(),
            Self::Inner(inner) => inner.children[0].least,
        }
    }

    fn span(&self) -> E::Span {
        let joined = match self {
            Self::Leaf(leaf) => leaf.entries.iter().map(E::span).reduce(E::Span::join),
            Self::Inner(inner) => inner.children.iter().map(|child| child.span).reduce(E::Span::join),
        };
        joined.expect("a node that is part of a tree has a member")
    }

    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.entries.len(),
            Self::Inner(inner) => inner.children.iter().map(|child| child.count).sum(),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.entries.len(),
            Self::Inner(inner) => inner.children.len(),
        }
    }

    /// Inserts an entry. If there was no room for it, returns the right half, which was split off.
    fn insert(&mut self, entry: E) -> Option<TreeChild<E>> {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let right = match leaf.entries.binary_search_by_key(&entry.key(), E::key) {
                    Ok(at) => {
                        leaf.entries[at] = entry;
                        None
                    }
                    Err(at) => put(&mut leaf.entries, at, entry),
                };
                leaf.sync();
                right.map(|right| TreeChild::of(Self::leaf(right)))
            }
            Self::Inner(inner) => Arc::make_mut(inner).insert(entry),
        }
    }

    fn remove(&mut self, key: E::Key) -> Option<E> {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let at = leaf.entries.binary_search_by_key(&key, E::key).ok()?;
                let removed = leaf.entries.remove(at);
                leaf.sync();
                Some(removed)
            }
            Self::Inner(inner) => Arc::make_mut(inner).remove(key),
        }
    }

    /// Returns whether entries after this node are wanted.
    fn walk<'t>(&'t self, from: Option<E::Key>, point: Point<E>, wanted: &mut impl FnMut(&'t E) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let first = from.map_or(0, |from| leaf.entries.partition_point(|entry| entry.key() < from));
                let places = from_place(E::Span::places(&leaf.spans, point), first);
                members(&leaf.entries, places).all(|entry| !entry.span().covers(point) || wanted(entry))
            }
            Self::Inner(inner) => {
                let first = from.map_or(0, |from| below(&inner.children, from));
                let places = from_place(E::Span::places(&inner.spans, point), first);
                members(&inner.children, places)
                    .all(|child| !child.span.covers(point) || child.node.walk(from, point, wanted))
            }
        }
    }
}

/// Inserts a member. If there is no room for it, splits off the right half and returns that.
fn put<T>(members: &mut ArrayVec<T, WIDTH>, at: usize, member: T) -> Option<ArrayVec<T, WIDTH>> {
    if members.len() < WIDTH {
        members.insert(at, member);
        return None;
    }
    // Members that come in ascending order fill nodes completely.
    let middle = if at == WIDTH { WIDTH } else { WIDTH / 2 };
    let mut right: ArrayVec<T, WIDTH> = members.drain(middle..).collect();
    if at < middle || (at == middle && middle < WIDTH) {
        members.insert(at, member);
    } else {
        right.insert(at - middle, member);
    }
    Some(right)
}
