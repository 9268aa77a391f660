//! Metrics of events, from the request to the firings.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Registry};

use super::by_thread::{ByThread, Total};
use super::kind::{Metric, counters, subject};

subject! {
    /// Events, from the request to the firings.
    pub struct EventMetrics {
        /// Events accepted.
        pub accepted: ByThread<Total> = "posthaste_events_accepted_total",
        /// Events and requests with events that were rejected, by code.
        pub rejected: RejectedByCode = "posthaste_events_rejected_total",
        /// Events whose id was seen before: accepted, but fired nothing.
        pub duplicates: IntCounter = "posthaste_duplicates_total",
        /// Triggers that an event fired.
        pub firings_matched: ByThread<Total> = "posthaste_firings_matched_total",
        /// Events accepted and not yet handed to their destinations' workers.
        pub in_flight: IntGauge = "posthaste_events_in_flight",
        /// Bytes of requests' bodies and of the events parsed from them, until their work is handed over.
        pub body_bytes: IntGauge = "posthaste_body_bytes",
    }
}

/// Why events and requests with events are rejected: the codes that a producer receives.
const CODES: [&str; 36] = [
    "account_not_allowed",
    "bad_account",
    "bad_data",
    "bad_event_type",
    "bad_gzip",
    "bad_hops",
    "bad_id",
    "bad_specversion",
    "bad_time",
    "body_incomplete",
    "body_timeout",
    "body_too_large",
    "engine_full",
    "forbidden",
    "host_not_allowed",
    "id_in_progress",
    "internal_error",
    "key_malformed",
    "key_missing",
    "key_unknown",
    "loop",
    "malformed_body",
    "malformed_json",
    "missing_member",
    "no_events",
    "not_an_ingest_node",
    "origin_not_allowed",
    "rate_limited",
    "stopping",
    "store_unavailable",
    "too_many_attributes",
    "unknown_member",
    "unsupported_charset",
    "unsupported_content_coding",
    "unsupported_media_type",
    "wrong_type",
];

/// A counter for each code.
#[derive(Debug)]
pub struct RejectedByCode(IntCounterVec);

impl RejectedByCode {
    /// Counts rejected events, or one request none of whose events could be read.
    pub fn inc_by(&self, code: &'static str, number: usize) {
        debug_assert!(CODES.contains(&code), "{code} is not among the codes");
        self.0.with_label_values(&[code]).inc_by(number as u64);
    }
}

#[cfg(test)]
impl RejectedByCode {
    pub(crate) fn get(&self, code: &str) -> u64 {
        self.0.with_label_values(&[code]).get()
    }
}

impl Metric for RejectedByCode {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        let family = counters(registry, name, help, "code");
        for code in CODES {
            family.with_label_values(&[code]);
        }
        Self(family)
    }
}
