//! Listeners to the same events.

use std::sync::Arc;

use super::key::Path;
use super::paths::{PathNode, address};
use super::postings::Postings;
use super::tree::Tree;
use super::witness::{Counts, Witness, WitnessKey, WitnessLocations, choose};
use super::{FEW, Listener};
use crate::matching::pattern::Pattern;

/// Listeners to the same events. A clone copies one pointer, and changing one leaves the other unchanged.
#[derive(Debug)]
pub struct Bucket<T>(pub(super) BucketContents<T>);

#[derive(Debug)]
pub(super) enum BucketContents<T> {
    Few(Arc<Vec<Arc<T>>>),
    Many(Arc<IndexedListeners<T>>),
}

/// More than a few listeners, filed by witnesses.
#[derive(Debug)]
pub(super) struct IndexedListeners<T> {
    pub(super) postings: Postings<T>,
    /// Those that no lookup finds.
    pub(super) everyone: Tree<Arc<T>>,
    pub(super) paths: PathNode<T>,
    /// Listeners whose pattern is evaluated for nearly every event.
    unselective: usize,
    listeners: usize,
}

impl<T> Clone for IndexedListeners<T> {
    fn clone(&self) -> Self {
        Self {
            postings: self.postings.clone(),
            everyone: self.everyone.clone(),
            paths: self.paths.clone(),
            unselective: self.unselective,
            listeners: self.listeners,
        }
    }
}

impl<T> Default for IndexedListeners<T> {
    fn default() -> Self {
        Self {
            postings: Postings::default(),
            everyone: Tree::default(),
            paths: PathNode::default(),
            unselective: 0,
            listeners: 0,
        }
    }
}

impl<T> Clone for Bucket<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            BucketContents::Few(few) => BucketContents::Few(Arc::clone(few)),
            BucketContents::Many(many) => BucketContents::Many(Arc::clone(many)),
        })
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self(BucketContents::Few(Arc::default()))
    }
}

impl<T: Listener> Bucket<T> {
    /// How many listeners there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            BucketContents::Few(few) => few.len(),
            BucketContents::Many(many) => many.listeners,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many have a pattern that no look-up excludes, see [`super::super::Pattern::is_selective`].
    pub fn unselective(&self) -> usize {
        match &self.0 {
            BucketContents::Few(few) => few.iter().filter(|listener| is_unselective(listener.as_ref())).count(),
            BucketContents::Many(many) => many.unselective,
        }
    }

    /// Adds a listener that is in no bucket.
    pub fn add(&mut self, listener: &Arc<T>) {
        match &mut self.0 {
            BucketContents::Few(few) if few.len() < FEW => Arc::make_mut(few).push(Arc::clone(listener)),
            BucketContents::Few(few) => {
                let mut many = IndexedListeners::default();
                few.iter().for_each(|few| many.add(few));
                many.add(listener);
                self.0 = BucketContents::Many(Arc::new(many));
            }
            BucketContents::Many(many) => Arc::make_mut(many).add(listener),
        }
    }

    /// Removes exactly this listener.
    pub fn remove(&mut self, listener: &Arc<T>) {
        match &mut self.0 {
            BucketContents::Few(few) => Arc::make_mut(few).retain(|other| !Arc::ptr_eq(other, listener)),
            BucketContents::Many(many) => Arc::make_mut(many).remove(listener),
        }
    }
}

/// Whether a listener is filed under several witnesses.
pub(super) fn in_several<T: Listener>(listener: &T) -> bool {
    listener.filing().0.get().is_some_and(|filed| filed.places().len() > 1)
}

fn is_unselective<T: Listener>(listener: &T) -> bool {
    listener.pattern().is_some_and(|pattern| !pattern.is_selective())
}

impl<T: Listener> IndexedListeners<T> {
    fn add(&mut self, listener: &Arc<T>) {
        // A listener that was filed before (in a discarded clone) stays under the same witnesses.
        let filed = listener.filing().0.get_or_init(|| match listener.pattern() {
            None => WitnessLocations::Nowhere,
            Some(pattern) => choose(pattern, self),
        });
        self.listeners += 1;
        self.unselective += usize::from(is_unselective(listener.as_ref()));
        if filed.is_nowhere() {
            return self.everyone.insert(Arc::clone(listener));
        }
        let Some(pattern) = listener.pattern() else { return };
        for place in filed.places() {
            let path = pattern.way(*place).fold(Path::ROOT, Path::member);
            let Some(witness) = pattern.witness(*place, path) else { continue };
            self.paths.add(pattern.way(*place), Path::ROOT, &witness, listener);
            if let WitnessKey::Hash(hash) = witness.key {
                self.postings.insert(hash, listener);
            }
        }
    }

    fn remove(&mut self, listener: &Arc<T>) {
        let Some(filed) = listener.filing().0.get() else { return };
        self.listeners -= 1;
        self.unselective -= usize::from(is_unselective(listener.as_ref()));
        if filed.is_nowhere() {
            self.everyone.remove(address(listener));
            return;
        }
        let Some(pattern) = listener.pattern() else { return };
        for place in filed.places() {
            let path = pattern.way(*place).fold(Path::ROOT, Path::member);
            let Some(witness) = pattern.witness(*place, path) else { continue };
            self.paths.remove(pattern.way(*place), Path::ROOT, &witness, listener);
            if let WitnessKey::Hash(hash) = witness.key {
                self.postings.remove(hash, listener);
            }
        }
    }

    /// Whether nothing is filed.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        self.postings.is_empty()
            && self.everyone.is_empty()
            && self.paths.probes.is_empty()
            && self.paths.children.is_empty()
    }
}

impl<T> Counts for IndexedListeners<T> {
    fn count(&self, pattern: &Pattern, witness: &Witness) -> usize {
        match witness.key {
            WitnessKey::Hash(hash) => self.postings.count(hash),
            // About half of the ranges at a path contain a given number.
            WitnessKey::Range { .. } => {
                let node = self.paths.at(pattern.way(witness.place), Path::ROOT);
                node.map_or(0, |node| node.ranges.len() / 2)
            }
        }
    }
}
