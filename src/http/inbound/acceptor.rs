//! Accepts connections on a thread that does nothing else, and gives each to the thread that has fewest. The system holds
//! new connections in one queue, in which a client with many would delay all others. So connections are accepted as fast
//! as they come; which of them wait is decided on the threads, where clients take turns.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, watch};
use tokio::task::unconstrained;

use crate::flow::runtime::thread_runtime;

/// The acceptor pauses after this many connections within the time of a pause. If thousands come, waking up for each, and
/// waking a thread for it, takes more time than accepting it.
const UNPAUSED_MAX: usize = 16;
const PAUSE: Duration = Duration::from_millis(1);
/// How many are accepted at most before the server can stop, however fast they come.
const ACCEPTED_AT_ONCE: usize = 1_024;
/// How long to wait when the system has no descriptor or no memory for a connection.
const SYSTEM_PAUSE: Duration = Duration::from_millis(100);
/// How much the system holds of a response that it has not sent yet: enough to keep the sending going.
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// A connection that a thread is to serve.
pub(super) struct Accepted {
    pub(super) socket: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) permit: ConnectionPermit,
}

/// How many connections a thread has, waiting ones included.
pub(super) struct ThreadLoad {
    connections: AtomicUsize,
    max: usize,
    /// Tells the acceptor that a thread has room again.
    room: Arc<Notify>,
    /// Tells the thread that it has no connection left.
    none: Notify,
}

impl ThreadLoad {
    /// Returns when there are none.
    pub(super) async fn none(&self) {
        while self.connections.load(Ordering::Acquire) > 0 {
            self.none.notified().await;
        }
    }
}

/// One connection of a thread's load.
pub(super) struct ConnectionPermit(Arc<ThreadLoad>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let before = self.0.connections.fetch_sub(1, Ordering::AcqRel);
        if before == self.0.max {
            self.0.room.notify_one();
        }
        if before == 1 {
            self.0.none.notify_one();
        }
    }
}

/// A thread that serves, as the acceptor sees it.
struct ServingThread {
    load: Arc<ThreadLoad>,
    queue: UnboundedSender<Accepted>,
}

impl ServingThread {
    /// Adds one connection to its load.
    fn permit(&self) -> ConnectionPermit {
        self.load.connections.fetch_add(1, Ordering::AcqRel);
        ConnectionPermit(Arc::clone(&self.load))
    }
}

/// Accepts connections.
pub(super) struct ConnectionAcceptor {
    threads: Vec<ServingThread>,
    room: Arc<Notify>,
    connections_max: usize,
}

impl ConnectionAcceptor {
    /// Each thread has this many connections at most.
    pub(super) fn new(connections_max: usize) -> Self {
        Self { threads: Vec::new(), room: Arc::new(Notify::new()), connections_max }
    }

    /// Adds a thread. Returns its load, and its connections.
    pub(super) fn add_thread(&mut self) -> (Arc<ThreadLoad>, UnboundedReceiver<Accepted>) {
        let (queue, connections) = mpsc::unbounded_channel();
        let (max, room) = (self.connections_max, Arc::clone(&self.room));
        let load = Arc::new(ThreadLoad { connections: AtomicUsize::new(0), max, room, none: Notify::new() });
        self.threads.push(ServingThread { load: Arc::clone(&load), queue });
        (load, connections)
    }

    /// Accepts on a thread of its own until the server stops, and closes the socket then.
    pub(super) fn start(
        self,
        name: &str,
        listener: TcpListener,
        mut stopping: watch::Receiver<bool>,
    ) -> io::Result<thread::JoinHandle<()>> {
        listener.set_nonblocking(true)?;
        let runtime = thread_runtime()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        thread::Builder::new().name(format!("{name}-accept")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // If the sender is gone, so is the server.
                    _ = stopping.wait_for(|stops| *stops) => {}
                    () = self.accept_all(&listener) => {}
                }
            });
        })
    }

    async fn accept_all(&self, listener: &tokio::net::TcpListener) {
        let mut is_short = false;
        let (mut since, mut unpaused) = (Instant::now(), 0);
        loop {
            let Some(thread) = self.least_loaded() else {
                self.room.notified().await;
                continue;
            };
            // Without tokio's own bound: all that wait are accepted before the next pause.
            let accepting = &mut pin!(unconstrained(listener.accept()));
            let accepted = match accepting.now_or_never() {
                Some(accepted) => accepted,
                None if unpaused >= UNPAUSED_MAX => {
                    unpaused = 0;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                None => {
                    let accepted = accepting.await;
                    if since.elapsed() >= PAUSE {
                        (since, unpaused) = (Instant::now(), 0);
                    }
                    accepted
                }
            };
            if unpaused >= ACCEPTED_AT_ONCE {
                tokio::task::yield_now().await;
                unpaused = UNPAUSED_MAX;
            }
            match accepted.and_then(|(socket, address)| Ok((set_up(socket)?, address))) {
                Ok((socket, address)) => {
                    (is_short, unpaused) = (false, unpaused + 1);
                    // A thread that ended in a panic serves nothing more; the connection is closed.
                    let _ = thread.queue.send(Accepted { socket, address, permit: thread.permit() });
                }
                Err(error) if concerns_one_connection(error.kind()) => {}
                Err(error) => {
                    if !std::mem::replace(&mut is_short, true) {
                        tracing::warn!(%error, "no connection can be accepted; trying again");
                    }
                    tokio::time::sleep(SYSTEM_PAUSE).await;
                }
            }
        }
    }

    /// The thread with the fewest connections; `None` if all have as many as they may.
    fn least_loaded(&self) -> Option<&ServingThread> {
        let open = self.threads.iter().filter(|thread| !thread.queue.is_closed());
        let loads = open.map(|thread| (thread, thread.load.connections.load(Ordering::Acquire)));
        loads.filter(|(thread, load)| *load < thread.load.max).min_by_key(|(_, load)| *load).map(|(thread, _)| thread)
    }
}

/// Whether a failure to accept was that of a connection which its client has given up.
fn concerns_one_connection(kind: ErrorKind) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput};
    // Linux: an option of a connection that its client has reset is an invalid argument.
    matches!(kind, ConnectionAborted | ConnectionReset | Interrupted | InvalidInput)
}

fn set_up(socket: tokio::net::TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    // The thread that serves it registers it with its own event loop.
    socket.into_std()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;
    use crate::flow::probe::soon;

    #[actix_rt::test]
    async fn the_thread_with_fewest_gets_the_next_and_none_gets_more_than_it_may() {
        let mut acceptor = ConnectionAcceptor::new(2);
        let ((first_load, mut first), (_, mut second)) = (acceptor.add_thread(), acceptor.add_thread());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopping) = watch::channel(false);
        let running = acceptor.start("test", listener, stopping).expect("it starts");
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(soon(TcpStream::connect(address)).await.expect("the system takes it"));
        }
        let mut served = Vec::new();
        for _ in 0..2 {
            served.push(soon(first.recv()).await.expect("a connection"));
            served.push(soon(second.recv()).await.expect("a connection"));
        }
        assert!(first.try_recv().is_err() && second.try_recv().is_err(), "both have as many as they may");
        drop(served.remove(0));
        served.push(soon(first.recv()).await.expect("it has room for the fifth"));

        stop.send_replace(true);
        soon(tokio::task::spawn_blocking(|| running.join())).await.expect("no panic").expect("no panic");
        assert!(soon(first.recv()).await.is_none() && soon(second.recv()).await.is_none());
        TcpStream::connect(address).await.expect_err("the socket is closed");
        drop(served);
        soon(first_load.none()).await;
    }
}
