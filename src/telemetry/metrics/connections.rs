//! Metrics of the connections of clients.

use prometheus::IntGauge;

use super::kind::{CounterBy, label, subject};
use crate::model::words::words;

subject! {
    /// The connections of clients.
    pub struct ConnectionMetrics {
        /// Connections of clients that are open.
        pub open: IntGauge = "posthaste_connections",
        /// Connections of clients that the node ended, by reason.
        pub ended: CounterBy<ConnectionEnd> = "posthaste_connections_ended_total",
    }
}

words! {
    /// Why the node ended a client's connection.
    pub enum ConnectionEnd {
        /// It was idle for `server.keep_alive_ms`.
        Idle = "idle",
        /// It was idle, and others wanted to connect.
        GaveWay = "gave_way",
        /// It was new, and its peer address had its share of the connections, none of them idle.
        OverShare = "over_share",
        /// A head was not sent within `server.head_timeout_ms`.
        HeadTimeout = "head_timeout",
        /// A head was over a limit.
        HeadTooLarge = "head_too_large",
        /// Its head was incomplete for longest when all such heads had `server.head_bytes_max`.
        HeadBytes = "head_bytes",
        /// A response was not taken within `server.response_timeout_ms`.
        ResponseTimeout = "response_timeout",
        /// Its response was unread for longest when unread responses reached `server.response_bytes_max`.
        ResponseBytes = "response_bytes",
        /// The node stops.
        Stopping = "stopping",
    }
}

label!(ConnectionEnd, "reason");
