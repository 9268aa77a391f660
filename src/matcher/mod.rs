//! The second stage: finds the triggers that an event fires. It measures what a request fires before any of it is
//! accepted, and refuses the request if its account may not hold that much. It reads the live index, never waits for a
//! change to it, and never reads templates' bodies.

mod acceptor;
mod cursor;
mod fired_event;
mod unfinished;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Handler, Recipient};

use crate::flow::fairness::JobProgress;
use crate::flow::gate::Gate;
use crate::flow::journal::AcceptJournal;
use crate::flow::messages::{EventsAdmitted, FiringsMatched};
use crate::flow::permit::Admission;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::turns::{Turns, Worker};
use crate::live::Live;
use crate::model::event::Event;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;
use acceptor::{MeasuredRequest, RequestAcceptor};
use cursor::{Cursor, CursorContext, MeasureStep};

/// Finds firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Matcher {
    matching: Rc<Turns<MatcherWorker>>,
    gate: Arc<Gate>,
    context: Arc<CursorContext>,
    mailbox_capacity: usize,
}

#[derive(Debug)]
struct MatcherWorker {
    metrics: Arc<Metrics>,
    accepting: Rc<RequestAcceptor>,
}

/// A request that is being measured.
#[derive(Debug)]
struct RequestInProgress {
    /// One cursor for each account.
    cursors: Vec<Cursor>,
    /// The cursor that is being measured.
    at: usize,
    events: usize,
    accepted_at: Instant,
    admission: Admission,
}

impl RequestInProgress {
    fn measured(&mut self) -> MeasuredRequest {
        MeasuredRequest {
            cursors: std::mem::take(&mut self.cursors),
            events: self.events,
            accepted_at: self.accepted_at,
            admission: Arc::clone(&self.admission),
        }
    }
}

impl Matcher {
    /// A Matcher that passes firings on to `renderer`. Each message carries at least one admitted event, so a mailbox
    /// for `events_in_flight_max` messages is never full.
    pub fn new(
        live: Arc<Live>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        journal: Option<Arc<dyn AcceptJournal>>,
        renderer: Recipient<FiringsMatched>,
        mailbox_capacity: usize,
    ) -> Self {
        let accepting = RequestAcceptor::new(Arc::clone(&metrics), journal, renderer);
        let own = MatcherWorker { metrics: Arc::clone(&metrics), accepting };
        let matching = Turns::new(own, Arc::clone(&gate));
        Self { matching, gate, context: Arc::new(CursorContext { live, metrics }), mailbox_capacity }
    }
}

impl Actor for Matcher {
    type Context = actix::Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_capacity);
    }
}

impl Handler<EventsAdmitted> for Matcher {
    type Result = ();

    fn handle(&mut self, message: EventsAdmitted, _: &mut Self::Context) {
        let EventsAdmitted { events, accepted_at, admission } = message;
        let number = events.len();
        let cursors = by_account(events)
            .into_iter()
            .map(|(account, events)| Cursor::new(&self.context, self.gate.account(&account), events));
        let request = RequestInProgress { cursors: cursors.collect(), at: 0, events: number, accepted_at, admission };
        let Some(first) = request.cursors.first() else { return };
        self.matching.push(first.account().id.clone(), request);
    }
}

/// The events of each account, in their order.
fn by_account(events: Vec<Event>) -> Vec<(AccountId, Vec<Event>)> {
    let Some(first) = events.first().map(|event| event.account.clone()) else { return Vec::new() };
    if events.iter().all(|event| event.account == first) {
        return vec![(first, events)];
    }
    let mut parts: Vec<(AccountId, Vec<Event>)> = Vec::new();
    let mut places = HashMap::new();
    for event in events {
        let place = *places.entry(event.account.clone()).or_insert(parts.len());
        if place == parts.len() {
            parts.push((event.account.clone(), Vec::new()));
        }
        parts[place].1.push(event);
    }
    parts
}

impl Worker for MatcherWorker {
    type Member = AccountId;
    type Job = RequestInProgress;

    fn step(&self, request: &mut RequestInProgress) -> JobProgress {
        let Some(cursor) = request.cursors.get_mut(request.at) else {
            self.accepting.accept(request.measured());
            return JobProgress::Done;
        };
        match cursor.measure() {
            MeasureStep::More => return JobProgress::More,
            MeasureStep::Done => cursor.accept(),
            MeasureStep::Over if cursor.pace() => {}
            MeasureStep::Over => {
                let request = request.measured();
                self.accepting.refuse(&request, Refusal::Full(ReachedBound::Deliveries(request.events)));
                return JobProgress::Done;
            }
        }
        request.at += 1;
        JobProgress::More
    }

    fn panicked(&self, request: &mut RequestInProgress) -> JobProgress {
        self.metrics.deliveries.dropped.inc(DropReason::Panic);
        request.admission.replace_response(Err(Refusal::Panic));
        JobProgress::Done
    }
}

#[cfg(test)]
mod tests;
