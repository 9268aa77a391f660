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

use actix::{Actor, Context, Handler};
use smallvec::smallvec;

use crate::flow::account::AccountShares;
use crate::flow::fairness::JobProgress;
use crate::flow::gate::Gate;
use crate::flow::inbox::{Inbox, InboxFilled, InboxSender};
use crate::flow::journal::AcceptJournal;
use crate::flow::messages::{EventsAdmitted, Firings as _, FiringsMatched};
use crate::flow::permit::Admission;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::turns::{Turns, Worker};
use crate::live::Live;
use crate::model::event::Event;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;
use acceptor::{MeasuredRequest, RequestAcceptor};
use cursor::{Cursor, CursorContext, Cursors, MeasureStep};

/// Finds firings; one for each thread that serves HTTP.
#[derive(Debug)]
pub struct Matcher {
    matching: Rc<Turns<MatcherWorker>>,
    gate: Arc<Gate>,
    context: Rc<CursorContext>,
    inbox: Inbox<EventsAdmitted>,
}

#[derive(Debug)]
struct MatcherWorker {
    context: Rc<CursorContext>,
    metrics: Arc<Metrics>,
    accepting: RequestAcceptor,
}

/// A request that is being measured.
#[derive(Debug)]
struct RequestInProgress {
    /// One cursor for each account.
    cursors: Cursors,
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
    /// Starts one on this thread that passes firings on to `renderer`. Each message in its inbox carries at least one
    /// admitted event.
    pub fn start(
        live: Arc<Live>,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        journal: Option<Arc<dyn AcceptJournal>>,
        renderer: InboxSender<FiringsMatched>,
    ) -> InboxSender<EventsAdmitted> {
        let accepting = RequestAcceptor::new(Arc::clone(&metrics), journal, renderer);
        let context = CursorContext::new(live, Arc::clone(&metrics));
        let own = MatcherWorker { context: Rc::clone(&context), metrics, accepting };
        let (matching, inbox) = (Turns::new(own, Arc::clone(&gate)), Inbox::default());
        inbox.start(Self { matching, gate, context, inbox: inbox.clone() })
    }

    fn request(&self, EventsAdmitted { events, accepted_at, admission }: EventsAdmitted) -> RequestInProgress {
        let number = events.len();
        let cursor = |account: &Arc<AccountShares>, events| Box::new(Cursor::new(&self.context, account, events));
        let cursors = match admission.only_account() {
            Some(account) => smallvec![cursor(account, events)],
            None => {
                let parts = by_account(events).into_iter();
                parts.map(|(account, events)| cursor(&self.gate.account(&account), events)).collect()
            }
        };
        RequestInProgress { cursors, at: 0, events: number, accepted_at, admission }
    }
}

impl Actor for Matcher {
    type Context = Context<Self>;
}

impl Handler<InboxFilled> for Matcher {
    type Result = ();

    fn handle(&mut self, InboxFilled: InboxFilled, _: &mut Self::Context) {
        self.matching.push_all(|push| self.inbox.drain(|message| push(self.request(message))));
    }
}

/// The events of each account, in their order.
fn by_account(events: Vec<Event>) -> Vec<(AccountId, Vec<Event>)> {
    let mut parts: Vec<(AccountId, Vec<Event>)> = Vec::new();
    let mut places = HashMap::new();
    for event in events {
        let place = match places.get(event.identity.account()) {
            Some(place) => *place,
            None => {
                let account = event.identity.account_id();
                places.insert(account.clone(), parts.len());
                parts.push((account, Vec::new()));
                parts.len() - 1
            }
        };
        parts[place].1.push(event);
    }
    parts
}

impl Worker for MatcherWorker {
    type Member = AccountId;
    type Job = RequestInProgress;

    fn member(request: &RequestInProgress) -> AccountId {
        request.cursors.first().map_or_else(AccountId::default_account, |cursor| cursor.account().id.clone())
    }

    fn step(&self, request: &mut RequestInProgress) -> JobProgress {
        let Some(cursor) = request.cursors.get_mut(request.at) else { return JobProgress::Done };
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
        if request.at < request.cursors.len() {
            return JobProgress::More;
        }
        self.accepting.accept(request.measured());
        JobProgress::Done
    }

    fn pass_on(&self) {
        self.context.forget_search();
        self.accepting.write();
    }

    fn panicked(&self, request: &mut RequestInProgress) -> JobProgress {
        self.metrics.deliveries.dropped.inc(DropReason::Panic);
        request.admission.replace_response(Err(Refusal::Panic));
        JobProgress::Done
    }
}

#[cfg(test)]
mod tests;
