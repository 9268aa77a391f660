//! The layer between the sockets and the HTTP server. Heads are bounded and passed on complete, so that the server
//! parses each once. Idle connections give way to new ones, and no client has all. A client that is too slow to send
//! its head or to read its response is disconnected. The server does HTTP itself, except for usual requests with
//! events, which `direct` serves.

mod acceptor;
mod client_connection;
mod connections;
mod direct;
mod expect;
mod framing;
mod lent;
mod policy;
mod response;
mod serving;
mod serving_thread;
mod stream;
mod unreadable;
mod yielding;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Request};
use actix_rt::Arbiter;
use actix_service::{ServiceFactory as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, web};
use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use super::resources::events::EventsCall;
use super::security::security_headers;
use super::state::AppState;
use crate::flow::runtime::named_thread_runtime;
use acceptor::{Accepted, ConnectionAcceptor, ThreadLoad};
use client_connection::{ConnectionBounds, ServerContext};
use connections::ThreadConnections;
use direct::DirectEvents;
use framing::HeadLimits;
use lent::LentStream;
use policy::Timeouts;
use serving_thread::ThreadServices;

/// The limits of a head. 96 fields are the most that the server's parser reads.
const HEAD: HeadLimits = HeadLimits { bytes: 32 << 10, fields: 96 };
/// How long the server waits for a client to close a connection whose request was not read completely.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(1);
/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 4_096;
/// This fraction of the budget may be exceeded by connections that are beginning or ending.
const OVER_BUDGET_PART: usize = 16;

/// Where and how to serve.
pub struct Inbound {
    /// The server's name in the names of its threads.
    pub name: &'static str,
    /// The socket.
    pub listener: TcpListener,
    /// Its threads.
    pub workers: usize,
    /// Connections of all threads, from the budget of descriptors.
    pub connections_max: usize,
    /// How long a stop waits for clients to read the responses that are ready for them.
    pub stop_within_s: u64,
}

/// What one thread serves.
pub struct ThreadCalls<C> {
    /// Sets up the routes.
    pub routes: C,
    /// The call that is served before the server.
    pub events: Option<EventsCall>,
}

/// A running server.
pub struct InboundServer {
    acceptor: thread::JoinHandle<()>,
    threads: Vec<RunningThread>,
    stopping: watch::Sender<bool>,
    stop_within: Duration,
}

/// A thread that serves connections.
struct RunningThread {
    arbiter: Arbiter,
    /// Ends when the server stops and the thread has no connection left.
    ended: oneshot::Receiver<()>,
}

/// How far the budget may be exceeded for a moment: new connections are accepted while idle ones end.
fn over_budget(connections_max: usize) -> usize {
    (connections_max / OVER_BUDGET_PART).clamp(16, 256)
}

impl Inbound {
    /// Serves. `calls` is called once on each thread. It is called on a thread of an actix system.
    pub fn serve<F, C>(self, state: &Arc<AppState>, calls: F) -> io::Result<InboundServer>
    where
        F: Fn() -> ThreadCalls<C> + Send + Clone + 'static,
        C: FnOnce(&mut web::ServiceConfig) + 'static,
    {
        let settings = &state.config.server;
        let connections = self.connections_max.div_ceil(self.workers);
        let bounds = ConnectionBounds {
            connections,
            head_bytes: settings.head_bytes_max,
            response_bytes: settings.response_bytes_max,
            timeouts: Timeouts {
                head: settings.head_timeout,
                keep_alive: settings.keep_alive,
                response: settings.response_timeout,
            },
        };
        // The standard library uses 128: a burst of connections would be lost before it is accepted.
        rustix::net::listen(&self.listener, BACKLOG)?;
        let (stopping, stop_signal) = watch::channel(false);
        let shared = ServerContext::new(bounds, Arc::clone(&state.metrics), stop_signal.clone());
        let mut acceptor =
            ConnectionAcceptor::new(connections + over_budget(self.connections_max).div_ceil(self.workers));
        let mut threads = Vec::with_capacity(self.workers);
        for number in 1..=self.workers {
            let name = format!("{}-{number}", self.name);
            let arbiter = Arbiter::try_with_tokio_rt(move || named_thread_runtime(&name))?;
            let (load, accepted) = acceptor.add_thread();
            let (end, ended) = oneshot::channel();
            let (shared, state, calls) = (Arc::clone(&shared), Arc::clone(state), calls.clone());
            arbiter.spawn_fn(move || {
                actix_rt::spawn(async move {
                    run_thread(accepted, load, &shared, state, calls).await;
                    // The server may have stopped waiting.
                    let _ = end.send(());
                });
            });
            threads.push(RunningThread { arbiter, ended });
        }
        let acceptor = acceptor.start(self.name, self.listener, stop_signal)?;
        Ok(InboundServer { acceptor, threads, stopping, stop_within: Duration::from_secs(self.stop_within_s) })
    }
}

/// Serves on the current thread.
async fn run_thread<F, C>(
    accepted: UnboundedReceiver<Accepted>,
    load: Arc<ThreadLoad>,
    shared: &Arc<ServerContext>,
    state: Arc<AppState>,
    calls: F,
) where
    F: Fn() -> ThreadCalls<C>,
    C: FnOnce(&mut web::ServiceConfig) + 'static,
{
    let ThreadCalls { events, routes } = calls();
    let app = App::new().configure(routes).wrap_fn(serving::serve_one).wrap(security_headers());
    let app = map_config(app, |()| AppConfig::default());
    let expected = fn_service(move |request: Request| {
        let refused = expect::refused(request.head(), &state);
        std::future::ready(refused.map_or(Ok(request), Err))
    });
    let http = HttpService::build()
        // These times are checked by `connections`, without a timer for each request.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_WITHIN)
        .on_connect_ext(|stream: &LentStream, data| {
            data.insert(stream.connection());
        })
        .expect(expected)
        .h1(app);
    match http.new_service(()).await {
        Ok(http) => {
            let services = ThreadServices { direct: events.map(DirectEvents::new), http };
            serving_thread::serve_all(accepted, load, ThreadConnections::start(shared), services).await;
        }
        Err(()) => tracing::error!("a thread of the HTTP server did not start"),
    }
}

impl InboundServer {
    /// Accepts no more connections, ends idle ones, and waits a bounded time for the others.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        let (arbiters, ended): (Vec<_>, Vec<_>) = self.threads.into_iter().map(|one| (one.arbiter, one.ended)).unzip();
        // A client that takes longer is disconnected.
        let _ = tokio::time::timeout(self.stop_within, join_all(ended)).await;
        for arbiter in arbiters {
            arbiter.stop();
            // A thread that ended in a panic is already stopped.
            let _ = arbiter.join();
        }
        let _ = self.acceptor.join();
    }
}
