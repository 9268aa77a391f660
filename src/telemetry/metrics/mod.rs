//! The metrics: counters, gauges and histograms, in Prometheus' text format and with names that follow its rules. One file
//! for each subject defines its metrics; only this folder names the metrics library. Labels are fixed words, never a
//! customer's data, so their number is bounded.

mod connections;
mod deliveries;
mod events;
mod journal;
mod kind;
mod store;
mod streams;

use std::sync::Arc;

use prometheus::{Encoder as _, IntGauge, Opts, Registry, TextEncoder};

use super::activity::{Activity, ActivityBounds};
pub use connections::{ConnectionEnd, ConnectionMetrics};
pub use deliveries::DeliveryMetrics;
pub use events::{EventMetrics, RejectedByCode};
pub use journal::JournalMetrics;
pub use kind::{CounterBy, Label};
pub use store::{SnapshotReason, StoreMetrics};
pub use streams::{RedemptionResult, StreamMetrics};

/// All of the node's metrics. Handles are looked up once, here; counting is one atomic addition.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The connections of clients.
    pub connections: ConnectionMetrics,
    /// Events, from the request to the firings.
    pub events: EventMetrics,
    /// Deliveries: rendered, queued, attempted, dropped.
    pub deliveries: DeliveryMetrics,
    /// The journal of accepted deliveries.
    pub journal: JournalMetrics,
    /// The store and what is live.
    pub store: StoreMetrics,
    /// The streams that carry deliveries between nodes.
    pub streams: StreamMetrics,
    /// Subscribers of ended firings. It is here because each counted end is also reported to them.
    pub activity: Arc<Activity>,
}

impl Metrics {
    /// The content type of [`Self::render`].
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// All at zero, without subscriptions.
    pub fn new() -> Self {
        Self::with_activity(ActivityBounds { subscribers: 0, lines: 0 })
    }

    /// All at zero, with these bounds of subscriptions.
    pub fn with_activity(bounds: ActivityBounds) -> Self {
        let registry = Registry::new();
        let version = env!("CARGO_PKG_VERSION");
        let build = Opts::new("posthaste_build_info", "One, with the version as a label.");
        kind::registered(&registry, IntGauge::with_opts(build.const_label("version", version))).set(1);
        Self {
            connections: ConnectionMetrics::register(&registry),
            events: EventMetrics::register(&registry),
            deliveries: DeliveryMetrics::register(&registry),
            journal: JournalMetrics::register(&registry),
            store: StoreMetrics::register(&registry),
            streams: StreamMetrics::register(&registry),
            activity: Arc::new(Activity::new(bounds)),
            registry,
        }
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = Vec::with_capacity(8_192);
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        encoded.expect("a Vec takes every write and every name is valid");
        String::from_utf8(text).expect("the encoder writes UTF-8")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::outcome::{DropReason, Outcome};

    /// Each value of the label counts for itself, under its own word.
    fn count_each<L: Label>(metrics: &Metrics, name: &str, counter: &CounterBy<L>) {
        for (index, label) in L::ALL.iter().enumerate() {
            assert_eq!(label.index(), index, "{} of {name}", label.word());
            counter.inc_by(*label, index + 1);
        }
        let text = metrics.render();
        for (index, label) in L::ALL.iter().enumerate() {
            let line = format!("{name}{{{}=\"{}\"}} {}\n", L::NAME, label.word(), index + 1);
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    #[test]
    fn every_label_value_has_its_own_counter() {
        let metrics = Metrics::new();
        count_each::<DropReason>(&metrics, "posthaste_dropped_total", &metrics.deliveries.dropped);
        count_each::<Outcome>(&metrics, "posthaste_attempts_total", &metrics.deliveries.attempts);
        let ended = &metrics.connections.ended;
        count_each::<ConnectionEnd>(&metrics, "posthaste_connections_ended_total", ended);
        count_each::<SnapshotReason>(&metrics, "posthaste_store_snapshots_total", &metrics.store.snapshots);
        count_each::<RedemptionResult>(&metrics, "posthaste_tickets_total", &metrics.streams.redeemed);
        metrics.deliveries.attempted(Outcome::Delivered, Duration::from_millis(1));
        metrics.events.rejected.inc_by("missing_member", 3);
        let text = metrics.render();
        assert!(text.contains("posthaste_events_rejected_total{code=\"missing_member\"} 3\n"));
        assert!(text.contains("posthaste_attempts_total{outcome=\"delivered\"} 2\n"));
        assert!(text.contains("posthaste_attempt_duration_seconds_bucket{le=\"0.001\"} 1\n"));
        assert!(text.contains("# HELP posthaste_events_accepted_total Events accepted.\n"), "{text}");
    }
}
