//! The open connections of one thread: their states, and which of them end so that others can be served. Each thread has
//! its part of the bound, as the server chooses a connection's thread before it is accepted. A timer for each request
//! would cost more than parsing the request, so one task checks all connections several times a second.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::framing::HeadTooLarge;
use super::policy::{self, ConnectionPhase, EndMode, Timeouts};
use crate::flow::turnstile::Turnstile;
use crate::telemetry::metrics::{ConnectionEnd, ConnectionMetrics, Metrics};

/// This fraction of a thread's budget ends at a time, so that a flood of new connections causes few checks.
const GIVE_WAY_PART: usize = 128;
/// The longest time between two checks of all connections.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The bounds of a server's connections; of bytes, for all its threads together.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionBounds {
    /// Open connections of one thread.
    pub(super) connections: usize,
    /// Bytes of incomplete heads.
    pub(super) head_bytes: usize,
    /// Bytes of responses that clients have not read.
    pub(super) response_bytes: usize,
    pub(super) timeouts: Timeouts,
}

/// What the threads of a server share.
#[derive(Debug)]
pub(super) struct ServerContext {
    pub(super) bounds: ConnectionBounds,
    head_bytes: AtomicUsize,
    response_bytes: AtomicUsize,
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
}

impl ServerContext {
    pub(super) fn new(bounds: ConnectionBounds, metrics: Arc<Metrics>, stopping: watch::Receiver<bool>) -> Arc<Self> {
        let (head_bytes, response_bytes) = Default::default();
        Arc::new(Self { bounds, head_bytes, response_bytes, metrics, stopping })
    }

    fn metrics(&self) -> &ConnectionMetrics {
        &self.metrics.connections
    }
}

/// The connections of one thread.
pub(super) struct ThreadConnections {
    shared: Arc<ServerContext>,
    open: RefCell<HashMap<u64, Rc<ClientConnection>>>,
    next: Cell<u64>,
    held: Rc<HeldConnections>,
    turnstile: Rc<Turnstile<IpAddr>>,
}

/// How many connections of one thread stay open: all but those whose end was requested.
#[derive(Default)]
struct HeldConnections {
    all: Cell<usize>,
    by_peer: RefCell<HashMap<IpAddr, usize>>,
}

impl HeldConnections {
    fn of(&self, peer: IpAddr) -> usize {
        self.by_peer.borrow().get(&peer).copied().unwrap_or(0)
    }

    fn add(&self, peer: IpAddr) {
        self.all.set(self.all.get() + 1);
        *self.by_peer.borrow_mut().entry(peer).or_default() += 1;
    }

    fn remove(&self, peer: IpAddr) {
        self.all.set(self.all.get() - 1);
        if let Entry::Occupied(mut held) = self.by_peer.borrow_mut().entry(peer) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

/// Why a head was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadRefused {
    TooLarge(HeadTooLarge),
    Timeout,
}

/// One connection, as its stream, its requests and the regular check see it.
pub(super) struct ClientConnection {
    key: u64,
    peer: IpAddr,
    shared: Arc<ServerContext>,
    held: Rc<HeldConnections>,
    /// Requests that are served, or whose responses are not written yet.
    requests: Cell<u32>,
    /// When it was accepted, or its last request ended.
    since: Cell<Instant>,
    /// Whether it has had a request.
    used: Cell<bool>,
    head_since: Cell<Option<Instant>>,
    head_bytes: Cell<usize>,
    owing_since: Cell<Option<Instant>>,
    response_bytes: Cell<usize>,
    /// Set once its end is requested.
    end: Cell<Option<EndMode>>,
    refused: Cell<Option<HeadRefused>>,
    /// A call waits for another poll, and nothing else wakes it.
    awaits_poll: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl ThreadConnections {
    /// The connections of this thread, and the task that checks them while there are any.
    pub(super) fn start(shared: &Arc<ServerContext>) -> Rc<Self> {
        let (open, next, held, turnstile) = (RefCell::default(), Cell::new(0), Rc::default(), Turnstile::new());
        let own = Rc::new(Self { shared: Arc::clone(shared), open, next, held, turnstile });
        actix_rt::spawn(watch(Rc::downgrade(&own)));
        own
    }

    /// Returns when a connection of this client may begin.
    pub(super) async fn pass(&self, peer: IpAddr) {
        self.turnstile.pass(&peer).await;
    }

    /// Counts an accepted connection. If its peer has its share, another one ends first, or it is refused: `None`.
    pub(super) fn accept(&self, peer: IpAddr) -> Option<Rc<ClientConnection>> {
        let free = self.shared.bounds.connections.saturating_sub(self.held.all.get());
        if policy::has_its_share(self.held.of(peer), free) && !self.make_room(peer, Instant::now()) {
            self.shared.metrics().ended.inc(ConnectionEnd::OverShare);
            return None;
        }
        let key = self.next.replace(self.next.get() + 1);
        let connection = Rc::new(ClientConnection::new(key, peer, &self.shared, &self.held));
        self.open.borrow_mut().insert(key, Rc::clone(&connection));
        self.held.add(peer);
        self.shared.metrics().open.inc();
        Some(connection)
    }

    /// Removes a connection whose socket is closed.
    pub(super) fn closed(&self, connection: &ClientConnection) {
        if self.open.borrow_mut().remove(&connection.key).is_some() {
            self.shared.metrics().open.dec();
            if connection.end.get().is_none() {
                self.held.remove(connection.peer);
            }
        }
        connection.hold_head(0);
        connection.hold_response(0);
    }

    /// If their bytes exceed the bound, ends the client whose head or response has taken longest.
    pub(super) fn bound_bytes(&self) {
        let bounds = &self.shared.bounds;
        let open = self.open.borrow();
        if self.shared.head_bytes.load(Ordering::Relaxed) > bounds.head_bytes
            && let Some(slowest) = policy::longest(open.values().map(|one| (one, one.ending_since(&one.head_since))))
        {
            slowest.end(EndMode::Close, ConnectionEnd::HeadBytes);
        }
        if self.shared.response_bytes.load(Ordering::Relaxed) > bounds.response_bytes
            && let Some(slowest) = policy::longest(open.values().map(|one| (one, one.ending_since(&one.owing_since))))
        {
            slowest.end(EndMode::Abort, ConnectionEnd::ResponseBytes);
        }
    }

    /// Ends connections without a request in favour of a new one of this peer. Returns whether there were any.
    fn make_room(&self, peer: IpAddr, now: Instant) -> bool {
        let open = self.open.borrow();
        let staying = || open.values().filter(|one| one.end.get().is_none());
        let number = (self.shared.bounds.connections / GIVE_WAY_PART).max(1);
        let phases = staying().map(|one| (one.peer, one.key, one.phase()));
        let mut ending = policy::give_way(phases, |peer| self.held.of(peer), self.held.of(peer), number, now);
        if ending.is_empty() {
            // One of the peer's own that is new too: it has had longer to send its request.
            let new = staying().filter(|one| one.peer == peer).map(|one| match one.phase() {
                ConnectionPhase::New(since) => (one.key, Some(since)),
                _ => (one.key, None),
            });
            ending.extend(policy::longest(new));
        }
        for connection in ending.iter().filter_map(|key| open.get(key)) {
            connection.end(EndMode::Close, ConnectionEnd::GaveWay);
        }
        !ending.is_empty()
    }

    /// Checks all connections once.
    fn check_all(&self, now: Instant) {
        let stopping = *self.shared.stopping.borrow();
        for connection in self.open.borrow().values().filter(|one| one.end.get().is_none()) {
            let phase = connection.phase();
            match policy::overdue(phase, now, &self.shared.bounds.timeouts) {
                Some(end @ EndMode::HeadTimeout) => connection.end(end, ConnectionEnd::HeadTimeout),
                Some(end @ EndMode::Close) => connection.end(end, ConnectionEnd::Idle),
                Some(end @ EndMode::Abort) => connection.end(end, ConnectionEnd::ResponseTimeout),
                None if stopping && matches!(phase, ConnectionPhase::New(_) | ConnectionPhase::Idle(_)) => {
                    connection.end(EndMode::Close, ConnectionEnd::Stopping);
                }
                None => {}
            }
        }
        self.bound_bytes();
    }
}

/// Checks all connections several times a second, and when the server stops.
async fn watch(connections: Weak<ThreadConnections>) {
    let Some((every, mut stopping)) = connections.upgrade().map(|own| {
        let Timeouts { head, keep_alive, response } = own.shared.bounds.timeouts;
        let shortest = head.min(keep_alive).min(response);
        ((shortest / 4).clamp(Duration::from_millis(5), LOOK_EVERY), own.shared.stopping.clone())
    }) else {
        return;
    };
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            // If the sender is gone there is no stop to wait for; only the timer counts.
            Ok(()) = stopping.changed() => {}
        }
        match connections.upgrade() {
            Some(own) => own.check_all(Instant::now()),
            None => return,
        }
    }
}

impl ClientConnection {
    fn new(key: u64, peer: IpAddr, shared: &Arc<ServerContext>, held: &Rc<HeldConnections>) -> Self {
        Self {
            key,
            peer,
            shared: Arc::clone(shared),
            held: Rc::clone(held),
            requests: Cell::new(0),
            since: Cell::new(Instant::now()),
            used: Cell::new(false),
            head_since: Cell::new(None),
            head_bytes: Cell::new(0),
            owing_since: Cell::new(None),
            response_bytes: Cell::new(0),
            end: Cell::new(None),
            refused: Cell::new(None),
            awaits_poll: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    fn phase(&self) -> ConnectionPhase {
        match (self.owing_since.get(), self.head_since.get()) {
            (Some(since), _) => ConnectionPhase::Owing(since),
            _ if self.requests.get() > 0 => ConnectionPhase::Serving,
            _ if self.refused.get().is_some() => ConnectionPhase::Lingering(self.since.get()),
            (None, Some(since)) => ConnectionPhase::Head(since),
            (None, None) if self.used.get() => ConnectionPhase::Idle(self.since.get()),
            (None, None) => ConnectionPhase::New(self.since.get()),
        }
    }

    /// A time of a connection that is not ending yet.
    fn ending_since(&self, since: &Cell<Option<Instant>>) -> Option<Instant> {
        since.get().filter(|_| self.end.get().is_none())
    }

    /// Tells the stream to end; it ends when it is polled next.
    fn end(&self, end: EndMode, reason: ConnectionEnd) {
        if self.end.replace(Some(end)).is_none() {
            self.held.remove(self.peer);
        }
        self.shared.metrics().ended.inc(reason);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether the server is stopping: each response is then the connection's last.
    pub(super) fn is_stopping(&self) -> bool {
        *self.shared.stopping.borrow()
    }

    /// How the stream has to end, if it has to.
    pub(super) fn ending(&self) -> Option<EndMode> {
        self.end.get()
    }

    /// Stores the waker of the stream's task, to wake it when it has to end.
    pub(super) fn polled_by(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|own| own.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// A call of the connection waits to be polled again, or does not any more.
    pub(super) fn await_poll(&self, awaits: bool) {
        self.awaits_poll.set(awaits);
    }

    /// The server has polled all calls as often as it does by itself: one that still waits is polled again.
    pub(super) fn end_polls(&self, context: &Context<'_>) {
        if self.awaits_poll.take() {
            context.waker().wake_by_ref();
        }
    }

    /// Sets how many bytes of an incomplete head are held; zero: there is no such head.
    pub(super) fn hold_head(&self, bytes: usize) {
        replace(&self.shared.head_bytes, &self.head_bytes, bytes);
        self.head_since.set((bytes > 0).then(|| self.head_since.get().unwrap_or_else(Instant::now)));
    }

    /// Sets how many bytes of responses are not written yet.
    pub(super) fn hold_response(&self, bytes: usize) {
        replace(&self.shared.response_bytes, &self.response_bytes, bytes);
    }

    /// The client does not read the response.
    pub(super) fn write_blocked(&self) {
        if self.owing_since.get().is_none() {
            self.owing_since.set(Some(Instant::now()));
        }
    }

    /// The client has read all that was written so far.
    pub(super) fn written(&self) {
        if self.owing_since.get().is_some() && self.response_bytes.get() == 0 {
            self.owing_since.set(None);
            self.since.set(Instant::now());
        }
    }

    /// A request is served from now on.
    pub(super) fn request_begins(&self) {
        self.used.set(true);
        self.requests.set(self.requests.get() + 1);
    }

    /// A request's response was handed to the stream, or was lost.
    pub(super) fn request_ends(&self) {
        self.requests.set(self.requests.get().saturating_sub(1));
        self.since.set(Instant::now());
    }

    /// A head was not passed on.
    pub(super) fn refuse_head(&self, reason: HeadRefused) {
        if let HeadRefused::TooLarge(_) = reason {
            self.shared.metrics().ended.inc(ConnectionEnd::HeadTooLarge);
        }
        self.refused.set(Some(reason));
        self.since.set(Instant::now());
        // It ends with this response. If the client does not close it then, its end is requested again.
        if self.end.take().is_some() {
            self.held.add(self.peer);
        }
        self.hold_head(0);
    }

    /// Why the last head of the connection was not passed on, if it was not.
    pub(super) fn refused(&self) -> Option<HeadRefused> {
        self.refused.get()
    }
}

/// Replaces a connection's part of a common total.
fn replace(all: &AtomicUsize, own: &Cell<usize>, bytes: usize) {
    let before = own.replace(bytes);
    if bytes > before {
        all.fetch_add(bytes - before, Ordering::Relaxed);
    } else if before > bytes {
        all.fetch_sub(before - bytes, Ordering::Relaxed);
    }
}
