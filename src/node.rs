//! The wiring: builds a node out of its parts, downstream first, and stops it, upstream first. It decides which
//! thread each part runs on and nothing else.

mod pipeline;
mod recovery;
#[cfg(feature = "redis")]
mod streams;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, atomic::AtomicBool};
use std::time::Duration;

use actix::{Addr, Arbiter};
use actix_web::web;

use crate::config::{Config, ConfigError};
use crate::dictionary::DictionaryError;
use crate::dispatcher::{
    DispatchSettings, Dispatchers, Outbound, OutboundError, OwnAddresses, ReleaseDeliveries, ResolverError,
    connection_pool,
};
use crate::flow::account::{ACCOUNT_WEIGHT, NodeBounds};
use crate::flow::background::Background;
use crate::flow::descriptors::Descriptors;
use crate::flow::fairness::Pool;
use crate::flow::gate::Gate;
use crate::flow::journal::EventJournal;
use crate::flow::runtime::named_thread_runtime;
use crate::handover::journal::{Journal, JournalError};
#[cfg(feature = "redis")]
use crate::handover::streams::StreamsError;
use crate::http::inbound::{Inbound, InboundServer, ThreadCalls};
use crate::http::{self, AppState, EventsCall};
use crate::ingester::idempotency::{IdempotencyWindow, WindowError};
use crate::live::Live;
use crate::model::outcome::DropReason;
use crate::store::{OpenError, Store};
use crate::telemetry::activity::ActivityBounds;
use crate::telemetry::metrics::Metrics;
use pipeline::{HandOver, start_pipeline};
pub use recovery::StartProgress;

/// How long a stop waits for clients to read responses that are ready.
const RESPONSES_TAKEN_WITHIN_S: u64 = 2;
/// Connections of the second server. It serves an operator's tools.
const ADMIN_CONNECTIONS_MAX: usize = 64;
/// How long a stop waits for Redis to accept what this node gives back unsent. If it does not, other nodes take it
/// over.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator's presets have mistakes.
    #[error("the presets have mistakes:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
    Presets(Vec<DictionaryError>),
    /// The dictionary has mistakes.
    #[error("the dictionary has mistakes:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
    Dictionary(Vec<DictionaryError>),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The streams of deliveries can't be used.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// The idempotency window can't be used.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The journal can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// TLS or the proxy towards receivers can't be set up.
    #[error("the settings have mistakes:{}", .0.iter().map(|e| format!("\n  {e}")).collect::<String>())]
    Outbound(Vec<ConfigError>),
    /// Names can't be resolved.
    #[error(transparent)]
    Resolver(#[from] ResolverError),
    /// A thread that sends can't be started.
    #[error("a dispatch thread did not start: {0}")]
    Thread(io::Error),
    /// The address can't be used.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The HTTP server did not start.
    #[error("the HTTP server did not start: {0}")]
    Serve(io::Error),
}

/// A running node.
pub struct Node {
    address: SocketAddr,
    drain: Duration,
    shared: Arc<AppState>,
    server: InboundServer,
    admin: Option<(SocketAddr, InboundServer)>,
    threads: Vec<Arbiter>,
    dispatchers: Vec<Addr<Dispatchers>>,
    hand_over: HandOver,
    journal: Option<Journal>,
}

/// What a stop left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopResult {
    /// Deliveries and events that were neither sent within `dispatch.drain_ms`, nor given back for other nodes to send,
    /// nor kept for the next start.
    pub unsent: usize,
    /// Deliveries that the journal keeps for the next start.
    pub kept: usize,
}

impl Node {
    /// Starts a node: first what sends, then what renders and matches, last what accepts events.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_watched(config, StartProgress::default()).await
    }

    /// The same, with callbacks for the progress of a long start.
    pub async fn start_watched(config: Config, watch: StartProgress) -> Result<Self, StartError> {
        let dictionary = Arc::new(config.dictionary.load().map_err(StartError::Dictionary)?);
        let presets = Arc::new(config.load_presets(&dictionary).map_err(StartError::Presets)?);
        let metrics = Arc::new(Metrics::with_activity(activity_bounds(&config)));
        let bounds = NodeBounds {
            events: config.ingest.events_in_flight_max,
            deliveries: config.ingest.deliveries_in_flight_max,
            bytes: config.dispatch.bytes_max,
            events_per_s: config.ingest.rate_per_account_s,
        };
        make_descriptor_table(&config);
        let gate = Gate::new(bounds, config.cluster.take_max);
        let listener = listen(config.server.listen)?;
        let admin = config.server.admin_listen.map(listen).transpose()?;
        let listened = [Some(&listener), admin.as_ref()].into_iter().flatten();
        let own = OwnAddresses(listened.filter_map(|listener| listener.local_addr().ok()).collect());
        let outbound = Outbound::new(&config.dispatch, own).map_err(|errors| refused(&config, errors))?;
        let live = Live::new(
            Arc::clone(&dictionary),
            config.templates.clone(),
            config.matching.clone(),
            config.dispatch.egress.clone(),
            Arc::clone(&metrics),
        );
        let live = Arc::new(live.with_quotas(config.store.quotas.clone()).with_progress(watch.store));
        let store = Store::open(&config.store, Arc::clone(&live) as _, Arc::clone(&metrics)).await?;

        #[cfg(feature = "redis")]
        let streams = streams::open(&config).await?;
        let window = open_window(&config).await?;

        let (journal, recovered) = Journal::open(&config, &gate, &metrics).await?.unzip();
        let sending = journal.as_ref().map(Journal::for_sending);
        let (threads, dispatchers) = start_dispatchers(&config, outbound, &metrics, &gate, sending)?;
        let accepting = journal.as_ref().and_then(Journal::for_accepting);
        let hand_over = HandOver::Direct(dispatchers.clone());
        #[cfg(feature = "redis")]
        let hand_over = match &streams {
            None => hand_over,
            Some(streams) => streams::join(streams, &threads, &dispatchers, &metrics, &gate),
        };
        let address = listener.local_addr().map_err(StartError::Serve)?;
        let name = format!("{}:{}", host_name(), address.port()).into();
        let surveyed = dispatchers.iter().map(|dispatchers| dispatchers.clone().recipient()).collect();
        let shared = Arc::new(AppState {
            name,
            bodies: Pool::new(config.ingest.bodies_bytes_max, ACCOUNT_WEIGHT),
            background: Background::new(background_threads()),
            rendering: Background::new(background_threads()),
            config,
            gate,
            live,
            store,
            dictionary,
            presets,
            metrics,
            dispatchers: surveyed,
            expensive: Default::default(),
            recovering: AtomicBool::new(false),
            unread: hand_over.unread(),
        });
        if let Some(recovered) = recovered.filter(|recovered| !recovered.is_empty()) {
            recovery::start(recovered, &shared, &dispatchers, watch.journal);
        }
        let server = serve(&shared, hand_over.clone(), window, accepting, listener).map_err(StartError::Serve)?;
        let admin = admin.map(|listener| serve_admin(&shared, listener)).transpose().map_err(StartError::Serve)?;
        let drain = shared.config.dispatch.drain;
        Ok(Self { address, drain, shared, server, admin, threads, dispatchers, hand_over, journal })
    }

    /// The address of the HTTP server, with the actual port if the settings say 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the second server is, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(address, _)| *address)
    }

    /// The node's parts, for what runs beside it in the same process.
    pub fn shared(&self) -> &Arc<AppState> {
        &self.shared
    }

    /// Graceful shutdown: stop accepting, drain for `dispatch.drain_ms`, then stop each stage. Each part stops only
    /// when nothing upstream can have work for it any more.
    pub async fn stop(self) -> StopResult {
        let gate = &self.shared.gate;
        // The server keeps responding: 503 to events, and to `/readyz`.
        gate.close();
        self.hand_over.stop_taking().await;
        let mut emptied = tokio::time::timeout(self.drain, gate.emptied()).await;
        if emptied.is_err() && self.shared.config.delivers_through_streams() {
            for dispatchers in &self.dispatchers {
                // A thread that ended in a panic holds nothing.
                let _ = dispatchers.send(ReleaseDeliveries).await;
            }
            emptied = tokio::time::timeout(GIVEN_BACK_WITHIN, gate.emptied()).await;
        }
        let left = self.cut_short()();
        let unsent = if emptied.is_ok() { 0 } else { left.unsent };
        self.shared.metrics.deliveries.dropped.inc_by(DropReason::Stopped, unsent);
        self.shared.metrics.activity.close();
        self.server.stop().await;
        if let Some((_, admin)) = self.admin {
            admin.stop().await;
        }
        for thread in self.threads {
            thread.stop();
            // A thread that ended in a panic is already stopped.
            let _ = thread.join();
        }
        if let Some(journal) = self.journal {
            let ended = tokio::task::spawn_blocking(move || journal.stop()).await;
            if let Err(error) = ended {
                tracing::error!(%error, "the journal's last round ended with a panic");
            }
        }
        StopResult { unsent, ..left }
    }

    /// Says, at any time of a stop, what it would leave behind if the process ended now. What ends without an attempt
    /// from then on is kept as well.
    pub fn cut_short(&self) -> impl FnOnce() -> StopResult + use<> {
        let (gate, journal) = (Arc::clone(&self.shared.gate), self.journal.as_ref().map(Journal::for_sending));
        move || {
            let kept = journal.map_or(0, |journal| journal.close());
            StopResult { unsent: gate.unsent().saturating_sub(kept), kept }
        }
    }
}

/// Only a node that accepts events needs their ids.
async fn open_window(config: &Config) -> Result<Option<IdempotencyWindow>, WindowError> {
    match config.cluster.ingest {
        true => IdempotencyWindow::open(&config.ingest, &config.store).await,
        false => Ok(None),
    }
}

fn refused(config: &Config, errors: Vec<OutboundError>) -> StartError {
    StartError::Outbound(errors.iter().map(|error| config.mistake(error.setting(), error.to_string())).collect())
}

/// As many lines may wait for a subscriber as are sent to it at a time.
fn activity_bounds(config: &Config) -> ActivityBounds {
    let batches_per_s = Duration::from_secs(1).as_millis() / http::ACTIVITY_SENT_EVERY.as_millis();
    let lines = config.activity.lines_per_s_max / batches_per_s as usize;
    ActivityBounds { subscribers: config.activity.subscribers_max, lines }
}

/// The threads of each background pool: the one for large requests, and the one for templates that take long. Half of
/// the processors, and two at least, so that a member that keeps one busy leaves another to the others.
fn background_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2).max(2)
}

fn make_descriptor_table(config: &Config) {
    if let Err(error) = Descriptors::of_process(config.server.connections_max).make_table() {
        // Without it a node works, with pauses.
        tracing::debug!(%error, "the table of descriptors is not made in advance");
    }
}

/// The machine's name, to distinguish nodes.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim()).filter(|name| !name.is_empty()).unwrap_or("localhost").to_owned()
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    let listener = std::net::TcpListener::bind(address);
    listener.map_err(|error| StartError::Listen(address, error))
}

/// Separate arbiters: a destination's Dispatcher outlives the threads that accept events. A node that does not send has
/// none.
fn start_dispatchers(
    config: &Config,
    outbound: Outbound,
    metrics: &Arc<Metrics>,
    gate: &Arc<Gate>,
    journal: Option<Arc<dyn EventJournal>>,
) -> Result<(Vec<Arbiter>, Vec<Addr<Dispatchers>>), StartError> {
    let settings = DispatchSettings {
        config: Arc::new(config.dispatch.clone()),
        outbound,
        metrics: Arc::clone(metrics),
        gate: Arc::clone(gate),
        connections: Arc::new(connection_pool(Descriptors::of_process(config.server.connections_max).outgoing)),
        // The maximum number of messages in flight: each carries a delivery that is charged, read from a stream, or of
        // a test.
        mailbox_capacity: config.ingest.deliveries_in_flight_max
            + config.cluster.take_max
            + config.server.connections_max,
        takes_max: config.delivers_through_streams().then_some(config.cluster.take_max),
        journal,
    };
    let threads = if config.cluster.dispatch { config.dispatch.threads } else { 0 };
    let threads = (1..=threads)
        .map(|number| Arbiter::try_with_tokio_rt(move || named_thread_runtime(&format!("dispatch-{number}"))));
    let threads = threads.collect::<Result<Vec<Arbiter>, _>>().map_err(StartError::Thread)?;
    let dispatchers = threads
        .iter()
        .map(|thread| Dispatchers::start_on(&thread.handle(), settings.clone()))
        .collect::<Result<_, _>>()?;
    Ok((threads, dispatchers))
}

/// Each HTTP thread has its own pipeline: it accepts, matches and renders its events, so an event changes threads only
/// once, on its way to its destination.
fn serve(
    shared: &Arc<AppState>,
    hand_over: HandOver,
    window: Option<IdempotencyWindow>,
    journal: Option<Arc<dyn EventJournal>>,
    listener: std::net::TcpListener,
) -> io::Result<InboundServer> {
    let settings = &shared.config.server;
    let inbound = Inbound {
        name: "http",
        listener,
        workers: settings.workers,
        connections_max: Descriptors::of_process(settings.connections_max).incoming,
        stop_within_s: RESPONSES_TAKEN_WITHIN_S,
    };
    let own = Arc::clone(shared);
    inbound.serve(shared, move || {
        let pipeline = web::Data::new(start_pipeline(&own, &hand_over, window.clone(), journal.as_ref()));
        let shared = web::Data::from(Arc::clone(&own));
        let events = Some(EventsCall::new(shared.clone(), pipeline.clone()));
        let routes = move |config: &mut web::ServiceConfig| {
            config.app_data(shared).app_data(pipeline);
            http::routes(config);
        };
        ThreadCalls { routes, events }
    })
}

/// A thread and connections of its own, so that it responds when the others are flooded.
fn serve_admin(shared: &Arc<AppState>, listener: std::net::TcpListener) -> io::Result<(SocketAddr, InboundServer)> {
    let address = listener.local_addr()?;
    let inbound = Inbound {
        name: "admin",
        listener,
        workers: 1,
        connections_max: ADMIN_CONNECTIONS_MAX,
        stop_within_s: RESPONSES_TAKEN_WITHIN_S,
    };
    let own = Arc::clone(shared);
    let server = inbound.serve(shared, move || {
        let shared = web::Data::from(Arc::clone(&own));
        let routes = move |config: &mut web::ServiceConfig| {
            config.app_data(shared);
            http::admin_routes(config);
        };
        ThreadCalls { routes, events: None }
    })?;
    Ok((address, server))
}
