//! `posthaste serve`: runs the node until a signal says stop.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::notify::{ServiceState, notify};
use super::print::{complain, progress_bar, say};
use super::signals::StopSignals;
use crate::config::Config;
use crate::live::{SnapshotProgress, huge_pages};
use crate::node::{Node, StartProgress, StopResult};

/// A start that takes less than this needs no progress bar. A store that is read again later is only logged.
const SEEN_AFTER: Duration = Duration::from_millis(500);
const STARTED_WITHIN: Duration = Duration::from_secs(600);

/// Below this, the sockets of a busy day's destinations and producers may run out.
const OPEN_FILES_FEW: u64 = 4_096;

/// Runs the node.
pub(super) fn run(config: Config) -> ExitCode {
    let open_files_max = raise_open_files();
    huge_pages::disable();
    actix_rt::System::new().block_on(async {
        // Registered before anything is accepted, so that no signal has its default action.
        let mut signals = match outlive_large_files().and_then(|()| StopSignals::new()) {
            Ok(signals) => signals,
            Err(error) => {
                complain(&format!("signals can't be received: {error}"));
                return ExitCode::FAILURE;
            }
        };
        let started = tokio::select! {
            started = Node::start_watched(config, StartProgress { store: Some(progress()), journal: Some(progress()) }) => started,
            // For example while the node waits for Redis. Nothing was accepted yet.
            signal = signals.next() => {
                tracing::info!(signal, "stopped before the start was complete");
                return ExitCode::SUCCESS;
            }
        };
        let node = match started {
            Ok(node) => node,
            Err(error) => {
                complain(&error.to_string());
                return ExitCode::FAILURE;
            }
        };
        say(&format!("listening on http://{}", node.address()));
        if let Some(admin) = node.admin_address() {
            say(&format!("health and metrics on http://{admin}"));
        }
        tracing::info!(address = %node.address(), version = env!("CARGO_PKG_VERSION"), open_files_max, "serving");
        notify(ServiceState::Ready);
        let signal = signals.next().await;
        notify(ServiceState::Stopping);
        tracing::info!(signal, "stopping: no more events are accepted, what was accepted is sent");
        let StopResult { unsent, kept } = end(node, &mut signals).await;
        tracing::info!(unsent, kept, "stopped");
        ExitCode::SUCCESS
    })
}

/// Draws the progress of reading a store, at a terminal, if it takes long.
fn progress() -> SnapshotProgress {
    let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
    let begun = Instant::now();
    Box::new(move |read, records| {
        // A panic elsewhere does not harm the bar.
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = read < records && begun.elapsed() >= SEEN_AFTER && begun.elapsed() < STARTED_WITHIN;
        match (&*bar, drawn) {
            (Some(bar), true) => bar.set_position(read as u64),
            (None, true) => *bar = Some(progress_bar(records).with_position(read as u64)),
            (Some(own), false) => {
                own.finish_and_clear();
                *bar = None;
            }
            (None, false) => {}
        }
    })
}

/// Stops the node, or ends at once on another signal.
async fn end(node: Node, signals: &mut StopSignals) -> StopResult {
    // The process ends next. To drop a large index part by part takes seconds.
    std::mem::forget(Arc::clone(&node.shared().live));
    let cut_short = node.cut_short();
    // Not dropped before it is cut short: the journal must record no end of what the drop ends.
    let stop = pin!(node.stop());
    tokio::select! {
        stopped = stop => stopped,
        signal = signals.next() => {
            tracing::warn!(signal, "a second signal: stopping without sending the rest");
            cut_short()
        }
    }
}

/// A write past the limit of a file's size (`ulimit -f`) fails, as on a full disk. By default its signal ends the process.
fn outlive_large_files() -> io::Result<()> {
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// Each destination and each producer needs a socket. The soft limit of open files suits programs that use `select`;
/// raises it to the hard limit.
fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    let limit = limit.unwrap_or(u64::MAX);
    if limit < OPEN_FILES_FEW {
        tracing::warn!(open_files_max = limit, "the limit of open files is low; many destinations need more");
    }
    limit
}
