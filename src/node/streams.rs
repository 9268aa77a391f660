//! The wiring of deliveries that go through Redis.

use std::sync::Arc;

use actix::{Addr, Arbiter};

use super::pipeline::HandOver;
use crate::config::Config;
use crate::dispatcher::Dispatchers;
use crate::flow::gate::Gate;
use crate::handover::streams::{Backlog, Consumers, DispatcherSink, Streams, StreamsError};
use crate::telemetry::metrics::Metrics;

/// Opens the streams, if the settings want them.
pub(super) async fn open(config: &Config) -> Result<Option<Streams>, StreamsError> {
    match config.delivers_through_streams() {
        true => Streams::open(config).await.map(Some),
        false => Ok(None),
    }
}

/// Starts to read the streams, each on the thread that has its destinations, and to watch the backlog. Returns the way
/// of this node's own deliveries.
pub(super) fn join(
    streams: &Streams,
    threads: &[Arbiter],
    dispatchers: &[Addr<Dispatchers>],
    metrics: &Arc<Metrics>,
    gate: &Arc<Gate>,
) -> HandOver {
    for (share, (thread, dispatchers)) in threads.iter().zip(dispatchers).enumerate() {
        let sink =
            DispatcherSink { deliveries: dispatchers.clone().recipient(), parked: dispatchers.clone().recipient() };
        let (gate, metrics) = (Arc::clone(gate), Arc::clone(metrics));
        Consumers::start_on(&thread.handle(), streams, (share, threads.len()), sink, gate, metrics);
    }
    let backlog = Backlog::new(streams, Arc::clone(gate), Arc::clone(metrics));
    actix_rt::spawn(Arc::clone(&backlog).watch(streams.clone()));
    HandOver::Streams(streams.clone(), backlog)
}
