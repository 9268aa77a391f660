//! How a thread passes on the deliveries that arrive: accounts take turns, and after a slice of time the attempts in
//! flight get theirs. Otherwise one account's deliveries, however many arrive at a time, would hold up the attempts of
//! all accounts.

use std::cell::Cell;
use std::time::{Duration, Instant};

use actix::Context;

use super::{Dispatchers, UNIT_MAX};
use crate::flow::account::TurnKey;
use crate::flow::fairness::{JobProgress, Schedule};
use crate::flow::in_flight::InFlight;
use crate::flow::turns::{ImmediateBudget, SLICE};

/// What it takes to queue one delivery, or to start a worker with it, whose attempt begins later.
const DELIVERY_COST: Duration = Duration::from_micros(2);

fn cost(deliveries: usize) -> Duration {
    DELIVERY_COST * u32::try_from(deliveries).unwrap_or(u32::MAX)
}

/// Deliveries that are not passed on yet.
pub(super) struct Arrivals {
    schedule: Schedule<TurnKey, std::vec::IntoIter<InFlight>>,
    at_once: ImmediateBudget,
    /// Times of slices are relative to this.
    epoch: Instant,
    /// What the destinations need for all that they got.
    passed_on: Duration,
    /// Whether the next slice is set up.
    continues: bool,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let (schedule, at_once) = (Schedule::default(), ImmediateBudget::new(now));
        Self { schedule, at_once, epoch: now, passed_on: Duration::ZERO, continues: false }
    }

    /// Adds deliveries of any accounts, in their order.
    fn push(&mut self, deliveries: Vec<InFlight>) {
        let Some(first) = deliveries.first().map(|first| first.turn_key().clone()) else { return };
        if deliveries.iter().all(|queued| *queued.turn_key() == first) {
            return self.schedule.push(first, deliveries.into_iter());
        }
        let mut deliveries = deliveries.into_iter().peekable();
        while let Some(first) = deliveries.next() {
            let key = first.turn_key().clone();
            let mut own = vec![first];
            while let Some(next) = deliveries.next_if(|next| *next.turn_key() == key) {
                own.push(next);
            }
            self.schedule.push(key, own.into_iter());
        }
    }
}

impl Dispatchers {
    /// Passes on what has arrived: few deliveries at once if nothing waits, and else in turn.
    pub(super) fn arrive(&mut self, deliveries: Vec<InFlight>, context: &mut Context<Self>) {
        let arrivals = &mut self.arrivals;
        let is_alone = !arrivals.continues && deliveries.len() <= UNIT_MAX;
        if is_alone && arrivals.at_once.may_begin(Instant::now()) {
            arrivals.at_once.used(cost(deliveries.len()));
            return self.route_all(deliveries, context);
        }
        arrivals.push(deliveries);
        if !arrivals.continues {
            self.pass_on_later(context);
        }
    }

    fn pass_on_later(&mut self, context: &mut Context<Self>) {
        self.arrivals.continues = !self.arrivals.schedule.is_empty();
        if self.arrivals.continues {
            Self::in_next_round(context, |own, context| {
                own.pass_on(context);
                own.pass_on_later(context);
            });
        }
    }

    /// Works for a slice. The time counts that the destinations need for what they get.
    fn pass_on(&mut self, context: &mut Context<Self>) {
        let mut schedule = std::mem::take(&mut self.arrivals.schedule);
        let (epoch, passed_on) = (self.arrivals.epoch, Cell::new(self.arrivals.passed_on));
        schedule.work(
            SLICE,
            || epoch.elapsed() + passed_on.get(),
            |deliveries| {
                let before = deliveries.len();
                self.route(deliveries, context);
                passed_on.set(passed_on.get() + cost(before - deliveries.len()));
                if deliveries.as_slice().is_empty() { JobProgress::Done } else { JobProgress::More }
            },
        );
        self.arrivals.schedule = schedule;
        self.arrivals.passed_on = passed_on.get();
    }
}
