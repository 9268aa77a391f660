//! Hands the deliveries that the journal holds at a start to a separate renderer, beside the events that are accepted
//! meanwhile.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::Addr;

use super::pipeline::{WAITING_BYTES_MAX, to_dispatchers};
use crate::dispatcher::Dispatchers;
use crate::flow::pressure::Pressure;
use crate::handover::journal::{FeedProgress, RecoveredEntries, RecoveryFeed};
use crate::http::AppState;
use crate::live::SnapshotProgress;
use crate::renderer::Renderer;

/// Callbacks for the progress of a long start.
#[derive(Default)]
pub struct StartProgress {
    /// The progress of reading the store.
    pub store: Option<SnapshotProgress>,
    /// The progress of handing on the journal's deliveries.
    pub journal: Option<FeedProgress>,
}

/// Hands on all of them, on this thread. `/readyz` reports it until the rest only waits for room of its own accounts or
/// destinations.
pub(super) fn start(
    recovered: RecoveredEntries,
    shared: &Arc<AppState>,
    dispatchers: &[Addr<Dispatchers>],
    progress: Option<FeedProgress>,
) {
    let next = to_dispatchers(dispatchers);
    let (gate, metrics) = (Arc::clone(&shared.gate), Arc::clone(&shared.metrics));
    let pressure = Rc::new(Pressure::new(WAITING_BYTES_MAX));
    let background = shared.rendering.clone();
    let renderer = Renderer::start(Arc::clone(&gate), Arc::clone(&metrics), next, pressure, background);
    let dispatch = &shared.config.dispatch;
    let feed = RecoveryFeed {
        live: Arc::clone(&shared.live),
        gate,
        metrics,
        renderer,
        queue_max: dispatch.queue_per_destination,
        queue_bytes_max: dispatch.queue_bytes_per_destination,
    };
    shared.recovering.store(true, Ordering::SeqCst);
    let shared = Arc::clone(shared);
    let ready = Box::new(move || shared.recovering.store(false, Ordering::SeqCst));
    actix_rt::spawn(recovered.feed(feed, progress, ready));
}
