//! The log: text or JSON on standard error. What may be logged is decided where it is written: never a body, a
//! header, a key, or a URL's query.

use std::any::Any;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::Log;

/// A panic's message if it is constant. A formatted one may contain customers' data.
fn constant_words(payload: &(dyn Any + Send)) -> Option<&'static str> {
    payload.downcast_ref::<&'static str>().copied()
}

/// A panic is logged as one line like all others.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let what = constant_words(panic.payload());
        tracing::error!(place, what, "panic: this piece of work ends, everything else continues");
    }));
}

/// Starts the log of this process. A second start changes nothing.
pub fn start(config: &Log) {
    // Libraries log warnings and errors only: below that, some write headers.
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("posthaste", config.level);
    // The HTTP server logs each malformed request: clients would decide how much is logged.
    let filter = filter.with_target("actix_http", LevelFilter::OFF);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
    let layer = if config.json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    // It fails only where one exists already, as in a test's process.
    if tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().is_ok() {
        log_panics();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panics_formatted_message_is_not_logged() {
        let words = |panicking: fn()| {
            let payload = std::panic::catch_unwind(panicking).expect_err("a panic");
            constant_words(payload.as_ref())
        };
        assert_eq!(words(|| panic!("an invariant")), Some("an invariant"));
        assert_eq!(words(|| panic!("{}", std::hint::black_box("a guest's name"))), None);
    }
}
