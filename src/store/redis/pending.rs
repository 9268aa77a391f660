//! This node's own writes until they are live: the follower applies each in the order of the log, and the writer gets
//! its response after that. Bounded by the number of waiting writers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::store::Change;

/// How long a response waits for its change to be live on this node while the follower reads on. Longer than any pause of a
/// machine that still works, and less than what most clients wait for.
const LIVE_WITHIN: Duration = Duration::from_secs(5);

/// How far the follower has read.
#[derive(Debug, Clone, Copy, Default)]
struct FollowerProgress {
    version: u64,
    snapshots: u64,
    /// How often it has found Redis unavailable.
    failures: u64,
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
    begun: FollowerProgress,
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
        ExpectedWrite { pending: self, token, live, begun: *self.progress.borrow() }
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
            *progress = FollowerProgress { version, snapshots: progress.snapshots + 1, ..*progress };
        });
    }

    /// Records that the follower can't read on. It has the change of a write with all others when Redis is back, and no
    /// response waits for that.
    pub(super) fn failed(&self) {
        self.progress.send_modify(|progress| progress.failures += 1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, WaitingWrite>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ExpectedWrite<'_> {
    /// Waits until the write with this version is live on this node: not if the follower finds Redis unavailable again after
    /// its connection broke, and for at most [`LIVE_WITHIN`].
    pub(super) async fn live(mut self, version: u64) {
        let mut progress = self.pending.progress.subscribe();
        let begun = self.begun;
        let is_away = |now: &FollowerProgress| now.failures > begun.failures + 1;
        let changed =
            progress.wait_for(|now| (now.snapshots > begun.snapshots && now.version >= version) || is_away(now));
        let is_live = tokio::select! {
            _ = &mut self.live => true,
            now = changed => now.is_ok_and(|now| !is_away(&now)),
            () = tokio::time::sleep(LIVE_WITHIN) => false,
        };
        if !is_live {
            tracing::warn!(version, "a change was written and is not live here yet: Redis is unavailable");
        }
    }
}

impl Drop for ExpectedWrite<'_> {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;
    use crate::model::id::KeyId;

    fn change() -> Change {
        Change::Key(KeyId::new("k").expect("a name"), None)
    }

    #[tokio::test]
    async fn a_response_waits_until_its_change_is_live_or_the_follower_fails() {
        let pending = PendingWrites::new();
        let applied = pending.expect(change());
        let token = applied.token.clone();
        let mut applied = pin!(applied.live(7));
        assert!(applied.as_mut().now_or_never().is_none());
        let (_, writer) = pending.take(&token).expect("it waits");
        assert!(applied.as_mut().now_or_never().is_none(), "it is not applied yet");
        writer.send(()).expect("it waits");
        assert!(applied.now_or_never().is_some());

        let mut read = pin!(pending.expect(change()).live(7));
        pending.snapshot(6);
        assert!(read.as_mut().now_or_never().is_none(), "it does not include this change");
        pending.snapshot(7);
        assert!(read.now_or_never().is_some());

        pending.failed();
        let mut failed = pin!(pending.expect(change()).live(8));
        assert!(failed.as_mut().now_or_never().is_none(), "that was before");
        pending.failed();
        assert!(failed.as_mut().now_or_never().is_none(), "the next connection may do");
        pending.failed();
        assert!(failed.now_or_never().is_some());
        assert!(pending.lock().is_empty());
    }
}
