//! Back pressure between two stages of one thread: how many bytes the later stage still holds, and how the earlier stage
//! waits until it holds fewer. It does not know what it counts.

use std::cell::Cell;

use tokio::sync::Notify;

/// Bytes that one stage has handed over and the next has not passed on.
#[derive(Debug)]
pub struct Pressure {
    bytes: Cell<usize>,
    high: usize,
    eased: Notify,
}

impl Pressure {
    /// Starts at zero bytes. From `high` bytes on, the earlier stage waits.
    pub fn new(high: usize) -> Self {
        Self { bytes: Cell::new(0), high, eased: Notify::new() }
    }

    /// Counts bytes that were handed over.
    pub fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
    }

    /// Subtracts bytes that were passed on or dropped.
    pub fn sub(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() - bytes);
        if !self.is_high() {
            self.eased.notify_waiters();
        }
    }

    /// Whether the earlier stage should wait.
    pub fn is_high(&self) -> bool {
        self.bytes.get() >= self.high
    }

    /// Waits until the count is low.
    pub async fn eased(&self) {
        // On one thread nothing can happen between the check and the wait.
        while self.is_high() {
            self.eased.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[actix_rt::test]
    async fn a_waiting_stage_continues_when_the_count_is_low() {
        let pressure = Rc::new(Pressure::new(10));
        pressure.add(9);
        crate::flow::probe::soon(pressure.eased()).await;
        pressure.add(6);
        let waiting = actix_rt::spawn({
            let pressure = Rc::clone(&pressure);
            async move { pressure.eased().await }
        });
        pressure.sub(5);
        tokio::task::yield_now().await;
        assert!(pressure.is_high() && !waiting.is_finished());
        pressure.sub(1);
        crate::flow::probe::soon(waiting).await.expect("no panic");
    }
}
