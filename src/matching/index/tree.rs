//! A sorted set whose copies share what did not change: a B+ tree of immutable nodes. A change copies the nodes on one
//! way down (or changes them in place where no copy shares them), so that it costs the same in a small set and in one
//! of a million. Finding, counting and walking a range never lock and never allocate.

use std::sync::Arc;

use arrayvec::ArrayVec;

/// Entries of a leaf and children of an inner node, at most.
const WIDTH: usize = 32;
/// A node with fewer is joined with the one beside it, where both fit into one.
const NARROW: usize = WIDTH / 4;

/// What a [`Tree`] holds.
pub(super) trait Entry: Clone {
    /// The order; no two entries have the same.
    type Key: Copy + Ord + std::fmt::Debug;
    fn key(&self) -> Self::Key;
    /// A number whose maximum each node knows of what is below it, to skip nodes by.
    fn top(&self) -> i64 {
        i64::MIN
    }
}

/// The set.
#[derive(Debug)]
pub(super) struct Tree<E: Entry> {
    root: Option<Arc<Node<E>>>,
}

#[derive(Debug, Clone)]
enum Node<E: Entry> {
    Leaf(ArrayVec<E, WIDTH>),
    Inner(Box<Inner<E>>),
}

/// The children of a node, and beside them the top of each: a walk that skips children reads nothing else of them.
#[derive(Debug, Clone)]
struct Inner<E: Entry> {
    tops: ArrayVec<i64, WIDTH>,
    children: ArrayVec<Child<E>, WIDTH>,
}

#[derive(Debug, Clone)]
struct Child<E: Entry> {
    least: E::Key,
    top: i64,
    count: usize,
    node: Arc<Node<E>>,
}

impl<E: Entry> Clone for Tree<E> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<E: Entry> Default for Tree<E> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<E: Entry> Tree<E> {
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.count())
    }

    /// Puts an entry in; one with the same key gives way.
    pub(super) fn insert(&mut self, entry: E) {
        let Some(root) = &mut self.root else {
            let mut leaf = ArrayVec::new();
            leaf.push(entry);
            self.root = Some(Arc::new(Node::Leaf(leaf)));
            return;
        };
        if let Some(right) = Arc::make_mut(root).insert(entry) {
            let left = Child::of(Arc::clone(root));
            let mut children = ArrayVec::new();
            children.push(left);
            children.push(right);
            self.root = Some(Arc::new(Node::Inner(Inner::of(children))));
        }
    }

    /// Takes the entry of this key out.
    pub(super) fn remove(&mut self, key: E::Key) -> Option<E> {
        // Nothing is copied for an entry that is not there.
        self.get(key)?;
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(key);
        let only = match &**root {
            Node::Leaf(leaf) if leaf.is_empty() => None,
            Node::Inner(inner) if inner.children.len() == 1 => Some(Arc::clone(&inner.children[0].node)),
            _ => return removed,
        };
        self.root = only;
        removed
    }

    pub(super) fn get(&self, key: E::Key) -> Option<&E> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.binary_search_by_key(&key, E::key).ok().map(|at| &leaf[at]),
                Node::Inner(inner) => node = &inner.children[below(&inner.children, key)].node,
            }
        }
    }

    /// The entries from this key on (without it, where `after`), in their order, as long as `wanted` says so; nodes
    /// whose greatest top is below `top` are skipped. `wanted` ends the walk with `false`. Says whether all were walked.
    pub(super) fn walk<'t>(&'t self, from: E::Key, top: i64, mut wanted: impl FnMut(&'t E) -> bool) -> bool {
        self.root.as_ref().is_none_or(|root| root.walk(from, top, &mut wanted))
    }
}

/// The child that a key is or would be in.
fn below<E: Entry>(children: &[Child<E>], key: E::Key) -> usize {
    children.partition_point(|child| child.least <= key).saturating_sub(1)
}

impl<E: Entry> Child<E> {
    fn of(node: Arc<Node<E>>) -> Self {
        let least = node.least();
        Self { least, top: node.top(), count: node.count(), node }
    }

    /// Says again what is below, after a change there.
    fn refresh(&mut self) {
        (self.least, self.top, self.count) = (self.node.least(), self.node.top(), self.node.count());
    }
}

impl<E: Entry> Inner<E> {
    fn of(children: ArrayVec<Child<E>, WIDTH>) -> Box<Self> {
        let tops = children.iter().map(|child| child.top).collect();
        Box::new(Self { tops, children })
    }

    /// Says the tops again, after a change of the children.
    fn sync(&mut self) {
        self.tops = self.children.iter().map(|child| child.top).collect();
    }
}

impl<E: Entry> Node<E> {
    fn least(&self) -> E::Key {
        match self {
            Self::Leaf(leaf) => leaf[0].key(),
            Self::Inner(inner) => inner.children[0].least,
        }
    }

    fn top(&self) -> i64 {
        let greatest = match self {
            Self::Leaf(leaf) => leaf.iter().map(E::top).max(),
            Self::Inner(inner) => inner.tops.iter().copied().max(),
        };
        greatest.unwrap_or(i64::MIN)
    }

    fn count(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.children.iter().map(|child| child.count).sum(),
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.children.len(),
        }
    }

    /// Puts an entry in; where there was no room, what is split off.
    fn insert(&mut self, entry: E) -> Option<Child<E>> {
        match self {
            Self::Leaf(leaf) => match leaf.binary_search_by_key(&entry.key(), E::key) {
                Ok(at) => {
                    leaf[at] = entry;
                    None
                }
                Err(at) => put(leaf, at, entry).map(|right| Child::of(Arc::new(Self::Leaf(right)))),
            },
            Self::Inner(inner) => {
                let at = below(&inner.children, entry.key());
                let child = &mut inner.children[at];
                let right = Arc::make_mut(&mut child.node).insert(entry);
                child.refresh();
                let right = right.and_then(|right| put(&mut inner.children, at + 1, right));
                inner.sync();
                right.map(|right| Child::of(Arc::new(Self::Inner(Inner::of(right)))))
            }
        }
    }

    fn remove(&mut self, key: E::Key) -> Option<E> {
        match self {
            Self::Leaf(leaf) => leaf.binary_search_by_key(&key, E::key).ok().map(|at| leaf.remove(at)),
            Self::Inner(inner) => {
                let children = &mut inner.children;
                let at = below(children, key);
                let removed = Arc::make_mut(&mut children[at].node).remove(key);
                let width = children[at].node.width();
                if width == 0 {
                    children.remove(at);
                } else {
                    children[at].refresh();
                    if width < NARROW {
                        let _ = join(children, at) || (at > 0 && join(children, at - 1));
                    }
                }
                inner.sync();
                removed
            }
        }
    }

    fn walk<'t>(&'t self, from: E::Key, top: i64, wanted: &mut impl FnMut(&'t E) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let first = leaf.partition_point(|entry| entry.key() < from);
                leaf[first..].iter().all(wanted)
            }
            Self::Inner(inner) => {
                let first = below(&inner.children, from);
                let mut reached = (first..inner.tops.len()).filter(|at| inner.tops[*at] >= top);
                reached.all(|at| inner.children[at].node.walk(from, top, wanted))
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

/// Joins a child with the one to its right, where both fit into one.
fn join<E: Entry>(children: &mut ArrayVec<Child<E>, WIDTH>, at: usize) -> bool {
    if children.get(at + 1).is_none_or(|right| children[at].node.width() + right.node.width() > WIDTH) {
        return false;
    }
    let right = children.remove(at + 1);
    match (Arc::make_mut(&mut children[at].node), &*right.node) {
        (Node::Leaf(left), Node::Leaf(right)) => left.extend(right.iter().cloned()),
        (Node::Inner(left), Node::Inner(right)) => {
            left.children.extend(right.children.iter().cloned());
            left.sync();
        }
        _ => unreachable!("nodes beside one another are of one height"),
    }
    children[at].refresh();
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    impl Entry for (u32, i64) {
        type Key = u32;
        fn key(&self) -> u32 {
            self.0
        }
        fn top(&self) -> i64 {
            self.1
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_sorted_set_whose_copies_stay_as_they_were(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..600, any::<i8>()), 0..3_000),
            descending in any::<bool>(),
        ) {
            let (mut tree, mut model) = (Tree::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (number, (remove, key, top)) in steps.into_iter().enumerate() {
                // Long runs of the one and of the other, so that trees grow and shrink.
                if remove == ((number / 500) % 2 == 1) || number % 7 == 0 {
                    let key = if descending { 600 - key } else { key };
                    tree.insert((key, i64::from(top)));
                    model.insert(key, i64::from(top));
                } else {
                    prop_assert_eq!(tree.remove(key).map(|entry| entry.1), model.remove(&key));
                }
                if number % 400 == 0 {
                    copies.push((tree.clone(), model.clone()));
                }
            }
            copies.push((tree, model));
            for (tree, model) in copies {
                prop_assert_eq!((tree.len(), tree.is_empty()), (model.len(), model.is_empty()));
                for probe in [0, 1, 299, 300, 599, 601] {
                    let mut walked = Vec::new();
                    tree.walk(probe, 5, |entry| { walked.push(*entry); true });
                    walked.retain(|entry| entry.1 >= 5);
                    let expected: Vec<_> = model.range(probe..).map(|(k, v)| (*k, *v)).filter(|e| e.1 >= 5).collect();
                    prop_assert_eq!(walked, expected);
                    prop_assert_eq!(tree.get(probe).copied(), model.get(&probe).map(|top| (probe, *top)));
                }
                let mut all = Vec::new();
                tree.walk(0, i64::MIN, |entry| { all.push(*entry); true });
                prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn removing_leaves_no_narrow_rows_of_nodes() {
        let mut tree = Tree::default();
        (0..10_000).for_each(|key| tree.insert((key, 0)));
        (0..10_000).filter(|key| key % 50 != 0).for_each(|key| assert!(tree.remove(key).is_some()));
        let mut leaves = 0;
        fn count(node: &Node<(u32, i64)>, leaves: &mut usize) {
            match node {
                Node::Leaf(_) => *leaves += 1,
                Node::Inner(inner) => inner.children.iter().for_each(|child| count(&child.node, leaves)),
            }
        }
        count(tree.root.as_ref().expect("entries"), &mut leaves);
        assert!(tree.len() == 200 && leaves <= 40, "{leaves}");
    }
}
