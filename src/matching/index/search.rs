//! Finds the listeners in some buckets that an event fires. First the event's data are walked and what may be found is
//! noted; then the candidates are evaluated, each once. It can be broken off after any of them and resumed.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::evaluate::Subject;
use super::super::limits::Limits;
use super::super::network::Address;
use super::super::steps::{Steps, TooCostly};
use super::Listener;
use super::bucket::{Bucket, Held, Many};
use super::key::{Kind, Path};
use super::paths::{PathNode, address};
use super::tree::Entry;
use crate::json::Json;

/// Steps of a pattern that matches which the event's budget is not charged with: what an event costs depends on what
/// it fires.
const FREE_STEPS: usize = 100;
/// Before all entries of a source.
const FIRST: (i64, usize, u32) = (i64::MIN, 0, 0);

/// How a search came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every listener that the event fires was found.
    Complete,
    /// Whoever was told of one wanted no more; [`Search::run`] goes on after it.
    Paused,
    /// The event's steps were used up; what else it might fire is not known.
    TooCostly,
}

/// A search for what one event fires.
#[derive(Debug)]
pub struct Search<'i, T> {
    sources: Vec<Source<'i, T>>,
    /// Which source is next, and from which of its entries on.
    source: usize,
    from: (i64, usize, u32),
    steps: Steps,
    steps_per_listener_max: usize,
    /// Listeners whose patterns took more steps than one may.
    too_costly: usize,
    /// The walk was given up.
    given_up: bool,
    /// What was looked up, and who was evaluated, where that could be more than once. They stay empty for most events.
    looked_up: HashSet<u64, foldhash::fast::FixedState>,
    evaluated: HashSet<usize, foldhash::fast::FixedState>,
}

/// Candidates.
#[derive(Debug)]
enum Source<'i, T> {
    Few(&'i [Arc<T>]),
    /// Those under a hash.
    Postings {
        many: &'i Many<T>,
        hash: u64,
    },
    /// Those with a range that holds a number; `repeated`: there may be other numbers.
    Ranges {
        node: &'i PathNode<T>,
        number: i64,
        repeated: bool,
    },
}

impl<'i, T: Listener> Search<'i, T> {
    /// A search in some buckets.
    pub fn new(buckets: impl Iterator<Item = &'i Bucket<T>>, subject: &mut Subject<'_>, limits: &Limits) -> Self {
        let mut search = Self {
            sources: Vec::new(),
            source: 0,
            from: FIRST,
            steps: Steps::new(limits.steps_per_event_max),
            steps_per_listener_max: limits.steps_per_trigger_max,
            too_costly: 0,
            given_up: false,
            looked_up: HashSet::default(),
            evaluated: HashSet::default(),
        };
        for bucket in buckets {
            match &bucket.0 {
                Held::Few(few) => search.sources.push(Source::Few(few)),
                Held::Many(many) => {
                    for hash in Many::<T>::unfiled() {
                        search.sources.push(Source::Postings { many, hash });
                    }
                    let data = Json::Object(subject.data);
                    let mut walk = Walk { search: &mut search, subject, many, repeated: false };
                    if walk.value(&many.paths, Path::ROOT, data).is_err() {
                        search.given_up = true;
                    }
                }
            }
        }
        search
    }

    /// How many listeners had patterns that took more steps than one may.
    pub fn too_costly(&self) -> usize {
        self.too_costly
    }

    /// How many of the event's steps are left.
    pub fn steps_left(&self) -> usize {
        self.steps.left()
    }

    /// Calls `found` with each listener that the event fires, as long as it wants more.
    pub fn run(&mut self, subject: &mut Subject<'_>, mut found: impl FnMut(&'i Arc<T>) -> bool) -> Ended {
        while self.source < self.sources.len() {
            match self.run_source(subject, &mut found) {
                Ended::Complete => (self.source, self.from) = (self.source + 1, FIRST),
                ended => return ended,
            }
        }
        if self.given_up { Ended::TooCostly } else { Ended::Complete }
    }

    fn run_source(&mut self, subject: &mut Subject<'_>, found: &mut impl FnMut(&'i Arc<T>) -> bool) -> Ended {
        let mut ended = Ended::Complete;
        match self.sources[self.source] {
            Source::Few(few) => {
                for (place, listener) in few.iter().enumerate().skip(self.from.1) {
                    self.from.1 = place + 1;
                    ended = self.candidate(listener, subject, found);
                    if ended != Ended::Complete {
                        break;
                    }
                }
            }
            Source::Postings { many, hash } => {
                many.postings.walk((hash, self.from.1), i64::MIN, |posting| {
                    if posting.hash != hash {
                        return false;
                    }
                    self.from.1 = address(&posting.listener) + 1;
                    ended = self.candidate(&posting.listener, subject, found);
                    ended == Ended::Complete
                });
            }
            Source::Ranges { node, number, repeated } => {
                node.ranges.walk(self.from, number, |range| {
                    if range.low > number {
                        return false;
                    }
                    let (low, address, place) = range.key();
                    self.from = (low, address, place + 1);
                    if self.steps.take(1).is_err() {
                        ended = Ended::TooCostly;
                    } else if range.high >= number && (!repeated || self.evaluated.insert(address)) {
                        ended = match repeated {
                            true => self.evaluate(&range.listener, subject, found),
                            false => self.candidate(&range.listener, subject, found),
                        };
                    }
                    ended == Ended::Complete
                });
            }
        }
        ended
    }

    /// A candidate of a source in which it is once.
    fn candidate(
        &mut self,
        listener: &'i Arc<T>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&'i Arc<T>) -> bool,
    ) -> Ended {
        let in_several = listener.filing().0.get().is_some_and(|filed| filed.places().len() > 1);
        if in_several && !self.evaluated.insert(address(listener)) {
            return match self.steps.take(1) {
                Ok(()) => Ended::Complete,
                Err(TooCostly) => Ended::TooCostly,
            };
        }
        self.evaluate(listener, subject, found)
    }

    fn evaluate(
        &mut self,
        listener: &'i Arc<T>,
        subject: &mut Subject<'_>,
        found: &mut impl FnMut(&'i Arc<T>) -> bool,
    ) -> Ended {
        let Some(pattern) = listener.pattern() else {
            return if found(listener) { Ended::Complete } else { Ended::Paused };
        };
        let given = self.steps_per_listener_max.min(self.steps.left());
        let mut steps = Steps::new(given);
        let matches = pattern.matches(subject, &mut steps);
        let used = given - steps.left();
        let charged = if matches == Ok(true) { used.saturating_sub(FREE_STEPS) } else { used.max(1) };
        let out_of_steps = self.steps.take(charged).is_err();
        match matches {
            Ok(true) if !found(listener) => Ended::Paused,
            Ok(_) if out_of_steps => Ended::TooCostly,
            Ok(_) => Ended::Complete,
            Err(TooCostly) if self.steps.left() == 0 => Ended::TooCostly,
            Err(TooCostly) => {
                self.too_costly += 1;
                Ended::Complete
            }
        }
    }
}

/// Walks the data of an event beside the paths of a bucket.
struct Walk<'s, 'i, 'd, T> {
    search: &'s mut Search<'i, T>,
    subject: &'s mut Subject<'d>,
    many: &'i Many<T>,
    /// The same lookup may come again, as a list was entered.
    repeated: bool,
}

impl<'i, 'd, T: Listener> Walk<'_, 'i, 'd, T> {
    fn value(&mut self, node: &'i PathNode<T>, path: Path, value: Json<'d>) -> Result<(), TooCostly> {
        match value {
            Json::Array(elements) => {
                let outside = std::mem::replace(&mut self.repeated, true);
                for element in elements.iter() {
                    self.search.steps.take(1)?;
                    self.value(node, path, element)?;
                }
                self.repeated = outside;
                Ok(())
            }
            Json::Object(members) if !node.children.is_empty() => {
                if members.len() < node.children.len() {
                    for (name, member) in members.iter() {
                        self.search.steps.take(1)?;
                        if let Some(child) = node.children.get(path.member(name)) {
                            self.value(&child.node, child.path, member)?;
                        }
                    }
                    return Ok(());
                }
                let mut walked = Ok(());
                node.children.walk(Path::ROOT, i64::MIN, |child| {
                    walked = self.search.steps.take(1);
                    if let (Ok(()), Some(member)) = (&walked, members.get(&child.name)) {
                        walked = self.value(&child.node, child.path, member);
                    }
                    walked.is_ok()
                });
                walked
            }
            Json::Object(_) => Ok(()),
            scalar => self.scalar(node, path, scalar),
        }
    }

    fn scalar(&mut self, node: &'i PathNode<T>, path: Path, value: Json<'d>) -> Result<(), TooCostly> {
        for probe in &node.probes {
            self.search.steps.take(1)?;
            let length = usize::from(probe.length);
            match (probe.kind, value) {
                (Kind::Present, _) => self.look_up(path.bare(Kind::Present)),
                (Kind::Literal, Json::Null) => self.look_up(path.literal(None)),
                (Kind::Literal, Json::Bool(truth)) => self.look_up(path.literal(Some(truth))),
                (_, Json::String(text)) => self.text(path, probe.kind, length, text)?,
                _ => {}
            }
        }
        if let Json::Number(text) = value {
            self.number(node, path, text)?;
        }
        Ok(())
    }

    fn number(&mut self, node: &'i PathNode<T>, path: Path, text: &'d str) -> Result<(), TooCostly> {
        let wants = |kind| node.probes.iter().any(|probe| probe.kind == kind);
        let (exact, range) = (wants(Kind::Number), wants(Kind::Range));
        if !exact && !range {
            return Ok(());
        }
        let number = self.subject.number(text, &mut self.search.steps)?;
        if exact {
            self.look_up(path.number(number));
        }
        let number = number.coarse();
        if range && (!self.repeated || self.search.looked_up.insert(path.range(number))) {
            self.search.sources.push(Source::Ranges { node, number, repeated: self.repeated });
        }
        Ok(())
    }

    fn text(&mut self, path: Path, kind: Kind, length: usize, text: &str) -> Result<(), TooCostly> {
        match kind {
            Kind::Text => {
                self.search.steps.take(text.len() / 64)?;
                self.look_up(path.text(kind, 0, text));
            }
            Kind::Folded => {
                self.search.steps.take(text.len() / 8)?;
                self.look_up(path.folded(kind, 0, text.chars()));
            }
            Kind::Prefix if text.is_char_boundary(length) && length <= text.len() => {
                self.look_up(path.text(kind, length, &text[..length]));
            }
            Kind::Suffix if length <= text.len() && text.is_char_boundary(text.len() - length) => {
                self.look_up(path.text(kind, length, &text[text.len() - length..]));
            }
            Kind::PrefixFolded if text.chars().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().take(length)));
            }
            Kind::SuffixFolded if text.chars().rev().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().rev().take(length)));
            }
            Kind::Part => {
                for part in text.as_bytes().windows(length) {
                    self.search.steps.take(1)?;
                    self.look_up_repeated(path.bytes(kind, length, part));
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
        if self.repeated { self.look_up_repeated(hash) } else { self.note(hash) }
    }

    fn look_up_repeated(&mut self, hash: u64) {
        if self.search.looked_up.insert(hash) {
            self.note(hash);
        }
    }

    fn note(&mut self, hash: u64) {
        self.search.sources.push(Source::Postings { many: self.many, hash });
    }
}
