//! How a thread passes on the deliveries that arrive: accounts take turns, and after a slice of time the attempts in
//! flight get theirs. Otherwise one account's deliveries, however many arrive at a time, would hold up the attempts of
//! all accounts.

use std::cell::Cell;
use std::time::{Duration, Instant};

use actix::Context;

use super::Dispatchers;
use crate::flow::account::TurnKey;
use crate::flow::fairness::{JobProgress, Schedule};
use crate::flow::in_flight::InFlight;
use crate::flow::turns::{ImmediateBudget, SLICE};

/// The most deliveries that are passed on as one unit of work.
const UNIT_MAX: usize = 64;
/// What a Dispatcher needs to queue one delivery, or to start a worker with it.
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
    /// What the Dispatchers need for all that they got.
    passed_on: Duration,
    /// Whether the next slice is set up.
    continues: bool,
}

impl Arrivals {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            schedule: Schedule::default(),
            at_once: ImmediateBudget::new(now),
            epoch: now,
            passed_on: Duration::ZERO,
            continues: false,
        }
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
            let mut deliveries = deliveries.into_iter();
            while !deliveries.as_slice().is_empty() {
                self.pass_on_some(&mut deliveries, context);
            }
            return;
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

    /// Works for a slice. The time counts that the Dispatchers need for what they get.
    fn pass_on(&mut self, context: &mut Context<Self>) {
        let mut schedule = std::mem::take(&mut self.arrivals.schedule);
        let (epoch, passed_on) = (self.arrivals.epoch, Cell::new(self.arrivals.passed_on));
        schedule.work(
            SLICE,
            || epoch.elapsed() + passed_on.get(),
            |deliveries| {
                let before = deliveries.len();
                self.pass_on_some(deliveries, context);
                passed_on.set(passed_on.get() + cost(before - deliveries.len()));
                if deliveries.as_slice().is_empty() { JobProgress::Done } else { JobProgress::More }
            },
        );
        self.arrivals.schedule = schedule;
        self.arrivals.passed_on = passed_on.get();
    }

    /// Consecutive deliveries often have the same destination; they are passed on together.
    fn pass_on_some(&mut self, deliveries: &mut std::vec::IntoIter<InFlight>, context: &mut Context<Self>) {
        let Some(first) = deliveries.as_slice().first() else { return };
        let destination = &first.delivery.target.destination;
        let alike = deliveries.as_slice().iter().take(UNIT_MAX);
        let alike = alike.take_while(|next| next.delivery.target.destination == *destination).count();
        self.route(deliveries.by_ref().take(alike).collect(), context);
    }
}
