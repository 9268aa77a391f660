//! One connection of a client: its state, and what the connections of its thread and of its server share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::watch;

use super::framing::UnfitHead;
use super::policy::{ConnectionPhase, EndMode, Timeouts};
use crate::telemetry::metrics::{ConnectionEnd, ConnectionMetrics, Metrics};

/// How much a client has to read within the time for a response.
const OWING_STEP_BYTES: usize = 64 << 10;

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
    pub(super) fn new(
        bounds: ConnectionBounds,
        metrics: Arc<Metrics>,
        mut stopping: watch::Receiver<bool>,
    ) -> Arc<Self> {
        // Until it changes, it is not stopping.
        if *stopping.borrow() {
            stopping.mark_changed();
        }
        let (head_bytes, response_bytes) = Default::default();
        Arc::new(Self { bounds, head_bytes, response_bytes, metrics, stopping })
    }

    /// A context whose bounds of bytes and of time no test reaches.
    #[cfg(test)]
    pub(super) fn for_test(connections: usize, stopping: watch::Receiver<bool>) -> Arc<Self> {
        let day = std::time::Duration::from_secs(86_400);
        let timeouts = Timeouts { head: day, keep_alive: day, response: day };
        let bounds = ConnectionBounds { connections, head_bytes: 1 << 20, response_bytes: 1 << 20, timeouts };
        Self::new(bounds, Arc::new(Metrics::new()), stopping)
    }

    /// Its counters of connections.
    pub(super) fn metrics(&self) -> &ConnectionMetrics {
        &self.metrics.connections
    }

    /// Whether incomplete heads have more bytes than they may.
    pub(super) fn has_too_many_head_bytes(&self) -> bool {
        self.head_bytes.load(Ordering::Relaxed) > self.bounds.head_bytes
    }

    /// Whether unread responses have more bytes than they may.
    pub(super) fn has_too_many_response_bytes(&self) -> bool {
        self.response_bytes.load(Ordering::Relaxed) > self.bounds.response_bytes
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        // To look at the value takes a lock; each request asks.
        !matches!(self.stopping.has_changed(), Ok(false)) && *self.stopping.borrow()
    }

    /// Tells when the server stops.
    pub(super) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }
}

/// How many connections of one thread stay open: all but those whose end was requested.
#[derive(Default)]
pub(super) struct HeldConnections {
    all: Cell<usize>,
    by_peer: RefCell<HashMap<IpAddr, usize>>,
}

impl HeldConnections {
    /// How many all peers hold.
    pub(super) fn all(&self) -> usize {
        self.all.get()
    }

    /// How many a peer holds.
    pub(super) fn of(&self, peer: IpAddr) -> usize {
        self.by_peer.borrow().get(&peer).copied().unwrap_or(0)
    }

    pub(super) fn add(&self, peer: IpAddr) {
        self.all.set(self.all.get() + 1);
        *self.by_peer.borrow_mut().entry(peer).or_default() += 1;
    }

    pub(super) fn remove(&self, peer: IpAddr) {
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
    Unfit(UnfitHead),
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
    /// Requests that it has had.
    begun: Cell<u64>,
    head_since: Cell<Option<Instant>>,
    head_bytes: Cell<usize>,
    owing_since: Cell<Option<Instant>>,
    /// How much was written of the current step.
    owing_written: Cell<usize>,
    response_bytes: Cell<usize>,
    /// Set once its end is requested.
    end: Cell<Option<EndMode>>,
    refused: Cell<Option<HeadRefused>>,
    waker: RefCell<Option<Waker>>,
    /// A request waits for the end of another.
    waits: Cell<bool>,
}

impl ClientConnection {
    pub(super) fn new(key: u64, peer: IpAddr, shared: &Arc<ServerContext>, held: &Rc<HeldConnections>) -> Self {
        Self {
            key,
            peer,
            shared: Arc::clone(shared),
            held: Rc::clone(held),
            requests: Cell::new(0),
            since: Cell::new(Instant::now()),
            begun: Cell::new(0),
            head_since: Cell::new(None),
            head_bytes: Cell::new(0),
            owing_since: Cell::new(None),
            owing_written: Cell::new(0),
            response_bytes: Cell::new(0),
            end: Cell::new(None),
            refused: Cell::new(None),
            waker: RefCell::new(None),
            waits: Cell::new(false),
        }
    }

    /// What it is doing.
    pub(super) fn phase(&self) -> ConnectionPhase {
        match (self.owing_since.get(), self.head_since.get()) {
            (Some(since), _) => ConnectionPhase::Owing(since),
            _ if self.requests.get() > 0 => ConnectionPhase::Serving,
            _ if self.refused.get().is_some() => ConnectionPhase::Lingering(self.since.get()),
            (None, Some(since)) => ConnectionPhase::Head(since),
            (None, None) if self.begun.get() > 0 => ConnectionPhase::Idle(self.since.get()),
            (None, None) => ConnectionPhase::New(self.since.get()),
        }
    }

    /// Whose connection it is.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether nobody has requested its end.
    pub(super) fn stays(&self) -> bool {
        self.end.get().is_none()
    }

    /// Its number on its thread.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// Since when a part of a head is held.
    pub(super) fn head_since(&self) -> Option<Instant> {
        self.head_since.get()
    }

    /// Since when the client has not read its response.
    pub(super) fn owing_since(&self) -> Option<Instant> {
        self.owing_since.get()
    }

    /// Tells the stream to end; it ends when it is polled next.
    pub(super) fn end(&self, end: EndMode, reason: ConnectionEnd) {
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
        self.shared.is_stopping()
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

    /// Bytes were written; `all`: no more were waiting to be. A client that did not read has the whole time again for
    /// each step of bytes, however slow it is.
    pub(super) fn written(&self, bytes: usize, all: bool) {
        if self.owing_since.get().is_none() {
            return;
        }
        if all && self.response_bytes.get() == 0 {
            self.owing_since.set(None);
            self.since.set(Instant::now());
            self.owing_written.set(0);
        } else if self.owing_written.get() + bytes >= OWING_STEP_BYTES {
            self.owing_since.set(Some(Instant::now()));
            self.owing_written.set(0);
        } else {
            self.owing_written.set(self.owing_written.get() + bytes);
        }
    }

    /// A request is served from now on.
    pub(super) fn request_begins(&self) {
        self.begun.set(self.begun.get() + 1);
        self.requests.set(self.requests.get() + 1);
    }

    /// A request's response was handed to the stream, or was lost.
    pub(super) fn request_ends(&self, now: Instant) {
        self.requests.set(self.requests.get().saturating_sub(1));
        self.since.set(now.max(self.since.get()));
        if self.waits.take()
            && let Some(waker) = &*self.waker.borrow()
        {
            waker.wake_by_ref();
        }
    }

    /// Wakes the stream's task when a request has ended.
    pub(super) fn wake_when_served(&self) {
        self.waits.set(true);
    }

    /// How many requests have ended.
    pub(super) fn ended(&self) -> u64 {
        self.begun.get() - u64::from(self.requests.get())
    }

    /// How many requests it has had, if none of them is being served.
    pub(super) fn served(&self) -> Option<u64> {
        (self.requests.get() == 0).then_some(self.begun.get())
    }

    /// A head was not passed on.
    pub(super) fn refuse_head(&self, reason: HeadRefused) {
        if let HeadRefused::Unfit(UnfitHead::TooLong | UnfitHead::TooManyFields) = reason {
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_stop_is_known_at_once_whenever_it_was_requested() {
        let (stop, stopping) = watch::channel(false);
        let begun = ServerContext::for_test(1, stopping.clone());
        assert!(!begun.is_stopping());
        stop.send_replace(true);
        assert!(begun.is_stopping() && begun.is_stopping());
        let mut seen = stopping;
        seen.mark_unchanged();
        assert!(ServerContext::for_test(1, seen).is_stopping());
        assert!(!ServerContext::for_test(1, watch::channel(false).1).is_stopping(), "nobody can stop it");
    }

    #[test]
    fn a_client_that_reads_slowly_has_its_time_again_for_each_step() {
        let shared = ServerContext::for_test(1, watch::channel(false).1);
        let held = Rc::new(HeldConnections::default());
        let connection = ClientConnection::new(0, IpAddr::V4(Ipv4Addr::LOCALHOST), &shared, &held);
        connection.hold_response(OWING_STEP_BYTES);
        connection.written(10 * OWING_STEP_BYTES, false);
        assert_eq!(connection.owing_since(), None, "it reads all that is written");
        connection.write_blocked();
        let since = connection.owing_since().expect("it does not read");
        connection.written(OWING_STEP_BYTES - 1, false);
        assert_eq!(connection.owing_since(), Some(since));
        connection.written(1, false);
        assert!(connection.owing_since().is_some_and(|now| now > since));
        connection.written(1, true);
        assert!(connection.owing_since().is_some(), "a part of the response is not written");
        connection.hold_response(0);
        connection.written(1, true);
        assert_eq!(connection.owing_since(), None);
    }
}
