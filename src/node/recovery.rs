//! What the journal holds at a start goes to a renderer of its own, beside what is accepted meanwhile.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Actor as _, Addr};

use super::WAITING_BYTES_MAX;
use crate::dispatcher::Dispatchers;
use crate::flow::pressure::Pressure;
use crate::handover::journal::{Feed, FeedProgress, Recovered};
use crate::http::AppState;
use crate::live::SnapshotProgress;
use crate::renderer::Renderer;

/// Who wants to see how a long start goes on.
#[derive(Default)]
pub struct Watch {
    /// How the store is read.
    pub store: Option<SnapshotProgress>,
    /// How what the journal holds is handed on.
    pub journal: Option<FeedProgress>,
}

/// Hands all of it on, on this thread. `/readyz` says so until what is left only waits for its own account's room.
pub(super) fn start(
    recovered: Recovered,
    shared: &Arc<AppState>,
    dispatchers: &[Addr<Dispatchers>],
    progress: Option<FeedProgress>,
) {
    let dispatchers = dispatchers.iter().map(|address| address.clone().recipient()).collect();
    let (gate, metrics) = (Arc::clone(&shared.gate), Arc::clone(&shared.metrics));
    let capacity = shared.config.ingest.events_in_flight_max;
    let pressure = Rc::new(Pressure::new(WAITING_BYTES_MAX));
    let renderer = Renderer::new(Arc::clone(&gate), Arc::clone(&metrics), dispatchers, pressure, capacity);
    let feed = Feed { live: Arc::clone(&shared.live), gate, metrics, renderer: renderer.start().recipient() };
    shared.recovering.store(true, Ordering::SeqCst);
    let shared = Arc::clone(shared);
    let ready = Box::new(move || shared.recovering.store(false, Ordering::SeqCst));
    actix_rt::spawn(recovered.feed(feed, progress, ready));
}
