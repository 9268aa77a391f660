//! How a thread passes on the deliveries that arrive: accounts take turns, and after a slice of time all that is being
//! sent gets its turn. Otherwise one account's deliveries, however many arrive at a time, would hold up the attempts
//! of all.

use std::time::{Duration, Instant};

use actix::{ActorFutureExt as _, AsyncContext as _, Context};

use super::Dispatchers;
use crate::flow::fairness::{JobProgress, Schedule};
use crate::flow::in_flight::InFlight;
use crate::flow::turns::{ImmediateBudget, SLICE};
use crate::model::id::AccountId;

/// The most deliveries that are passed on as one unit of work.
const UNIT_MAX: usize = 64;

/// Deliveries that are not passed on yet.
pub(super) struct Arrivals {
    schedule: Schedule<AccountId, std::vec::IntoIter<InFlight>>,
    at_once: ImmediateBudget,
    /// Times of slices are relative to this.
    epoch: Instant,
    /// Whether the next slice is set up.
    continues: bool,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { schedule: Schedule::default(), at_once: ImmediateBudget::new(now), epoch: now, continues: false }
    }

    /// Adds deliveries of any accounts, in their order.
    fn push(&mut self, deliveries: Vec<InFlight>) {
        let Some(account) = deliveries.first().map(|first| first.account.id.clone()) else { return };
        if deliveries.iter().all(|queued| queued.account.id == account) {
            return self.schedule.push(account, deliveries.into_iter());
        }
        let mut deliveries = deliveries.into_iter().peekable();
        while let Some(first) = deliveries.next() {
            let account = first.account.id.clone();
            let mut own = vec![first];
            while let Some(next) = deliveries.next_if(|next| next.account.id == account) {
                own.push(next);
            }
            self.schedule.push(account, own.into_iter());
        }
    }
}

impl Dispatchers {
    /// Passes on what has arrived: at once if nothing waits, and else in turn.
    pub(super) fn arrive(&mut self, deliveries: Vec<InFlight>, context: &mut Context<Self>) {
        self.arrivals.push(deliveries);
        if self.arrivals.continues {
            return;
        }
        let begun = Instant::now();
        if self.arrivals.at_once.may_begin(begun) {
            let used = self.pass_on(context);
            self.arrivals.at_once.used(used);
        }
        self.pass_on_later(context);
    }

    fn pass_on_later(&mut self, context: &mut Context<Self>) {
        if self.arrivals.schedule.is_empty() {
            self.arrivals.continues = false;
            return;
        }
        self.arrivals.continues = true;
        // All other ready tasks of the thread run first.
        let turn = actix::fut::wrap_future::<_, Self>(tokio::task::yield_now());
        context.spawn(turn.map(|(), own, context| {
            own.pass_on(context);
            own.pass_on_later(context);
        }));
    }

    /// Works for a slice. Returns the time that it took.
    fn pass_on(&mut self, context: &mut Context<Self>) -> Duration {
        let mut schedule = std::mem::take(&mut self.arrivals.schedule);
        let (epoch, begun) = (self.arrivals.epoch, Instant::now());
        schedule.work(
            SLICE,
            || epoch.elapsed(),
            |deliveries| {
                self.pass_on_some(deliveries, context);
                if deliveries.as_slice().is_empty() { JobProgress::Done } else { JobProgress::More }
            },
        );
        self.arrivals.schedule = schedule;
        begun.elapsed()
    }

    /// Consecutive deliveries often have the same destination; they are passed on together.
    fn pass_on_some(&mut self, deliveries: &mut std::vec::IntoIter<InFlight>, context: &mut Context<Self>) {
        let Some(first) = deliveries.next() else { return };
        let target = std::sync::Arc::clone(&first.delivery.target);
        let alike = deliveries.as_slice().iter().take(UNIT_MAX - 1);
        let alike = alike.take_while(|next| next.delivery.target.destination == target.destination).count();
        let mut run = Vec::with_capacity(1 + alike);
        run.push(first);
        run.extend(deliveries.by_ref().take(alike));
        self.route(&target.destination, run, context);
    }
}
