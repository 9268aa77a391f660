//! Walks the data of an event beside the paths of a bucket, and collects where candidates are. A walk can be paused at any
//! member, element and part of a text, and resumed there.

use std::collections::HashSet;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::Listener;
use super::bucket::IndexedListeners;
use super::key::{LookupKind, Path};
use super::paths::{PathChild, PathLookup, PathNode};
use crate::json::{Json, Object};
use crate::matching::evaluate::Subject;
use crate::matching::network::NetworkAddress;
use crate::matching::steps::{Steps, TooCostly};

/// How many lookups are under way at once.
const PENDING_MAX: usize = 8;

/// Why a walk ended before all of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalkEnd {
    /// It is to be resumed.
    Paused,
    TooCostly,
}

impl From<TooCostly> for WalkEnd {
    fn from(_: TooCostly) -> Self {
        Self::TooCostly
    }
}

/// Where a walk is, between its slices.
#[derive(Debug, Default)]
pub(super) struct WalkPosition {
    /// For each level, from the innermost to the outermost, the place that is next there, or that is under way.
    places: Vec<u64>,
    /// The lookups that were made in lists.
    looked_up: HashSet<u64, foldhash::fast::FixedState>,
}

/// The place where a level that is counted begins.
fn at(place: Option<u64>) -> usize {
    place.unwrap_or(0) as usize
}

/// A source of candidates, beside those of a bucket that no look-up finds.
#[derive(Debug)]
pub(super) enum CandidateSource<T> {
    /// The listeners of a bucket with this hash; there are some.
    Postings { bucket: usize, hash: u64 },
    /// Listeners whose range contains a number; `repeated`: there may be further numbers.
    Ranges { node: Arc<PathNode<T>>, number: i64, repeated: bool },
}

/// A walk, which notes what may be found.
pub(super) struct DataWalk<'s, 'd, T> {
    many: &'s IndexedListeners<T>,
    bucket: usize,
    sources: &'s mut Vec<CandidateSource<T>>,
    steps: &'s mut Steps,
    subject: &'s mut Subject<'d>,
    position: &'s mut WalkPosition,
    /// Whether the same lookup may be repeated, because the walk is inside a list.
    repeated: bool,
    /// Hashes whose postings are being fetched; whether their lookup may be repeated.
    pending: ArrayVec<(u64, bool), PENDING_MAX>,
}

impl<'s, 'd, T: Listener> DataWalk<'s, 'd, T> {
    pub(super) fn new(
        many: &'s IndexedListeners<T>,
        bucket: usize,
        sources: &'s mut Vec<CandidateSource<T>>,
        steps: &'s mut Steps,
        subject: &'s mut Subject<'d>,
        position: &'s mut WalkPosition,
    ) -> Self {
        Self { many, bucket, sources, steps, subject, position, repeated: false, pending: ArrayVec::new() }
    }

    /// Continues at the position to the end of the data, or to the next pause.
    pub(super) fn run(&mut self) -> Result<(), WalkEnd> {
        let walked = self.members(&self.many.paths, Path::ROOT, self.subject.data);
        self.settle();
        walked
    }

    /// Charges what is next at a level. What was under way when the walk paused is charged already.
    #[inline]
    fn next(&mut self, is_under_way: bool) -> Result<(), WalkEnd> {
        if is_under_way {
            return Ok(());
        }
        if self.steps.slice_is_over() {
            return Err(WalkEnd::Paused);
        }
        Ok(self.steps.take(1)?)
    }

    /// Where a level begins that the walk paused in: the place, and whether it was under way.
    #[inline]
    fn begin(&mut self) -> (Option<u64>, bool) {
        let place = self.position.places.pop();
        (place, place.is_some() && !self.position.places.is_empty())
    }

    /// Notes the place at a level if the walk pauses there.
    #[inline]
    fn noted(&mut self, place: u64, walked: Result<(), WalkEnd>) -> Result<(), WalkEnd> {
        if walked == Err(WalkEnd::Paused) {
            self.position.places.push(place);
        }
        walked
    }

    fn value(&mut self, child: &PathChild<T>, value: Json<'d>) -> Result<(), WalkEnd> {
        match value {
            Json::Array(elements) => {
                let outside = std::mem::replace(&mut self.repeated, true);
                let (first, mut is_under_way) = self.begin();
                for (place, element) in elements.iter().enumerate().skip(at(first)) {
                    let walked = self.next(is_under_way).and_then(|()| self.value(child, element));
                    self.noted(place as u64, walked)?;
                    is_under_way = false;
                }
                self.repeated = outside;
                Ok(())
            }
            Json::Object(members) => self.members(&child.node, child.path, members),
            scalar => self.scalar(&child.node, child.path, scalar),
        }
    }

    /// Looks at the members that the paths know, from the side that has fewer.
    fn members(&mut self, node: &PathNode<T>, path: Path, members: Object<'d>) -> Result<(), WalkEnd> {
        if node.children.is_empty() {
            return Ok(());
        }
        let (first, mut is_under_way) = self.begin();
        if members.len() < node.children.len() {
            for (place, (name, member)) in members.iter().enumerate().skip(at(first)) {
                let walked = self.next(is_under_way).and_then(|()| match node.children.get(path.member(name)) {
                    Some(child) => self.value(child, member),
                    None => Ok(()),
                });
                self.noted(place as u64, walked)?;
                is_under_way = false;
            }
            return Ok(());
        }
        let mut walked = Ok(());
        node.children.walk(first.map(Path), (), |child| {
            walked = self.next(is_under_way).and_then(|()| match members.get(&child.name) {
                Some(member) => self.value(child, member),
                None => Ok(()),
            });
            walked = self.noted(child.path.0, walked);
            is_under_way = false;
            walked.is_ok()
        });
        walked
    }

    fn scalar(&mut self, node: &Arc<PathNode<T>>, path: Path, value: Json<'d>) -> Result<(), WalkEnd> {
        let (first, mut is_under_way) = self.begin();
        for (place, probe) in node.probes.iter().enumerate().skip(at(first)) {
            let walked = self.next(is_under_way).and_then(|()| self.probe(path, probe, value));
            self.noted(place as u64, walked)?;
            is_under_way = false;
        }
        if let Json::Number(text) = value {
            self.number(node, path, text)?;
        }
        Ok(())
    }

    fn probe(&mut self, path: Path, probe: &PathLookup, value: Json<'d>) -> Result<(), WalkEnd> {
        match (probe.kind, value) {
            (LookupKind::Present, _) => self.look_up(path.bare(LookupKind::Present)),
            (LookupKind::Literal, Json::Null) => self.look_up(path.literal(None)),
            (LookupKind::Literal, Json::Bool(truth)) => self.look_up(path.literal(Some(truth))),
            (_, Json::String(text)) => self.text(path, probe, text)?,
            _ => {}
        }
        Ok(())
    }

    fn number(&mut self, node: &Arc<PathNode<T>>, path: Path, text: &'d str) -> Result<(), TooCostly> {
        let wants = |kind| node.probes.iter().any(|probe| probe.kind == kind);
        let (exact, range) = (wants(LookupKind::Number), wants(LookupKind::Range));
        if !exact && !range {
            return Ok(());
        }
        let number = self.subject.number(text, self.steps)?;
        if exact {
            self.look_up(path.number(number));
        }
        let number = number.coarse();
        if range && (!self.repeated || self.position.looked_up.insert(path.range(number))) {
            node.ranges.fetch(number);
            self.sources.push(CandidateSource::Ranges { node: Arc::clone(node), number, repeated: self.repeated });
        }
        Ok(())
    }

    fn text(&mut self, path: Path, probe: &PathLookup, text: &str) -> Result<(), WalkEnd> {
        let (kind, length) = (probe.kind, usize::from(probe.length));
        let may_hold = |affix: &str| probe.may_hold(affix.as_bytes());
        match kind {
            LookupKind::Text => {
                self.steps.take(text.len() / 64)?;
                self.look_up(path.text(kind, 0, text));
            }
            LookupKind::Folded => {
                self.steps.take(text.len() / 8)?;
                self.look_up(path.folded(kind, 0, text.chars()));
            }
            LookupKind::Prefix => {
                if let Some(affix) = text.get(..length).filter(|affix| may_hold(affix)) {
                    self.look_up(path.text(kind, length, affix));
                }
            }
            LookupKind::Suffix => {
                let affix = text.len().checked_sub(length).and_then(|start| text.get(start..));
                if let Some(affix) = affix.filter(|affix| may_hold(affix)) {
                    self.look_up(path.text(kind, length, affix));
                }
            }
            LookupKind::PrefixFolded if text.chars().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().take(length)));
            }
            LookupKind::SuffixFolded if text.chars().rev().take(length).count() == length => {
                self.look_up(path.folded(kind, length, text.chars().rev().take(length)));
            }
            LookupKind::Part => {
                let (first, _) = self.begin();
                for (place, part) in text.as_bytes().windows(length).enumerate().skip(at(first)) {
                    let walked = self.next(false);
                    self.noted(place as u64, walked)?;
                    self.look_up_once(path.bytes(kind, length, part), true);
                }
            }
            LookupKind::NetworkV4 | LookupKind::NetworkV6 => {
                let network =
                    NetworkAddress::new(text).and_then(|a| a.network(kind == LookupKind::NetworkV4, length as u8));
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
        self.many.postings.fetch(hash);
        if self.pending.is_full() {
            self.settle();
        }
        self.pending.push((hash, repeated));
    }

    /// Notes the pending ones, now that their postings came.
    fn settle(&mut self) {
        for (hash, repeated) in self.pending.drain(..) {
            if let Some(posting) = self.many.postings.get(hash)
                && (!repeated || self.position.looked_up.insert(hash))
            {
                posting.fetch();
                self.sources.push(CandidateSource::Postings { bucket: self.bucket, hash });
            }
        }
    }
}
