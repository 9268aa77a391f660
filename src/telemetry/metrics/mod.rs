//! The metrics: counters, gauges and histograms, in Prometheus' text format and with names that follow its rules. One file
//! for each subject defines its metrics; only this folder names the metrics library. Labels are fixed words, never a
//! customer's data, so their number is bounded.

mod by_thread;
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
pub use by_thread::{ByThread, CountOf, Durations, Level, NumberKind, OwnNumbers, Total};
pub use connections::{ConnectionEnd, ConnectionMetrics};
pub use deliveries::{DeliveryMetrics, ThreadDeliveries};
pub use events::{EventMetrics, RejectedByCode};
pub use journal::JournalMetrics;
pub use kind::{CounterBy, Label};
pub use store::{SnapshotReason, StoreMetrics};
pub use streams::{RedemptionResult, StreamMetrics};

/// All of the node's metrics. Handles are looked up once, here; counting is one atomic addition, or a plain one of a
/// thread's own number.
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
        let ended = &metrics.connections.ended;
        count_each::<ConnectionEnd>(&metrics, "posthaste_connections_ended_total", ended);
        count_each::<SnapshotReason>(&metrics, "posthaste_store_snapshots_total", &metrics.store.snapshots);
        count_each::<RedemptionResult>(&metrics, "posthaste_tickets_total", &metrics.streams.redeemed);
        metrics.events.rejected.inc_by("missing_member", 3);
        let text = metrics.render();
        assert!(text.contains("posthaste_events_rejected_total{code=\"missing_member\"} 3\n"));
        assert!(text.contains("# HELP posthaste_events_accepted_total Events accepted.\n"), "{text}");
    }

    #[test]
    fn what_each_thread_counts_is_summed_and_stays_when_it_ends() {
        let metrics = Metrics::new();
        let count = &|queued: usize| {
            let own = metrics.deliveries.of_thread();
            (0..queued).for_each(|_| own.queued(10));
            own.dequeued(7);
            for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
                assert_eq!(Label::index(outcome), index);
                for _ in 0..=index {
                    own.began(Duration::from_secs(20));
                    own.attempted(outcome, Duration::from_micros(1_000 + index as u64));
                }
            }
            own.began(Duration::ZERO);
        };
        std::thread::scope(|threads| {
            for queued in [0, 3] {
                threads.spawn(move || count(queued));
            }
        });
        let text = metrics.render();
        let number = Outcome::ALL.len() * (Outcome::ALL.len() + 1);
        let sum = 2.0 * (1..=Outcome::ALL.len()).map(|all| all as f64 * (0.000_999 + all as f64 / 1e6)).sum::<f64>();
        let duration = "posthaste_attempt_duration_seconds";
        let mut lines = vec![
            "# TYPE posthaste_queue_depth gauge".to_owned(),
            "posthaste_queue_depth 1".to_owned(),
            "posthaste_queue_bytes 16".to_owned(),
            "posthaste_attempts_in_flight 2".to_owned(),
            "posthaste_accept_to_send_seconds_bucket{le=\"0.0001\"} 2".to_owned(),
            "posthaste_accept_to_send_seconds_bucket{le=\"10\"} 2".to_owned(),
            format!("posthaste_accept_to_send_seconds_bucket{{le=\"+Inf\"}} {}", number + 2),
            format!("posthaste_accept_to_send_seconds_sum {}", number * 20),
            format!("# HELP {duration} From an attempt's start to its end."),
            format!("# TYPE {duration} histogram"),
            format!("{duration}_bucket{{le=\"0.0005\"}} 0"),
            format!("{duration}_bucket{{le=\"0.001\"}} 2"),
            format!("{duration}_bucket{{le=\"0.0025\"}} {number}"),
            format!("{duration}_sum {}", (sum * 1e6).round() / 1e6),
            format!("{duration}_count {number}"),
        ];
        lines.extend(Outcome::ALL.iter().enumerate().map(|(index, outcome)| {
            format!("posthaste_attempts_total{{outcome=\"{}\"}} {}", outcome.as_str(), 2 * (index + 1))
        }));
        for line in lines {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
    }
}
