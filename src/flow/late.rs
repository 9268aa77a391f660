//! What is compiled when it is first used: a node compiles no more of what is stored than it has time for
//! (`store::compile_budget`). The first use takes place in the background, in the turn of its account, so the time that it
//! takes is its account's own.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::model::outcome::DropReason;

type Compile<T> = Box<dyn FnOnce() -> Result<T, DropReason> + Send>;

/// A `T` that is compiled, or will be when it is first used; or why what needs it is dropped.
pub struct Late<T> {
    compiled: OnceLock<Result<T, DropReason>>,
    compile: Mutex<Option<Compile<T>>>,
}

impl<T> Late<T> {
    /// One that is compiled.
    pub fn ready(value: T) -> Self {
        Self { compiled: OnceLock::from(Ok(value)), compile: Mutex::new(None) }
    }

    /// One that will be compiled by this.
    pub fn new(compile: impl FnOnce() -> Result<T, DropReason> + Send + 'static) -> Self {
        Self { compiled: OnceLock::new(), compile: Mutex::new(Some(Box::new(compile))) }
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
            compile.map_or(Err(DropReason::Panic), |compile| compile())
        };
        self.compiled.get_or_init(compile).as_ref().map_err(|reason| *reason)
    }

    /// The value, compiled.
    pub fn into_inner(self) -> Result<T, DropReason> {
        self.get().map(drop)?;
        self.compiled.into_inner().expect("it was compiled")
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
        let late = Late::new(|| Ok(7));
        assert!(!late.is_ready());
        assert_eq!((late.get(), late.is_ready(), late.get()), (Ok(&7), true, Ok(&7)));
        assert_eq!(late.into_inner(), Ok(7));
        let refused = Late::<u8>::new(|| Err(DropReason::UrlRefused));
        assert_eq!((refused.get(), refused.is_ready()), (Err(DropReason::UrlRefused), true));
        assert!(Late::ready(1).is_ready());
    }

    #[test]
    fn a_panic_makes_it_unusable() {
        let late = Late::<u8>::new(|| panic!("as it was asked to"));
        assert!(catch_unwind(AssertUnwindSafe(|| late.get().is_ok())).is_err());
        assert_eq!(late.get(), Err(DropReason::Panic));
    }
}
