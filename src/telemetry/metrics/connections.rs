//! Metrics of the connections of clients.

use prometheus::IntGauge;

use super::kind::{CounterBy, Label, subject};

subject! {
    /// The connections of clients.
    pub struct ConnectionMetrics {
        /// Connections of clients that are open.
        pub open: IntGauge = "posthaste_connections",
        /// Connections of clients that the node ended, by reason.
        pub ended: CounterBy<ConnectionEnd> = "posthaste_connections_ended_total",
    }
}

/// Why the node ended a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// It was idle for `server.keep_alive_ms`.
    Idle,
    /// It was idle, and others wanted to connect.
    GaveWay,
    /// A head was not sent within `server.head_timeout_ms`.
    HeadTimeout,
    /// A head was over a limit.
    HeadTooLarge,
    /// Its head was incomplete for longest when all such heads had `server.head_bytes_max`.
    HeadBytes,
    /// A response was not taken within `server.response_timeout_ms`.
    ResponseTimeout,
    /// Its response was not taken for longest when all such responses had `server.response_bytes_max`.
    ResponseBytes,
    /// The node stops.
    Stopping,
}

impl Label for ConnectionEnd {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = &[
        Self::Idle,
        Self::GaveWay,
        Self::HeadTimeout,
        Self::HeadTooLarge,
        Self::HeadBytes,
        Self::ResponseTimeout,
        Self::ResponseBytes,
        Self::Stopping,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::GaveWay => "gave_way",
            Self::HeadTimeout => "head_timeout",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadBytes => "head_bytes",
            Self::ResponseTimeout => "response_timeout",
            Self::ResponseBytes => "response_bytes",
            Self::Stopping => "stopping",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
