//! Finds the listeners in some buckets that an event fires. First the event's data is walked and candidates are
//! collected; then each candidate is evaluated once. A search can be paused after any of them and resumed.

use std::collections::HashSet;
use std::sync::Arc;

use super::Listener;
use super::bucket::{Bucket, Held, Many};
use super::key::{Kind, Path};
use super::paths::{PathChild, PathNode, Probe, address};
use super::postings::Member;
use super::tree::Entry;
use crate::json::{Json, Object};
use crate::matching::evaluate::Subject;
use crate::matching::limits::FilterLimits;
use crate::matching::network::Address;
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
    sources: Vec<Source<T>>,
    state: State<T>,
}

/// The progress of a search.
#[derive(Debug)]
struct State<T> {
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

/// A source of candidates.
#[derive(Debug)]
enum Source<T> {
    /// All listeners of a bucket, by its index.
    Few(usize),
    /// The listeners of a bucket that no look-up finds.
    Everyone(usize),
    /// The listeners of a bucket with this hash; there are some.
    Postings { bucket: usize, hash: u64 },
    /// Listeners whose range contains a number; `repeated`: there may be further numbers.
    Ranges { node: Arc<PathNode<T>>, number: i64, repeated: bool },
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
        let mut state = State {
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
                Held::Few(few) if few.is_empty() => continue,
                Held::Few(_) => sources.push(Source::Few(place)),
                Held::Many(many) => {
                    if !many.everyone.is_empty() {
                        sources.push(Source::Everyone(place));
                    }
                    let mut walk = Walk::new(many, place, &mut sources, &mut state.steps, subject);
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

impl<T: Listener> State<T> {
    fn run(
        &mut self,
        source: &Source<T>,
        buckets: &[Bucket<T>],
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let mut ended = SearchEnd::Complete;
        match source {
            Source::Few(bucket) => {
                let Held::Few(few) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                for (place, listener) in few.iter().enumerate().skip(self.from.1) {
                    self.from.1 = place + 1;
                    ended = self.evaluate(listener, subject, found);
                    if ended != SearchEnd::Complete {
                        break;
                    }
                }
            }
            Source::Everyone(bucket) => {
                let Held::Many(many) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                many.everyone.walk(self.from.1, i64::MIN, |Member(listener)| {
                    self.from.1 = address(listener) + 1;
                    ended = self.evaluate(listener, subject, found);
                    ended == SearchEnd::Complete
                });
            }
            Source::Postings { bucket, hash } => {
                let Held::Many(many) = &buckets[*bucket].0 else { return SearchEnd::Complete };
                let Some(listeners) = many.postings.get(*hash) else { return SearchEnd::Complete };
                listeners.walk(self.from.1, |listener| {
                    self.from.1 = address(listener) + 1;
                    ended = self.candidate(listener, subject, found);
                    ended == SearchEnd::Complete
                });
            }
            Source::Ranges { node, number, repeated } => {
                node.ranges.walk(self.from, *number, |range| {
                    if range.low > *number {
                        return false;
                    }
                    let (low, address, place) = range.key();
                    self.from = (low, address, place + 1);
                    if self.steps.take(1).is_err() {
                        ended = SearchEnd::TooCostly;
                    } else if range.high >= *number && (!repeated || self.evaluated.insert(address)) {
                        ended = match repeated {
                            true => self.evaluate(&range.listener, subject, found),
                            false => self.candidate(&range.listener, subject, found),
                        };
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
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&Arc<T>) -> bool,
    ) -> SearchEnd {
        let in_several = listener.filing().0.get().is_some_and(|filed| filed.places().len() > 1);
        if in_several && !self.evaluated.insert(address(listener)) {
            return match self.steps.take(1) {
                Ok(()) => SearchEnd::Complete,
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
            return if found(listener) { SearchEnd::Complete } else { SearchEnd::Paused };
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
            Ok(_) => SearchEnd::Complete,
            Err(TooCostly) if self.steps.left() == 0 => SearchEnd::TooCostly,
            Err(TooCostly) => {
                self.too_costly.push(Arc::clone(listener));
                SearchEnd::Complete
            }
        }
    }
}

/// Walks the data of an event beside the paths of a bucket, and notes what may be found.
struct Walk<'s, 'd, T> {
    many: &'s Many<T>,
    bucket: usize,
    sources: &'s mut Vec<Source<T>>,
    steps: &'s mut Steps,
    subject: &'s mut Subject<'d>,
    /// The same lookup may come again, as a list was entered.
    repeated: bool,
    /// What was looked up where that is so.
    looked_up: HashSet<u64, foldhash::fast::FixedState>,
}

impl<'s, 'd, T: Listener> Walk<'s, 'd, T> {
    fn new(
        many: &'s Many<T>,
        bucket: usize,
        sources: &'s mut Vec<Source<T>>,
        steps: &'s mut Steps,
        subject: &'s mut Subject<'d>,
    ) -> Self {
        Self { many, bucket, sources, steps, subject, repeated: false, looked_up: HashSet::default() }
    }

    fn all(&mut self) -> Result<(), TooCostly> {
        self.members(&self.many.paths, Path::ROOT, self.subject.data)
    }

    fn value(&mut self, child: &PathChild<T>, value: Json<'d>) -> Result<(), TooCostly> {
        match value {
            Json::Array(elements) => {
                let outside = std::mem::replace(&mut self.repeated, true);
                for element in elements.iter() {
                    self.steps.take(1)?;
                    self.value(child, element)?;
                }
                self.repeated = outside;
                Ok(())
            }
            Json::Object(members) => self.members(&child.node, child.path, members),
            scalar => self.scalar(&child.node, child.path, scalar),
        }
    }

    /// Looks at the members that the paths know, from the side that has fewer.
    fn members(&mut self, node: &PathNode<T>, path: Path, members: Object<'d>) -> Result<(), TooCostly> {
        if node.children.is_empty() {
            return Ok(());
        }
        if members.len() < node.children.len() {
            for (name, member) in members.iter() {
                self.steps.take(1)?;
                if let Some(child) = node.children.get(path.member(name)) {
                    self.value(child, member)?;
                }
            }
            return Ok(());
        }
        let mut walked = Ok(());
        node.children.walk(Path::ROOT, i64::MIN, |child| {
            walked = self.steps.take(1);
            if let (Ok(()), Some(member)) = (&walked, members.get(&child.name)) {
                walked = self.value(child, member);
            }
            walked.is_ok()
        });
        walked
    }

    fn scalar(&mut self, node: &Arc<PathNode<T>>, path: Path, value: Json<'d>) -> Result<(), TooCostly> {
        for probe in &node.probes {
            self.steps.take(1)?;
            match (probe.kind, value) {
                (Kind::Present, _) => self.look_up(path.bare(Kind::Present)),
                (Kind::Literal, Json::Null) => self.look_up(path.literal(None)),
                (Kind::Literal, Json::Bool(truth)) => self.look_up(path.literal(Some(truth))),
                (_, Json::String(text)) => self.text(path, probe, text)?,
                _ => {}
            }
        }
        if let Json::Number(text) = value {
            self.number(node, path, text)?;
        }
        Ok(())
    }

    fn number(&mut self, node: &Arc<PathNode<T>>, path: Path, text: &'d str) -> Result<(), TooCostly> {
        let wants = |kind| node.probes.iter().any(|probe| probe.kind == kind);
        let (exact, range) = (wants(Kind::Number), wants(Kind::Range));
        if !exact && !range {
            return Ok(());
        }
        let number = self.subject.number(text, self.steps)?;
        if exact {
            self.look_up(path.number(number));
        }
        let number = number.coarse();
        if range && (!self.repeated || self.looked_up.insert(path.range(number))) {
            self.sources.push(Source::Ranges { node: Arc::clone(node), number, repeated: self.repeated });
        }
        Ok(())
    }

    fn text(&mut self, path: Path, probe: &Probe, text: &str) -> Result<(), TooCostly> {
        let (kind, length) = (probe.kind, usize::from(probe.length));
        let may_hold = |affix: &str| probe.may_hold(affix.as_bytes());
        match kind {
            Kind::Text => {
                self.steps.take(text.len() / 64)?;
                self.look_up(path.text(kind, 0, text));
            }
            Kind::Folded => {
                self.steps.take(text.len() / 8)?;
                self.look_up(path.folded(kind, 0, text.chars()));
            }
            Kind::Prefix => {
                if let Some(affix) = text.get(..length).filter(|affix| may_hold(affix)) {
                    self.look_up(path.text(kind, length, affix));
                }
            }
            Kind::Suffix => {
                let affix = text.len().checked_sub(length).and_then(|start| text.get(start..));
                if let Some(affix) = affix.filter(|affix| may_hold(affix)) {
                    self.look_up(path.text(kind, length, affix));
                }
            }
            Kind::PrefixFolded if text.chars().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().take(length)));
            }
            Kind::SuffixFolded if text.chars().rev().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().rev().take(length)));
            }
            Kind::Part => {
                for part in text.as_bytes().windows(length) {
                    self.steps.take(1)?;
                    self.look_up_once(path.bytes(kind, length, part), true);
                }
            }
            Kind::NetworkV4 | Kind::NetworkV6 => {
                let network = Address::new(text).and_then(|a| a.network(kind == Kind::NetworkV4, length as u8));
                if let Some(network) = network {
                    self.look_up(path.network(&network));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn look_up(&mut self, hash: u64) {
        self.look_up_once(hash, self.repeated);
    }

    /// Notes who is filed under a hash; once, where the same lookup may be repeated.
    fn look_up_once(&mut self, hash: u64, repeated: bool) {
        if self.many.postings.get(hash).is_some() && (!repeated || self.looked_up.insert(hash)) {
            self.sources.push(Source::Postings { bucket: self.bucket, hash });
        }
    }
}
