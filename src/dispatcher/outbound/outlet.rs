//! What sends to one destination, and one exchange. It never follows a redirect and never sends a request twice.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use http::HeaderName;
use http::header::HOST;

use super::consent::{Consent, ConsentStep, Consents};
use super::deadlines::{DeadlineSeat, Deadlines};
use super::lookups::LookupShares;
use super::own::OwnAddresses;
use super::peer::{DialContext, Peer};
use super::pool::{CLOSED_WITHIN, ConnectionPool};
use super::progress::{AttemptPhase, AttemptProgress, TrackedExchange};
use super::proxy::{Proxy, ProxyError};
use super::race::spare_attempts;
use super::resolve::Resolver;
use super::response::AllowedOrigin;
use super::stream::Stream;
use super::tls::{self, TlsError};
use super::wall_clock::WallClock;
use crate::config::Dispatch;
use crate::dispatcher::signature::{are_costly, signatures_in_turns};
use crate::flow::fairness::Pool;
use crate::flow::task_waker::TaskWaker;
use crate::flow::turnstile::Turnstile;
use crate::model::delivery::Delivery;
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::model::outcome::Outcome;
use crate::model::target::Target;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: &str = "webhook-allowed-origin";
const ALLOWED_RATE: &str = "webhook-allowed-rate";

/// Longer than any connection is kept: the stream itself decides when to close.
const CLIENT_KEEPS: Duration = Duration::from_secs(86_400);

/// What all outlets of the node share.
#[derive(Debug, Clone)]
pub struct Outbound {
    dialling: Arc<DialContext>,
    spares: Arc<Pool<AccountId>>,
    threads: usize,
    connections: usize,
    attempt_timeout: Duration,
    consents: Option<Arc<Consents>>,
}

/// Why nothing can be sent: what is wrong in a setting, and what to write instead.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy's address is not valid.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl OutboundError {
    /// The setting.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Tls(error) => error.setting(),
            Self::Proxy(_) => "dispatch.proxy",
        }
    }
}

impl Outbound {
    /// Prepares what connections need, or finds every mistake in the settings for it. `own`: the addresses that the node
    /// itself listens on.
    pub fn new(config: &Dispatch, own: OwnAddresses) -> Result<Self, Vec<OutboundError>> {
        let (proxy, tls) = match (config.proxy.as_deref().map(Proxy::new).transpose(), tls::config(config)) {
            (Ok(proxy), Ok(tls)) => (proxy, tls),
            (proxy, tls) => {
                let tls = tls.err().into_iter().flatten().map(OutboundError::from);
                return Err(tls.chain(proxy.err().map(OutboundError::from)).collect());
            }
        };
        let dialling = DialContext {
            egress: config.egress.clone(),
            own,
            tls,
            proxy,
            keep_alive: config.keep_alive,
            answer_bytes_max: config.answer_bytes_max,
        };
        Ok(Self {
            dialling: Arc::new(dialling),
            spares: Arc::new(spare_attempts()),
            threads: config.threads,
            connections: config.connections_per_destination,
            attempt_timeout: config.attempt_timeout,
            consents: Consents::new(&config.handshake),
        })
    }

    /// For the outlets of this thread.
    pub(in crate::dispatcher) fn on_thread(&self, resolver: Resolver) -> Outlets {
        let (deadlines, turnstile) = (Deadlines::new(self.attempt_timeout), Turnstile::new());
        let (lookups, clock) = (LookupShares::of_process(self.threads), Rc::default());
        Outlets { outbound: self.clone(), resolver, lookups, deadlines, clock, turnstile }
    }
}

/// What the outlets of one thread share.
pub(in crate::dispatcher) struct Outlets {
    outbound: Outbound,
    resolver: Resolver,
    lookups: Rc<LookupShares>,
    deadlines: Rc<Deadlines>,
    clock: Rc<WallClock>,
    turnstile: Rc<Turnstile<AccountId>>,
}

impl Outlets {
    /// An outlet for a destination, with connections of its own: its end closes them. They begin in turn with those of
    /// other accounts.
    pub(in crate::dispatcher) fn outlet(&self, destination: &Destination, account: &AccountId) -> Outlet {
        let own = &self.outbound;
        let consents = own.consents.clone().filter(|consents| consents.concern(destination));
        let peer = Peer::new(
            destination.clone(),
            Arc::clone(&own.dialling),
            self.lookups.resolver(&self.resolver, account),
            (Rc::clone(&self.turnstile), account.clone()),
            own.spares.share(account),
            consents.is_some(),
        );
        let pool = ConnectionPool::new(Rc::clone(&peer), own.connections);
        let handshake = consents.map(|consents| HandshakeClient { client: client(&peer, own.connections), consents });
        let (deadlines, clock) = (Rc::clone(&self.deadlines), Rc::clone(&self.clock));
        Outlet { pool, peer, deadlines, clock, handshake }
    }
}

/// The HTTP client of a destination, with at most this many connections.
fn client(peer: &Rc<Peer>, connections: usize) -> awc::Client {
    let connector = awc::Connector::new()
        .connector(Dial(Rc::clone(peer)))
        .limit(connections)
        .conn_keep_alive(CLIENT_KEEPS)
        .disconnect_timeout(if peer.destination.secure { CLOSED_WITHIN } else { Duration::ZERO })
        // Never reached: the attempt has its own, shorter deadline.
        .timeout(CLIENT_KEEPS);
    let client = awc::Client::builder().connector(connector);
    client.disable_timeout().disable_redirects().no_default_headers().finish()
}

/// Sends requests to one destination.
pub(in crate::dispatcher) struct Outlet {
    pool: ConnectionPool,
    peer: Rc<Peer>,
    deadlines: Rc<Deadlines>,
    clock: Rc<WallClock>,
    /// For a receiver that is asked for its consent.
    handshake: Option<HandshakeClient>,
}

struct HandshakeClient {
    client: awc::Client,
    consents: Arc<Consents>,
}

/// When an attempt may begin, as far as the receiver has a say in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dispatcher) enum ConsentTurn {
    /// Now.
    Now,
    /// When its rate allows one more.
    At(Instant),
    /// When another attempt has ended, which asks it for its consent.
    AfterOthers,
}

impl Outlet {
    /// Makes the POST of a delivery, for an attempt that began at this time.
    pub(in crate::dispatcher) async fn post(
        &self,
        delivery: &Delivery,
        begun: Instant,
        seat: &DeadlineSeat,
    ) -> (Outcome, Option<u16>) {
        // A receiver's consent may have taken long.
        let now = if self.has_turns() { Instant::now() } else { begun };
        let unix_seconds = self.clock.unix_seconds(now, SystemTime::now);
        let closes = self.peer.uses_once(now);
        let signed = async {
            if !are_costly(delivery) {
                return None;
            }
            self.peer.current.enter(AttemptPhase::Send);
            // Rare: boxed, it takes no room in each worker.
            Box::pin(signatures_in_turns(delivery, unix_seconds, || self.peer.take_turn())).await
        };
        let exchange =
            self.pool.exchange(closes, signed, |post, signed| post.begin(delivery, unix_seconds, signed, closes));
        self.exchange(seat, (begun, now), pin!(exchange)).await
    }

    /// Closes the connection that has been idle for longest.
    pub(in crate::dispatcher) fn close_oldest(&self) {
        self.pool.close_oldest();
    }

    /// When an attempt was polled last. If one has just ended, that is when it ended.
    pub(in crate::dispatcher) fn last_polled(&self) -> Instant {
        self.peer.current.now()
    }

    /// For a worker, which uses it for all of its attempts.
    pub(in crate::dispatcher) fn seat(&self, worker: Rc<TaskWaker>) -> DeadlineSeat {
        self.deadlines.seat(worker)
    }

    /// Whether the receiver has a say in when an attempt begins.
    pub(in crate::dispatcher) fn has_turns(&self) -> bool {
        self.handshake.is_some()
    }

    /// When an attempt may begin beside this many others. A delivery that has to wait has not begun, so it is not lost with
    /// this node.
    pub(in crate::dispatcher) fn turn(&self, beside: usize, now: Instant) -> ConsentTurn {
        let next = self.handshake.as_ref().map(|own| own.consents.next(&self.peer.destination, now));
        match next {
            Some(ConsentStep::From(time)) if time > now => ConsentTurn::At(time),
            Some(ConsentStep::Ask) if beside > 0 => ConsentTurn::AfterOthers,
            _ => ConsentTurn::Now,
        }
    }

    /// An attempt begins.
    pub(in crate::dispatcher) fn take_turn(&self, now: Instant) {
        if let Some(HandshakeClient { consents, .. }) = &self.handshake {
            consents.take(&self.peer.destination, now);
        }
    }

    /// Asks the receiver for its consent where it is not known; an error: how the attempt ends without it.
    pub(in crate::dispatcher) async fn consent(
        &self,
        target: &Target,
        seat: &DeadlineSeat,
    ) -> Result<(), (Outcome, Option<u16>)> {
        let Some(handshake) = &self.handshake else { return Ok(()) };
        match handshake.consents.next(&self.peer.destination, Instant::now()) {
            ConsentStep::Refused => Err((Outcome::HandshakeRefused, None)),
            ConsentStep::From(_) => Ok(()),
            // Rare, and larger than the rest of the attempt: boxed, it takes no room in each worker.
            ConsentStep::Ask => Box::pin(self.ask(handshake, target, seat)).await,
        }
    }

    /// Asks the receiver. A failed request is not a refusal: the receiver is asked again.
    async fn ask(
        &self,
        HandshakeClient { client, consents }: &HandshakeClient,
        target: &Target,
        seat: &DeadlineSeat,
    ) -> Result<(), (Outcome, Option<u16>)> {
        let mut request = client.options(&target.uri);
        let headers = request.headers_mut();
        headers.insert(HOST, target.host.clone());
        headers.insert(REQUEST_ORIGIN, consents.origin.clone());
        let mut allowed = AllowedOrigin::default();
        let sent = async {
            if let Ok(response) = request.send().await {
                let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
                allowed = AllowedOrigin { origin: text(ALLOWED_ORIGIN), rate: text(ALLOWED_RATE) };
            }
        };
        let begun = Instant::now();
        let (outcome, status) = self.exchange(seat, (begun, begun), pin!(sent)).await;
        let status = status.ok_or((outcome, None))?;
        let consent = consents.decide(status, &allowed);
        consents.remember(&self.peer.destination, consent, Instant::now());
        if consent == Consent::Refused { Err((Outcome::HandshakeRefused, Some(status))) } else { Ok(()) }
    }

    /// Sends a request and waits for the response, under one deadline for both.
    async fn exchange(
        &self,
        seat: &DeadlineSeat,
        (begun, now): (Instant, Instant),
        exchange: Pin<&mut impl Future>,
    ) -> (Outcome, Option<u16>) {
        let progress = Cell::new(AttemptProgress::BEGUN);
        let current = &self.peer.current;
        let tracked = TrackedExchange { current, progress: &progress, first_poll: Some(now), exchange };
        let ended = seat.within(begun, tracked).await;
        progress.get().outcome(ended.is_none())
    }
}

/// Makes connections for the HTTP client's connector.
#[derive(Clone)]
struct Dial(Rc<Peer>);

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, Stream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let peer = Rc::clone(&self.0);
        let uri = request.request().clone();
        Box::pin(async move {
            match Rc::clone(&peer).connect().await {
                Ok(socket) => Ok(Connection::new(uri, Stream::new(peer, socket))),
                Err(outcome) => {
                    peer.current.fail(outcome);
                    Err(ConnectError::Unresolved)
                }
            }
        })
    }
}
