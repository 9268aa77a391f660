//! The first stage: reads the events in a request's body, has the gate admit them, sends the producer its response, and
//! passes the events on. It never looks at triggers.

mod batch;
pub mod encoding;
pub mod idempotency;
mod members;
mod rejection;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Context, Handler};
use smallvec::smallvec;
use tokio::sync::oneshot;

use crate::flow::background::Background;
use crate::flow::drill;
use crate::flow::fairness::{JobProgress, TakenUnits};
use crate::flow::gate::{EventsByAccount, Gate};
use crate::flow::inbox::{Inbox, InboxFilled, InboxSender};
use crate::flow::last_account::LastAccount;
use crate::flow::messages::EventsAdmitted;
use crate::flow::payer::Payer;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::response::{EventsResponse, Receipt};
use crate::flow::turns::{Turns, Worker};
use crate::ingester::idempotency::{GivenIds, IN_PROGRESS_RETRY_S, IdempotencyWindow, WindowUnavailable};
use crate::model::event::{Event, EventIdentity};
use crate::model::id::AccountId;
use crate::telemetry::metrics::Metrics;
use batch::EventBatch;
use encoding::{Encoding, RequestContent};

/// A body up to this size is read on the thread that received it: usual events in a quarter of a millisecond, and in 4
/// ms at most, if each element is a mistake. A batch costs a tenth more if another thread reads it.
const READ_AT_ONCE_BYTES: usize = 48 << 10;

/// A request with events, as it was received.
#[derive(Debug)]
pub struct EventsReceived {
    /// The events to read.
    pub unread: UnreadEvents,
    /// Who pays for it.
    pub payer: Payer,
    /// What the body counts for.
    pub body: TakenUnits,
    /// Where the response goes.
    pub reply: oneshot::Sender<EventsResponse>,
}

/// A request's events before they are read.
#[derive(Debug)]
pub struct UnreadEvents {
    /// The body, and the headers that belong to it.
    pub source: RequestContent,
    /// How it holds events.
    pub encoding: &'static Encoding,
    /// The only account that the sender may post for; `None`: all accounts.
    pub only_account: Option<AccountId>,
    /// How many deliveries in a row led to the request.
    pub hops: u8,
}

/// Takes requests' bodies in; one for each thread that serves HTTP. Those who pay for them take turns.
pub struct Ingester {
    ingesting: Rc<IngestContext>,
    turns: Rc<Turns<IngestWorker>>,
    inbox: Inbox<EventsReceived>,
}

/// What an Ingester works with.
pub struct IngestContext {
    /// Lets events in.
    pub gate: Arc<Gate>,
    /// The account of the last request.
    pub last_account: LastAccount,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Events whose ids it has seen are not passed on.
    pub window: Option<IdempotencyWindow>,
    /// Reads large bodies, which would hold up this thread.
    pub background: Background<Payer>,
    /// The next stage.
    pub matcher: InboxSender<EventsAdmitted>,
}

impl Ingester {
    /// Starts one on this thread. Its inbox holds at most one request of each connection.
    pub fn start(ingesting: IngestContext) -> InboxSender<EventsReceived> {
        let (gate, ingesting, inbox) = (Arc::clone(&ingesting.gate), Rc::new(ingesting), Inbox::default());
        let turns = Turns::new(IngestWorker(Rc::clone(&ingesting)), gate);
        inbox.start(Self { turns, ingesting, inbox: inbox.clone() })
    }
}

impl Actor for Ingester {
    type Context = Context<Self>;
}

impl Handler<InboxFilled> for Ingester {
    type Result = ();

    fn handle(&mut self, InboxFilled: InboxFilled, _: &mut Self::Context) {
        self.turns.push_all(|push| {
            self.inbox.drain(|request| {
                if request.unread.source.body.len() > READ_AT_ONCE_BYTES {
                    // At most as many of these tasks as connections: each connection waits for its response.
                    actix_rt::spawn(Rc::clone(&self.ingesting).read_apart(request));
                } else {
                    push(ReadJob { payer: request.payer, request: Some(request) });
                }
            });
        });
    }
}

/// Reads bodies in place, each as one unit of work.
struct IngestWorker(Rc<IngestContext>);

/// A request that is read in its turn.
struct ReadJob {
    payer: Payer,
    request: Option<EventsReceived>,
}

impl Worker for IngestWorker {
    type Member = Payer;
    type Job = ReadJob;

    fn member(job: &ReadJob) -> Payer {
        job.payer
    }

    fn step(&self, job: &mut ReadJob) -> JobProgress {
        if let Some(EventsReceived { unread, body, reply, .. }) = job.request.take() {
            self.0.take(unread.read(self.0.window.is_some()), body, reply);
        }
        JobProgress::Done
    }

    fn panicked(&self, _: &mut ReadJob) -> JobProgress {
        JobProgress::Done
    }
}

impl UnreadEvents {
    /// Reads the events, and their ids if those are needed. A panic costs this request only.
    fn read(self, with_ids: bool) -> Result<EventsRead, Refusal> {
        let read = catch_unwind(AssertUnwindSafe(|| {
            drill::point(drill::Stage::Ingester);
            let mut batch = self.encoding.read(self.source, self.only_account.as_ref())?;
            batch.events.iter_mut().for_each(|event| event.hops = self.hops);
            let given = if with_ids { GivenIds::take(&mut batch.events) } else { None };
            let bytes = batch.events.iter().map(|event| size_of::<Event>() + event.heap_bytes()).sum();
            Ok(EventsRead { batch, given, bytes })
        }));
        read.unwrap_or(Err(Refusal::Panic))
    }
}

/// A request's events, and the memory that they take beside its body: it can be many times as large.
struct EventsRead {
    batch: EventBatch,
    /// For the idempotency window, if there is one.
    given: Option<GivenIds>,
    bytes: usize,
}

impl IngestContext {
    async fn read_apart(self: Rc<Self>, request: EventsReceived) {
        let EventsReceived { unread, payer, body, reply } = request;
        let with_ids = self.window.is_some();
        let read = self.background.run(payer, move || unread.read(with_ids)).await;
        self.take(read.unwrap_or(Err(Refusal::Panic)), body, reply);
    }

    /// Charges for what was read, and has it admitted.
    fn take(
        self: &Rc<Self>,
        read: Result<EventsRead, Refusal>,
        mut body: TakenUnits,
        reply: oneshot::Sender<EventsResponse>,
    ) {
        let EventsRead { batch, given, bytes } = match read {
            Ok(read) => read,
            Err(refusal) => return self.refuse(reply, refusal),
        };
        batch.rejected.count(&self.metrics);
        if !body.grow(bytes) {
            // Where its sender has no other, trying again would not help.
            if body.share().taken() > body.units() {
                return self.refuse(reply, Refusal::Full(ReachedBound::Bodies));
            }
            body.grow_over(bytes);
        }
        match (&self.window, given) {
            // At most as many of these tasks as connections: each connection waits for its response.
            (Some(window), Some(given)) => {
                actix_rt::spawn(Rc::clone(self).admit_once(window.clone(), batch, given, body, reply));
            }
            _ => self.admit(batch, body, 0, reply),
        }
    }

    /// Admits what was not seen before, and notes it as seen once it is accepted, before its producer
    /// gets the response.
    async fn admit_once(
        self: Rc<Self>,
        window: IdempotencyWindow,
        mut batch: EventBatch,
        given: GivenIds,
        body: TakenUnits,
        reply: oneshot::Sender<EventsResponse>,
    ) {
        let events = batch.events.len();
        let (known, claims) = match window.sift(&mut batch.events, given).await {
            Ok(sifted) => sifted,
            Err(WindowUnavailable::Store) => return self.refuse(reply, Refusal::Unavailable),
            Err(WindowUnavailable::Open) => {
                return self.refuse(reply, Refusal::IdInProgress { events, retry_after_s: IN_PROGRESS_RETRY_S });
            }
        };
        self.metrics.events.duplicates.inc_by(known as u64);
        let (sender, receiver) = oneshot::channel();
        self.admit(batch, body, known, sender);
        let response = claims.held_during(receiver).await.unwrap_or(Err(Refusal::Stopping));
        claims.settle(response.is_ok()).await;
        let _ = reply.send(response);
    }

    /// Has the events admitted and passes them on. `known` more events were accepted before and need no admission.
    fn admit(&self, batch: EventBatch, body: TakenUnits, known: usize, reply: oneshot::Sender<EventsResponse>) {
        let events = batch.events.len();
        let receipt =
            Receipt { accepted: events + known, rejected: batch.rejected.listed, rejected_more: batch.rejected.more };
        let mut admission = match self.gate.admit(self.by_account(&batch.events), Ok(receipt), reply) {
            Ok(admission) => admission,
            Err((refusal, reply)) => return self.refuse(reply, refusal),
        };
        admission.hold(body);
        if events == 0 {
            return;
        }
        let message =
            EventsAdmitted { events: batch.events, accepted_at: Instant::now(), admission: Arc::new(admission) };
        if let Err(message) = self.matcher.send(message) {
            // The Matcher has ended: the events are not accepted, and the producer's response must say so.
            message.admission.replace_response(Err(Refusal::Stopping));
            Refusal::Stopping.count(&self.metrics);
        }
    }

    /// How many events of each account there are.
    fn by_account(&self, events: &[Event]) -> EventsByAccount {
        let Some(first) = events.first() else { return EventsByAccount::new() };
        if events.iter().all(|event| event.identity.account() == first.identity.account()) {
            return smallvec![(self.last_account.of(&self.gate, &first.identity), events.len())];
        }
        let mut numbers: HashMap<&str, (&EventIdentity, usize)> = HashMap::new();
        for event in events {
            numbers.entry(event.identity.account()).or_insert((&event.identity, 0)).1 += 1;
        }
        let each = numbers.into_values();
        each.map(|(first, events)| (self.gate.account(&first.account_id()), events)).collect()
    }

    fn refuse(&self, reply: oneshot::Sender<EventsResponse>, refusal: Refusal) {
        refusal.count(&self.metrics);
        // Fails if the client has closed its connection: no one waits for the response.
        let _ = reply.send(Err(refusal));
    }
}
