//! The messages between the stages, in the order of the pipeline. Each is named for the state of its data. Every queue
//! of messages is bounded by what the messages carry: from [`EventsAdmitted`] to [`FiringsMatched`] by the events that
//! the gate admits, after that by the deliveries and bytes that are charged to accounts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use actix::Message;
use http::HeaderValue;
use tokio::sync::oneshot;

use super::account::{AccountShares, Charge};
use super::event_data::EventData;
use super::in_flight::{InFlight, ParkedLane, StreamClaims};
use super::journal::JournaledFiring;
use super::late::Late;
use super::permit::Admission;
use crate::model::event::Event;
use crate::model::id::{TemplateId, TriggerId};
use crate::model::outcome::{DropReason, FiringReport};
use crate::model::target::Target;
use crate::model::template::Template;
use crate::templating::{CompiledTemplate, Expressions};

/// The events of a request that the gate has admitted, to the Matcher. They are accepted once their work is measured.
#[derive(Debug)]
pub struct EventsAdmitted {
    /// The events of one request.
    pub events: Vec<Event>,
    /// When they were admitted.
    pub accepted_at: Instant,
    /// Held until their deliveries are handed over.
    pub admission: Admission,
}

/// Firings, to the Renderer.
#[derive(Debug)]
pub struct FiringsMatched {
    /// What the events of one account in one request fire.
    pub firings: Box<dyn Firings>,
    /// When the events were accepted.
    pub accepted_at: Instant,
    /// Held until the deliveries are handed over; `None` for a test.
    pub admission: Option<Admission>,
}

/// A small request has at most this many events, and at most this many firings.
pub const SMALL_REQUEST: usize = 8;

/// Firings that are produced one by one, so that few of them are in memory at a time.
pub trait Firings: fmt::Debug {
    /// The account that they belong to.
    fn account(&self) -> &Arc<AccountShares>;

    /// Does one bounded unit of work. Must not panic.
    fn step(&mut self) -> FiringStep;

    /// Whether there are no more firings. False where a step is needed to know.
    fn is_done(&self) -> bool {
        false
    }

    /// Whether there are so few as a small request has, whose response need not pace its producer.
    fn are_few(&self) -> bool {
        false
    }
}

/// The result of one unit of work on firings.
#[derive(Debug)]
pub enum FiringStep {
    /// A firing.
    Fired(Firing),
    /// No firing yet.
    Worked,
    /// No firing until the account has room for one more delivery, or a time is over that was told before.
    Blocked,
    /// No firing before this time has passed.
    Later(Duration),
    /// There are no more firings.
    Done,
}

/// The one firing of a test.
#[derive(Debug)]
pub struct OneFiring {
    /// The account of the trigger.
    pub account: Arc<AccountShares>,
    /// `None` once it was handed out.
    pub firing: Option<Firing>,
}

impl Firings for OneFiring {
    fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }

    fn step(&mut self) -> FiringStep {
        self.firing.take().map_or(FiringStep::Done, FiringStep::Fired)
    }
}

/// Where a trigger sends.
#[derive(Debug, Clone)]
pub struct LiveTarget {
    /// What all its deliveries share.
    pub target: Arc<Target>,
    /// The parts of the URL and the headers that each delivery computes.
    pub expressions: Option<Arc<Late<Expressions>>>,
}

/// An event and a trigger that it fired.
#[derive(Debug)]
pub struct Firing {
    /// The event, shared by all that it fired.
    pub event: Arc<EventData>,
    /// The trigger.
    pub trigger: TriggerId,
    /// Where it sends, or why it is dropped.
    pub target: Result<LiveTarget, DropReason>,
    /// What it sends; `None` if the template is unusable.
    pub template: Option<Arc<LiveTemplate>>,
    /// Its charge to its account; `None` for a test.
    pub charge: Option<Charge>,
    /// Its entry in the journal; `None` for a test, and without a journal.
    pub journaled: Option<JournaledFiring>,
    /// Receives the report of its end.
    pub report: Option<oneshot::Sender<FiringReport>>,
}

/// A template that can render, unless it turns out to be unusable when it is first used.
#[derive(Debug)]
pub struct LiveTemplate {
    /// Its name.
    pub id: TemplateId,
    /// The prepared body.
    pub compiled: Late<CompiledTemplate>,
    /// What is sent as `content-type`.
    pub content_type: HeaderValue,
    /// Whether its last rendering took so long that it would have delayed other tasks of its thread.
    pub takes_long: AtomicBool,
}

impl LiveTemplate {
    /// For a template; `None` if its content type is not a valid header value.
    pub fn new(template: &Template, compiled: Late<CompiledTemplate>) -> Option<Arc<Self>> {
        let content_type = match &template.content_type {
            Some(own) => HeaderValue::from_str(own).ok()?,
            // A constant has no reference count that several threads would write to.
            None => HeaderValue::from_static(template.format.content_type()),
        };
        let (id, takes_long) = (template.id.clone(), AtomicBool::new(false));
        Some(Arc::new(Self { id, compiled, content_type, takes_long }))
    }
}

/// Deliveries to the destinations of one thread, for that thread's Dispatchers.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesRendered(pub Vec<InFlight>);

/// What is parked for destinations of one thread, for that thread's Dispatchers. Each lane comes with the claims of its
/// stream, through which the deliveries can be fetched.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DeliveriesParked(pub Vec<(ParkedLane, StreamClaims)>);
