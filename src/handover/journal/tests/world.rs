//! Plays histories on a journal like the threads of a node, and records after which operation of the file system each
//! firing was promised, named as begun, and sent. So for any crash a test knows what must be found after it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;

use super::super::accept::{AcceptedPart, Acceptor, PartialRequest, RecordsEnd};
use super::super::begin::{Beginner, BegunGroup};
use super::super::body::{EventFields, FiringFields};
use super::super::format::{BootId, Durability};
use super::super::keeper::{Keeper, join, records_at};
use super::super::ledger::{EntryFiring, ListedFirings};
use super::super::recovery::{self, RecoveryError, RecoveryReport};
use super::super::registry::{RegistrySettings, SegmentRegistry};
use super::disk_model::{DiskModel, Fault, ModelFile, Point};
pub(crate) use super::steps::{Fate, Name, Step};

pub(crate) const BOOT: BootId = BootId([1; 16]);
pub(crate) const OTHER_BOOT: BootId = BootId([2; 16]);
/// Small, so that short histories fill some segments.
pub(crate) const SEGMENT_BYTES: usize = 1_024;

/// An event of a history.
struct Drawn {
    id: String,
    data: String,
}

impl Drawn {
    fn fields(&self, accepted_ms: u64) -> EventFields<'_> {
        EventFields { accepted_ms, id: &self.id, data: &self.data, account: "acme", ..EventFields::default() }
    }
}

fn names(triggers: usize) -> Vec<String> {
    (0..triggers).map(|number| format!("t{number}")).collect()
}

fn listed(triggers: &[String]) -> Vec<(u64, &str)> {
    triggers.iter().map(|id| (7, id.as_str())).collect()
}

pub(crate) struct World {
    pub(crate) disk: DiskModel,
    pub(crate) journal: Arc<SegmentRegistry<DiskModel>>,
    acceptors: Vec<Acceptor<DiskModel>>,
    beginners: Vec<Beginner<DiskModel>>,
    pub(crate) keeper: Keeper<DiskModel>,
    pub(crate) report: RecoveryReport,
    pub(crate) fates: BTreeMap<Name, Fate>,
    /// Unsettled firings, as the queues of the dispatchers hold them.
    pub(crate) queued: Vec<(Name, EntryFiring<ModelFile>)>,
    /// With `power`: requests that wait for a sync.
    unanswered: Vec<(Vec<RecordsEnd<ModelFile>>, Vec<Name>)>,
    unsent: Vec<(BegunGroup<ModelFile>, Vec<Name>)>,
    /// The firings of each request.
    pub(crate) requests: Vec<Vec<Name>>,
    /// What was dropped and waits for a round.
    dropped: Vec<Name>,
    level: Durability,
    events: usize,
    pub(crate) now_ms: u64,
}

impl World {
    pub(crate) fn start(disk: DiskModel, level: Durability, boot: BootId) -> Result<Self, RecoveryError> {
        Self::start_with(disk, RegistrySettings { level, boot, segment_bytes: SEGMENT_BYTES })
    }

    pub(crate) fn start_with(disk: DiskModel, settings: RegistrySettings) -> Result<Self, RecoveryError> {
        let opened = recovery::open(disk.clone(), settings, 1_000)?;
        let journal = opened.journal;
        let mut queued = Vec::new();
        let mut fates = BTreeMap::new();
        for found in opened.found {
            let (places, unsettled) = found.entry.unsettled().expect("unsettled");
            let records = records_at(&places).expect("read");
            let (accepted, listings) = join(found.entry.id, &places, &records).expect("sound records");
            let mut seen = BTreeSet::new();
            assert_eq!(&*found.account, "acme");
            let left = listings.into_iter().filter(|listing| unsettled.has(listing.index));
            for FiringFields { index, trigger, .. } in left {
                assert!(seen.insert(index), "a firing is listed twice");
                let name = (accepted.event.id.to_owned(), trigger.to_owned());
                let data = accepted.event.data.to_owned();
                // It was promised before this run.
                let fate = Fate { data, promised: Some(0), ..Fate::default() };
                assert!(fates.insert(name.clone(), fate).is_none(), "{name:?} is found twice");
                queued.push((name, (Arc::clone(&found.entry), index)));
            }
        }
        let acceptors = (0..2).map(|_| Acceptor::new(Arc::clone(&journal))).collect();
        let beginners = (0..2).map(|_| Beginner::new(Arc::clone(&journal))).collect();
        let keeper = Keeper::new(Arc::clone(&journal));
        let (unanswered, unsent, level) = (Vec::new(), Vec::new(), settings.level);
        let report = opened.report;
        let now_ms = 1_000;
        Ok(Self {
            disk,
            journal,
            acceptors,
            beginners,
            keeper,
            report,
            fates,
            queued,
            unanswered,
            unsent,
            requests: Vec::new(),
            dropped: Vec::new(),
            level,
            events: 0,
            now_ms,
        })
    }

    pub(crate) fn play(&mut self, steps: &[Step]) {
        steps.iter().for_each(|step| self.step(*step));
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.now_ms += 10;
        match step {
            Step::Accept(thread, events, triggers) => drop(self.accept(thread, events, triggers, false)),
            Step::AcceptTogether(thread, requests, events) => {
                self.accept_together(thread, requests, events, 2);
            }
            Step::AcceptInParts(thread, events, triggers) => drop(self.accept(thread, events, triggers, true)),
            Step::Begin(thread, count) => {
                let count = count.min(self.queued.len());
                let firings: Vec<_> = self.queued.drain(..count).collect();
                self.begin(thread, firings);
            }
            Step::BeginNewest(thread, count) => {
                let firings = self.queued.split_off(self.queued.len() - count.min(self.queued.len()));
                self.begin(thread, firings);
            }
            Step::Drop => {
                if let Some((name, firing)) = self.queued.pop() {
                    let operations = self.disk.operations();
                    self.fates.entry(name.clone()).or_default().named.get_or_insert(operations);
                    self.journal.unsettled.dropped(firing);
                    self.dropped.push(name);
                }
            }
            Step::Round => {
                let is_done = self.keeper.round(self.now_ms).is_ok();
                let operations = self.disk.operations();
                // Of a round that an error ended it is not known how far it came.
                for name in self.dropped.drain(..).filter(|_| is_done) {
                    self.fates.entry(name).or_default().gone.get_or_insert(operations);
                }
                self.acceptors.iter_mut().for_each(Acceptor::roll_if_asked);
                self.beginners.iter_mut().for_each(Beginner::roll_if_asked);
            }
            Step::Sync => self.sync(),
            Step::Full(bytes) => {
                for at in [Point::Write(bytes), Point::Create] {
                    self.disk.fail(Fault { at, after: 0, error: ErrorKind::StorageFull });
                }
            }
            Step::SyncFails => self.disk.fail(Fault { at: Point::SyncFile, after: 0, error: ErrorKind::Other }),
            Step::Heal => self.disk.heal(),
        }
    }

    /// Whether the request was accepted.
    pub(crate) fn accept(&mut self, thread: usize, events: usize, triggers: usize, parts: bool) -> bool {
        match parts {
            true => self.accept_parts(thread, events, triggers),
            false => self.accept_together(thread, 1, events, triggers),
        }
    }

    /// Whether the requests, which are written together, were accepted.
    fn accept_together(&mut self, thread: usize, requests: usize, events: usize, triggers: usize) -> bool {
        let (now_ms, triggers) = (self.now_ms, names(triggers));
        let (listed, mut kept) = (listed(&triggers), Vec::new());
        let drawn: Vec<Vec<Drawn>> = (0..requests).map(|_| self.draw(events)).collect();
        let parts = drawn.iter().flatten().zip(1..).map(|(event, number)| {
            let (event, commits) = (event.fields(now_ms), number % events == 0);
            AcceptedPart { event, triggers: &listed, commits }
        });
        let written = self.acceptors[thread].write_requests(parts, std::iter::empty(), now_ms, |own| kept.push(own));
        for (request, own) in drawn.iter().enumerate() {
            let names = self.know(own, &triggers, written.is_err());
            if let Ok(end) = &written {
                let own = &kept[request * events..][..events];
                self.respond_later(names, own, vec![end.clone()]);
            }
        }
        written.is_ok()
    }

    /// One request, each event in a part of its own. Its firings are handed on at once.
    fn accept_parts(&mut self, thread: usize, events: usize, triggers: usize) -> bool {
        let (now_ms, triggers, drawn) = (self.now_ms, names(triggers), self.draw(events));
        let (listed, mut request, mut known, mut done) =
            (listed(&triggers), PartialRequest::default(), Vec::new(), true);
        for event in &drawn {
            let part = AcceptedPart { event: event.fields(now_ms), triggers: &listed, commits: false };
            let acceptor = &mut self.acceptors[thread];
            // What fails is tried again.
            let mut add = || acceptor.add(&mut request, &[part], Vec::new(), now_ms).ok();
            let Some(firings) = add().or_else(add) else {
                done = false;
                break;
            };
            let names = self.know(std::slice::from_ref(event), &triggers, false);
            self.queue(&names, &firings);
            known.extend(names);
            let newest = self.queued.split_off(self.queued.len() - 1);
            self.begin(thread, newest);
            if events > 2 {
                self.sync();
            }
            let _ = self.keeper.round(now_ms);
        }
        let acceptor = &mut self.acceptors[thread];
        let mut commit = || acceptor.commit(&mut request, now_ms).is_ok();
        if done && (commit() || commit()) {
            self.respond_to(known, request.ends().to_vec());
            return true;
        }
        request.abandon();
        let operations = self.disk.operations();
        self.queued.retain(|(name, _)| !known.contains(name));
        for name in known {
            self.fates.entry(name).or_default().refused = Some(operations);
        }
        false
    }

    fn draw(&mut self, events: usize) -> Vec<Drawn> {
        let first = self.events;
        self.events += events;
        let ids = (first..self.events).map(|number| format!("r{}e{number}", self.journal.run));
        ids.map(|id| Drawn { data: format!("{{\"of\":\"{id}\"}}"), id }).collect()
    }

    /// Remembers the firings of a request, and returns their names.
    fn know(&mut self, events: &[Drawn], triggers: &[String], refused: bool) -> Vec<Name> {
        let mut names = Vec::new();
        for event in events {
            for trigger in triggers {
                let name = (event.id.clone(), trigger.clone());
                let refused = refused.then(|| self.disk.operations());
                let fate = Fate { data: event.data.clone(), refused, ..Fate::default() };
                self.fates.insert(name.clone(), fate);
                names.push(name);
            }
        }
        names
    }

    fn respond_later(
        &mut self,
        names: Vec<Name>,
        firings: &[ListedFirings<ModelFile>],
        ends: Vec<RecordsEnd<ModelFile>>,
    ) {
        self.queue(&names, firings);
        self.respond_to(names, ends);
    }

    fn queue(&mut self, names: &[Name], firings: &[ListedFirings<ModelFile>]) {
        let each = |(entry, firings): &ListedFirings<ModelFile>| {
            let entry = Arc::clone(entry);
            firings.clone().map(move |index| (Arc::clone(&entry), index))
        };
        self.queued.extend(names.iter().cloned().zip(firings.iter().flat_map(each)));
    }

    fn respond_to(&mut self, names: Vec<Name>, ends: Vec<RecordsEnd<ModelFile>>) {
        self.requests.push(names.clone());
        self.unanswered.push((ends, names));
        if self.level == Durability::Process {
            self.respond();
        }
    }

    fn begin(&mut self, thread: usize, firings: Vec<(Name, EntryFiring<ModelFile>)>) {
        if firings.is_empty() {
            return;
        }
        let operations = self.disk.operations();
        let (names, firings): (Vec<Name>, Vec<_>) = firings.into_iter().unzip();
        match self.beginners[thread].begin(firings, self.now_ms) {
            Ok(begun) => {
                for name in &names {
                    self.fates.entry(name.clone()).or_default().named.get_or_insert(operations);
                }
                self.unsent.push((begun, names));
                if self.level == Durability::Process {
                    self.send();
                }
            }
            // They wait and are tried again.
            Err(failed) => {
                // A power cut may undo that the failed record was erased.
                let end = if self.level == Durability::Power { usize::MAX } else { self.disk.operations() };
                for name in &names {
                    self.fates.entry(name.clone()).or_default().tried.push(operations..end);
                }
                self.queued.extend(names.into_iter().zip(failed.firings));
            }
        }
    }

    fn sync(&mut self) {
        if self.level == Durability::Power {
            for segment in self.journal.all() {
                let _ = self.journal.sync(&segment);
            }
            self.respond();
            self.send();
        }
    }

    /// Sends the responses whose records are as durable as the level demands.
    fn respond(&mut self) {
        let (level, operations) = (self.level, self.disk.operations());
        let is_safe = |(segment, end): &RecordsEnd<ModelFile>| {
            level == Durability::Process || segment.synced.load(std::sync::atomic::Ordering::SeqCst) >= *end
        };
        for (ends, names) in std::mem::take(&mut self.unanswered) {
            // Records of a failed sync are safe once they are rewritten and the segment holds nothing else.
            let rescued = ends.iter().all(|end| is_safe(end) || end.0.is_dead());
            if rescued {
                for name in names {
                    self.fates.entry(name).or_default().promised.get_or_insert(operations);
                }
            } else {
                self.unanswered.push((ends, names));
            }
        }
    }

    fn send(&mut self) {
        for (begun, names) in std::mem::take(&mut self.unsent) {
            let synced = begun.segment.synced.load(std::sync::atomic::Ordering::SeqCst) >= begun.end;
            if self.level == Durability::Process || synced {
                begun.mark();
                let operations = self.disk.operations();
                for name in names {
                    self.fates.entry(name).or_default().sent.get_or_insert(operations);
                }
            } else if begun.segment.failed.load(std::sync::atomic::Ordering::SeqCst) {
                self.queued.extend(names.into_iter().zip(begun.fail()));
            } else {
                self.unsent.push((begun, names));
            }
        }
    }

    pub(crate) fn found(&self) -> BTreeSet<Name> {
        self.queued.iter().map(|(name, _)| name.clone()).collect()
    }
}
