//! The first stage: reads the events in a request's body, has the gate admit them, sends the producer its response, and
//! passes the events on. It never looks at triggers.

mod batch;
pub mod encoding;
pub mod idempotency;
mod members;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler, Message, Recipient};
use tokio::sync::oneshot;

use crate::flow::account::Account;
use crate::flow::drill;
use crate::flow::fairness::Taken;
use crate::flow::gate::Gate;
use crate::flow::messages::EventsAdmitted;
use crate::flow::refusal::{Full, Refusal};
use crate::flow::response::{EventsResponse, Receipt};
use crate::ingester::idempotency::{IdempotencyWindow, Unavailable};
use crate::model::event::Event;
use crate::model::id::AccountId;
use crate::telemetry::metrics::Metrics;
use batch::Batch;
use encoding::{Encoding, RequestContent};

/// A request with events, as it was received.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EventsReceived {
    /// The body, and the headers that belong to the events.
    pub source: RequestContent,
    /// The charge of the body's bytes.
    pub body: Taken,
    /// The encoding of the events.
    pub encoding: &'static Encoding,
    /// The only account that the sender may post for; `None`: all accounts.
    pub only_account: Option<AccountId>,
    /// How many deliveries in a row led to the request.
    pub hops: u8,
    /// Where the response is sent.
    pub reply: oneshot::Sender<EventsResponse>,
}

/// Reads requests' bodies; one for each thread that serves HTTP.
pub struct Ingester {
    ingesting: Rc<Ingesting>,
    mailbox_capacity: usize,
}

struct Ingesting {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    duplicates: Option<IdempotencyWindow>,
    matcher: Recipient<EventsAdmitted>,
}

impl Ingester {
    /// An Ingester that passes events on to `matcher`. Its mailbox holds as many requests as events may be in flight,
    /// since each valid request has at least one. Events that `duplicates` has seen are not passed on.
    pub fn new(
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
        duplicates: Option<IdempotencyWindow>,
        matcher: Recipient<EventsAdmitted>,
        mailbox_capacity: usize,
    ) -> Self {
        Self { ingesting: Rc::new(Ingesting { gate, metrics, duplicates, matcher }), mailbox_capacity }
    }
}

impl Actor for Ingester {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(self.mailbox_capacity);
    }
}

impl Handler<EventsReceived> for Ingester {
    type Result = ();

    fn handle(&mut self, request: EventsReceived, _: &mut Self::Context) {
        let EventsReceived { source, mut body, encoding, only_account, hops, reply } = request;
        // A panic while reading must cost only this request, not the thread's Ingester.
        let read = catch_unwind(AssertUnwindSafe(|| {
            drill::point(drill::Stage::Ingester);
            encoding.read(&source, only_account.as_ref())
        }));
        let mut batch = match read.unwrap_or_else(|_| Err(Refusal::Panic)) {
            Ok(batch) => batch,
            Err(refusal) => return self.ingesting.refuse(reply, refusal),
        };
        batch.events.iter_mut().for_each(|event| event.hops = hops);
        batch.rejected.count(&self.ingesting.metrics);
        // The parsed events can be many times larger than the body.
        let read = batch.events.iter().map(Event::heap_bytes).sum();
        if !body.grow(read) {
            // If this sender has no other request, sending it again would not help.
            if body.share().taken() > body.units() {
                return self.ingesting.refuse(reply, Refusal::Full(Full::Bodies));
            }
            body.grow_over(read);
        }
        match &self.ingesting.duplicates {
            // There are at most as many of these tasks as connections, each of which waits for its response.
            Some(duplicates) if batch.events.iter().any(|event| event.id_given) => {
                actix_rt::spawn(Rc::clone(&self.ingesting).admit_once(duplicates.clone(), batch, body, reply));
            }
            _ => self.ingesting.admit(batch, body, 0, reply),
        }
    }
}

impl Ingesting {
    /// Admits the events that were not seen before, and marks them as seen once they are accepted, before the producer
    /// gets the response.
    async fn admit_once(
        self: Rc<Self>,
        duplicates: IdempotencyWindow,
        mut batch: Batch,
        body: Taken,
        reply: oneshot::Sender<EventsResponse>,
    ) {
        let events = batch.events.len();
        let (known, claims) = match duplicates.sift(&mut batch.events).await {
            Ok(sifted) => sifted,
            Err(Unavailable::Store) => return self.refuse(reply, Refusal::Unavailable),
            Err(Unavailable::Open) => return self.refuse(reply, Refusal::Full(Full::Events(events))),
        };
        self.metrics.events.duplicates.inc_by(known as u64);
        let (tell, told) = oneshot::channel();
        self.admit(batch, body, known, tell);
        let answer = told.await.unwrap_or(Err(Refusal::Stopping));
        claims.settle(answer.is_ok()).await;
        let _ = reply.send(answer);
    }

    /// Has the events admitted and passes them on. `known` more events were accepted before and need no admission.
    fn admit(&self, batch: Batch, body: Taken, known: usize, reply: oneshot::Sender<EventsResponse>) {
        let events = batch.events.len();
        let receipt =
            Receipt { accepted: events + known, rejected: batch.rejected.listed, rejected_more: batch.rejected.more };
        let mut admission = match self.gate.admit(&self.by_account(&batch.events), Ok(receipt), reply) {
            Ok(admission) => admission,
            Err((refusal, reply)) => return self.refuse(reply, refusal),
        };
        admission.hold(body);
        if events == 0 {
            return;
        }
        let message =
            EventsAdmitted { events: batch.events, accepted_at: Instant::now(), admission: Arc::new(admission) };
        if let Err(error) = self.matcher.try_send(message) {
            // The Matcher has ended: the events are not accepted, and the producer's response must say so.
            error.into_inner().admission.replace_response(Err(Refusal::Stopping));
            Refusal::Stopping.count(&self.metrics);
        }
    }

    /// How many events of each account there are.
    fn by_account(&self, events: &[Event]) -> Vec<(Arc<Account>, usize)> {
        let Some(first) = events.first() else { return Vec::new() };
        if events.iter().all(|event| event.account == first.account) {
            return vec![(self.gate.account(&first.account), events.len())];
        }
        let mut numbers: HashMap<&AccountId, usize> = HashMap::new();
        for event in events {
            *numbers.entry(&event.account).or_insert(0) += 1;
        }
        numbers.into_iter().map(|(account, events)| (self.gate.account(account), events)).collect()
    }

    fn refuse(&self, reply: oneshot::Sender<EventsResponse>, refusal: Refusal) {
        refusal.count(&self.metrics);
        // Fails if the client has closed its connection: no one waits for the response.
        let _ = reply.send(Err(refusal));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::probe::{Probe, soon};
    use bytes::Bytes;

    fn body_taken() -> Taken {
        crate::flow::fairness::Pool::<()>::new(1 << 20, 8).apart().take_some(0)
    }

    async fn post(ingester: &actix::Addr<Ingester>, body: &'static str) -> crate::flow::response::EventsResponse {
        let (reply, answer) = oneshot::channel();
        ingester.do_send(EventsReceived {
            source: RequestContent { body: Bytes::from_static(body.as_bytes()), headers: Vec::new() },
            body: body_taken(),
            encoding: encoding::ALL[0],
            only_account: None,
            hops: 0,
            reply,
        });
        soon(answer).await.expect("an answer")
    }

    #[actix_rt::test]
    async fn good_events_pass_and_the_full_gate_refuses_all() {
        let gate = Gate::for_events(2);
        let (probe, mut passed) = Probe::start();
        let ingester = Ingester::new(Arc::clone(&gate), Arc::default(), None, probe, 16).start();
        let (reply, mut answer) = oneshot::channel();
        ingester.do_send(EventsReceived {
            source: RequestContent {
                body: Bytes::from_static(
                    b"[{\"type\":\"a\",\"data\":{}},{\"type\":\"b\"},{\"type\":\"c\",\"data\":{}}]",
                ),
                headers: Vec::new(),
            },
            body: body_taken(),
            encoding: encoding::ALL[0],
            only_account: None,
            hops: 0,
            reply,
        });
        let message: EventsAdmitted = soon(passed.recv()).await.expect("passed on");
        assert_eq!(message.events.len(), 2);
        assert!(answer.try_recv().is_err(), "no response before the work is handed over");

        let refused = post(&ingester, "{\"type\":\"d\",\"data\":{}}").await;
        assert_eq!(refused, Err(Refusal::Full(Full::Events(1))));

        drop(message);
        let receipt = soon(answer).await.expect("an answer").expect("a receipt");
        assert_eq!((receipt.accepted, receipt.rejected[0].index), (2, 1));
        assert_eq!(gate.events(), 0);
    }

    #[actix_rt::test]
    async fn without_a_next_stage_nothing_is_accepted() {
        let (gate, metrics) = (Gate::for_events(2), Arc::new(Metrics::new()));
        let ingester = Ingester::new(Arc::clone(&gate), Arc::clone(&metrics), None, Probe::gone().await, 16).start();
        assert_eq!(post(&ingester, "{\"type\":\"d\",\"data\":{}}").await, Err(Refusal::Stopping));
        assert_eq!((gate.events(), metrics.events.accepted.get()), (0, 0));
    }

    #[actix_rt::test]
    async fn a_closed_gate_admits_nothing() {
        let gate = Gate::for_events(2);
        let (probe, _passed) = Probe::<EventsAdmitted>::start();
        let ingester = Ingester::new(Arc::clone(&gate), Arc::default(), None, probe, 16).start();
        gate.close();
        let answer = post(&ingester, "{\"type\":\"d\",\"data\":{}}").await;
        assert_eq!(answer, Err(Refusal::Stopping));
    }
}
