//! Fetches parked deliveries of a destination from their streams when its queue has room for them.

use std::rc::Rc;
use std::time::Instant;

use super::Queue;
use crate::dispatcher::parked::Fetch;

impl Queue {
    /// Fetches parked deliveries if there are any and half of the room for them is free. Called whenever that may have
    /// changed.
    pub(super) fn fetch_parked(self: &Rc<Self>) {
        if self.parked.may_fetch()
            && let Some(fetch) = self.parked.begin(self.room())
        {
            actix_rt::spawn(Rc::clone(self).fetch(fetch));
        }
    }

    async fn fetch(self: Rc<Self>, fetch: Fetch) {
        let fetched = fetch.claims.fetch(&self.destination, fetch.number, fetch.bytes).await;
        let queues = self.parked.finish(&fetch, fetched.more);
        if fetched.deliveries.is_empty() || !queues {
            return;
        }
        let mut all = true;
        for queued in fetched.deliveries {
            all &= self.take_one(Instant::now(), queued);
        }
        if all {
            self.fetch_parked();
        } else {
            self.parked.set_too_large();
        }
    }
}
