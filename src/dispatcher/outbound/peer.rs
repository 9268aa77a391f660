//! What all connections to one destination share: how they are made, which addresses may be dialled, and what was
//! observed of the receiver.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::habit::{ClosedConnection, Habit};
use super::own::OwnAddresses;
use super::progress::{AttemptPhase, CurrentAttempt};
use super::proxy::Proxy;
use super::race::Addresses;
use super::resolve::Resolver;
use super::socket::Socket;
use super::tls;
use crate::flow::fairness::Share;
use crate::flow::turnstile::Turnstile;
use crate::model::destination::Destination;
use crate::model::egress::EgressRules;
use crate::model::id::AccountId;
use crate::model::outcome::Outcome;

/// What all connections of the node share.
#[derive(Debug)]
pub(super) struct DialContext {
    pub(super) egress: EgressRules,
    pub(super) own: OwnAddresses,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) proxy: Option<Proxy>,
    /// How long an idle connection is kept at most.
    pub(super) keep_alive: Duration,
    /// The most bytes of a response's body that are read.
    pub(super) answer_bytes_max: usize,
}

/// A destination, as its connections see it.
pub(super) struct Peer {
    pub(super) destination: Destination,
    dialling: Arc<DialContext>,
    resolver: Resolver,
    /// Where what takes long begins, and whose it is.
    turn: (Rc<Turnstile<AccountId>>, AccountId),
    /// Its account's attempts to connect beside others.
    spares: Share,
    habit: RefCell<Habit>,
    /// A request tries whether the receiver keeps a connection for so long.
    tries: Cell<bool>,
    pub(super) current: CurrentAttempt,
    /// Whether the receiver is asked for its consent, and its response to that is passed on.
    pub(super) asks_for_consent: bool,
}

impl Peer {
    pub(super) fn new(
        destination: Destination,
        dialling: Arc<DialContext>,
        resolver: Resolver,
        turn: (Rc<Turnstile<AccountId>>, AccountId),
        spares: Share,
        asks_for_consent: bool,
    ) -> Rc<Self> {
        let (habit, current) = (RefCell::new(Habit::new(dialling.keep_alive)), CurrentAttempt::default());
        let tries = Cell::new(false);
        Rc::new(Self { destination, dialling, resolver, turn, spares, habit, tries, current, asks_for_consent })
    }

    /// The most bytes of a response's body that are read.
    pub(super) fn answer_bytes_max(&self) -> usize {
        self.dialling.answer_bytes_max
    }

    /// Makes a connection that is ready for a request.
    pub(super) async fn connect(self: Rc<Self>) -> Result<Socket, Outcome> {
        self.current.enter(AttemptPhase::Resolve);
        self.take_turn().await;
        self.dialling.egress.check(&self.destination).map_err(|_| Outcome::AddressRefused)?;
        let tcp = match &self.dialling.proxy {
            None => self.dial().await?,
            Some(proxy) => self.tunnel(proxy).await?,
        };
        if !self.destination.secure {
            return Ok(Socket::Plain(tcp));
        }
        self.current.enter(AttemptPhase::Tls);
        tls::handshake(&self.dialling.tls, &self.destination, tcp).await
    }

    /// Waits until its account may do something that takes long.
    pub(super) async fn take_turn(&self) {
        let (turnstile, account) = &self.turn;
        turnstile.pass(account).await;
    }

    /// Each address is checked between its look-up and the connection to it, and not looked up again.
    async fn dial(&self) -> Result<TcpStream, Outcome> {
        let mut addresses = self.addresses(&self.destination).await?;
        let (dialling, destination) = (Arc::clone(&self.dialling), self.destination.clone());
        let permitted = addresses.permit(move |address| {
            dialling.egress.check_address(&destination.host, address).is_ok()
                && !dialling.own.contain(address, destination.port)
        });
        if !permitted.await {
            return Err(Outcome::AddressRefused);
        }
        self.connect_to(addresses, self.destination.port).await
    }

    /// The proxy is the operator's own; its address is not checked.
    async fn tunnel(&self, proxy: &Proxy) -> Result<TcpStream, Outcome> {
        let addresses = self.addresses(&proxy.destination).await?;
        let mut tcp = self.connect_to(addresses, proxy.destination.port).await?;
        if proxy.open(&mut tcp, &self.destination).await { Ok(tcp) } else { Err(Outcome::Connect) }
    }

    async fn addresses(&self, of: &Destination) -> Result<Addresses, Outcome> {
        if let Some(address) = of.address() {
            return Ok(Addresses::one(address));
        }
        let addresses = Addresses::of(&*self.resolver, &of.host).await;
        if addresses.is_empty() { Err(Outcome::Resolve) } else { Ok(addresses) }
    }

    async fn connect_to(&self, addresses: Addresses, port: u16) -> Result<TcpStream, Outcome> {
        self.current.enter(AttemptPhase::Connect);
        let connect = |address| TcpStream::connect((address, port));
        let connected = addresses.connect(connect, || self.spares.take(1)).await;
        let tcp = connected.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => Outcome::TimeoutConnect,
            _ => Outcome::Connect,
        })?;
        // A small request must not wait for the acknowledgement of the one before.
        tcp.set_nodelay(true).map_err(|_| Outcome::Connect)?;
        Ok(tcp)
    }

    /// The receiver closed a connection, without an announcement.
    pub(super) fn closed(&self, closed: ClosedConnection) {
        self.habit.borrow_mut().closed(closed, Instant::now());
    }

    /// Whether a request may use a connection that was idle for this long. If the receiver was not observed to keep
    /// connections that long, one request at a time tries.
    pub(super) fn begin_reuse(self: &Rc<Self>, idle: Duration, now: Instant) -> Option<ReusedConnection> {
        let habit = self.habit.borrow();
        let tries = !habit.is_proven(idle);
        // What was observed since the connection became idle counts as well.
        let may_begin = idle < habit.reuse_within(None, now) && !(tries && self.tries.replace(true));
        may_begin.then(|| ReusedConnection { peer: Rc::clone(self), idle, tries })
    }

    /// How long an idle connection can be used again; `announced` is what the receiver says itself.
    pub(super) fn reuse_within(&self, announced: Option<Duration>, now: Instant) -> Duration {
        self.habit.borrow().reuse_within(announced, now)
    }

    /// Whether each connection carries only one request.
    pub(super) fn uses_once(&self, now: Instant) -> bool {
        self.habit.borrow().uses_once(now)
    }
}

/// A connection that is used again after it was idle for some time.
pub(super) struct ReusedConnection {
    peer: Rc<Peer>,
    pub(super) idle: Duration,
    tries: bool,
}

impl ReusedConnection {
    /// The receiver has read the request.
    pub(super) fn succeed(self) {
        self.peer.habit.borrow_mut().kept_for(self.idle);
    }

    /// The receiver had closed the connection, which was made at `opened`, and the request is lost.
    pub(super) fn fail(self, opened: Instant) {
        self.peer.habit.borrow_mut().lost(ClosedConnection { opened, idle: self.idle }, Instant::now());
    }
}

impl Drop for ReusedConnection {
    fn drop(&mut self) {
        if self.tries {
            self.peer.tries.set(false);
        }
    }
}
