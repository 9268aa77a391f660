//! What the request handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use actix::Recipient;

use super::request::expensive::ExpensiveRequests;
use crate::config::Config;
use crate::dictionary::{Dictionary, Presets};
use crate::flow::account::TurnKey;
use crate::flow::background::Background;
use crate::flow::destination_state::DestinationStatesQuery;
use crate::flow::fairness::Pool;
use crate::flow::gate::Gate;
use crate::flow::inbox::InboxSender;
use crate::flow::messages::FiringsMatched;
use crate::flow::payer::Payer;
use crate::ingester::EventsReceived;
use crate::live::Live;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What all HTTP threads share.
pub struct AppState {
    /// The node's name: its host and port.
    pub name: Arc<str>,
    /// The settings.
    pub config: Config,
    /// What is in flight.
    pub gate: Arc<Gate>,
    /// Bytes of requests' bodies and of what was parsed from them, until their work is handed over.
    pub bodies: Pool<Payer>,
    /// Work on large requests and responses, which would hold up the HTTP threads.
    pub background: Background<Payer>,
    /// Templates that take long, which would hold them up as well.
    pub rendering: Background<TurnKey>,
    /// What is live.
    pub live: Arc<Live>,
    /// The store of triggers, templates and keys.
    pub store: Store,
    /// The dictionary.
    pub dictionary: Arc<Dictionary>,
    /// Ready-made templates for known receivers.
    pub presets: Arc<Presets>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Whether deliveries that the journal held at the start are still being handed on.
    pub recovering: AtomicBool,
    /// How many partitions of the streams this node can't read at the moment.
    pub unread: Arc<AtomicUsize>,
    /// Counts concurrent lists and checks.
    pub expensive: ExpensiveRequests,
    /// The dispatch threads, which report the states of their destinations.
    pub dispatchers: Vec<Recipient<DestinationStatesQuery>>,
}

/// The stages of one HTTP thread.
pub struct Pipeline {
    /// Accepts events.
    pub ingester: InboxSender<EventsReceived>,
    /// Renders the firing of a trigger's test.
    pub renderer: InboxSender<FiringsMatched>,
}
