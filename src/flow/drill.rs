//! Faults on demand. Panics, for tests that each stage survives one; and, in builds with debug assertions, the end of the
//! process and waits, for drills with the built program. Does nothing in other builds.

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

impl Stage {
    /// Its word in `POSTHASTE_DRILL_PANIC`.
    #[cfg(debug_assertions)]
    fn word(self) -> &'static str {
        match self {
            Self::Ingester => "ingester",
            Self::Matcher => "matcher",
            Self::Renderer => "renderer",
            Self::Publisher => "publisher",
            Self::Dispatcher => "dispatcher",
        }
    }
}

#[cfg(test)]
thread_local! {
    static PANICS: std::cell::Cell<Option<Stage>> = const { std::cell::Cell::new(None) };
}

/// The next call of [`point`] for this stage on this thread panics.
#[cfg(test)]
pub(crate) fn panic_at(stage: Stage) {
    PANICS.set(Some(stage));
}

/// Panics where it was requested: by `panic_at`, or for drills with the built program by the environment variable
/// `POSTHASTE_DRILL_PANIC`, which holds a stage and the number of the call, as in `matcher 3`. Only in builds with debug
/// assertions.
#[inline]
pub fn point(stage: Stage) {
    #[cfg(test)]
    if PANICS.get() == Some(stage) {
        PANICS.set(None);
        panic!("a drill in {stage:?}");
    }
    #[cfg(debug_assertions)]
    {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicUsize, Ordering};
        static PLAN: OnceLock<Option<(String, usize)>> = OnceLock::new();
        static CALLS: AtomicUsize = AtomicUsize::new(1);
        let plan = PLAN.get_or_init(|| {
            let plan = std::env::var("POSTHASTE_DRILL_PANIC").ok()?;
            let (stage, call) = plan.split_once(' ')?;
            Some((stage.to_owned(), call.parse().ok()?))
        });
        if let Some((own, call)) = plan
            && own == stage.word()
            && CALLS.fetch_add(1, Ordering::SeqCst) == *call
        {
            panic!("a drill in {stage:?}");
        }
    }
    #[cfg(not(debug_assertions))]
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

/// Whether the file exists that the environment variable names. The caller waits until it is removed. Only in builds with
/// debug assertions.
#[inline]
pub fn is_held(variable: &str) -> bool {
    #[cfg(debug_assertions)]
    {
        std::env::var_os(variable).is_some_and(|path| std::path::Path::new(&path).exists())
    }
    #[cfg(not(debug_assertions))]
    {
        let _ = variable;
        false
    }
}

/// The interval at which a waiting caller checks [`is_held`].
pub const HELD_CHECKED_EVERY: std::time::Duration = std::time::Duration::from_millis(5);
