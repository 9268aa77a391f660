//! Finds the listeners in some buckets that an event fires. First the event's data is walked and candidates are
//! collected (`walk`); then each candidate is evaluated once. A search can be paused after any of them and resumed.

use std::collections::HashSet;
use std::sync::Arc;

use super::Listener;
use super::bucket::{Bucket, BucketContents, in_several};
use super::paths::address;
use super::tree::TreeEntry;
use super::walk::{CandidateSource, DataWalk};
use crate::matching::evaluate::Subject;
use crate::matching::limits::FilterLimits;
use crate::matching::program::Op;
use crate::matching::steps::{Steps, TooCostly};

/// Steps of a matching pattern that are not charged to the event's budget: the cost of an event depends on what it
/// fires.
const FREE_STEPS: usize = 100;
/// Before all entries of a source.
const FIRST: (i64, usize, u32) = (i64::MIN, 0, 0);

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchEnd {
    /// Every listener that the event fires was found.
    Complete,
    /// The caller wanted no more listeners for now; [`Search::run`] continues after this one.
    Paused,
    /// The event's steps were used up; what else it would fire is unknown.
    TooCostly,
}

/// A search for the listeners that one event fires. It holds the buckets as they were at its start.
#[derive(Debug)]
pub struct Search<T> {
    buckets: Vec<Bucket<T>>,
    sources: Vec<CandidateSource<T>>,
    state: SearchState<T>,
}

/// The progress of a search.
#[derive(Debug)]
struct SearchState<T> {
    /// The next source, and the next of its entries.
    source: usize,
    from: (i64, usize, u32),
    steps: Steps,
    steps_per_listener_max: usize,
    /// Listeners whose patterns needed more steps than one may.
    too_costly: Vec<Arc<T>>,
    /// Listeners that were evaluated and could be found again. Empty for most events.
    evaluated: HashSet<usize, foldhash::fast::FixedState>,
    /// The walk of the data was abandoned.
    given_up: bool,
}

impl<T: Listener> Search<T> {
    /// A search in some buckets.
    pub fn new<'b>(
        buckets: impl IntoIterator<Item = &'b Bucket<T>>,
        subject: &mut Subject<'_>,
        limits: &FilterLimits,
    ) -> Self
    where
        T: 'b,
    {
        let mut state = SearchState {
            source: 0,
            from: FIRST,
            steps: Steps::new(limits.steps_per_event_max),
            steps_per_listener_max: limits.steps_per_trigger_max,
            too_costly: Vec::new(),
            evaluated: HashSet::default(),
            given_up: false,
        };
        let (mut sources, mut held) = (Vec::new(), Vec::new());
        for bucket in buckets {
            let place = held.len();
            match &bucket.0 {
                BucketContents::Few(few) if few.is_empty() => continue,
                BucketContents::Few(_) => sources.push(CandidateSource::Few(place)),
                BucketContents::Many(many) => {
                    if !many.everyone.is_empty() {
                        sources.push(CandidateSource::Everyone(place));
                    }
                    let mut walk = DataWalk::new(many, place, &mut sources, &mut state.steps, subject);
                    state.given_up |= walk.all().is_err();
                }
            }
            held.push(bucket.clone());
        }
        Self { buckets: held, sources, state }
    }

    /// Listeners whose patterns took more steps than one may.
    pub fn too_costly(&self) -> &[Arc<T>] {
        &self.state.too_costly
    }

    /// How many of the event's steps are left.
    pub fn steps_left(&self) -> usize {
        self.state.steps.left()
    }

    /// Calls `found` with each listener that the event fires, as long as it wants more. The subject is of the same data
    /// at each call.
    pub fn run(&mut self, subject: &mut Subject<'_>, mut found: impl FnMut(&Arc<T>) -> bool) -> SearchEnd {
        while let Some(source) = self.sources.get(self.state.source) {
            match self.state.run(source, &self.buckets, subject, &mut found) {
                SearchEnd::Complete => (self.state.source, self.state.from) = (self.state.source + 1, FIRST),
                ended => return ended,
            }
        }
        if self.state.given_up { SearchEnd::TooCostly } else { SearchEnd::Complete }
    }
}

impl<T: Listener> SearchState<T> {
    fn run(
        &mut self,
        source: &CandidateSource<T>,
        buckets: &[Bucket<T>],
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let mut ended = SearchEnd::Complete;
        match source {
            CandidateSource::Few(bucket) => {
                let BucketContents::Few(few) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                for (place, listener) in few.iter().enumerate().skip(self.from.1) {
                    self.from.1 = place + 1;
                    ended = self.evaluate(listener, None, subject, found);
                    if ended != SearchEnd::Complete {
                        break;
                    }
                }
            }
            CandidateSource::Everyone(bucket) => {
                let BucketContents::Many(many) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                many.everyone.walk(Some(self.from.1), ((), ()), |member| {
                    self.from.1 = member.key() + 1;
                    ended = self.evaluate(&member.listener, Some(&member.operations), subject, found);
                    ended == SearchEnd::Complete
                });
            }
            CandidateSource::Postings { bucket, hash } => {
                let BucketContents::Many(many) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                let Some(listeners) = many.postings.get(*hash) else { return SearchEnd::Complete };
                listeners.walk(self.from.1, |member| {
                    self.from.1 = member.key() + 1;
                    let (listener, operations) = (&member.listener, Some(&*member.operations));
                    ended = self.candidate(listener, member.in_several, operations, subject, found);
                    ended == SearchEnd::Complete
                });
            }
            CandidateSource::Ranges { node, number, repeated } => {
                let from = (self.from != FIRST).then_some(self.from);
                node.ranges.walk(from, (*number, *number), |range| {
                    let (low, address, place) = range.key();
                    self.from = (low, address, place + 1);
                    if self.steps.take(1).is_err() {
                        ended = SearchEnd::TooCostly;
                    } else if !repeated || self.evaluated.insert(address) {
                        let in_several = !repeated && in_several(range.listener.as_ref());
                        ended = self.candidate(&range.listener, in_several, None, subject, found);
                    }
                    ended == SearchEnd::Complete
                });
            }
        }
        ended
    }

    /// A candidate of a source in which it is once.
    fn candidate(
        &mut self,
        listener: &Arc<T>,
        in_several: bool,
        operations: Option<&[Op]>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        if in_several && !self.evaluated.insert(address(listener)) {
            return match self.steps.take(1) {
                Ok(()) => SearchEnd::Complete,
                Err(TooCostly) => SearchEnd::TooCostly,
            };
        }
        self.evaluate(listener, operations, subject, found)
    }

    /// `operations`: those of the listener's pattern, where they are at hand.
    fn evaluate(
        &mut self,
        listener: &Arc<T>,
        operations: Option<&[Op]>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let Some(pattern) = listener.pattern() else {
            return if found(listener) { SearchEnd::Complete } else { SearchEnd::Paused };
        };
        let given = self.steps_per_listener_max.min(self.steps.left());
        let mut steps = Steps::new(given);
        let matches = pattern.matches_by(operations.unwrap_or(&pattern.operations), subject, &mut steps);
        let used = given - steps.left();
        let charged = if matches == Ok(true) { used.saturating_sub(FREE_STEPS) } else { used.max(1) };
        let out_of_steps = self.steps.take(charged).is_err();
        match matches {
            Ok(true) if !found(listener) => SearchEnd::Paused,
            Ok(_) if out_of_steps => SearchEnd::TooCostly,
            Ok(_) => SearchEnd::Complete,
            Err(TooCostly) if self.steps.left() == 0 => SearchEnd::TooCostly,
            Err(TooCostly) => {
                self.too_costly.push(Arc::clone(listener));
                SearchEnd::Complete
            }
        }
    }
}
