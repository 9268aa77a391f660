//! A list whose copies share unchanged parts: a change copies one or two of them. It costs little more than a pointer
//! for each member, and keeps no order.

use std::sync::Arc;

/// Members in one part. A change copies as many pointers, and one for each part.
const PART_MAX: usize = 64;

/// The list. All parts but the last are full.
#[derive(Debug)]
pub(super) struct Listed<T>(Arc<Vec<Arc<Vec<Arc<T>>>>>);

impl<T> Clone for Listed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Listed<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter().flat_map(|part| part.iter())
    }

    pub(super) fn push(&mut self, member: Arc<T>) {
        let parts = Arc::make_mut(&mut self.0);
        match parts.last_mut().filter(|last| last.len() < PART_MAX) {
            Some(last) => Arc::make_mut(last).push(member),
            None => parts.push(Arc::new(vec![member])),
        }
    }

    /// Removes this very member, and moves the last one to its position.
    pub(super) fn remove(&mut self, member: &Arc<T>) {
        let mut parts = self.0.iter().enumerate();
        let found = parts.find_map(|(number, part)| {
            let place = part.iter().position(|other| Arc::ptr_eq(other, member))?;
            Some((number, place))
        });
        let Some((number, place)) = found else {
            return;
        };
        let parts = Arc::make_mut(&mut self.0);
        let last = parts.last_mut().map(|last| {
            let last = Arc::make_mut(last);
            (last.pop(), last.is_empty())
        });
        let Some((Some(last), emptied)) = last else {
            return;
        };
        if emptied {
            parts.pop();
        }
        // If the last one was the member itself, its position is gone.
        if let Some(hole) = parts.get_mut(number).and_then(|part| Arc::make_mut(part).get_mut(place)) {
            *hole = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_was_put_and_not_taken(steps in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..400)) {
            let (mut list, mut model) = (Listed::default(), Vec::<Arc<usize>>::new());
            let mut copies = Vec::new();
            for (number, (take, which)) in steps.into_iter().enumerate() {
                if take && !model.is_empty() {
                    let member = model.swap_remove(which.index(model.len()));
                    list.remove(&member);
                } else {
                    let member = Arc::new(number);
                    model.push(Arc::clone(&member));
                    list.push(member);
                }
                if number % 50 == 0 {
                    copies.push((list.clone(), model.clone()));
                }
            }
            copies.push((list, model));
            for (list, mut model) in copies {
                let mut held: Vec<_> = list.iter().cloned().collect();
                held.sort();
                model.sort();
                prop_assert_eq!(&held, &model);
                prop_assert_eq!(list.is_empty(), model.is_empty());
                let parts: Vec<usize> = list.0.iter().map(|part| part.len()).collect();
                prop_assert!(parts.iter().rev().skip(1).all(|length| *length == PART_MAX), "{:?}", parts);
                prop_assert!(parts.last().is_none_or(|length| *length > 0));
            }
        }
    }

    #[test]
    fn what_it_does_not_hold_is_not_taken_out() {
        let mut list = Listed::default();
        list.push(Arc::new(1));
        list.remove(&Arc::new(1));
        assert_eq!(list.iter().count(), 1);
    }
}
