//! What the stages say to one another, in the order in which it is said. Each message is named for
//! the state its data is in. Every queue of messages is bounded by what they carry: from
//! [`EventsAdmitted`] to [`FiringsMatched`] by the events that the gate admits, from there on by the deliveries and
//! bytes that are charged to accounts.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use actix::Message;
use http::HeaderValue;
use tokio::sync::oneshot;

use super::account::{Account, Charge};
use super::in_flight::{Admission, InFlight, Report, StreamClaims};
use super::keep::Kept;
use crate::model::destination::Destination;
use crate::model::event::Event;
use crate::model::firing::{EventIdentity, FiringId};
use crate::model::id::TriggerId;
use crate::model::outcome::Dropped;
use crate::model::target::Target;
use crate::model::template::Template;
use crate::templating::{self, Expressions};

/// Events of a request that the gate has admitted, to the Matcher. They are accepted when their work is measured.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct EventsAdmitted {
    /// The events of one request.
    pub events: Vec<Event>,
    /// When they were admitted.
    pub accepted_at: Instant,
    /// Held until their deliveries are handed over.
    pub admission: Admission,
}

/// Firings, to the Renderer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FiringsMatched {
    /// Whose they are.
    pub account: Arc<Account>,
    /// What the events of one account in one request fire.
    pub firings: Box<dyn Firings>,
    /// When the events were accepted.
    pub accepted_at: Instant,
    /// Held until the deliveries are handed over; none for a test.
    pub admission: Option<Admission>,
}

/// Firings that come about one after the other, so that never more of them are in memory than may be.
pub trait Firings: Send + fmt::Debug {
    /// Does one bounded unit of work. It does not panic.
    fn step(&mut self) -> Step;
}

/// What one unit of work on firings led to.
#[derive(Debug)]
pub enum Step {
    /// A firing.
    Fired(Firing),
    /// None yet.
    Worked,
    /// None until the account has room for one more delivery.
    Blocked,
    /// There are no more.
    Done,
}

/// The one firing of a test.
#[derive(Debug)]
pub struct OneFiring(pub Option<Firing>);

impl Firings for OneFiring {
    fn step(&mut self) -> Step {
        self.0.take().map_or(Step::Done, Step::Fired)
    }
}

/// Where a trigger sends.
#[derive(Debug)]
pub struct LiveTarget {
    /// What all its deliveries have in common.
    pub target: Arc<Target>,
    /// What each delivery has of its own in the URL and the headers.
    pub expressions: Option<Expressions>,
}

/// An event and a trigger that it fired.
#[derive(Debug)]
pub struct Firing {
    /// The event, shared by all that it fired.
    pub event: Arc<EventData>,
    /// Which trigger.
    pub trigger: TriggerId,
    /// Where it sends; or why it sends nothing.
    pub target: Result<Arc<LiveTarget>, Dropped>,
    /// What it sends; `None` where the template can't be used.
    pub template: Option<Arc<LiveTemplate>>,
    /// Its place among its account's deliveries; none for a test.
    pub charge: Option<Charge>,
    /// It is kept in the journal; `None` for a test, and where there is no journal.
    pub kept: Option<Kept>,
    /// Receives the report of its end.
    pub report: Option<oneshot::Sender<Report>>,
}

impl Firing {
    /// Its names.
    pub fn id(&self) -> FiringId {
        FiringId { event: Arc::clone(&self.event.identity), trigger: self.trigger.clone() }
    }
}

/// An event in the form that templates read.
#[derive(Debug)]
pub struct EventData {
    /// Tells the event apart from all others.
    pub identity: Arc<EventIdentity>,
    /// How many deliveries in a row led to the event.
    pub hops: u8,
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

impl LiveTemplate {
    /// Of a compiled template; `None` where its content type can't be sent.
    pub fn new(template: &Template, compiled: templating::Compiled) -> Option<Arc<Self>> {
        let content_type = match &template.content_type {
            Some(own) => HeaderValue::from_str(own).ok()?,
            // A constant has no reference count, which threads would write to by turns.
            None => HeaderValue::from_static(template.format.content_type()),
        };
        Some(Arc::new(Self { compiled, content_type }))
    }
}

/// Deliveries for destinations of one thread, to that thread's Dispatchers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRendered(pub Vec<InFlight>);

/// Deliveries for one destination, to its Dispatcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRouted(pub Vec<InFlight>);

/// Destinations of one thread that have parked deliveries, to that thread's Dispatchers, each with the stream's claims,
/// which can fetch them.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesParked(pub Vec<(Destination, StreamClaims)>);
