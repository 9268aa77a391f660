//! One subscriber: its waiting lines, its count of skipped lines, and the receiving side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::{Activity, ActivityFilter, EndedFiring};
use crate::model::firing::FiringId;
use crate::model::id::AccountId;
use crate::model::outcome::FiringReport;

/// The sending side.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// The account whose key subscribed; `None` for the operator.
    pub(super) owner: Option<AccountId>,
    filter: ActivityFilter,
    lines_max: usize,
    lines: Mutex<Vec<Arc<EndedFiring>>>,
    /// Whether its lines are at the bound. Read without the lock.
    is_full: AtomicBool,
    skipped: AtomicU64,
    has_ended: AtomicBool,
    wake: Notify,
}

/// Lines that waited.
#[derive(Debug, Default)]
pub struct LineBatch {
    /// The lines, oldest first.
    pub lines: Vec<Arc<EndedFiring>>,
    /// How many were skipped after them.
    pub skipped: u64,
}

/// The receiving side. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    activity: Arc<Activity>,
    subscriber: Arc<Subscriber>,
}

impl Subscriber {
    pub(super) fn new(owner: Option<AccountId>, filter: ActivityFilter, lines_max: usize) -> Self {
        Self {
            owner,
            filter,
            lines_max,
            lines: Mutex::default(),
            is_full: AtomicBool::new(false),
            skipped: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    pub(super) fn wants(&self, firing: &FiringId, report: FiringReport) -> bool {
        self.filter.lets_through(firing, report)
    }

    /// Adds a line if there is room, and returns it for other subscribers; otherwise counts it as skipped.
    pub(super) fn push(&self, line: impl FnOnce() -> Arc<EndedFiring>) -> Option<Arc<EndedFiring>> {
        if self.is_full.load(Ordering::Relaxed) {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let line = line();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(Arc::clone(&line));
        self.is_full.store(lines.len() >= self.lines_max, Ordering::Relaxed);
        if lines.len() == 1 {
            self.wake.notify_one();
        }
        Some(line)
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Takes the waiting lines. Under the lock, so that the skipped count belongs after these lines.
    fn take(&self) -> LineBatch {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = LineBatch { lines: std::mem::take(&mut *lines), skipped: self.skipped.swap(0, Ordering::Relaxed) };
        self.is_full.store(false, Ordering::Relaxed);
        batch
    }
}

impl Subscription {
    pub(super) fn new(activity: Arc<Activity>, subscriber: Arc<Subscriber>) -> Self {
        Self { activity, subscriber }
    }

    /// Waits until there are lines, and takes all of them. `None`: the node is stopping, and all lines were taken.
    pub async fn next(&mut self) -> Option<LineBatch> {
        loop {
            let batch = self.subscriber.take();
            if !batch.lines.is_empty() || batch.skipped > 0 {
                return Some(batch);
            }
            if self.subscriber.has_ended.load(Ordering::Relaxed) {
                return None;
            }
            self.subscriber.wake.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.activity.unsubscribe(&self.subscriber);
    }
}
