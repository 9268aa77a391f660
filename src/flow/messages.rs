//! What the stages say to one another, in the order in which it is said. Each message is named for
//! the state its data is in. Every queue of messages is bounded by what they carry: from
//! [`EventsAccepted`] to [`FiringsMatched`] by the events that the gate admits, from
//! [`DeliveriesRendered`] on by the queue of each destination.

use std::sync::Arc;
use std::time::Instant;

use actix::Message;
use http::HeaderValue;
use tokio::sync::oneshot;

use super::in_flight::{Admission, InFlight, Report, StreamClaims};
use crate::model::destination::Destination;
use crate::model::event::Event;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::Dropped;
use crate::model::target::Target;
use crate::templating;

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
    /// Where it sends; or why it sends nothing.
    pub target: Result<Arc<Target>, Dropped>,
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
pub struct DeliveriesRendered(pub Vec<InFlight>);

/// Deliveries for one destination, to its Dispatcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRouted(pub Vec<InFlight>);

/// Destinations of one thread for which deliveries are parked, to that thread's Dispatchers, each with
/// the claims where they are to be had.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesParked(pub Vec<(Destination, StreamClaims)>);
