//! Reads the folder at a start: which entries have firings that no begun record names, and which of those may be sent.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use super::body::{AcceptedRecord, FiringFields, read_accepted, read_fired, read_items};
use super::ended::{EndedRun, WholeSegments};
use super::folder::{Folder, SegmentFile, read_up_to};
use super::format::{
    BootId, Durability, HeaderFault, RecordKind, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentKind, SegmentName, VERSION,
};
use super::ledger::{LedgerEntry, RecordPosition, ReleasedShares, Segment, SharedLedger};
use super::registry::{RUN_SHIFT, RegistrySettings, SegmentRegistry};
use super::scan::{Damage, Scan, ScannedRecord, WriteOrder, scan};
use super::segment::small;

/// Why a journal can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// An error of the file system.
    #[error("{0}: {1}")]
    System(String, io::Error),
    /// A later version wrote it.
    #[error(
        "{name} has format {found} and this version reads {VERSION}; start the version that wrote it, or a later one"
    )]
    Version {
        /// The segment.
        name: String,
        /// Its format.
        found: u16,
    },
}

/// The findings of a start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RecoveryReport {
    /// Firings to send.
    pub(super) unsettled: usize,
    /// Firings that are dropped because the machine was restarted and what had begun is unknown.
    pub(super) lost: usize,
    /// Firings that are dropped because a damaged begun record may have named them.
    pub(super) doubtful: usize,
    /// Firings whose event was in a damaged record.
    pub(super) orphaned: usize,
    /// Firings of requests whose producers got no response.
    pub(super) uncommitted: usize,
    /// Written parts of segments that hold no valid record.
    pub(super) damage: Vec<(String, Damage)>,
}

/// An entry with unsettled firings.
#[derive(Debug)]
pub(super) struct RecoveredEntry<F> {
    pub(super) entry: Arc<LedgerEntry<F>>,
    /// When its event was accepted.
    pub(super) accepted_ms: u64,
    /// Its account.
    pub(super) account: Arc<str>,
    /// One record lists all of its unsettled firings.
    pub(super) is_whole: bool,
}

/// A journal that was opened.
#[derive(Debug)]
pub(super) struct OpenedJournal<D: Folder> {
    pub(super) journal: Arc<SegmentRegistry<D>>,
    /// In the order of acceptance.
    pub(super) found: Vec<RecoveredEntry<D::File>>,
    pub(super) report: RecoveryReport,
}

/// Opens the journal in a folder: reads what earlier runs left, and begins a new run.
pub(super) fn open<D: Folder>(
    folder: D,
    settings: RegistrySettings,
    now_ms: u64,
) -> Result<OpenedJournal<D>, RecoveryError> {
    let names = folder.list().map_err(system("the journal's folder can't be read"))?;
    let old = list(&folder, &names)?;
    let headers: Vec<_> = old.iter().filter_map(|segment| segment.header.ok()).collect();
    let ended = names.iter().filter_map(|name| EndedRun::parse(name)).collect();
    let whole = WholeSegments { boot: settings.boot, ended };
    for run in whole.unneeded(&headers) {
        // Best effort: it changes nothing, as no later run has its number.
        let _ = folder.remove(&run.to_string());
    }
    let untrusted = untrusted(&headers, &whole);
    let runs = headers.iter().map(|header| header.run).chain(whole.ended.iter().map(|ended| ended.run)).max();
    let next_number = old.iter().map(|segment| segment.name.number).max().map_or(1, |last| last + 1);
    let mut reading = RecoveryReader::new(whole, &headers, Arc::default());
    let (begun, accepted): (Vec<_>, Vec<_>) = old.into_iter().partition(|old| old.name.kind == SegmentKind::Begun);
    let are_all_known = untrusted.is_none() && begun.iter().all(|segment| segment.header.is_ok());
    for segment in begun {
        reading.begun_segment(segment)?;
    }
    for segment in accepted {
        let after_untrusted = |header: SegmentHeader| untrusted.is_none_or(|run| header.run > run);
        let is_trusted = segment.header.map_or(are_all_known, after_untrusted);
        reading.accepted_segment(segment, is_trusted)?;
    }
    let run = runs.unwrap_or(0).max(reading.entries_max >> RUN_SHIFT) + 1;
    let journal = SegmentRegistry::new(folder, settings, run, next_number, Arc::clone(&reading.unsettled));
    let (found, report) = reading.finish(&journal);
    let marked = journal.mark_run(now_ms);
    marked.map_err(|error| RecoveryError::System("the journal can't begin a segment".to_owned(), error))?;
    Ok(OpenedJournal { journal: Arc::new(journal), found, report })
}

/// The latest run whose begun records may be missing: it did not sync, and its page cache is gone. Events accepted up
/// to it may have been sent. Later runs synced or still have their page cache. A run's mark is on the disk before the
/// run does anything, and stays as long as anything older.
fn untrusted(headers: &[SegmentHeader], whole: &WholeSegments) -> Option<u64> {
    let is_gone = |header: &&SegmentHeader| header.level == Durability::Process && !whole.contain(header);
    headers.iter().filter(is_gone).map(|header| header.run).max()
}

/// A block of zeros, for comparison.
const BLOCK: [u8; 4_096] = [0; 4_096];

/// A segment of an earlier run.
struct OldSegment<F> {
    name: SegmentName,
    file: F,
    header: Result<SegmentHeader, HeaderFault>,
}

impl<F: SegmentFile> OldSegment<F> {
    fn length(&self) -> Result<usize, RecoveryError> {
        self.file.length().map(|length| usize::try_from(length).unwrap_or(usize::MAX)).map_err(system(self.name))
    }
}

fn system(name: impl ToString) -> impl FnOnce(io::Error) -> RecoveryError {
    move |error| RecoveryError::System(name.to_string(), error)
}

/// The segments of a folder, by number.
fn list<D: Folder>(folder: &D, names: &[String]) -> Result<Vec<OldSegment<D::File>>, RecoveryError> {
    let mut names: Vec<SegmentName> = names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    names.sort_unstable();
    let read = |name: SegmentName| {
        let file = folder.open(&name.to_string()).map_err(system(name))?;
        let bytes = read_up_to(&file, 0, SEGMENT_HEADER_BYTES).map_err(system(name))?;
        let header = SegmentHeader::decode(&bytes, name.number, name.kind);
        if let Err(HeaderFault::Version(found)) = header {
            return Err(RecoveryError::Version { name: name.to_string(), found });
        }
        Ok(OldSegment { name, file, header })
    };
    names.into_iter().map(read).collect()
}

/// The contents of the segments read so far.
struct RecoveryReader<F> {
    whole: WholeSegments,
    /// No file shows that the machine was restarted since it was written.
    no_power_cut: bool,
    unsettled: Arc<SharedLedger<F>>,
    begun: HashSet<(u64, u32)>,
    /// A begun record is damaged, so that its firings are unknown.
    doubt: bool,
    entries: HashMap<u64, RecoveredEntry<F>>,
    entries_max: u64,
    /// Entries with records that do not commit their request: request, entry.
    pending: Vec<(u64, u64)>,
    /// Requests that a record of another entry commits, and where it is.
    committed: HashMap<u64, RecordPosition<F>>,
    /// Unsettled firings in fired records. Assigned once all segments are read: an entry's accepted record may be in a
    /// segment with a higher number.
    fired: Vec<(u64, Vec<u32>, RecordPosition<F>)>,
    /// Unsettled firings in untrusted segments.
    lost: HashSet<(u64, u32)>,
    segments: Vec<Arc<Segment<F>>>,
    accounts: HashSet<Arc<str>>,
    report: RecoveryReport,
}

impl<F: SegmentFile> RecoveryReader<F> {
    fn new(whole: WholeSegments, headers: &[SegmentHeader], unsettled: Arc<SharedLedger<F>>) -> Self {
        Self {
            no_power_cut: headers.iter().all(|header| whole.contain(header)),
            whole,
            unsettled,
            begun: HashSet::new(),
            doubt: false,
            entries: HashMap::new(),
            entries_max: 0,
            pending: Vec::new(),
            committed: HashMap::new(),
            fired: Vec::new(),
            lost: HashSet::new(),
            segments: Vec::new(),
            accounts: HashSet::new(),
            report: RecoveryReport::default(),
        }
    }

    fn begun_segment(&mut self, old: OldSegment<F>) -> Result<(), RecoveryError> {
        let bytes = self.read(&old)?;
        let found = self.scan(&old, &bytes)?;
        self.doubt |= !found.damage.is_empty();
        for record in &found.records {
            let items = (record.header.kind == RecordKind::Begun).then(|| read_items(record.body)).flatten();
            self.doubt |= items.is_none();
            for item in items.into_iter().flatten() {
                self.entries_max = self.entries_max.max(item.entry);
                self.begun.insert((item.entry, item.index));
            }
        }
        self.keep(old, found.end)?;
        Ok(())
    }

    fn accepted_segment(&mut self, old: OldSegment<F>, is_trusted: bool) -> Result<(), RecoveryError> {
        let bytes = self.read(&old)?;
        let found = self.scan(&old, &bytes)?;
        let is_unfinished = old.header == Err(HeaderFault::Unfinished);
        let segment = self.keep(old, found.end)?;
        if is_unfinished {
            return Ok(());
        }
        for record in &found.records {
            match record.header.kind {
                RecordKind::Accepted => match read_accepted(record.body) {
                    Some(read) => {
                        let place = place(&segment, record);
                        self.accepted_record(&read, record.header.commits, is_trusted.then_some(place));
                    }
                    None => self.report.orphaned += 1,
                },
                RecordKind::Fired => match read_fired(record.body) {
                    Some(read) => {
                        let place = is_trusted.then(|| place(&segment, record));
                        self.fired_record((read.entry, read.request), &read.firings, record.header.commits, place);
                    }
                    None => self.report.orphaned += 1,
                },
                RecordKind::Begun => {}
            }
        }
        Ok(())
    }

    fn accepted_record(&mut self, read: &AcceptedRecord<'_>, commits: bool, place: Option<RecordPosition<F>>) {
        let entry = read.entry;
        self.entries_max = self.entries_max.max(entry);
        let unsettled = self.not_begun(entry, &read.firings);
        let Some(place) = place else {
            return self.lost.extend(unsettled.into_iter().map(|index| (entry, index)));
        };
        let is_whole = commits && read.request == entry;
        if !is_whole {
            self.request(read.request, entry, commits, &place);
        }
        if unsettled.is_empty() && commits {
            return;
        }
        match self.entries.get(&entry) {
            // A rewritten record replaces all older records of its entry. Some of those may be gone.
            Some(found) if is_whole && !found.is_whole => {
                found.entry.cancel();
            }
            Some(_) => return,
            None => {}
        }
        let account = self.account(read.event.account);
        let accepted_ms = read.event.accepted_ms;
        let found =
            RecoveredEntry { entry: LedgerEntry::found(entry, &unsettled, place), accepted_ms, account, is_whole };
        self.entries.insert(entry, found);
    }

    /// The shared name of an account: there are far fewer accounts than entries.
    fn account(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.accounts.get(name) {
            return Arc::clone(known);
        }
        let account: Arc<str> = name.into();
        self.accounts.insert(Arc::clone(&account));
        account
    }

    fn fired_record(
        &mut self,
        (entry, request): (u64, u64),
        firings: &[FiringFields<'_>],
        commits: bool,
        place: Option<RecordPosition<F>>,
    ) {
        let unsettled = self.not_begun(entry, firings);
        let Some(place) = place else {
            return self.lost.extend(unsettled.into_iter().map(|index| (entry, index)));
        };
        self.request(request, entry, commits, &place);
        if !unsettled.is_empty() {
            self.fired.push((entry, unsettled, place));
        }
    }

    /// Records whether the request of a record is committed.
    fn request(&mut self, request: u64, entry: u64, commits: bool, place: &RecordPosition<F>) {
        if commits {
            self.committed.insert(request, place.clone());
        } else {
            self.pending.push((request, entry));
        }
    }

    fn not_begun(&self, entry: u64, firings: &[FiringFields<'_>]) -> Vec<u32> {
        let indexes = firings.iter().map(|listing| listing.index);
        indexes.filter(|index| !self.begun.contains(&(entry, *index))).collect()
    }

    fn read(&self, old: &OldSegment<F>) -> Result<Vec<u8>, RecoveryError> {
        let mut bytes = read_up_to(&old.file, 0, old.length()?).map_err(system(old.name))?;
        // Most of a segment was never written.
        let blocks = bytes.chunks(BLOCK.len()).rposition(|block| *block != BLOCK[..block.len()]);
        // A record may end with some zeros.
        bytes.truncate(blocks.map_or(0, |last| (last + 2) * BLOCK.len()));
        Ok(bytes)
    }

    fn scan<'b>(&mut self, old: &OldSegment<F>, bytes: &'b [u8]) -> Result<Scan<'b>, RecoveryError> {
        let kept = old.header.is_ok_and(|header| self.whole.contain(&header));
        let mut found = scan(bytes, old.name.number, if kept { WriteOrder::Kept } else { WriteOrder::Lost });
        // Its room was allocated before it had its name.
        let (length, capacity) = match old.header {
            Ok(header) if kept => (old.length()?, header.capacity as usize),
            Err(_) if self.no_power_cut => (old.length()?, SEGMENT_HEADER_BYTES),
            _ => (0, 0),
        };
        if length < capacity {
            found.damage.push(Damage { offset: length, bytes: capacity - length });
        }
        let name = old.name.to_string();
        self.report.damage.extend(found.damage.iter().map(|damage| (name.clone(), *damage)));
        if old.header == Err(HeaderFault::Damaged) {
            self.report.damage.push((name, Damage { offset: 0, bytes: SEGMENT_HEADER_BYTES }));
        }
        Ok(found)
    }

    fn keep(&mut self, old: OldSegment<F>, end: usize) -> Result<Arc<Segment<F>>, RecoveryError> {
        let capacity = old.length()?;
        let SegmentName { number, kind } = old.name;
        let (level, boot) = (Durability::Process, BootId::default());
        // A segment without a header is only removed, which needs only its name.
        let unknown = SegmentHeader { kind, level, capacity: 0, number, run: 0, boot, created_ms: 0 };
        let segment = Segment::new(old.header.unwrap_or(unknown), old.file, capacity, end, Arc::clone(&self.unsettled));
        segment.synced.store(small(end), std::sync::atomic::Ordering::SeqCst);
        let segment = Arc::new(segment);
        self.segments.push(Arc::clone(&segment));
        Ok(segment)
    }

    fn finish<D: Folder<File = F>>(self, journal: &SegmentRegistry<D>) -> (Vec<RecoveredEntry<F>>, RecoveryReport) {
        let Self { mut report, doubt, entries, pending, committed, fired, lost, segments, .. } = self;
        for segment in segments {
            journal.adopt(segment);
        }
        for (entry, unsettled, place) in fired {
            match entries.get(&entry) {
                Some(found) if found.is_whole => {}
                Some(found) => found.entry.list(unsettled.into_iter(), place),
                None => report.orphaned += unsettled.len(),
            }
        }
        for (request, entry) in pending {
            let Some(found) = entries.get(&entry).filter(|found| !found.is_whole) else { continue };
            match committed.get(&request) {
                Some(place) => found.entry.depend_on(place),
                None => report.uncommitted += found.entry.cancel(),
            }
        }
        if report.damage.is_empty() {
            // The disk kept a later record of a request but not the first one: its producer got no response.
            report.uncommitted += std::mem::take(&mut report.orphaned);
        }
        let is_kept = |entry: &u64, index: &u32| entries.get(entry).is_some_and(|found| found.entry.has(*index));
        report.lost = lost.iter().filter(|(entry, index)| !is_kept(entry, index)).count();
        let mut found = Vec::with_capacity(entries.len());
        for one in entries.into_values() {
            one.entry.complete(&mut ReleasedShares::default());
            if doubt {
                report.doubtful += one.entry.cancel();
            } else if !one.entry.is_settled() {
                report.unsettled += one.entry.left();
                found.push(one);
            }
        }
        found.sort_unstable_by_key(|found| (found.accepted_ms, found.entry.id));
        (found, report)
    }
}

fn place<F>(segment: &Arc<Segment<F>>, record: &ScannedRecord<'_>) -> RecordPosition<F> {
    RecordPosition { segment: Arc::clone(segment), offset: small(record.offset), bytes: record.header.stride() }
}
