//! Metrics of the streams that carry deliveries between nodes.

use prometheus::{Gauge, IntCounter, IntGauge};

use super::kind::{CounterBy, label, subject};

subject! {
    /// The streams that carry deliveries between nodes.
    pub struct StreamMetrics {
        /// Deliveries in all streams that wait until a node has room for their destination.
        pub parked: IntGauge = "posthaste_parked_deliveries",
        /// Deliveries in the streams of all nodes that no attempt has begun for.
        pub backlog: IntGauge = "posthaste_backlog_deliveries",
        /// Age of the oldest delivery of the backlog.
        pub backlog_oldest_age: Gauge = "posthaste_backlog_oldest_age_seconds",
        /// Deliveries that this node claimed from nodes that died or gave them back.
        pub claimed: IntCounter = "posthaste_claims_total",
        /// Claims of deliveries before their attempts: won by this node, or lost to another one.
        pub redeemed: CounterBy<Redeemed> = "posthaste_tickets_total",
    }
}

label! {
    /// Which node won a claim.
    pub enum Redeemed = "result" {
        /// This node.
        Won = "won",
        /// Another node.
        Lost = "lost",
    }
}
