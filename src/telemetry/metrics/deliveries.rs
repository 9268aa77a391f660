//! Metrics of firings and deliveries: rendered, queued, attempted, dropped.

use std::time::Duration;

use prometheus::IntGauge;

use super::by_thread::{ByThread, CountOf, Durations, Level, OwnNumbers, Total};
use super::kind::{CounterBy, label, subject};
use crate::model::outcome::{DropReason, Outcome};

subject! {
    /// Deliveries: rendered, queued, attempted, dropped.
    pub struct DeliveryMetrics {
        /// Bodies rendered and handed to a destination.
        pub rendered: ByThread<Total> = "posthaste_deliveries_rendered_total",
        /// Firings and deliveries that ended without an attempt, by reason.
        pub dropped: CounterBy<DropReason> = "posthaste_dropped_total",
        /// Attempts that ended, by outcome.
        pub attempts: ByThread<CountOf<Outcome>> = "posthaste_attempts_total",
        /// Attempts in flight.
        pub attempts_in_flight: ByThread<Level> = "posthaste_attempts_in_flight",
        /// From an event's acceptance to the start of each attempt.
        pub accept_to_send: ByThread<Durations> = "posthaste_accept_to_send_seconds",
        /// From an attempt's start to its end.
        pub attempt_duration: ByThread<Durations> = "posthaste_attempt_duration_seconds",
        /// Deliveries that wait for a connection to their destination.
        pub queue_depth: ByThread<Level> = "posthaste_queue_depth",
        /// Bytes of the bodies of waiting deliveries.
        pub queue_bytes: ByThread<Level> = "posthaste_queue_bytes",
        /// Bytes that deliveries are charged, from rendering to the end of their attempts.
        pub bytes: IntGauge = "posthaste_delivery_bytes",
        /// Destinations with a live Dispatcher.
        pub destinations: IntGauge = "posthaste_destinations",
    }
}

/// What one thread that sends counts.
#[derive(Debug)]
pub struct ThreadDeliveries {
    attempts: OwnNumbers<CountOf<Outcome>>,
    attempts_in_flight: OwnNumbers<Level>,
    accept_to_send: OwnNumbers<Durations>,
    attempt_duration: OwnNumbers<Durations>,
    queue_depth: OwnNumbers<Level>,
    queue_bytes: OwnNumbers<Level>,
}

impl DeliveryMetrics {
    /// For the thread that calls it. What it counts stays when the thread ends.
    pub fn of_thread(&self) -> ThreadDeliveries {
        ThreadDeliveries {
            attempts: self.attempts.own(),
            attempts_in_flight: self.attempts_in_flight.own(),
            accept_to_send: self.accept_to_send.own(),
            attempt_duration: self.attempt_duration.own(),
            queue_depth: self.queue_depth.own(),
            queue_bytes: self.queue_bytes.own(),
        }
    }
}

impl ThreadDeliveries {
    /// Counts a delivery that waits, with the bytes of its body.
    pub fn queued(&self, bytes: usize) {
        self.queue_depth.rise(1);
        self.queue_bytes.rise(bytes);
    }

    /// Counts it out again.
    pub fn dequeued(&self, bytes: usize) {
        self.queue_depth.fall(1);
        self.queue_bytes.fall(bytes);
    }

    /// Counts an attempt that began so long after its event was accepted.
    pub fn began(&self, after: Duration) {
        self.accept_to_send.observe(after);
        self.attempts_in_flight.rise(1);
    }

    /// Counts an attempt that ended.
    pub fn attempted(&self, outcome: Outcome, duration: Duration) {
        self.attempts_in_flight.fall(1);
        self.attempts.inc(outcome);
        self.attempt_duration.observe(duration);
    }
}

label!(DropReason, "reason");
label!(Outcome, "outcome");
