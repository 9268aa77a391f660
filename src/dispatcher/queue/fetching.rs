//! Fetches parked deliveries of a destination from their streams when its queue has room for them.

use std::rc::Rc;
use std::time::Instant;

use super::Queue;
use crate::dispatcher::parked::{FetchRoom, ParkedAccount, PlannedFetch};
use crate::flow::in_flight::ParkedLane;

impl Queue {
    /// Fetches parked deliveries if there are any and half of the room for them is free. Called whenever that may have
    /// changed.
    pub(super) fn fetch_parked(self: &Rc<Self>) {
        if self.parked.may_fetch()
            && let Some(fetch) = self.room().and_then(|room| self.parked.begin(room))
        {
            actix_rt::spawn(Rc::clone(self).fetch(fetch));
        }
    }

    /// How many parked deliveries of each of the next accounts, and how many bytes of all, can be sent or queued at once.
    /// `None` until half of the room is free, so that many are fetched at a time.
    fn room(&self) -> Option<FetchRoom> {
        // If the last one did not fit, bodies are too large to be queued.
        let queues = !self.parked.is_too_large();
        self.waiting.borrow().room_for_parked(&self.bounds, self.parked.next_accounts(), queues)
    }

    async fn fetch(self: Rc<Self>, fetch: PlannedFetch) {
        let lane =
            |account: &ParkedAccount| ParkedLane { destination: self.destination.clone(), account: account.clone() };
        let lanes = fetch.accounts.iter().map(|(account, number)| (lane(account), *number)).collect();
        let fetched = fetch.claims.fetch(lanes, fetch.bytes).await;
        let queues = self.parked.finish(&fetch, &fetched.more);
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
