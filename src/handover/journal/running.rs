//! A running journal: opened, recovered, and with its threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, Disk, DiskError};
use super::feed::RecoveredEntries;
use super::format::Durability;
use super::handle::JournalHandle;
use super::recovery::{self, RecoveryError, RecoveryReport};
use super::registry::RegistrySettings;
use super::threads::{Threads, now_ms};
use crate::config::{Config, JournalSettings, Survives};
use crate::flow::account::ACCOUNT_WEIGHT;
use crate::flow::fairness::Pool;
use crate::flow::gate::Gate;
use crate::flow::journal::EventJournal;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// The journal may take this many times the bytes of its unsettled records.
const DISK_PER_UNSETTLED: usize = 3;
/// Open segments besides those of the threads: two of the keeper, and one spare of each kind.
const SEGMENTS_OPEN: usize = 4;
/// Open segments take at most this fraction of the bytes.
const OPEN_PART: usize = 8;
const SEGMENT_BYTES_MIN: usize = 16 << 10;
const SEGMENT_BYTES_MAX: usize = 16 << 20;

/// Why a journal did not start.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder can't be used.
    #[error("the journal: {0}")]
    Folder(#[from] DiskError),
    /// What an earlier run left can't be read.
    #[error("the journal in {0}: {1}")]
    Open(PathBuf, RecoveryError),
    /// A thread can't be started.
    #[error("the journal's threads: {0}")]
    Threads(std::io::Error),
}

/// How `journal.bytes_max` is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct JournalSizes {
    /// Bytes of a segment.
    segment: usize,
    /// Bytes of unsettled records, all accounts together.
    unsettled: usize,
}

impl JournalSizes {
    /// Sizes with which all files together take at most `bytes_max`.
    fn of(bytes_max: usize, threads: usize) -> Self {
        let open = threads + SEGMENTS_OPEN;
        let segment = (bytes_max / OPEN_PART / open).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        let unsettled = bytes_max.saturating_sub(open * segment) / DISK_PER_UNSETTLED;
        Self { segment, unsettled: unsettled.max(1) }
    }
}

/// The journal of a node.
#[derive(Debug)]
pub struct Journal {
    handle: Arc<JournalHandle>,
    threads: Threads,
    /// False where it only keeps what an earlier run left.
    takes_events: bool,
}

impl Journal {
    /// Opens the journal beside an embedded store's file, and returns it with what it holds; `None` if nothing has to
    /// be kept. What an earlier run kept is sent, also where this one keeps nothing.
    pub async fn open(
        config: &Config,
        gate: &Arc<Gate>,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<(Self, RecoveredEntries)>, JournalError> {
        let Some(path) = config.store.local_file() else { return Ok(None) };
        // Each thread that accepts and each that sends has one segment open.
        let sizes = JournalSizes::of(config.journal.bytes_max, config.server.workers + config.dispatch.threads);
        let (settings, gate, metrics) = (config.journal.clone(), Arc::clone(gate), Arc::clone(metrics));
        // Opening reads files, which must not block this thread: it handles signals.
        let opened = tokio::task::spawn_blocking(move || Self::start(&path, &settings, sizes, &gate, &metrics)).await;
        opened.unwrap_or_else(|error| Err(JournalError::Threads(std::io::Error::other(error))))
    }

    fn start(
        store: &Path,
        settings: &JournalSettings,
        sizes: JournalSizes,
        gate: &Arc<Gate>,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<(Self, RecoveredEntries)>, JournalError> {
        let path = folder(store);
        let level = match settings.survives {
            Survives::Stop if !path.exists() => return Ok(None),
            Survives::Stop | Survives::Process => Durability::Process,
            Survives::Power => Durability::Power,
        };
        let segment_bytes = sizes.segment;
        let disk = Disk::open(&path)?;
        let opened = recovery::open(disk, RegistrySettings { level, boot: disk::boot_id(), segment_bytes }, now_ms());
        let opened = opened.map_err(|error| JournalError::Open(path.clone(), error))?;
        log_findings(&path, &opened.report, metrics);
        warn_of_little_room(&path, opened.journal.disk_bytes(), settings.bytes_max);
        let accounts = Arc::new(Pool::new(sizes.unsettled, ACCOUNT_WEIGHT));
        for found in &opened.found {
            // These deliveries were accepted already, whatever the shares are now.
            if let Ok(account) = crate::model::id::AccountId::new(&found.account) {
                found.entry.charge(accounts.share(&account).take_over(found.entry.bytes()));
            }
        }
        let threads = Threads::start(opened.journal, level == Durability::Power, Arc::clone(gate), Arc::clone(metrics));
        let threads = threads.map_err(JournalError::Threads)?;
        metrics.journal.writable.set(1);
        let handle = JournalHandle { shared: Arc::clone(&threads.shared), accounts, age_max: settings.age_max };
        let recovered = RecoveredEntries { found: opened.found, age_max: settings.age_max };
        let takes_events = settings.survives != Survives::Stop;
        Ok(Some((Self { handle: Arc::new(handle), threads, takes_events }, recovered)))
    }

    /// The journal for the stages that send.
    pub fn for_sending(&self) -> Arc<dyn EventJournal> {
        Arc::clone(&self.handle) as _
    }

    /// The journal for the stages that accept events; `None` if those are not kept.
    pub fn for_accepting(&self) -> Option<Arc<dyn EventJournal>> {
        self.takes_events.then(|| self.for_sending())
    }

    /// Ends the threads after a last round, and syncs what is kept. No other thread may use the journal any more.
    pub fn stop(self) {
        let Self { handle, threads, .. } = self;
        let journal = Arc::clone(&handle.shared.journal);
        drop(handle);
        threads.stop();
        if let Err(error) = journal.end_run() {
            tracing::warn!(
                %error,
                "the journal could not be synced at the stop: a start after a restart of the machine may drop what it keeps"
            );
        }
    }
}

/// Where the journal of a store is.
pub fn folder(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".journal");
    PathBuf::from(name)
}

/// Logs what was found, and counts what is dropped of it.
fn log_findings(path: &Path, report: &RecoveryReport, metrics: &Metrics) {
    for (segment, damage) in &report.damage {
        tracing::error!(segment, offset = damage.offset, bytes = damage.bytes, "the journal is damaged");
    }
    let dropped = &metrics.deliveries.dropped;
    dropped.inc_by(DropReason::JournalLost, report.lost);
    dropped.inc_by(DropReason::JournalDamaged, report.doubtful + report.orphaned);
    if report.lost > 0 {
        tracing::warn!(
            deliveries = report.lost,
            "the machine was restarted since: deliveries that may have been sent are dropped; \
             store.survives = \"power\" keeps them"
        );
    }
    if report.doubtful > 0 {
        tracing::error!(
            deliveries = report.doubtful,
            "a damaged part of the journal may have recorded that these deliveries were sent: they are dropped"
        );
    }
    if report.unsettled > 0 || report.uncommitted > 0 {
        let RecoveryReport { unsettled, uncommitted, .. } = report;
        tracing::info!(
            journal = %path.display(), deliveries = unsettled, unanswered = uncommitted,
            "the journal holds deliveries that were accepted and not sent; they are sent now"
        );
    }
}

/// Warns of a disk that is full before the journal has reached its bound: events then get 503, from all accounts, and not
/// 429 from those that are over their share.
fn warn_of_little_room(path: &Path, taken: u64, bytes_max: usize) {
    // A file system that does not tell is not judged.
    let Ok(free) = disk::free_bytes(path) else { return };
    if free.saturating_add(taken) < bytes_max as u64 {
        tracing::warn!(
            journal = %path.display(), free_bytes = free, bytes_max,
            "the disk has less room than the journal may take (`journal.bytes_max`); once it is full, events get 503"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_beside_its_store() {
        assert_eq!(folder(Path::new("data/x.redb")), Path::new("data/x.redb.journal"));
    }

    #[test]
    fn what_is_open_and_what_is_unsettled_fit_into_the_bytes() {
        for (bytes_max, threads) in [(1 << 20, 2), (1 << 30, 3), (1 << 30, 96), (1 << 40, 400)] {
            let JournalSizes { segment, unsettled } = JournalSizes::of(bytes_max, threads);
            let open = (threads + SEGMENTS_OPEN) * segment;
            assert!(open <= bytes_max / OPEN_PART, "{bytes_max} {threads}");
            assert!(open + unsettled * DISK_PER_UNSETTLED <= bytes_max);
            assert!(unsettled >= bytes_max / 4);
        }
        assert!(JournalSizes::of(1 << 20, 200).unsettled > 0);
    }

    #[test]
    fn a_folder_belongs_to_one_process() {
        let scratch = tempfile::tempdir().expect("a folder");
        let first = Disk::open(scratch.path()).expect("free");
        assert!(matches!(Disk::open(scratch.path()), Err(DiskError::Locked(_))));
        drop(first);
        Disk::open(scratch.path()).expect("free again");
    }
}
