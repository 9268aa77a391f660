//! The open connections of one thread: their states, and which of them end so that others can be served. Each thread has
//! its part of the bound, as the server chooses a connection's thread before it is accepted. A timer for each request
//! would cost more than parsing the request, so one task checks all connections several times a second.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::client_connection::{ClientConnection, HeldConnections, ServerContext};
use super::policy::{self, ConnectionPhase, EndMode, Timeouts};
use super::yielding::Yielding;
use crate::flow::turnstile::Turnstile;
use crate::telemetry::metrics::ConnectionEnd;

/// The longest time between two checks of all connections.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The connections of one thread.
pub(super) struct ThreadConnections {
    shared: Arc<ServerContext>,
    open: RefCell<HashMap<u64, Rc<ClientConnection>>>,
    next: Cell<u64>,
    held: Rc<HeldConnections>,
    yielding: RefCell<Yielding>,
    /// Of the connections on which much is read or written.
    turns: Rc<Turnstile<IpAddr>>,
}

impl ThreadConnections {
    /// The connections of this thread, and the task that checks them while there are any.
    pub(super) fn start(shared: &Arc<ServerContext>) -> Rc<Self> {
        let (shared, turns) = (Arc::clone(shared), Turnstile::new());
        let (open, next, held, yielding) = Default::default();
        let own = Rc::new(Self { shared, open, next, held, yielding, turns });
        actix_rt::spawn(watch(Rc::downgrade(&own)));
        own
    }

    /// When a connection of this client may read and write more: now (`None`), or when the receiver ends.
    pub(super) fn next_turn(&self, peer: IpAddr) -> Option<oneshot::Receiver<()>> {
        self.turns.enter(&peer)
    }

    /// Counts an accepted connection. If its peer has its share, another one ends first, or it is refused: `None`.
    pub(super) fn accept(&self, peer: IpAddr) -> Option<Rc<ClientConnection>> {
        let free = self.shared.bounds.connections.saturating_sub(self.held.all());
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
        if self.open.borrow_mut().remove(&connection.key()).is_some() {
            self.shared.metrics().open.dec();
            if connection.stays() {
                self.held.remove(connection.peer());
            }
        }
        connection.hold_head(0);
        connection.hold_response(0);
    }

    /// If their bytes exceed the bound, ends the client whose head or response has taken longest.
    pub(super) fn bound_bytes(&self) {
        let open = self.open.borrow();
        let staying = || open.values().filter(|one| one.stays());
        if self.shared.has_too_many_head_bytes()
            && let Some(slowest) = policy::longest(staying().map(|one| (one, one.head_since())))
        {
            slowest.end(EndMode::Close, ConnectionEnd::HeadBytes);
        }
        if self.shared.has_too_many_response_bytes()
            && let Some(slowest) = policy::longest(staying().map(|one| (one, one.owing_since())))
        {
            slowest.end(EndMode::Abort, ConnectionEnd::ResponseBytes);
        }
    }

    /// Ends a connection without a request in favour of a new one of this peer. Returns whether there was one.
    fn make_room(&self, peer: IpAddr, now: Instant) -> bool {
        let (open, mut yielding) = (self.open.borrow(), self.yielding.borrow_mut());
        let found = yielding.find(peer, &open, &self.held, now);
        if let Some(connection) = &found {
            connection.end(EndMode::Close, ConnectionEnd::GaveWay);
        }
        found.is_some()
    }

    /// Checks all connections once.
    fn check_all(&self, now: Instant) {
        let stopping = self.shared.is_stopping();
        for connection in self.open.borrow().values().filter(|one| one.stays()) {
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
        ((shortest / 4).clamp(Duration::from_millis(5), LOOK_EVERY), own.shared.stop_signal())
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
