//! Metrics of the streams that carry deliveries between nodes.

use prometheus::{Gauge, IntCounter, IntGauge};

use super::kind::{CounterBy, label, subject};
use crate::model::words::words;

subject! {
    /// The streams that carry deliveries between nodes.
    pub struct StreamMetrics {
        /// Parked deliveries in all streams, which wait until a node has room for their destination.
        pub parked: IntGauge = "posthaste_parked_deliveries",
        /// Deliveries in the streams of all nodes whose attempts have not begun.
        pub backlog: IntGauge = "posthaste_backlog_deliveries",
        /// Age of the oldest delivery of the backlog.
        pub backlog_oldest_age: Gauge = "posthaste_backlog_oldest_age_seconds",
        /// Deliveries that this node took over from dead nodes or that were given back.
        pub claimed: IntCounter = "posthaste_claims_total",
        /// Claims redeemed before attempts: won by this node, or lost to another one.
        pub redeemed: CounterBy<RedemptionResult> = "posthaste_tickets_total",
    }
}

words! {
    /// Which node won a claim.
    pub enum RedemptionResult {
        /// This node.
        Won = "won",
        /// Another node.
        Lost = "lost",
    }
}

label!(RedemptionResult, "result");
