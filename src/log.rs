//! The log: text for people, JSON for machines, on standard error. What may stand in it is decided
//! where it is written: never a body, a header, a key, or a URL's query.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::config::Log;

/// Starts the log of this process. A second start changes nothing.
pub fn start(config: &Log) {
    // Libraries are heard from the level of warnings on: below it, some write headers.
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .parse_lossy(format!("posthaste={}", config.level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
    let layer = if config.json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    // It fails only where there is one already, as in a test's process.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
