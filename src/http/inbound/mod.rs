//! The layer between the sockets and the HTTP server. Heads are bounded and passed on complete, so that the server
//! parses each once. Idle connections give way to new ones, and no client has all. A client that is too slow to send
//! its head or to read its response is disconnected. The server does the accepting and HTTP itself.

mod client_connection;
mod connections;
mod framing;
mod policy;
mod response;
mod serving;
mod stream;
mod yielding;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Request};
use actix_rt::net::TcpStream;
use actix_service::{ServiceFactoryExt as _, apply_fn_factory, fn_service, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::{App, web};
use tokio::sync::watch;

use super::events::EventsCall;
use super::expect;
use super::security::security_headers;
use super::state::AppState;
use crate::flow::payer::peer_of;
use client_connection::{ConnectionBounds, ServerContext};
use connections::ThreadConnections;
use framing::HeadLimits;
use policy::Timeouts;
use stream::InboundStream;

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
    /// The call that is handled before the router.
    pub events: Option<EventsCall>,
}

/// A running server.
pub struct InboundServer {
    handle: ServerHandle,
    serving: actix_rt::task::JoinHandle<io::Result<()>>,
    stopping: watch::Sender<bool>,
}

/// How far the budget may be exceeded for a moment: new connections are accepted while idle ones end.
fn over_budget(connections_max: usize) -> usize {
    (connections_max / OVER_BUDGET_PART).clamp(16, 256)
}

impl Inbound {
    /// Serves. `calls` is called once on each thread.
    pub fn serve<F, C>(self, state: &Arc<AppState>, calls: F) -> io::Result<InboundServer>
    where
        F: Fn() -> ThreadCalls<C> + Send + Clone + 'static,
        C: FnOnce(&mut web::ServiceConfig) + 'static,
    {
        let settings = &state.config.server;
        let connections = self.connections_max.div_ceil(self.workers);
        let over_budget = over_budget(self.connections_max).div_ceil(self.workers);
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
        let shared = ServerContext::new(bounds, Arc::clone(&state.metrics), stop_signal);
        let state = Arc::clone(state);
        let server = Server::build()
            .workers(self.workers)
            // The server's bound is of each thread.
            .max_concurrent_connections(connections + over_budget)
            .shutdown_timeout(self.stop_within_s)
            .disable_signals()
            .listen(self.name, self.listener, move || {
                let connections = ThreadConnections::start(&shared);
                let accept = fn_service(move |socket: TcpStream| begin(socket, Rc::clone(&connections)));
                let ThreadCalls { events, routes } = calls();
                let app = App::new().configure(routes).wrap_fn(serving::serve_one).wrap(security_headers());
                let app = map_config(app, |()| AppConfig::default());
                let app = apply_fn_factory(app, move |request: Request, app: &_| serving::serve(&events, request, app));
                let state = Arc::clone(&state);
                let expected = fn_service(move |request: Request| {
                    let refused = expect::refused(request.head(), &state);
                    std::future::ready(refused.map_or(Ok(request), Err))
                });
                let http = HttpService::build()
                    // These times are checked by `connections`, without a timer for each request.
                    .keep_alive(KeepAlive::Os)
                    .client_request_timeout(Duration::ZERO)
                    .client_disconnect_timeout(DISCONNECT_WITHIN)
                    .on_connect_ext(|stream: &InboundStream, data| {
                        data.insert(Rc::clone(stream.connection()));
                    })
                    .expect(expected)
                    .h1(app);
                accept.and_then(http)
            })?
            .run();
        Ok(InboundServer { handle: server.handle(), serving: actix_rt::spawn(server), stopping })
    }
}

/// Begins a connection, when its client has its turn and has sent something. One that is refused is closed.
async fn begin(
    socket: TcpStream,
    connections: Rc<ThreadConnections>,
) -> Result<(InboundStream, Option<SocketAddr>), DispatchError> {
    let peer = socket.peer_addr().ok();
    let address = peer_of(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip()));
    connections.pass(address).await;
    let ended = |kind: io::ErrorKind| DispatchError::Io(kind.into());
    let connection = connections.accept(address).ok_or_else(|| ended(io::ErrorKind::QuotaExceeded))?;
    let stream = InboundStream::new(socket, HEAD, connection, connections);
    if !stream.has_begun().await {
        return Err(ended(io::ErrorKind::ConnectionAborted));
    }
    Ok((stream, peer))
}

impl InboundServer {
    /// Accepts no more connections, ends idle ones, and waits a bounded time for the others.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.serving.await {
            tracing::error!(%error, "the HTTP server ended with an error");
        }
    }
}
