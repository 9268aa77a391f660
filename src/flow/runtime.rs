//! The event loop of the threads that serve many connections.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The most sockets that such a thread finds ready in one round. Thousands may be ready at once, and the next step of
/// any other task waits behind all that were found.
const IO_EVENTS_AT_ONCE: usize = 64;

/// An event loop for the thread that calls it.
pub fn thread_runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_io_events_per_tick(IO_EVENTS_AT_ONCE).build()
}

/// The same, for a thread of its own with this name: `top -H` shows which part of a node is busy. At most 15 bytes of the
/// name are shown. Where the system has no `/proc`, the thread has the name that it was started with.
pub fn named_thread_runtime(name: &str) -> io::Result<Runtime> {
    let _ = std::fs::write("/proc/thread-self/comm", name);
    thread_runtime()
}
