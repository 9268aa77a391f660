//! This node's own writes until they are live: the follower applies each in the order of the log, and the writer gets
//! its response after that. Bounded by the number of waiting writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::store::Change;

/// How long a response waits for its change to be live on this node. Past it, Redis has the change and is
/// unavailable; it will be live with the others when Redis is back.
const LIVE_WITHIN: Duration = Duration::from_secs(2);

/// How far the follower has read.
#[derive(Debug, Clone, Copy, Default)]
struct FollowerProgress {
    version: u64,
    snapshots: u64,
}

#[derive(Debug)]
struct WaitingWrite {
    change: Change,
    live: oneshot::Sender<()>,
}

/// The writes that are not live yet.
#[derive(Debug)]
pub(super) struct PendingWrites {
    /// The prefix of this node's tokens.
    node: String,
    count: AtomicU64,
    waiting: Mutex<HashMap<String, WaitingWrite>>,
    progress: watch::Sender<FollowerProgress>,
}

/// One write with a waiting writer.
#[derive(Debug)]
pub(super) struct ExpectedWrite<'a> {
    pending: &'a PendingWrites,
    pub(super) token: String,
    live: oneshot::Receiver<()>,
    snapshots: u64,
}

impl PendingWrites {
    pub(super) fn new() -> Self {
        Self {
            node: crate::model::id::new_id(),
            count: AtomicU64::new(0),
            waiting: Mutex::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Registers the change of a write, before the write is sent.
    pub(super) fn expect(&self, change: Change) -> ExpectedWrite<'_> {
        let token = format!("{}.{}", self.node, self.count.fetch_add(1, Ordering::Relaxed));
        let (sender, live) = oneshot::channel();
        self.lock().insert(token.clone(), WaitingWrite { change, live: sender });
        ExpectedWrite { pending: self, token, live, snapshots: self.progress.borrow().snapshots }
    }

    /// The change of a write of this node whose writer still waits, and the channel to notify once it is applied.
    pub(super) fn take(&self, token: &str) -> Option<(Change, oneshot::Sender<()>)> {
        token.strip_prefix(self.node.as_str())?;
        let waiting = self.lock().remove(token)?;
        Some((waiting.change, waiting.live))
    }

    /// Records that a complete reading includes everything up to this version.
    pub(super) fn snapshot(&self, version: u64) {
        self.progress.send_modify(|progress| {
            *progress = FollowerProgress { version, snapshots: progress.snapshots + 1 };
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, WaitingWrite>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpectedWrite<'_> {
    /// Waits until the write with this version is live on this node, for at most [`LIVE_WITHIN`].
    pub(super) async fn live(mut self, version: u64) {
        let mut progress = self.pending.progress.subscribe();
        let begun = self.snapshots;
        let read = progress.wait_for(|now| now.snapshots > begun && now.version >= version);
        tokio::select! {
            _ = &mut self.live => {}
            _ = read => {}
            () = tokio::time::sleep(LIVE_WITHIN) => {
                tracing::warn!(version, "a change was written and is not live here yet: Redis is unavailable");
            }
        }
    }
}

impl Drop for ExpectedWrite<'_> {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.token);
    }
}
