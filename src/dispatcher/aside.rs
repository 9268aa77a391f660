//! What is past a destination's queue and lies in a stream, where it can stay: known here without its
//! body, which is read anew when there is room. So a burst that is more than a queue holds costs a
//! destination that answers nothing, and the others of its partition don't wait behind it. Never for
//! one that does not answer, nor where the streams are half full: that would be paid by the others.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use super::line::Line;
use crate::messages::{Queued, Ticket};
use crate::metrics::Dropped;

/// The most bodies that are read at a time.
const READ_AT_ONCE: usize = 64;
/// How often it is looked whether the destination answers.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// Deliveries that stay in their streams, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// With the bytes of their bodies.
    deliveries: RefCell<VecDeque<(usize, Queued)>>,
    /// Bodies are being read; their deliveries are not among the others meanwhile.
    reading: Cell<bool>,
    given_back: Cell<bool>,
    watched: Cell<bool>,
}

impl Aside {
    pub(super) fn is_empty(&self) -> bool {
        self.deliveries.borrow().is_empty() && !self.reading.get()
    }
}

impl Line {
    /// Whether it may stay where it is although there is no room for it here.
    pub(super) fn may_stay(&self, queued: &Queued) -> bool {
        queued.ticket.is_some() && self.gate.is_roomy() && self.answers()
    }

    /// Whether the destination answers at all: one that never has gets less time to. Only asked while
    /// something waits for it.
    fn answers(&self) -> bool {
        match self.answered.get() {
            Some(last) => last.elapsed() < self.bounds.attempt_timeout,
            None => self.busy_since.get().elapsed() < self.bounds.behind_after,
        }
    }

    /// Leaves a delivery that there is no room for in its stream, or ends it. One that does not fit where
    /// nothing waits never will.
    pub(super) fn turn_away(self: &Rc<Self>, reason: Dropped, queued: Queued) {
        let never_fits = reason == Dropped::QueueBytesFull && self.waiting.borrow().is_empty();
        if !never_fits && self.may_stay(&queued) {
            self.set_aside(queued);
        } else {
            self.drop_delivery(reason, queued);
        }
    }

    pub(super) fn set_aside(self: &Rc<Self>, mut queued: Queued) {
        let body = std::mem::take(&mut queued.delivery.body);
        queued.place = None;
        self.metrics.set_aside.inc();
        self.aside.deliveries.borrow_mut().push_back((body.len(), queued));
        if !self.aside.watched.replace(true) {
            actix_rt::spawn(Rc::clone(self).watch_aside());
        }
    }

    /// Ends all of them where the destination does not answer.
    async fn watch_aside(self: Rc<Self>) {
        while !self.aside.is_empty() {
            tokio::time::sleep(LOOKED_AT_EVERY).await;
            if !self.answers() {
                for queued in self.take_aside(usize::MAX) {
                    self.drop_delivery(Dropped::QueueFull, queued);
                }
            }
        }
        self.aside.watched.set(false);
    }

    /// Called after each attempt: has bodies read once half of the queue is free.
    pub(super) fn tend_aside(self: &Rc<Self>) {
        let has_room = self.waiting.borrow().len() <= self.bounds.waiting_max / 2;
        if has_room && !self.aside.reading.get() && self.what_fits() > 0 {
            self.aside.reading.set(true);
            actix_rt::spawn(Rc::clone(self).read_aside());
        }
    }

    /// How many of the first have room, a few at a time.
    fn what_fits(&self) -> usize {
        let (mut number, mut bytes) = (0, 0);
        for (size, _) in self.aside.deliveries.borrow().iter().take(READ_AT_ONCE) {
            bytes += size;
            // Where nothing waits one is sent, or ended since it never fits.
            let is_first = number == 0 && self.waiting.borrow().is_empty();
            if !is_first && self.has_room(number, bytes).is_err() {
                break;
            }
            number += 1;
        }
        number
    }

    /// Gives all of them back to all nodes, for good.
    pub(super) fn give_aside_back(&self) {
        self.aside.given_back.set(true);
        drop(self.take_aside(usize::MAX));
    }

    fn take_aside(&self, max: usize) -> Vec<Queued> {
        let mut aside = self.aside.deliveries.borrow_mut();
        let number = aside.len().min(max);
        self.metrics.set_aside.sub(number as i64);
        aside.drain(..number).map(|(_, queued)| queued).collect()
    }

    /// Reads bodies and takes their deliveries in, until there are some: their attempts lead to the next.
    async fn read_aside(self: Rc<Self>) {
        let mut found = false;
        while !found {
            let deliveries = self.take_aside(self.what_fits());
            if deliveries.is_empty() {
                break;
            }
            let bodies = join_all(deliveries.iter().map(|queued| body_of(queued.ticket.as_ref()))).await;
            // Where the node stops meanwhile, they are given back.
            for (mut queued, body) in deliveries.into_iter().zip(bodies).filter(|_| !self.aside.given_back.get()) {
                // Without a body, another node has had the delivery.
                if let Some(body) = body {
                    queued.delivery.body = body;
                    found = true;
                    self.take_one(Instant::now(), queued);
                }
            }
        }
        self.aside.reading.set(false);
    }
}

async fn body_of(ticket: Option<&Ticket>) -> Option<Bytes> {
    ticket?.body().await
}
