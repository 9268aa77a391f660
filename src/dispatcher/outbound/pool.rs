//! The connections of one destination, and how many there may be. Those that carry no delivery are kept here. The HTTP
//! client does not see them: for each request, it makes two buffers of 8 kB, a codec with a clock of its own that has a
//! task and a timer, and parses the response's head a second time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::Peer;
use super::post::OutgoingPost;
use super::stream::Stream;

/// How long an orderly close of a TLS connection may take.
pub(super) const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// The connections of one destination.
pub(super) struct ConnectionPool {
    peer: Rc<Peer>,
    /// A permit for each connection that there may be, until it is closed.
    room: Arc<Semaphore>,
    /// The one that was used last is at the back, and is used first.
    idle: RefCell<VecDeque<PooledConnection>>,
}

struct PooledConnection {
    stream: Box<Stream>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionPool {
    /// At most this many connections to the peer.
    pub(super) fn new(peer: Rc<Peer>, connections: usize) -> Self {
        Self { peer, room: Arc::new(Semaphore::new(connections)), idle: RefCell::default() }
    }

    /// Has a request written, which `post` prepares once there is a connection and `prepared` is, and its response read. The
    /// result is in the progress of the current attempt.
    pub(super) async fn exchange<P>(
        &self,
        closes: bool,
        prepared: impl Future<Output = P>,
        post: impl FnOnce(&mut OutgoingPost, P),
    ) -> io::Result<()> {
        let mut carrier = match self.take() {
            Some(carrier) => carrier,
            // Rare, and larger than the rest of the attempt: boxed, it takes no room in each worker.
            None => Box::pin(self.connect()).await?,
        };
        let prepared = prepared.await;
        post(carrier.stream.outgoing(), prepared);
        let reusable = poll_fn(|cx| carrier.stream.poll_exchange(cx)).await? && !closes;
        if reusable {
            self.idle.borrow_mut().push_back(carrier);
        } else {
            self.close(carrier);
        }
        self.close_unusable();
        Ok(())
    }

    /// A new connection, or an error where the attempt's progress says why there is none.
    async fn connect(&self) -> io::Result<PooledConnection> {
        let permit = Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed");
        match Rc::clone(&self.peer).connect().await {
            Ok(socket) => {
                let stream = Box::new(Stream::new(Rc::clone(&self.peer), socket));
                Ok(PooledConnection { stream, _permit: permit })
            }
            Err(outcome) => {
                self.peer.current.fail(outcome);
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }

    fn take(&self) -> Option<PooledConnection> {
        let now = self.peer.current.now();
        loop {
            let carrier = self.idle.borrow_mut().pop_back()?;
            if carrier.stream.is_usable(now) {
                return Some(carrier);
            }
            self.close(carrier);
        }
    }

    /// Closes those that were idle for too long.
    fn close_unusable(&self) {
        let now = self.peer.current.now();
        let unusable =
            |idle: &mut VecDeque<PooledConnection>| idle.pop_front_if(|carrier| !carrier.stream.is_usable(now));
        while let Some(carrier) = unusable(&mut self.idle.borrow_mut()) {
            self.close(carrier);
        }
    }

    /// Closes the connection that has been idle for longest, if one is idle.
    pub(super) fn close_oldest(&self) {
        let oldest = self.idle.borrow_mut().pop_front();
        oldest.into_iter().for_each(|carrier| self.close(carrier));
    }

    /// The end of a TLS connection is announced.
    fn close(&self, mut carrier: PooledConnection) {
        if self.peer.destination.secure {
            actix_rt::spawn(async move {
                // A receiver that does not respond to the close is not waited for longer.
                let _ = tokio::time::timeout(CLOSED_WITHIN, carrier.stream.shutdown()).await;
            });
        }
    }
}
