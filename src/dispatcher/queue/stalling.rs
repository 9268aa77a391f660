//! When a destination is stalled. What waits for it then delays no other destination.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Queue;
use crate::dispatcher::saturation::Saturation;
use crate::dispatcher::work_off::WorkOff;
use crate::model::outcome::DropReason;

/// How many times as long as usual a destination may take while its thread has no time to spare: the thread may be what
/// is slow. What one account has in flight is a second's work of two processors, and slower ones exist.
const SATURATED_PATIENCE: u32 = 4;

impl Queue {
    /// Runs while deliveries are queued and checks whether the destination is stalled: no attempt ends any more, or one
    /// delivery has waited too long and those that wait would take too long at the present rate. A stalled destination
    /// releases the events' permits: until its queue is empty, or moves quickly again, it delays no producer.
    pub(super) async fn watch(self: Rc<Self>) {
        let interval = self.bounds.stalled_after / 2;
        let mut work_off = WorkOff::new(Instant::now(), self.ended.get());
        let mut saturation = Saturation::of_this_thread();
        loop {
            tokio::time::sleep(interval).await;
            let (oldest, waiting) = (self.waiting.borrow().oldest(), self.waiting.borrow().ready_len());
            let Some(since) = oldest else { break };
            self.saturated.set(saturation.is_reached());
            let is_late = since.elapsed() >= self.patience();
            let within = self.worked_off_within();
            if work_off.is_stalled(Instant::now(), self.ended.get(), waiting, is_late, within) {
                self.become_stalled();
                break;
            }
        }
        self.watched.set(false);
    }

    /// Releases the permits of queued deliveries, and gives back most of those from streams: other nodes could send
    /// them, and they cost memory here.
    fn become_stalled(&self) {
        self.stalled.set(true);
        let mut waiting = self.waiting.borrow_mut();
        // Either all deliveries come from streams or none.
        let parked = if waiting.is_in_stream() { waiting.keep(self.bounds.kept_max) } else { Vec::new() };
        waiting.release_permits();
        drop(waiting);
        for queued in parked {
            self.counts.dequeued(queued.delivery.body.len());
            self.turn_away(DropReason::QueueFull, queued);
        }
    }

    /// How long a delivery may wait before its destination can count as stalled.
    fn patience(&self) -> Duration {
        if self.gate.is_half_full() { self.bounds.stalled_after } else { self.bounds.behind_after }
    }

    /// A destination that works off what waits within this time is not stalled. What waits in a stream can be sent by
    /// another node, and is given back sooner.
    pub(super) fn worked_off_within(&self) -> Duration {
        if self.waiting.borrow().is_in_stream() {
            self.bounds.stalled_after * 2
        } else if self.saturated.get() {
            self.bounds.behind_after * SATURATED_PATIENCE
        } else {
            self.bounds.behind_after
        }
    }
}
