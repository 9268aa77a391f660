//! What is compiled when it is first used: a node compiles no more of what is stored than it has time for
//! (`store::compile_budget`). The first use takes place in the background, in the turn of its account, so the time that it
//! takes is its account's own.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

type Compile<T> = Box<dyn FnOnce() -> Result<T, DropReason> + Send>;

/// A `T` that is compiled, or will be when it is first used; or why what needs it is dropped.
pub struct Late<T> {
    compiled: OnceLock<Result<T, DropReason>>,
    compile: Mutex<Option<Compile<T>>>,
    /// They count it while it is known to be unusable.
    metrics: Option<Arc<Metrics>>,
}

impl<T> Late<T> {
    /// One that is compiled.
    pub fn ready(value: T) -> Self {
        Self { compiled: OnceLock::from(Ok(value)), compile: Mutex::new(None), metrics: None }
    }

    /// One that will be compiled by this. If it turns out to be unusable, the metrics count its record until its end.
    pub fn new(compile: impl FnOnce() -> Result<T, DropReason> + Send + 'static, metrics: Arc<Metrics>) -> Self {
        Self { compiled: OnceLock::new(), compile: Mutex::new(Some(Box::new(compile))), metrics: Some(metrics) }
    }

    /// Whether it is compiled.
    pub fn is_ready(&self) -> bool {
        self.compiled.get().is_some()
    }

    /// Compiles it first if it is not. Another thread that needs it meanwhile waits.
    pub fn get(&self) -> Result<&T, DropReason> {
        let compile = || {
            let compile = self.compile.lock().unwrap_or_else(PoisonError::into_inner).take();
            // It is gone if it ended in a panic.
            let compiled = compile.map_or(Err(DropReason::Panic), |compile| compile());
            self.count(&compiled, 1);
            compiled
        };
        self.compiled.get_or_init(compile).as_ref().map_err(|reason| *reason)
    }

    /// The value, compiled.
    pub fn into_inner(mut self) -> Result<T, DropReason> {
        self.get().map(drop)?;
        self.compiled.take().expect("it was compiled")
    }

    /// Changes the number of unusable records if this says that it is one, and not that the node ends.
    fn count(&self, compiled: &Result<T, DropReason>, change: i64) {
        if let (Err(reason), Some(metrics)) = (compiled, &self.metrics)
            && *reason != DropReason::Stopped
        {
            metrics.store.records_unusable.add(change);
        }
    }
}

impl<T> Drop for Late<T> {
    fn drop(&mut self) {
        if let Some(compiled) = self.compiled.get() {
            self.count(compiled, -1);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Late<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Late").field(&self.compiled).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn it_is_compiled_once_and_not_before_it_is_used() {
        let late = Late::new(|| Ok(7), Arc::new(Metrics::new()));
        assert!(!late.is_ready());
        assert_eq!((late.get(), late.is_ready(), late.get()), (Ok(&7), true, Ok(&7)));
        assert_eq!(late.into_inner(), Ok(7));
        let refused = Late::<u8>::new(|| Err(DropReason::UrlRefused), Arc::new(Metrics::new()));
        assert_eq!((refused.get(), refused.is_ready()), (Err(DropReason::UrlRefused), true));
        assert!(Late::ready(1).is_ready());
    }

    #[test]
    fn one_that_is_unusable_counts_from_its_first_use_to_its_end() {
        let metrics = Arc::new(Metrics::new());
        let counts = |reason| Late::<u8>::new(move || Err(reason), Arc::clone(&metrics));
        let (used, other, unused) =
            (counts(DropReason::UrlRefused), counts(DropReason::TemplateUnusable), counts(DropReason::UrlRefused));
        assert_eq!(metrics.store.records_unusable.get(), 0);
        for _ in 0..2 {
            assert!(used.get().is_err() && other.get().is_err());
            assert_eq!(metrics.store.records_unusable.get(), 2);
        }
        drop((used, unused));
        assert_eq!(metrics.store.records_unusable.get(), 1);
        assert_eq!((other.into_inner(), metrics.store.records_unusable.get()), (Err(DropReason::TemplateUnusable), 0));
        // The node ends, or it is usable.
        let (ended, usable) = (counts(DropReason::Stopped), Late::new(|| Ok(1), Arc::clone(&metrics)));
        assert!(ended.get().is_err() && usable.get().is_ok());
        assert_eq!(metrics.store.records_unusable.get(), 0);
        drop((ended, usable));
        assert_eq!(metrics.store.records_unusable.get(), 0);
    }

    #[test]
    fn a_panic_makes_it_unusable() {
        let metrics = Arc::new(Metrics::new());
        let late = Late::<u8>::new(|| panic!("as it was asked to"), Arc::clone(&metrics));
        assert!(catch_unwind(AssertUnwindSafe(|| late.get().is_ok())).is_err());
        assert_eq!((late.get(), metrics.store.records_unusable.get()), (Err(DropReason::Panic), 1));
    }
}
