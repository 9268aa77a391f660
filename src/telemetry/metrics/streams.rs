//! Metrics of the streams that carry deliveries between nodes.

use prometheus::{Gauge, IntCounter, IntGauge};

use super::kind::{CounterBy, Label, subject};

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

/// Which node won a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// This node.
    Won,
    /// Another node.
    Lost,
}

impl Label for Redeemed {
    const NAME: &'static str = "result";
    const ALL: &'static [Self] = &[Self::Won, Self::Lost];

    fn word(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
