//! What the operator sees: the log, the metrics, and ended firings.

pub mod activity;
pub mod log;
pub mod metrics;
