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
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::admission::{Admitted, Outstanding, Taken};
use crate::delivery::{Delivery, Destination, Target};
use crate::event::Event;
use crate::id::{AccountId, TriggerId};
use crate::metrics::{Dropped, Metrics, Outcome};
use crate::templating;
use crate::ticket::{Desk, Ticket};

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

/// Destinations of one thread for which deliveries are parked, to that thread's Dispatchers, each with
/// the desk where they are to be had.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesParked(pub Vec<(Destination, Desk)>);

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

/// Counts what ends without an attempt, and tells whoever wants to hear of it.
pub fn drop_unsent(metrics: &Metrics, reason: Dropped, report: Option<oneshot::Sender<Report>>) {
    metrics.dropped(reason, 1);
    if let Some(report) = report {
        let _ = report.send(Report::Dropped(reason));
    }
}
