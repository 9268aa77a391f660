//! `posthaste serve`: runs the engine until a signal says stop.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use super::print::{complain, say};
use crate::config::Config;
use crate::engine::Engine;
use crate::log;

/// Runs the engine.
pub(super) fn run(config: Config) -> ExitCode {
    log::start(&config.log);
    actix_rt::System::new().block_on(async {
        // Asked for before anything is taken, so that a signal never finds its default.
        let stop = match stop_signal() {
            Ok(stop) => stop,
            Err(error) => {
                complain(&format!("signals can't be heard: {error}"));
                return ExitCode::FAILURE;
            }
        };
        let engine = match Engine::start(config).await {
            Ok(engine) => engine,
            Err(error) => {
                complain(&error.to_string());
                return ExitCode::FAILURE;
            }
        };
        say(&format!("listening on http://{}", engine.address()));
        tracing::info!(address = %engine.address(), version = env!("CARGO_PKG_VERSION"), "serving");
        let signal = stop.await;
        tracing::info!(signal, "stopping: no more events are taken, what was accepted is sent");
        let stopped = engine.stop().await;
        tracing::info!(unsent = stopped.unsent, "stopped");
        ExitCode::SUCCESS
    })
}

/// Waits for SIGTERM or SIGINT and names it.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
