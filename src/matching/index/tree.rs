//! A sorted set whose copies share what did not change: a B+ tree of immutable nodes. A change copies the nodes on one
//! way down (or changes them in place where no copy shares them), so that it costs the same in a small set and in one
//! of a million. Finding, counting and walking a range never lock and never allocate.
//!
//! A walk reads few lines of memory: what excludes members of a node is in a row, and only the others are read.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::fetch;

/// Entries of a leaf and children of an inner node, at most.
const WIDTH: usize = 16;
/// A node with fewer is joined with the one beside it, where both fit into one.
const NARROW: usize = WIDTH / 4;

/// What a [`Tree`] holds.
pub(super) trait TreeEntry: Clone {
    /// The order; no two entries have the same.
    type Key: Copy + Ord + std::fmt::Debug;
    /// What each node knows the maximum of, to skip members by; `()` where none is skipped.
    type Top: Copy + Ord + std::fmt::Debug;
    /// The first part of the key, at which a walk ends; `()` if it continues to the last entry.
    type Low: Copy + Ord + std::fmt::Debug;
    fn key(&self) -> Self::Key;
    fn top(&self) -> Self::Top;
    fn low(key: Self::Key) -> Self::Low;
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

/// Entries, and beside them the top and the low of each, in rows of their own.
#[derive(Debug, Clone)]
struct TreeLeaf<E: TreeEntry> {
    tops: ArrayVec<E::Top, WIDTH>,
    lows: ArrayVec<E::Low, WIDTH>,
    entries: ArrayVec<E, WIDTH>,
}

/// The children of a node, and beside them the top of each.
#[derive(Debug, Clone)]
struct TreeBranch<E: TreeEntry> {
    tops: ArrayVec<E::Top, WIDTH>,
    children: ArrayVec<TreeChild<E>, WIDTH>,
}

#[derive(Debug, Clone)]
struct TreeChild<E: TreeEntry> {
    least: E::Key,
    count: usize,
    node: TreeNode<E>,
}

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

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, TreeNode::count)
    }

    /// Puts an entry in; one with the same key gives way.
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

    /// Takes the entry of this key out.
    pub(super) fn remove(&mut self, key: E::Key) -> Option<E> {
        // Nothing is copied for an entry that is not there.
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

    /// Has the first leaf fetched that holds a top of at least this.
    pub(super) fn fetch(&self, top: E::Top) {
        let mut node = self.root.as_ref();
        while let Some(TreeNode::Inner(inner)) = node {
            let at = inner.tops.iter().position(|own| *own >= top);
            node = at.map(|at| &inner.children[at].node);
        }
        if let Some(TreeNode::Leaf(leaf)) = node {
            fetch::row(&leaf.tops, WIDTH);
            fetch::row(&leaf.lows, WIDTH);
        }
    }

    /// The entries from a key on (`None`: the first), to the last whose low is at most `low`, in their order, without
    /// those whose top is below `top`, as long as `wanted` returns true.
    pub(super) fn walk<'t>(
        &'t self,
        from: Option<E::Key>,
        (low, top): (E::Low, E::Top),
        mut wanted: impl FnMut(&'t E) -> bool,
    ) {
        if let Some(root) = &self.root {
            root.walk(from, (low, top), &mut wanted);
        }
    }
}

/// The child that a key is or would be in.
fn below<E: TreeEntry>(children: &[TreeChild<E>], key: E::Key) -> usize {
    children.partition_point(|child| child.least <= key).saturating_sub(1)
}

impl<E: TreeEntry> TreeChild<E> {
    fn of(node: TreeNode<E>) -> Self {
        Self { least: node.least(), count: node.count(), node }
    }
}

impl<E: TreeEntry> TreeLeaf<E> {
    fn of(entries: ArrayVec<E, WIDTH>) -> Self {
        let mut leaf = Self { tops: ArrayVec::new(), lows: ArrayVec::new(), entries };
        leaf.sync();
        leaf
    }

    /// Says the tops and lows again, after a change of the entries.
    fn sync(&mut self) {
        self.tops = self.entries.iter().map(E::top).collect();
        self.lows = self.entries.iter().map(|entry| E::low(entry.key())).collect();
    }
}

impl<E: TreeEntry> TreeBranch<E> {
    /// Says again what is below a child, after a change there.
    fn refresh(&mut self, at: usize) {
        let child = &mut self.children[at];
        (child.least, child.count) = (child.node.least(), child.node.count());
        self.tops[at] = child.node.top();
    }

    /// Puts a child in; where there is no room, what is split off.
    fn put(&mut self, at: usize, child: TreeChild<E>) -> Option<TreeChild<E>> {
        let right = put(&mut self.children, at, child);
        self.tops = self.children.iter().map(|child| child.node.top()).collect();
        right.map(|right| TreeChild::of(TreeNode::inner(right)))
    }

    /// Takes an entry out, and a child that becomes empty; a narrow one is joined with one beside it.
    fn remove(&mut self, key: E::Key) -> Option<E> {
        let at = below(&self.children, key);
        let removed = self.children[at].node.remove(key);
        let width = self.children[at].node.width();
        if width == 0 {
            self.children.remove(at);
            self.tops.remove(at);
        } else {
            self.refresh(at);
            if width < NARROW {
                let _ = self.join(at) || (at > 0 && self.join(at - 1));
            }
        }
        removed
    }

    /// Joins a child with the one to its right, where both fit into one.
    fn join(&mut self, at: usize) -> bool {
        let width = |at: usize| self.children.get(at).map_or(WIDTH, |child| child.node.width());
        if width(at) + width(at + 1) > WIDTH {
            return false;
        }
        let right = self.children.remove(at + 1);
        self.tops.remove(at + 1);
        match (&mut self.children[at].node, right.node) {
            (TreeNode::Leaf(left), TreeNode::Leaf(right)) => {
                let left = Arc::make_mut(left);
                left.entries.extend(right.entries.iter().cloned());
                left.sync();
            }
            (TreeNode::Inner(left), TreeNode::Inner(right)) => {
                let left = Arc::make_mut(left);
                left.children.extend(right.children.iter().cloned());
                left.tops.extend(right.tops.iter().copied());
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
        Self::Inner(Arc::new(TreeBranch { tops: children.iter().map(|child| child.node.top()).collect(), children }))
    }

    fn least(&self) -> E::Key {
        match self {
            Self::Leaf(leaf) => leaf.entries[0].key(),
            Self::Inner(inner) => inner.children[0].least,
        }
    }

    fn top(&self) -> E::Top {
        let greatest = match self {
            Self::Leaf(leaf) => leaf.tops.iter().copied().max(),
            Self::Inner(inner) => inner.tops.iter().copied().max(),
        };
        greatest.expect("a node that is part of a tree has a member")
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

    /// Puts an entry in; where there was no room, what is split off.
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
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let at = below(&inner.children, entry.key());
                let right = inner.children[at].node.insert(entry);
                inner.refresh(at);
                right.and_then(|right| inner.put(at + 1, right))
            }
        }
    }

    fn remove(&mut self, key: E::Key) -> Option<E> {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let at = leaf.entries.binary_search_by_key(&key, E::key).ok()?;
                leaf.tops.remove(at);
                leaf.lows.remove(at);
                Some(leaf.entries.remove(at))
            }
            Self::Inner(inner) => Arc::make_mut(inner).remove(key),
        }
    }

    /// Returns whether entries after this node may be wanted. Nothing is read beyond the first entry that is not.
    fn walk<'t>(
        &'t self,
        from: Option<E::Key>,
        (low, top): (E::Low, E::Top),
        wanted: &mut impl FnMut(&'t E) -> bool,
    ) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let first = from.map_or(0, |from| leaf.entries.partition_point(|entry| entry.key() < from));
                let mut reached = (first..leaf.tops.len()).filter(|at| leaf.tops[*at] >= top);
                reached.all(|at| leaf.lows[at] <= low && wanted(&leaf.entries[at]))
            }
            Self::Inner(inner) => {
                let first = from.map_or(0, |from| below(&inner.children, from));
                let reached = (first..inner.tops.len()).filter(|at| inner.tops[*at] >= top);
                let mut reached = reached.map(|at| &inner.children[at]);
                reached.all(|child| E::low(child.least) <= low && child.node.walk(from, (low, top), wanted))
            }
        }
    }
}

/// Puts a member in; where there is no room, the right half is split off.
fn put<T>(members: &mut ArrayVec<T, WIDTH>, at: usize, member: T) -> Option<ArrayVec<T, WIDTH>> {
    if members.len() < WIDTH {
        members.insert(at, member);
        return None;
    }
    // What comes in order fills nodes whole.
    let middle = if at == WIDTH { WIDTH } else { WIDTH / 2 };
    let mut right: ArrayVec<T, WIDTH> = members.drain(middle..).collect();
    if at < middle || (at == middle && middle < WIDTH) {
        members.insert(at, member);
    } else {
        right.insert(at - middle, member);
    }
    Some(right)
}
