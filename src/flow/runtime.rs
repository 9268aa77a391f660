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
