//! What the operator sees: the log, the metrics, and firings as they end.

pub mod activity;
pub mod log;
pub mod metrics;
