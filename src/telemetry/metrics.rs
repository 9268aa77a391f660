//! What the operator sees: counters, gauges and histograms, in Prometheus' text format and after
//! its naming rules. Labels are fixed words of ours, never a customer's data, so their number is
//! bounded. The only file that names the metrics library.

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::model::outcome::{Dropped, Outcome};

/// Why events and requests with events are rejected: the words that a producer is answered with.
const REJECTED: [&str; 28] = [
    "account_not_allowed",
    "bad_account",
    "bad_data",
    "bad_event_type",
    "bad_id",
    "bad_specversion",
    "bad_time",
    "body_incomplete",
    "body_timeout",
    "body_too_large",
    "engine_full",
    "forbidden",
    "internal_error",
    "key_malformed",
    "key_missing",
    "key_unknown",
    "malformed_body",
    "malformed_json",
    "missing_member",
    "no_events",
    "not_an_ingest_node",
    "stopping",
    "store_unavailable",
    "unknown_member",
    "unsupported_charset",
    "unsupported_content_coding",
    "unsupported_media_type",
    "wrong_type",
];

/// All of the node's metrics. Handles are looked up once, here; counting is one atomic addition.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Events taken.
    pub events_accepted: IntCounter,
    /// Events whose id was seen before, which are answered as taken and fire nothing.
    pub duplicates: IntCounter,
    events_rejected: IntCounterVec,
    /// Firings found.
    pub firings_matched: IntCounter,
    /// Bodies rendered.
    pub deliveries_rendered: IntCounter,
    dropped: Vec<IntCounter>,
    attempts: Vec<IntCounter>,
    /// Deliveries that wait for a destination's connection.
    pub queue_depth: IntGauge,
    /// Bytes of their bodies.
    pub queue_bytes: IntGauge,
    /// Dispatchers that live.
    pub destinations: IntGauge,
    /// Attempts under way.
    pub attempts_in_flight: IntGauge,
    /// Events accepted and not yet handed to their destinations' senders.
    pub events_in_flight: IntGauge,
    /// Bytes of requests' bodies that are held.
    pub body_bytes: IntGauge,
    /// Triggers, templates and keys that are live.
    pub triggers: IntGauge,
    /// See `triggers`.
    pub templates: IntGauge,
    /// Records that are stored and can't be used.
    pub records_unusable: IntGauge,
    /// Whether the store can be reached.
    pub store_connected: IntGauge,
    /// When it last answered, in Unix time.
    pub store_last_contact: IntGauge,
    /// Changes that other nodes or this one made and that were heard of through Redis.
    pub store_changes: IntCounter,
    store_snapshots: IntCounterVec,
    /// Deliveries that lie in the streams.
    pub backlog: IntGauge,
    /// Those of them that are parked.
    pub parked: IntGauge,
    backlog_oldest_age: Gauge,
    /// Deliveries claimed from nodes that died.
    pub claims: IntCounter,
    tickets: [IntCounter; 2],
    accept_to_send: Histogram,
    attempt_duration: Histogram,
}

/// From a tenth of a millisecond, about what handing over takes, to an attempt's usual deadline.
const SECONDS: [f64; 16] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let dropped = counters(
            &registry,
            "posthaste_dropped_total",
            "Firings and deliveries that ended without an attempt, by reason.",
            "reason",
        );
        let attempts = counters(&registry, "posthaste_attempts_total", "Attempts that ended, by outcome.", "outcome");
        let rejected = counters(
            &registry,
            "posthaste_events_rejected_total",
            "Events and requests with events that were rejected, by code.",
            "code",
        );
        for code in REJECTED {
            // A rate can be taken of what was there before it happened.
            rejected.with_label_values(&[code]);
        }
        let tickets = counters(
            &registry,
            "posthaste_tickets_total",
            "Deliveries taken from the streams whose attempt was asked for: won by this node, or lost to another.",
            "result",
        );
        let metrics = Self {
            events_accepted: counter(&registry, "posthaste_events_accepted_total", "Events accepted."),
            events_rejected: rejected,
            duplicates: counter(
                &registry,
                "posthaste_duplicates_total",
                "Events whose id was seen before: answered as accepted, and fired nothing.",
            ),
            firings_matched: counter(&registry, "posthaste_firings_matched_total", "Triggers that an event fired."),
            deliveries_rendered: counter(
                &registry,
                "posthaste_deliveries_rendered_total",
                "Bodies rendered and handed to a destination.",
            ),
            dropped: Dropped::ALL.iter().map(|reason| dropped.with_label_values(&[reason.as_str()])).collect(),
            attempts: Outcome::ALL.iter().map(|outcome| attempts.with_label_values(&[outcome.as_str()])).collect(),
            queue_depth: gauge(
                &registry,
                "posthaste_queue_depth",
                "Deliveries that wait for a connection of their destination.",
            ),
            queue_bytes: gauge(&registry, "posthaste_queue_bytes", "Bytes of the bodies of deliveries that wait."),
            destinations: gauge(&registry, "posthaste_destinations", "Destinations with a live Dispatcher."),
            attempts_in_flight: gauge(&registry, "posthaste_attempts_in_flight", "Attempts under way."),
            body_bytes: gauge(
                &registry,
                "posthaste_body_bytes",
                "Bytes of bodies of requests that are not answered yet.",
            ),
            events_in_flight: gauge(
                &registry,
                "posthaste_events_in_flight",
                "Events accepted and not yet handed to their destinations' senders.",
            ),
            triggers: gauge(&registry, "posthaste_triggers", "Triggers that are live, disabled ones too."),
            templates: gauge(&registry, "posthaste_templates", "Templates that are live."),
            records_unusable: gauge(
                &registry,
                "posthaste_records_unusable",
                "Records that are stored and can't be used; the log names them.",
            ),
            store_connected: gauge(
                &registry,
                "posthaste_store_connected",
                "One where the store can be reached; zero: what was live last stays live, and writes are refused.",
            ),
            store_last_contact: gauge(
                &registry,
                "posthaste_store_last_contact_timestamp_seconds",
                "When Redis last answered the part that follows its changes, in Unix time; 0 with an embedded store.",
            ),
            store_changes: counter(
                &registry,
                "posthaste_store_changes_total",
                "Changes of the store in Redis that were made live here.",
            ),
            store_snapshots: counters(
                &registry,
                "posthaste_store_snapshots_total",
                "Times that all of the store in Redis was read, by reason.",
                "reason",
            ),
            parked: gauge(
                &registry,
                "posthaste_parked_deliveries",
                "Deliveries in all streams that wait until a node has room for their destination.",
            ),
            backlog: gauge(
                &registry,
                "posthaste_backlog_deliveries",
                "Deliveries in the streams of all nodes that no attempt has begun for.",
            ),
            backlog_oldest_age: seconds(
                &registry,
                "posthaste_backlog_oldest_age_seconds",
                "How long the oldest of them has been there.",
            ),
            claims: counter(
                &registry,
                "posthaste_claims_total",
                "Deliveries that this node claimed from nodes that died or gave them back.",
            ),
            tickets: ["won", "lost"].map(|result| tickets.with_label_values(&[result])),
            accept_to_send: histogram(
                &registry,
                "posthaste_accept_to_send_seconds",
                "From an event's acceptance to the begin of each attempt.",
            ),
            attempt_duration: histogram(
                &registry,
                "posthaste_attempt_duration_seconds",
                "From an attempt's begin to its end.",
            ),
            registry,
        };
        let build = IntGauge::with_opts(
            Opts::new("posthaste_build_info", "One, with the version as a label.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )
        .expect("the name is valid");
        build.set(1);
        register(&metrics.registry, build);
        metrics
    }

    /// Counts a rejected event, or a request none of whose events could be read.
    pub fn rejected(&self, code: &'static str, number: usize) {
        debug_assert!(REJECTED.contains(&code), "{code} is not among the codes");
        self.events_rejected.with_label_values(&[code]).inc_by(number as u64);
    }

    /// Counts a reading of the whole store; `reason` is a fixed word.
    pub fn snapshot_taken(&self, reason: &'static str) {
        self.store_snapshots.with_label_values(&[reason]).inc();
    }

    /// Counts firings or deliveries that ended without an attempt.
    pub fn dropped(&self, reason: Dropped, number: usize) {
        self.dropped[reason as usize].inc_by(number as u64);
    }

    /// Counts an attempt that ended.
    pub fn attempted(&self, outcome: Outcome, duration: Duration) {
        self.attempts[outcome as usize].inc();
        self.attempt_duration.observe(duration.as_secs_f64());
    }

    /// Notes how long after its event's acceptance an attempt began.
    pub fn began(&self, after: Duration) {
        self.accept_to_send.observe(after.as_secs_f64());
    }

    /// Counts a ticket that was redeemed, or that another node had redeemed before.
    pub fn ticket_redeemed(&self, won: bool) {
        self.tickets[usize::from(!won)].inc();
    }

    /// Notes how long the oldest delivery has been in the streams.
    pub fn backlog_oldest_age(&self, milliseconds: u64) {
        self.backlog_oldest_age.set(milliseconds as f64 / 1_000.0);
    }

    /// How often this outcome came about.
    pub fn attempts(&self, outcome: Outcome) -> u64 {
        self.attempts[outcome as usize].get()
    }

    /// How many ended so.
    pub fn drops(&self, reason: Dropped) -> u64 {
        self.dropped[reason as usize].get()
    }

    /// All of it as Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = Vec::with_capacity(8_192);
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        encoded.expect("a Vec takes every write and every name is valid");
        String::from_utf8(text).expect("the encoder writes UTF-8")
    }

    /// The content type of [`Self::render`].
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn register(registry: &Registry, collector: impl prometheus::core::Collector + 'static) {
    let registered = registry.register(Box::new(collector));
    registered.expect("no name is given twice; a test makes them all");
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let counter = IntCounter::new(name, help).expect("the name is valid");
    register(registry, counter.clone());
    counter
}

fn counters(registry: &Registry, name: &str, help: &str, label: &str) -> IntCounterVec {
    let counters = IntCounterVec::new(Opts::new(name, help), &[label]).expect("the name is valid");
    register(registry, counters.clone());
    counters
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let gauge = IntGauge::new(name, help).expect("the name is valid");
    register(registry, gauge.clone());
    gauge
}

fn seconds(registry: &Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::new(name, help).expect("the name is valid");
    register(registry, gauge.clone());
    gauge
}

fn histogram(registry: &Registry, name: &str, help: &str) -> Histogram {
    let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    let histogram = Histogram::with_opts(options).expect("the name is valid");
    register(registry, histogram.clone());
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_counts_for_itself() {
        let metrics = Metrics::new();
        for (index, reason) in Dropped::ALL.into_iter().enumerate() {
            metrics.dropped(reason, index + 1);
        }
        for outcome in Outcome::ALL {
            metrics.attempted(outcome, Duration::from_millis(1));
        }
        metrics.rejected("missing_member", 3);
        let text = metrics.render();
        for (index, reason) in Dropped::ALL.into_iter().enumerate() {
            let line = format!("posthaste_dropped_total{{reason=\"{}\"}} {}\n", reason.as_str(), index + 1);
            assert!(text.contains(&line), "{line} in {text}");
        }
        for outcome in Outcome::ALL {
            let line = format!("posthaste_attempts_total{{outcome=\"{}\"}} 1\n", outcome.as_str());
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.contains("posthaste_events_rejected_total{code=\"missing_member\"} 3\n"));
        assert!(text.contains("posthaste_attempt_duration_seconds_bucket{le=\"0.001\"} 12\n"));
    }
}
