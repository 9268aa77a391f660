//! Panics on demand, for tests that each stage survives one. Does nothing in other builds.

/// Where a panic can be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the events of a request.
    Ingester,
    /// Matching an event.
    Matcher,
    /// Rendering a firing.
    Renderer,
    /// Adding deliveries to a stream.
    Publisher,
    /// Making an attempt.
    Dispatcher,
}

#[cfg(test)]
thread_local! {
    static PANICS: std::cell::Cell<Option<Stage>> = const { std::cell::Cell::new(None) };
}

/// Makes the next call of [`point`] for this stage on this thread panic.
#[cfg(test)]
pub(crate) fn panic_at(stage: Stage) {
    PANICS.set(Some(stage));
}

/// Panics if [`panic_at`] requested it.
#[inline]
pub fn point(stage: Stage) {
    #[cfg(test)]
    if PANICS.get() == Some(stage) {
        PANICS.set(None);
        panic!("a drill in {stage:?}");
    }
    #[cfg(not(test))]
    let _ = stage;
}

/// Ends the process like `kill -9`, at the call whose number the environment variable gives: for crash tests with the
/// built program. Only in builds with debug assertions.
#[inline]
pub fn end_process_at(variable: &str) {
    #[cfg(debug_assertions)]
    {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static CALLS: AtomicUsize = AtomicUsize::new(1);
        let at = std::env::var(variable).ok().and_then(|number| number.parse().ok());
        if at == Some(CALLS.fetch_add(1, Ordering::SeqCst)) {
            std::process::abort();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = variable;
}
