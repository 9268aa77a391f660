//! One thread that executes all writes of an embedded store. Waiting writes are committed together, so the disk is
//! synced once for a group. Each write is still checked and answered by itself, after its commit and after the sink
//! has the change. It never reads a record.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::backend::Write;
use super::feed::{Feed, Observed};
use super::{StoreError, Written};

/// The most writes in one commit: enough to share one sync, few enough that the first response is not late.
const GROUP_MAX: usize = 256;
/// The most queued writes; past it, callers wait for room.
const QUEUE_MAX: usize = 1_024;

type WriteResult = Result<Written, StoreError>;

struct Job {
    write: Write,
    reply: oneshot::Sender<WriteResult>,
}

/// The handle of the writing thread, which ends with it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `commit` executes a group in one transaction and returns a result for each, or one error
    /// where nothing was executed.
    pub(super) fn start<C>(commit: C, feed: Arc<Feed>) -> std::io::Result<Self>
    where
        C: FnMut(&[Write]) -> Result<Vec<WriteResult>, StoreError> + Send + 'static,
    {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let thread = thread.spawn(move || run(jobs, commit, &feed))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Executes one write. A caller that stops waiting does not stop the write.
    pub(super) async fn write(&self, write: Write) -> WriteResult {
        let stopped = || StoreError::Unavailable("its writer has stopped".to_owned());
        let (reply, replied) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        let sent = queue.send(Job { write, reply }).await;
        sent.map_err(|_| stopped())?;
        replied.await.map_err(|_| stopped())?
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

fn run<C>(mut jobs: mpsc::Receiver<Job>, mut commit: C, feed: &Feed)
where
    C: FnMut(&[Write]) -> Result<Vec<WriteResult>, StoreError>,
{
    while let Some(first) = jobs.blocking_recv() {
        let (mut writes, mut callers) = (vec![first.write], vec![first.reply]);
        while writes.len() < GROUP_MAX
            && let Ok(job) = jobs.try_recv()
        {
            writes.push(job.write);
            callers.push(job.reply);
        }
        let answers = commit(&writes).unwrap_or_else(|error| {
            tracing::error!(%error, writes = writes.len(), "writes to the store failed");
            vec![Err(error); writes.len()]
        });
        let done = writes.into_iter().zip(&answers);
        let done = done.filter(|(_, answer)| answer.is_ok());
        feed.apply(done.map(|(write, _)| Observed::Record(write.change)).collect());
        for (caller, answer) in callers.into_iter().zip(answers) {
            // The caller may have stopped waiting.
            let _ = caller.send(answer);
        }
    }
}
