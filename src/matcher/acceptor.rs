//! Accepts requests that are measured: the journal keeps them, if there is one, and their firings are passed on.
//! Requests that are accepted at about the same moment are written together.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;

use super::cursor::Cursors;
use super::fired_event::FiredEvent;
use super::unfinished;
use crate::flow::inbox::InboxSender;
use crate::flow::journal::{AcceptJournal, JournaledRequests};
use crate::flow::messages::FiringsMatched;
use crate::flow::permit::Admission;
use crate::flow::refusal::Refusal;
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::{Metrics, OwnNumbers, Total};

/// Events of requests that are written together: few enough for a short write.
const TOGETHER_MAX: usize = 256;

/// A request whose deliveries are charged.
#[derive(Debug)]
pub(super) struct MeasuredRequest {
    pub(super) cursors: Cursors,
    pub(super) events: usize,
    pub(super) accepted_at: Instant,
    pub(super) admission: Admission,
}

/// Accepts the requests of one thread.
#[derive(Debug)]
pub(super) struct RequestAcceptor {
    metrics: Arc<Metrics>,
    /// How many events this thread has accepted.
    accepted: OwnNumbers<Total>,
    journal: Option<Arc<dyn AcceptJournal>>,
    renderer: InboxSender<FiringsMatched>,
    /// Requests that are written next.
    together: RefCell<Vec<MeasuredRequest>>,
    /// How many events they have.
    events: Cell<usize>,
}

impl RequestAcceptor {
    pub(super) fn new(
        metrics: Arc<Metrics>,
        journal: Option<Arc<dyn AcceptJournal>>,
        renderer: InboxSender<FiringsMatched>,
    ) -> Self {
        let accepted = metrics.events.accepted.own();
        Self { metrics, accepted, journal, renderer, together: RefCell::default(), events: Cell::new(0) }
    }

    /// Accepts a request, at the latest with the next [`Self::write`].
    pub(super) fn accept(&self, request: MeasuredRequest) {
        if !self.renderer.is_connected() {
            return self.refuse(&request, Refusal::Stopping);
        }
        let unfinished = request.cursors.iter().filter(|cursor| cursor.is_unfinished()).count();
        match &self.journal {
            Some(journal) if unfinished > 0 => self.accept_paced(journal.as_ref(), request, unfinished),
            Some(_) if !request.cursors.iter().all(|cursor| cursor.is_empty()) => self.accept_together(request),
            _ => self.pass_on(request),
        }
    }

    fn accept_paced(&self, journal: &dyn AcceptJournal, mut request: MeasuredRequest, unfinished: usize) {
        let fired = request.cursors.iter().flat_map(|cursor| cursor.fired());
        match unfinished::begin(journal, fired, unfinished, &request.admission) {
            Ok((unfinished, mut journaled)) => {
                request.cursors.iter_mut().for_each(|cursor| cursor.set_journaled(&mut journaled, Some(&unfinished)));
                self.pass_on(request);
            }
            Err(refusal) => self.refuse(&request, refusal),
        }
    }

    fn accept_together(&self, request: MeasuredRequest) {
        self.events.set(self.events.get() + request.events);
        self.together.borrow_mut().push(request);
        if self.events.get() >= TOGETHER_MAX {
            self.write();
        }
    }

    /// Writes the collected requests, and passes them on.
    pub(super) fn write(&self) {
        self.events.set(0);
        let Some(journal) = &self.journal else { return };
        let mut together = self.together.take();
        if together.is_empty() {
            return;
        }
        if !self.renderer.is_connected() {
            return together.iter().for_each(|request| self.refuse(request, Refusal::Stopping));
        }
        match catch_unwind(AssertUnwindSafe(|| write_all(journal.as_ref(), &mut together))) {
            Ok(results) => {
                for (request, result) in together.drain(..).zip(results) {
                    match result {
                        Ok(()) => self.pass_on(request),
                        Err(refusal) => self.refuse(&request, refusal),
                    }
                }
            }
            Err(_) => together.iter().for_each(|request| {
                self.metrics.deliveries.dropped.inc(DropReason::Panic);
                request.admission.replace_response(Err(Refusal::Panic));
            }),
        }
        together.clear();
        // Its memory is used again.
        self.together.replace(together);
    }

    fn pass_on(&self, request: MeasuredRequest) {
        let MeasuredRequest { mut cursors, events, accepted_at, admission } = request;
        self.accepted.inc_by(events);
        cursors.retain(|cursor| !cursor.is_empty());
        let (mut cursors, mut admission) = (cursors.into_iter(), Some(admission));
        while let Some(firings) = cursors.next() {
            // The last one takes it along.
            let admission = if cursors.len() == 0 { admission.take() } else { admission.clone() };
            let sent = self.renderer.send(FiringsMatched { firings, accepted_at, admission });
            // The Renderer was connected.
            if sent.is_err() {
                self.metrics.deliveries.dropped.inc(DropReason::Panic);
            }
        }
    }

    pub(super) fn refuse(&self, request: &MeasuredRequest, refusal: Refusal) {
        refusal.count(&self.metrics);
        request.admission.replace_response(Err(refusal));
    }
}

/// Writes whole requests together. Returns which of them are kept; each firing of those has its handle.
fn write_all(journal: &dyn AcceptJournal, requests: &mut [MeasuredRequest]) -> Vec<Result<(), Refusal>> {
    let JournaledRequests { results, firings } = write_parts(journal, requests);
    let mut journaled = firings.into_iter();
    for (request, _) in requests.iter_mut().zip(&results).filter(|(_, result)| result.is_ok()) {
        request.cursors.iter_mut().for_each(|cursor| cursor.set_journaled(&mut journaled, None));
    }
    results
}

fn write_parts(journal: &dyn AcceptJournal, requests: &[MeasuredRequest]) -> JournaledRequests {
    let events = requests.iter().map(|request| request.events).sum();
    // Often few.
    let mut firings = SmallVec::<[_; 4]>::with_capacity(events);
    for cursor in requests.iter().flat_map(|request| &request.cursors) {
        cursor.fired().flat_map(FiredEvent::listed).for_each(|firing| firings.push(firing));
    }
    let (mut parts, mut rest) = (SmallVec::<[_; 4]>::with_capacity(events), firings.as_slice());
    for request in requests {
        for cursor in &request.cursors {
            cursor.fired().for_each(|fired| parts.push(unfinished::part(fired, &mut rest)));
        }
        parts.last_mut().into_iter().for_each(|last| last.is_last = true);
    }
    let admissions =
        || Box::new(requests.iter().map(|request| Arc::clone(&request.admission)).collect::<Vec<_>>()) as _;
    journal.write_requests(&parts, &admissions)
}
