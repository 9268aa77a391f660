//! Listeners to the same events.

use std::sync::Arc;

use super::key::Path;
use super::paths::{PathNode, address};
use super::postings::{Member, Postings};
use super::tree::Tree;
use super::witness::{Counts, Filed, Key, Witness, choose};
use super::{FEW, Listener};
use crate::matching::pattern::Pattern;

/// Listeners to the same events. A clone copies one pointer, and changing one leaves the other unchanged.
#[derive(Debug)]
pub struct Bucket<T>(pub(super) Held<T>);

#[derive(Debug)]
pub(super) enum Held<T> {
    Few(Arc<Vec<Arc<T>>>),
    Many(Arc<Many<T>>),
}

/// More than a few listeners, filed by witnesses.
#[derive(Debug)]
pub(super) struct Many<T> {
    pub(super) postings: Postings<T>,
    /// Those that no lookup finds.
    pub(super) everyone: Tree<Member<T>>,
    pub(super) paths: PathNode<T>,
    /// Listeners whose pattern is evaluated for nearly every event.
    unselective: usize,
    listeners: usize,
}

impl<T> Clone for Many<T> {
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

impl<T> Default for Many<T> {
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
            Held::Few(few) => Held::Few(Arc::clone(few)),
            Held::Many(many) => Held::Many(Arc::clone(many)),
        })
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self(Held::Few(Arc::default()))
    }
}

impl<T: Listener> Bucket<T> {
    /// How many listeners there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Few(few) => few.len(),
            Held::Many(many) => many.listeners,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many have a pattern that no look-up excludes, see [`super::super::Pattern::is_selective`].
    pub fn unselective(&self) -> usize {
        match &self.0 {
            Held::Few(few) => few.iter().filter(|listener| is_unselective(listener.as_ref())).count(),
            Held::Many(many) => many.unselective,
        }
    }

    /// Adds a listener that is in no bucket.
    pub fn add(&mut self, listener: &Arc<T>) {
        match &mut self.0 {
            Held::Few(few) if few.len() < FEW => Arc::make_mut(few).push(Arc::clone(listener)),
            Held::Few(few) => {
                let mut many = Many::default();
                few.iter().for_each(|few| many.add(few));
                many.add(listener);
                self.0 = Held::Many(Arc::new(many));
            }
            Held::Many(many) => Arc::make_mut(many).add(listener),
        }
    }

    /// Removes exactly this listener.
    pub fn remove(&mut self, listener: &Arc<T>) {
        match &mut self.0 {
            Held::Few(few) => Arc::make_mut(few).retain(|other| !Arc::ptr_eq(other, listener)),
            Held::Many(many) => Arc::make_mut(many).remove(listener),
        }
    }
}

fn is_unselective<T: Listener>(listener: &T) -> bool {
    listener.pattern().is_some_and(|pattern| !pattern.is_selective())
}

impl<T: Listener> Many<T> {
    fn add(&mut self, listener: &Arc<T>) {
        // A listener that was filed before (in a discarded clone) stays under the same witnesses.
        let filed = listener.filing().0.get_or_init(|| match listener.pattern() {
            None => Filed::Nowhere,
            Some(pattern) => choose(pattern, self),
        });
        self.listeners += 1;
        self.unselective += usize::from(is_unselective(listener.as_ref()));
        if filed.is_nowhere() {
            return self.everyone.insert(Member::new(listener));
        }
        let Some(pattern) = listener.pattern() else { return };
        let member = Member::new(listener);
        for place in filed.places() {
            let path = pattern.way(*place).fold(Path::ROOT, Path::member);
            let Some(witness) = pattern.witness(*place, path) else { continue };
            self.paths.add(pattern.way(*place), Path::ROOT, &witness, listener);
            if let Key::Hash(hash) = witness.key {
                self.postings.insert(hash, &member);
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
            if let Key::Hash(hash) = witness.key {
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

impl<T> Counts for Many<T> {
    fn count(&self, pattern: &Pattern, witness: &Witness) -> usize {
        match witness.key {
            Key::Hash(hash) => self.postings.count(hash),
            // About half of the ranges at a path contain a given number.
            Key::Range { .. } => {
                let node = self.paths.at(pattern.way(witness.place), Path::ROOT);
                node.map_or(0, |node| node.ranges.len() / 2)
            }
        }
    }
}
