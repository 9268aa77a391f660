//! Finds the listeners in some buckets that an event fires. First the event's data is walked and candidates are
//! collected (`walk`); then each candidate is evaluated once. A search works in slices of some steps, between which other
//! work can be done.

use std::collections::HashSet;
use std::sync::Arc;

use super::bucket::{Bucket, BucketContents, IndexedListeners, in_several};
use super::paths::address;
use super::tree::TreeEntry;
use super::walk::{CandidateSource, DataWalk, WalkEnd, WalkPosition};
use super::{Listener, fetch};
use crate::json::Object;
use crate::matching::evaluate::{LongNumbers, Subject};
use crate::matching::limits::FilterLimits;
use crate::matching::steps::{Steps, TooCostly};

/// Steps of a matching pattern that are not charged to the event's budget: the cost of an event depends on what it
/// fires.
const FREE_STEPS: usize = 100;
/// More sources than an event usually has, so that their list does not grow.
const SOURCES_USUAL: usize = 8;
/// The list of sources keeps room for this many from one event to the next.
const SOURCES_KEPT: usize = 256;
/// Before all entries of a source.
const FIRST: (i64, usize, u32) = (i64::MIN, 0, 0);

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchEnd {
    /// Every listener that the event fires was found.
    Complete,
    /// The slice is over, or the caller wanted no more listeners for now; [`Search::run`] continues there.
    Paused,
    /// The event's steps were used up; what else it would fire is unknown.
    TooCostly,
}

/// A search for the listeners that one event fires. It holds the buckets as they were at its start.
#[derive(Debug)]
pub struct Search<T> {
    buckets: SearchedBuckets<T>,
    /// The bucket that the data is walked beside; after the last one all sources are known.
    walked: usize,
    position: WalkPosition,
    sources: Vec<CandidateSource<T>>,
    numbers: LongNumbers,
    state: SearchState<T>,
}

/// Buckets in their order: most events have one, for which no list is made.
#[derive(Debug)]
struct SearchedBuckets<T> {
    first: Option<Bucket<T>>,
    more: Vec<Bucket<T>>,
}

impl<T> SearchedBuckets<T> {
    fn push(&mut self, bucket: Bucket<T>) {
        match &self.first {
            Some(_) => self.more.push(bucket),
            None => self.first = Some(bucket),
        }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    fn get(&self, place: usize) -> Option<&Bucket<T>> {
        if place == 0 { self.first.as_ref() } else { self.more.get(place - 1) }
    }

    /// What a look-up finds among the listeners of a bucket, which are many.
    fn many(&self, place: usize) -> Option<&IndexedListeners<T>> {
        match &self.get(place)?.0 {
            BucketContents::Many(many) => Some(many),
            BucketContents::Few(_) => None,
        }
    }
}

/// The progress of a search.
#[derive(Debug)]
struct SearchState<T> {
    /// The next bucket, or behind the buckets the next source, and the next of its entries.
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
    pub fn new<'b>(buckets: impl IntoIterator<Item = &'b Bucket<T>>, limits: &FilterLimits) -> Self
    where
        T: 'b,
    {
        let mut own = SearchedBuckets { first: None, more: Vec::new() };
        buckets.into_iter().filter(|bucket| !bucket.is_empty()).for_each(|bucket| own.push(bucket.clone()));
        Self {
            buckets: own,
            walked: 0,
            position: WalkPosition::default(),
            sources: Vec::new(),
            numbers: LongNumbers::default(),
            state: SearchState::new(limits),
        }
    }

    /// The same search, of another event.
    pub fn restart(&mut self, limits: &FilterLimits) {
        (self.walked, self.position, self.numbers) = (0, WalkPosition::default(), LongNumbers::default());
        self.sources.clear();
        self.sources.shrink_to(SOURCES_KEPT);
        self.state = SearchState::new(limits);
    }

    /// Listeners whose patterns took more steps than one may.
    pub fn too_costly(&self) -> &[Arc<T>] {
        &self.state.too_costly
    }

    /// How many of the event's steps are left.
    pub fn steps_left(&self) -> usize {
        self.state.steps.left()
    }

    /// Calls `found` with each listener that the event fires, as long as it wants more, and for about as many steps as a
    /// slice has. The data is the same at each call.
    pub fn run(
        &mut self,
        data: Object<'_>,
        steps_of_slice: usize,
        mut found: impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let steps_of_slice = steps_of_slice.max(1);
        let mut subject = Subject::resume(data, std::mem::take(&mut self.numbers));
        self.state.steps.begin_slice(steps_of_slice);
        let ended = match self.walk(&mut subject) {
            Ok(()) => self.evaluate(&mut subject, steps_of_slice, &mut found),
            Err(Paused) => SearchEnd::Paused,
        };
        self.numbers = subject.into_numbers();
        ended
    }

    /// Walks the data beside the buckets that it was not walked beside yet.
    fn walk(&mut self, subject: &mut Subject<'_>) -> Result<(), Paused> {
        while let Some(bucket) = self.buckets.get(self.walked) {
            if let BucketContents::Many(many) = &bucket.0 {
                let (state, position) = (&mut self.state, &mut self.position);
                let (sources, steps) = (&mut self.sources, &mut state.steps);
                sources.reserve(SOURCES_USUAL);
                let walked = DataWalk::new(many, self.walked, sources, steps, subject, position).run();
                if walked == Err(WalkEnd::Paused) {
                    return Err(Paused);
                }
                state.given_up |= walked.is_err();
                *position = WalkPosition::default();
            }
            self.walked += 1;
        }
        Ok(())
    }

    /// Evaluates candidates, of at most this many buckets and sources: first those that no look-up finds.
    fn evaluate(
        &mut self,
        subject: &mut Subject<'_>,
        sources_max: usize,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        // A source may have no candidate, and then takes no step.
        for _ in 0..sources_max {
            let (own, state) = (self.state.source, &mut self.state);
            let ended = if let Some(bucket) = self.buckets.get(own) {
                state.run_unfiled(&bucket.0, subject, found)
            } else if let Some(source) = self.sources.get(own - self.buckets.len()) {
                state.run(source, &self.buckets, subject, found)
            } else {
                return if state.given_up { SearchEnd::TooCostly } else { SearchEnd::Complete };
            };
            match ended {
                SearchEnd::Complete => (self.state.source, self.state.from) = (self.state.source + 1, FIRST),
                ended => return ended,
            }
        }
        SearchEnd::Paused
    }
}

/// A slice is over.
struct Paused;

impl<T: Listener> SearchState<T> {
    fn new(limits: &FilterLimits) -> Self {
        Self {
            source: 0,
            from: FIRST,
            steps: Steps::new(limits.steps_per_event_max),
            steps_per_listener_max: limits.steps_per_trigger_max,
            too_costly: Vec::new(),
            evaluated: HashSet::default(),
            given_up: false,
        }
    }

    /// The listeners of a bucket that no look-up finds.
    fn run_unfiled(
        &mut self,
        bucket: &BucketContents<T>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let mut ended = SearchEnd::Complete;
        match bucket {
            BucketContents::Few(few) => {
                for (place, listener) in few.iter().enumerate().skip(self.from.1) {
                    self.from.1 = place + 1;
                    ended = self.evaluate(listener, subject, found);
                    if ended != SearchEnd::Complete {
                        break;
                    }
                }
            }
            BucketContents::Many(many) => {
                many.everyone.walk(Some(self.from.1), (), |listener| {
                    self.from.1 = listener.key() + 1;
                    ended = self.evaluate(listener, subject, found);
                    ended == SearchEnd::Complete
                });
            }
        }
        ended
    }

    fn run(
        &mut self,
        source: &CandidateSource<T>,
        buckets: &SearchedBuckets<T>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let mut ended = SearchEnd::Complete;
        match source {
            CandidateSource::Postings { bucket, hash } => {
                let posting = buckets.many(*bucket).and_then(|many| many.postings.get(*hash));
                let Some(posting) = posting else { return SearchEnd::Complete };
                posting.walk(self.from.1, |listener| {
                    self.from.1 = listener.key() + 1;
                    ended = self.candidate(listener, in_several(listener.as_ref()), subject, found);
                    ended == SearchEnd::Complete
                });
            }
            CandidateSource::Ranges { node, number, repeated } => {
                let from = (self.from != FIRST).then_some(self.from);
                node.ranges.walk(from, *number, |range| {
                    fetch::listener(range.listener.as_ref());
                    let (low, address, place) = range.key();
                    self.from = (low, address, place + 1);
                    if self.steps.take(1).is_err() {
                        ended = SearchEnd::TooCostly;
                    } else if !repeated || self.evaluated.insert(address) {
                        let in_several = !repeated && in_several(range.listener.as_ref());
                        ended = self.candidate(&range.listener, in_several, subject, found);
                    } else {
                        ended = self.go_on();
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
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        if in_several && !self.evaluated.insert(address(listener)) {
            return match self.steps.take(1) {
                Ok(()) => self.go_on(),
                Err(TooCostly) => SearchEnd::TooCostly,
            };
        }
        self.evaluate(listener, subject, found)
    }

    fn evaluate(
        &mut self,
        listener: &Arc<T>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let Some(pattern) = listener.pattern() else {
            return if found(listener) { self.go_on() } else { SearchEnd::Paused };
        };
        let given = self.steps_per_listener_max.min(self.steps.left());
        let mut steps = Steps::new(given);
        let matches = pattern.matches(subject, &mut steps);
        let used = given - steps.left();
        let charged = if matches == Ok(true) { used.saturating_sub(FREE_STEPS) } else { used.max(1) };
        let out_of_steps = self.steps.take(charged).is_err();
        match matches {
            Ok(true) if !found(listener) => SearchEnd::Paused,
            Ok(_) if out_of_steps => SearchEnd::TooCostly,
            Ok(_) => self.go_on(),
            Err(TooCostly) if self.steps.left() == 0 => SearchEnd::TooCostly,
            Err(TooCostly) => {
                self.too_costly.push(Arc::clone(listener));
                self.go_on()
            }
        }
    }

    /// After a candidate: continues with the next one, unless the slice is over.
    fn go_on(&self) -> SearchEnd {
        if self.steps.slice_is_over() { SearchEnd::Paused } else { SearchEnd::Complete }
    }
}
