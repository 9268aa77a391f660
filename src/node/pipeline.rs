//! The stages of one HTTP thread, the last one first.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix::{Actor as _, Addr};

use crate::dispatcher::Dispatchers;
use crate::flow::journal::EventJournal;
use crate::flow::last_account::LastAccount;
use crate::flow::pressure::Pressure;
#[cfg(feature = "redis")]
use crate::handover::streams::{Backlog, Publisher, Streams};
use crate::http::{AppState, Pipeline};
use crate::ingester::idempotency::IdempotencyWindow;
use crate::ingester::{IngestContext, Ingester};
use crate::matcher::Matcher;
use crate::renderer::{NextStage, Renderer};

/// The most bytes of bodies that a thread has rendered and not yet handed over. A small event can fire many triggers with
/// large bodies.
pub(super) const WAITING_BYTES_MAX: usize = 32 << 20;

/// How a pipeline's deliveries reach Dispatchers.
#[derive(Clone)]
pub(super) enum HandOver {
    /// To those of this node.
    Direct(Vec<Addr<Dispatchers>>),
    /// To those of any node, through Redis.
    #[cfg(feature = "redis")]
    Streams(Streams, Arc<Backlog>),
}

impl HandOver {
    /// The number of partitions of the streams that this node can't read at the moment.
    pub(super) fn unread(&self) -> Arc<AtomicUsize> {
        match self {
            Self::Direct(_) => Arc::default(),
            #[cfg(feature = "redis")]
            Self::Streams(streams, _) => streams.unread(),
        }
    }

    /// Reads no more from the streams, if there are any.
    pub(super) async fn stop_taking(&self) {
        match self {
            Self::Direct(_) => {}
            #[cfg(feature = "redis")]
            Self::Streams(streams, _) => streams.stop_taking().await,
        }
    }
}

/// The stage after the Renderer, if deliveries stay on this node.
pub(super) fn to_dispatchers(dispatchers: &[Addr<Dispatchers>]) -> NextStage {
    NextStage::Dispatchers(dispatchers.iter().map(|address| address.clone().recipient()).collect())
}

/// Starts them on this thread.
pub(super) fn start_pipeline(
    shared: &AppState,
    hand_over: &HandOver,
    window: Option<IdempotencyWindow>,
    journal: Option<&Arc<dyn EventJournal>>,
) -> Pipeline {
    let metrics = || Arc::clone(&shared.metrics);
    let pressure = Rc::new(Pressure::new(WAITING_BYTES_MAX));
    let next = match hand_over {
        HandOver::Direct(dispatchers) => to_dispatchers(dispatchers),
        #[cfg(feature = "redis")]
        HandOver::Streams(streams, backlog) => {
            let backlog = Arc::clone(backlog);
            let capacity = shared.config.ingest.deliveries_in_flight_max + shared.config.server.connections_max;
            let publisher = Publisher::new(streams, backlog, metrics(), Rc::clone(&pressure), capacity);
            NextStage::Publisher(publisher.start().recipient())
        }
    };
    let background = shared.rendering.clone();
    let renderer = Renderer::start(Arc::clone(&shared.gate), metrics(), next, pressure, background);
    let matcher = Matcher::start(
        Arc::clone(&shared.live),
        Arc::clone(&shared.gate),
        metrics(),
        journal.map(|journal| journal.accept_journal()),
        renderer.clone(),
    );
    let ingesting = IngestContext {
        gate: Arc::clone(&shared.gate),
        last_account: LastAccount::default(),
        metrics: metrics(),
        window,
        background: shared.background.clone(),
        matcher,
    };
    Pipeline { ingester: Ingester::start(ingesting), renderer }
}
