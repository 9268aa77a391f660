//! Drops what has waited for its destination too long. Only where a journal keeps deliveries.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Queue;
use crate::model::outcome::DropReason;

/// A delivery that has waited too long is dropped at most this much later.
const EXPIRED_WITHIN: Duration = Duration::from_secs(1);

impl Queue {
    /// While deliveries wait, drops those of a journal that have waited too long, whether or not attempts end.
    pub(super) fn start_expiring(self: &Rc<Self>) {
        let Some(age_max) = self.journal.as_ref().map(|journal| journal.age_max()) else { return };
        if self.expiring.replace(true) {
            return;
        }
        let own = Rc::clone(self);
        actix_rt::spawn(async move {
            while !own.waiting.borrow().is_empty() {
                tokio::time::sleep(EXPIRED_WITHIN).await;
                let now = Instant::now();
                let expired = own.waiting.borrow_mut().take_expired(now, age_max);
                for queued in expired {
                    own.counts.dequeued(queued.delivery.body.len());
                    own.turn_away(DropReason::Expired, queued);
                }
            }
            own.expiring.set(false);
        });
    }
}
