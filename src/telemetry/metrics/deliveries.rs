//! Metrics of firings and deliveries: rendered, queued, attempted, dropped.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge};

use super::kind::{CounterBy, label, subject};
use crate::model::outcome::{DropReason, Outcome};

subject! {
    /// Deliveries: rendered, queued, attempted, dropped.
    pub struct DeliveryMetrics {
        /// Bodies rendered and handed to a destination.
        pub rendered: IntCounter = "posthaste_deliveries_rendered_total",
        /// Firings and deliveries that ended without an attempt, by reason.
        pub dropped: CounterBy<DropReason> = "posthaste_dropped_total",
        /// Attempts that ended, by outcome.
        pub attempts: CounterBy<Outcome> = "posthaste_attempts_total",
        /// Attempts in flight.
        pub attempts_in_flight: IntGauge = "posthaste_attempts_in_flight",
        /// From an event's acceptance to the start of each attempt.
        pub accept_to_send: Histogram = "posthaste_accept_to_send_seconds",
        /// From an attempt's start to its end.
        pub attempt_duration: Histogram = "posthaste_attempt_duration_seconds",
        /// Deliveries that wait for a connection to their destination.
        pub queue_depth: IntGauge = "posthaste_queue_depth",
        /// Bytes of the bodies of waiting deliveries.
        pub queue_bytes: IntGauge = "posthaste_queue_bytes",
        /// Bytes that deliveries are charged, from rendering to the end of their attempts.
        pub bytes: IntGauge = "posthaste_delivery_bytes",
        /// Destinations with a live Dispatcher.
        pub destinations: IntGauge = "posthaste_destinations",
    }
}

impl DeliveryMetrics {
    /// Counts an attempt that ended.
    pub fn attempted(&self, outcome: Outcome, duration: Duration) {
        self.attempts.inc(outcome);
        self.attempt_duration.observe(duration.as_secs_f64());
    }

    /// Counts a delivery that waits, with the bytes of its body.
    pub fn queued(&self, bytes: usize) {
        self.queue_depth.inc();
        self.queue_bytes.add(bytes as i64);
    }

    /// Counts it out again.
    pub fn dequeued(&self, bytes: usize) {
        self.queue_depth.dec();
        self.queue_bytes.sub(bytes as i64);
    }

    /// Observes how long after its event's acceptance an attempt started.
    pub fn began(&self, after: Duration) {
        self.accept_to_send.observe(after.as_secs_f64());
    }
}

label!(DropReason, "reason");
label!(Outcome, "outcome");
