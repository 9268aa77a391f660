//! The state that the thread that follows the store shares with the calls to the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::pending::PendingWrites;
use crate::model::quotas::Quotas;
use crate::redis::Link;
use crate::store::change::Change;
use crate::store::compile_budget::CompileBudget;
use crate::store::feed::{ChangeFeed, LoadedRecord, Observation};
use crate::telemetry::metrics::Metrics;

/// The shared state.
pub(super) struct SharedState {
    pub(super) link: Link,
    pub(super) feed: Arc<ChangeFeed>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pending: PendingWrites,
    pub(super) connected: AtomicBool,
    pub(super) quotas: Quotas,
    /// For changes of other nodes.
    pub(super) budget: Arc<CompileBudget>,
}

impl SharedState {
    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
        self.metrics.store.connected.set(i64::from(connected));
        if connected && let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            self.metrics.store.last_contact.set(now.as_secs().cast_signed());
        }
    }

    /// Compiles on other threads, as this thread serves the calls to the store.
    pub(super) async fn compile(&self, observed: Vec<Observation<LoadedRecord>>) -> Vec<Observation<Change>> {
        if !observed.iter().any(Observation::is_slow) {
            return self.budget.compile_all(&self.feed, observed);
        }
        let (feed, budget) = (Arc::clone(&self.feed), Arc::clone(&self.budget));
        let compiling = tokio::task::spawn_blocking(move || budget.compile_all(&feed, observed));
        compiling.await.expect("a panic in compiling is caught, and the task is not aborted")
    }
}
