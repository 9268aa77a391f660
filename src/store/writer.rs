//! One thread that executes all writes of an embedded store. Waiting writes are committed together, so the disk is
//! synced once for a group. Each write is still checked and confirmed on its own, after its commit and after the sink
//! has the change. It never reads a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::backend::Write;
use super::feed::{ChangeFeed, Observation};
use super::{PutResult, StoreError};
use crate::telemetry::metrics::Metrics;

/// The most writes in one commit: enough to share one sync, few enough that the first response is not late.
const GROUP_MAX: usize = 256;
/// The most queued writes; past it, callers wait for room.
const QUEUE_MAX: usize = 1_024;

/// Between two tries to write again after the disk was full or failed.
const HEAL_EVERY: Duration = Duration::from_millis(500);

/// The messages to the writer.
pub(super) type WriteResult = Result<PutResult, StoreError>;

/// Does the work of the thread.
pub(super) trait Committer {
    /// Commits a group in one transaction: a result for each write, or one error if it failed.
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<WriteResult>, StoreError>;

    /// Tries to write again after a failure, and says whether that works.
    fn heal(&mut self) -> bool;
}

/// What is known of the store without asking it.
#[derive(Debug)]
pub(super) struct WriterState {
    read_only: AtomicBool,
    read_failed: AtomicBool,
    metrics: Arc<Metrics>,
}

impl WriterState {
    pub(super) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { read_only: AtomicBool::new(false), read_failed: AtomicBool::new(false), metrics })
    }

    /// Whether writes are refused until the disk takes them again.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// A read failed. The log has the first until writes work again.
    pub(super) fn read_failed(&self, error: &StoreError) {
        if !self.is_read_only() && !self.read_failed.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "a read of the store failed");
        }
    }

    fn set_read_only(&self, read_only: bool) {
        self.read_only.store(read_only, Ordering::Relaxed);
        self.read_failed.store(false, Ordering::Relaxed);
        self.metrics.store.writable.set(i64::from(!read_only));
    }
}

enum WriterJob {
    Write(Box<Write>, oneshot::Sender<WriteResult>),
    /// A read failed: find out whether the database must be opened again.
    Check,
}

/// The handle of the writing thread, which ends with it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<WriterJob>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start<C>(committer: C, feed: Arc<ChangeFeed>, state: Arc<WriterState>) -> std::io::Result<Self>
    where
        C: Committer + Send + 'static,
    {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || Thread { jobs, committer, feed, state }.run())?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Executes one write. A caller that stops waiting does not stop the write.
    pub(super) async fn write(&self, write: Write) -> WriteResult {
        let stopped = || StoreError::Unavailable("its writer has stopped".to_owned());
        let (reply, replied) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        let sent = queue.send(WriterJob::Write(Box::new(write), reply)).await;
        sent.map_err(|_| stopped())?;
        replied.await.map_err(|_| stopped())?
    }
}

impl Writer {
    /// Has the thread look after a database whose disk failed in a read. Where the thread has work, its next commit
    /// finds out.
    pub(super) fn check(&self) {
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(WriterJob::Check);
        }
    }
}

impl Drop for Writer {
    /// Waits for the last commit, so that the file is closed when the store is dropped.
    fn drop(&mut self) {
        self.queue = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A sink that held the last handle drops it on this thread.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's writer had stopped after a panic");
        }
    }
}

/// What the thread does with the writes that come in.
struct Thread<C> {
    jobs: mpsc::Receiver<WriterJob>,
    committer: C,
    feed: Arc<ChangeFeed>,
    state: Arc<WriterState>,
}

impl<C: Committer> Thread<C> {
    fn run(mut self) {
        while let Some(first) = self.jobs.blocking_recv() {
            self.group(first);
            if self.state.is_read_only() && !self.heal() {
                return;
            }
        }
    }

    /// Commits a group of writes and responds to each.
    fn group(&mut self, first: WriterJob) {
        let (mut writes, mut callers) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(job) = next {
            if let WriterJob::Write(write, response) = job {
                writes.push(*write);
                callers.push(response);
            }
            next = if writes.len() < GROUP_MAX { self.jobs.try_recv().ok() } else { None };
        }
        let responses = self.committer.commit(&writes).unwrap_or_else(|error| {
            self.state.set_read_only(true);
            vec![Err(error); writes.len()]
        });
        let done = writes.into_iter().zip(&responses);
        let done = done.filter(|(_, response)| response.is_ok());
        self.feed.apply(done.map(|(write, _)| Observation::Record(write.change)).collect());
        for (caller, response) in callers.into_iter().zip(responses) {
            // The caller may have stopped waiting.
            let _ = caller.send(response);
        }
    }

    /// Refuses writes until the committer has healed; `false`: the store closes meanwhile.
    fn heal(&mut self) -> bool {
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let timer = timer.inspect_err(|error| tracing::error!(%error, "the store can't wait for its disk"));
        while let Ok(timer) = &timer {
            let until = Instant::now() + HEAL_EVERY;
            loop {
                let rest = until.saturating_duration_since(Instant::now());
                // The timeout is made inside the runtime whose timer it uses.
                match timer.block_on(async { tokio::time::timeout(rest, self.jobs.recv()).await }) {
                    // The caller may have stopped waiting.
                    Ok(Some(WriterJob::Write(_, response))) => drop(response.send(Err(StoreError::ReadOnly))),
                    Ok(Some(WriterJob::Check)) => {}
                    Ok(None) => return false,
                    Err(_) => break,
                }
            }
            if self.committer.heal() {
                self.state.set_read_only(false);
                return true;
            }
        }
        false
    }
}
