//! What the stages say to one another, in the order in which it is said. Each message is named for
//! the state its data is in. Every queue of messages is bounded by what they carry: from
//! [`EventsAccepted`] to [`FiringsMatched`] by the events that the gate admits, from
//! [`DeliveriesRendered`] on by the queue of each destination.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::Message;
use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use crate::admission::{Admitted, Outstanding, Taken};
use crate::delivery::{Delivery, Target};
use crate::event::Event;
use crate::id::{AccountId, TriggerId};
use crate::metrics::{Dropped, Outcome};
use crate::templating;

/// How a body holds events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// One event object, or an array of them.
    Json,
    /// One event object a line.
    JsonLines,
    /// One CloudEvent in structured mode.
    CloudEvent,
    /// An array of CloudEvents.
    CloudEvents,
    /// A CloudEvent in binary mode: the body is its data, the attributes came as headers, here
    /// without `ce-` and decoded.
    CloudEventData(Vec<(String, String)>),
}

/// A request's body as it came, to the Ingester.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EventsReceived {
    /// The body.
    pub body: Bytes,
    /// How it holds events.
    pub encoding: Encoding,
    /// The one account the sender may post for; `None`: all.
    pub only_account: Option<AccountId>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// What the producer is told.
pub type Answer = Result<Receipt, Refusal>;

/// Something was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Receipt {
    /// How many events were taken.
    pub accepted: usize,
    /// The others, each with its place.
    pub rejected: Vec<Rejected>,
}

/// An event that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rejected {
    /// Its place in the request, from 0; blank lines don't count.
    pub index: usize,
    /// What kind of mistake; stable.
    pub code: &'static str,
    /// What is wrong and what instead.
    pub detail: String,
}

/// Nothing was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The body is not of its encoding: where and why.
    Malformed(String),
    /// The body holds no event at all.
    NoEvents,
    /// Every event has a mistake.
    NoGoodEvent(Vec<Rejected>),
    /// The bound on events in flight.
    Full {
        /// How many good events the request holds.
        events: usize,
    },
    /// What is accepted can't be kept now: the store is away. Some of the request may have been
    /// taken where it went away in the midst of it.
    Away,
    /// The node takes no events.
    NotHere,
    /// The node is stopping.
    Stopping,
    /// A fault of ours; the log has it.
    Fault,
}

/// The places that a request's events hold.
pub type Admission = Arc<Admitted<Answer>>;

/// Events that the producer may count on, to the Matcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EventsAccepted {
    /// The events of one request.
    pub events: Vec<Event>,
    /// When they were accepted.
    pub accepted_at: Instant,
    /// Held until their deliveries are handed over.
    pub admission: Admission,
}

/// Firings, to the Renderer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FiringsMatched {
    /// What the events of one request fired.
    pub firings: Vec<Firing>,
    /// When the events were accepted.
    pub accepted_at: Instant,
    /// Held until the deliveries are handed over; none for a test.
    pub admission: Option<Admission>,
}

/// An event and a trigger that it fired.
#[derive(Debug)]
pub struct Firing {
    /// The event, shared by all that it fired.
    pub event: Arc<EventData>,
    /// Which trigger.
    pub trigger: TriggerId,
    /// Where it sends.
    pub target: Arc<Target>,
    /// What it sends; `None` where the template can't be used.
    pub template: Option<Arc<LiveTemplate>>,
    /// Who wants to hear the end of it.
    pub report: Option<oneshot::Sender<Report>>,
}

/// An event in the form that templates read.
#[derive(Debug)]
pub struct EventData {
    /// Tells the event apart from all others: account, source, id.
    pub account: AccountId,
    /// See `account`.
    pub source: Arc<str>,
    /// See `account`.
    pub id: Arc<str>,
    /// What templates see.
    pub data: templating::Data,
}

/// A template that can render.
#[derive(Debug)]
pub struct LiveTemplate {
    /// The prepared body.
    pub compiled: templating::Compiled,
    /// What is sent as `content-type`.
    pub content_type: HeaderValue,
}

/// Deliveries for destinations of one thread, to that thread's Dispatchers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRendered(pub Vec<Queued>);

/// Deliveries for one destination, to its Dispatcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRouted(pub Vec<Queued>);

/// A delivery on its way, with what is owed to others when it comes to an end.
#[derive(Debug)]
pub struct Queued {
    /// The POST to make.
    pub delivery: Delivery,
    /// When its event was accepted.
    pub accepted_at: Instant,
    /// The place it holds; let go of when the attempt begins.
    pub place: Option<Place>,
    /// Must be redeemed before the attempt begins; none where no other node can have the delivery.
    pub ticket: Option<Ticket>,
    /// Counts it until its end.
    pub outstanding: Outstanding,
    /// Who wants to hear the end of it.
    pub report: Option<oneshot::Sender<Report>>,
}

/// What a delivery that waits counts against.
#[derive(Debug)]
pub enum Place {
    /// The places of the request that it came with.
    Accepted(Admission),
    /// A place of its own: it was accepted elsewhere and taken from a stream.
    Taken(Taken),
}

/// An entry's name in its stream: milliseconds and a number, as Redis orders them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64, pub u64);

/// The claim to the one attempt at a delivery that lies in a stream, where other nodes may hold it
/// too. Only the node whose ticket is honoured may make the attempt. One that is dropped gives the
/// delivery back to all.
#[derive(Debug)]
pub struct Ticket {
    entry: EntryId,
    /// Where it is handed in, and what counts it until it was dealt with.
    desk: Option<(mpsc::UnboundedSender<Redemption>, Outstanding)>,
}

/// What the holder of a ticket wants, to the desk of its stream. There are never more than deliveries
/// held.
#[derive(Debug)]
pub struct Redemption {
    /// The entry in it.
    pub entry: EntryId,
    /// What its holder wants.
    pub wish: Wish,
    /// Counts a ticket that came back until that is done.
    pub outstanding: Option<Outstanding>,
}

/// What the holder of a ticket wants.
#[derive(Debug)]
pub enum Wish {
    /// To make the attempt, and to hear whether it may.
    Attempt(oneshot::Sender<bool>),
    /// To end the delivery without one. Its place is held until that is done.
    Drop(Dropped, Option<Place>),
    /// To leave it to whoever comes.
    GiveBack,
    /// To have the body anew, and keep the ticket; `None` where the entry is gone.
    Body(oneshot::Sender<Option<Bytes>>),
}

impl Ticket {
    /// A ticket that `desk` redeems.
    pub fn new(entry: EntryId, desk: mpsc::UnboundedSender<Redemption>, outstanding: Outstanding) -> Self {
        Self { entry, desk: Some((desk, outstanding)) }
    }

    /// Whether the attempt may be made. Waits for an answer for as long as there is none.
    pub async fn redeem(mut self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.hand_in(Wish::Attempt(answer));
        answered.await.unwrap_or(false)
    }

    /// Ends the delivery without an attempt, if no other node has had it.
    pub fn discard(mut self, reason: Dropped, place: Option<Place>) {
        self.hand_in(Wish::Drop(reason, place));
    }

    /// The delivery's body, read from its stream anew; `None` where another node has had the delivery.
    pub async fn body(&self) -> Option<Bytes> {
        let (answer, answered) = oneshot::channel();
        let (desk, _) = self.desk.as_ref()?;
        let _ = desk.send(Redemption { entry: self.entry, wish: Wish::Body(answer), outstanding: None });
        answered.await.ok().flatten()
    }

    fn hand_in(&mut self, wish: Wish) {
        if let Some((desk, outstanding)) = self.desk.take() {
            // A desk that is closed has stopped with its thread: nothing is attempted any more.
            let _ = desk.send(Redemption { entry: self.entry, wish, outstanding: Some(outstanding) });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hand_in(Wish::GiveBack);
    }
}

/// How a firing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An attempt was made.
    Attempted {
        /// How it ended.
        outcome: Outcome,
        /// The status the receiver answered.
        status: Option<u16>,
        /// From its begin to its end.
        duration: Duration,
    },
    /// None was made.
    Dropped(Dropped),
}
