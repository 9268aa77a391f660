//! The event loop of the threads that serve many connections.

use std::cell::Cell;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// The most sockets that such a thread finds ready at a time. Thousands may be ready at once, and each further step for
/// another one waits behind those that were found.
const IO_EVENTS_AT_ONCE: usize = 64;

/// How long such a thread runs before it lets others have its processor.
const RUNS_FOR: Duration = Duration::from_millis(1);

thread_local! {
    /// Since when the thread runs; `None`: it waited for events and has done nothing since.
    static RUNS_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// An event loop for the thread that calls it.
pub fn thread_runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_io_events_per_tick(IO_EVENTS_AT_ONCE).on_thread_unpark(|| RUNS_SINCE.set(None));
    builder.build()
}

/// Call it between two units of work. A thread that always has work would keep its processor for many milliseconds, while
/// another one waits there that has work for another account: the system moves threads that wait only now and then.
pub fn let_other_threads_run(now: Instant) {
    match RUNS_SINCE.get() {
        None => RUNS_SINCE.set(Some(now)),
        Some(since) if now.saturating_duration_since(since) >= RUNS_FOR => {
            thread::yield_now();
            RUNS_SINCE.set(Some(Instant::now()));
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_lets_others_run_once_in_a_while_and_after_waiting_not_at_once() {
        let begun = Instant::now();
        let running_since = |now| {
            let_other_threads_run(now);
            RUNS_SINCE.get()
        };
        assert_eq!(running_since(begun), Some(begun));
        assert_eq!(running_since(begun + RUNS_FOR / 2), Some(begun));
        assert!(running_since(begun + RUNS_FOR) > Some(begun), "it has let others run, and runs again");
        let runtime = thread_runtime().expect("an event loop");
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        assert_eq!(RUNS_SINCE.get(), None, "it has waited");
    }
}
