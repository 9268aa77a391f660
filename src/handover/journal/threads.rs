//! The threads of a journal: one removes and rewrites segments; with the level `power`, one syncs accepted records and
//! one syncs begun records. No thread that serves requests or sends waits for a disk.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::accept::{Acceptor, RecordsEnd};
use super::begin::{Beginner, BegunGroup};
use super::disk::Disk;
use super::keeper::Keeper;
use super::ledger::{EntryFiring, Segment, lock};
use super::registry::SegmentRegistry;
use crate::flow::gate::Gate;
use crate::telemetry::metrics::Metrics;

/// The interval of the keeper's rounds if no one asks for one.
const ROUND: Duration = Duration::from_millis(200);
/// The interval at which waiters for a failed sync are checked.
const STUCK: Duration = Duration::from_millis(10);

/// What all threads that use the journal share.
#[derive(Debug)]
pub(super) struct JournalContext {
    pub(super) journal: Arc<SegmentRegistry<Disk>>,
    pub(super) acceptors: Mutex<Vec<Weak<Mutex<Acceptor<Disk>>>>>,
    pub(super) beginners: Mutex<Vec<Weak<Mutex<Beginner<Disk>>>>>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    /// A write failed, and none has succeeded since.
    unwritable: AtomicBool,
    /// Writes that failed.
    failures: AtomicUsize,
    wake: Mutex<Sender<KeeperMessage>>,
    /// With `power`: what waits for a sync goes to two threads, one for responses and one for attempts.
    responses: Option<Mutex<Sender<SyncWaiter>>>,
    begins: Option<Mutex<Sender<SyncWaiter>>>,
}

/// A message to the keeper's thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeeperMessage {
    Look,
    Stop,
}

/// What became of a begun record.
pub(super) enum BegunResult {
    /// It is as durable as the level demands: the attempts may begin.
    Begun,
    /// Its sync failed: these firings need another record.
    NotSynced(Vec<EntryFiring<File>>),
    /// The journal has ended.
    Stopped,
}

/// What waits for a sync.
pub(super) enum SyncWaiter {
    /// A response: released when all these positions are durable.
    Response { ends: Vec<RecordsEnd<File>>, release: Box<dyn Any + Send> },
    /// Attempts, and who waits for their record.
    Begin { begun: BegunGroup<File>, ready: oneshot::Sender<BegunResult> },
    /// The journal ends.
    Stop,
}

/// The threads of a running journal.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) shared: Arc<JournalContext>,
    threads: Vec<JoinHandle<()>>,
}

/// Unix milliseconds.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Threads {
    pub(super) fn start(
        journal: Arc<SegmentRegistry<Disk>>,
        syncs: bool,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let (wake, woken) = channel();
        let (responses, begins) = (syncs.then(channel), syncs.then(channel));
        let keeper = Keeper::new(Arc::clone(&journal));
        let sender =
            |pair: &Option<(Sender<SyncWaiter>, _)>| pair.as_ref().map(|(sender, _)| Mutex::new(sender.clone()));
        let shared = Arc::new(JournalContext {
            journal,
            acceptors: Mutex::default(),
            beginners: Mutex::default(),
            gate,
            metrics,
            unwritable: AtomicBool::new(false),
            failures: AtomicUsize::new(0),
            wake: Mutex::new(wake),
            responses: sender(&responses),
            begins: sender(&begins),
        });
        shared.report();
        let own = Arc::downgrade(&shared);
        let mut threads = vec![spawn("journal", move || keep(keeper, &own, &woken))?];
        for (name, pair) in [("journal-responses", responses), ("journal-begins", begins)] {
            if let Some((sender, waiting)) = pair {
                drop(sender);
                let shared = Arc::downgrade(&shared);
                threads.push(spawn(name, move || sync(&shared, &waiting))?);
            }
        }
        Ok(Self { shared, threads })
    }

    /// Runs a last round and ends all threads.
    pub(super) fn stop(self) {
        for sender in [&self.shared.responses, &self.shared.begins].into_iter().flatten() {
            let _ = lock(sender).send(SyncWaiter::Stop);
        }
        self.shared.wake_keeper(KeeperMessage::Stop);
        drop(self.shared);
        for thread in self.threads {
            // A thread that has panicked is not running any more.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

impl JournalContext {
    fn wake_keeper(&self, wake: KeeperMessage) {
        // A thread that has ended needs no wake.
        let _ = lock(&self.wake).send(wake);
    }

    /// A write failed: nothing is accepted until one succeeds. The keeper tries soon.
    pub(super) fn failed(&self, error: &io::Error) {
        self.is_unwritable(error);
        self.wake_keeper(KeeperMessage::Look);
    }

    fn is_unwritable(&self, error: &io::Error) {
        self.failures.fetch_add(1, Ordering::SeqCst);
        if !self.unwritable.swap(true, Ordering::SeqCst) {
            tracing::error!(%error, "the journal can't be written; no events are accepted until it can");
            self.gate.set_unavailable(true);
            self.metrics.journal.writable.set(0);
        }
    }

    /// A round succeeded that began after this many failures. Failures since then count as newer.
    fn is_writable(&self, failures: usize) {
        let is_latest = failures == self.failures.load(Ordering::SeqCst);
        if is_latest && self.unwritable.load(Ordering::SeqCst) && !self.journal.is_failed() {
            self.unwritable.store(false, Ordering::SeqCst);
            self.gate.set_unavailable(false);
            self.metrics.journal.writable.set(1);
            tracing::info!("the journal can be written again; events are accepted");
        }
    }

    /// Holds responses until the records up to these ends are durable, if the level demands it; otherwise releases them
    /// at once.
    pub(super) fn release(&self, ends: &[RecordsEnd<File>], release: impl FnOnce() -> Box<dyn Any + Send>) {
        if let Some(responses) = &self.responses {
            let _ = lock(responses).send(SyncWaiter::Response { ends: ends.to_vec(), release: release() });
        }
    }

    /// Waits until a begun record is as durable as the level demands.
    pub(super) async fn ready(&self, begun: BegunGroup<File>) -> BegunResult {
        let Some(begins) = &self.begins else {
            begun.mark();
            self.report_bytes();
            return BegunResult::Begun;
        };
        let (ready, synced) = oneshot::channel();
        // A thread that has ended drops the sender.
        let _ = lock(begins).send(SyncWaiter::Begin { begun, ready });
        synced.await.unwrap_or(BegunResult::Stopped)
    }

    /// Reports the unsettled bytes.
    pub(super) fn report_bytes(&self) {
        let unsettled = self.journal.unsettled.bytes();
        self.metrics.journal.bytes.set(i64::try_from(unsettled).unwrap_or(i64::MAX));
    }

    fn report(&self) {
        self.report_bytes();
        self.metrics.journal.disk_bytes.set(i64::try_from(self.journal.disk_bytes()).unwrap_or(i64::MAX));
    }
}

fn keep(mut keeper: Keeper<Disk>, shared: &Weak<JournalContext>, woken: &Receiver<KeeperMessage>) {
    let mut unreadable = 0;
    loop {
        let stops = match woken.recv_timeout(ROUND) {
            Ok(first) => std::iter::once(first).chain(woken.try_iter()).any(|wake| wake == KeeperMessage::Stop),
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        let Some(shared) = shared.upgrade() else { return };
        lock(&shared.acceptors).retain(|acceptor| acceptor.upgrade().inspect(|a| lock(a).roll_if_asked()).is_some());
        lock(&shared.beginners).retain(|beginner| beginner.upgrade().inspect(|b| lock(b).roll_if_asked()).is_some());
        let failures = shared.failures.load(Ordering::SeqCst);
        match keeper.round(now_ms()) {
            Ok(round) => {
                if round.unreadable > unreadable {
                    tracing::error!(entries = round.unreadable, "entries of the journal can't be read back");
                }
                unreadable = round.unreadable;
                shared.is_writable(failures);
            }
            // The next round is made at the usual interval, so that a full disk is not written to all the time.
            Err(error) => shared.is_unwritable(&error),
        }
        shared.report();
        if stops {
            return;
        }
    }
}

/// Syncs segments, with one sync for all that wait for the same one.
fn sync(shared: &Weak<JournalContext>, incoming: &Receiver<SyncWaiter>) {
    let mut waiting: Vec<SyncWaiter> = Vec::new();
    loop {
        let first = match waiting.is_empty() {
            true => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => incoming.recv_timeout(STUCK),
        };
        match first {
            Ok(first) => waiting.push(first),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        waiting.extend(incoming.try_iter());
        let Some(shared) = shared.upgrade() else { return };
        for segment in segments(&waiting).into_values() {
            if let Err(error) = shared.journal.sync(&segment)
                && !segment.failed.swap(true, Ordering::SeqCst)
            {
                tracing::error!(%error, segment = %segment.name(), "a sync failed");
            }
            if segment.failed.load(Ordering::SeqCst) {
                shared.failed(&io::Error::other("a sync failed"));
            }
        }
        let stops = waiting.iter().any(|one| matches!(one, SyncWaiter::Stop));
        waiting = std::mem::take(&mut waiting).into_iter().filter_map(settle).collect();
        if stops {
            return;
        }
    }
}

fn segments(waiting: &[SyncWaiter]) -> BTreeMap<u64, Arc<Segment<File>>> {
    let mut segments = BTreeMap::new();
    for one in waiting {
        match one {
            SyncWaiter::Response { ends, .. } => {
                segments.extend(ends.iter().map(|(segment, _)| (segment.number(), Arc::clone(segment))));
            }
            SyncWaiter::Begin { begun, .. } => {
                drop(segments.insert(begun.segment.number(), Arc::clone(&begun.segment)))
            }
            SyncWaiter::Stop => {}
        }
    }
    segments
}

/// Releases what is durable and returns what is not yet.
fn settle(waiting: SyncWaiter) -> Option<SyncWaiter> {
    let is_durable = |segment: &Segment<File>, end: u32| segment.synced.load(Ordering::SeqCst) >= end;
    match waiting {
        SyncWaiter::Response { ends, release } => {
            // Records in a segment whose sync failed are durable once they are rewritten, which leaves that segment
            // unneeded.
            let is_safe = ends.iter().all(|(segment, end)| is_durable(segment, *end) || segment.is_dead());
            (!is_safe).then_some(SyncWaiter::Response { ends, release })
        }
        SyncWaiter::Begin { begun, ready } => {
            let done = if is_durable(&begun.segment, begun.end) {
                // Before an attempt begins: from then on its firing is settled.
                begun.mark();
                BegunResult::Begun
            } else if begun.segment.failed.load(Ordering::SeqCst) {
                BegunResult::NotSynced(begun.fail())
            } else {
                return Some(SyncWaiter::Begin { begun, ready });
            };
            // A thread that has ended makes no attempts.
            let _ = ready.send(done);
            None
        }
        SyncWaiter::Stop => None,
    }
}
