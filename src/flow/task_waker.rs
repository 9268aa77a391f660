//! The waker of one task, for all that the task waits for. A clone of it for each wait would take three counts of
//! references.

use std::cell::RefCell;
use std::task::{Context, Waker};

/// Wakes a task of this thread. It keeps its waker until the task ends.
#[derive(Debug, Default)]
pub struct TaskWaker(RefCell<Option<Waker>>);

impl TaskWaker {
    /// The task that is being polled waits.
    pub fn waits(&self, context: &Context<'_>) {
        match &mut *self.0.borrow_mut() {
            Some(own) => own.clone_from(context.waker()),
            own => *own = Some(context.waker().clone()),
        }
    }

    /// Wakes the task, if it has waited.
    pub fn wake(&self) {
        if let Some(own) = &*self.0.borrow() {
            own.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::flow::probe::Wakes;

    #[test]
    fn the_task_that_waited_last_is_woken_and_its_waker_is_kept() {
        let (own, tasks) = (TaskWaker::default(), [Arc::new(Wakes::default()), Arc::default()]);
        own.wake();
        for (task, waits) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
            let waker = Waker::from(Arc::clone(&tasks[task]));
            own.waits(&Context::from_waker(&waker));
            own.wake();
            assert_eq!((tasks[task].0.load(Ordering::Relaxed), Arc::strong_count(&tasks[task])), (waits, 3));
        }
        assert_eq!(Arc::strong_count(&tasks[0]), 1);
    }
}
