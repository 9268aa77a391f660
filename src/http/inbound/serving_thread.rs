//! Serves the connections of one thread. They begin a few at a time, and clients take turns by their addresses: thousands
//! that begin together would delay all other work of the thread.

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use actix_service::Service;
use tokio::sync::mpsc::UnboundedReceiver;

use super::HEAD;
use super::acceptor::{Accepted, ThreadLoad};
use super::connections::ThreadConnections;
use super::direct::DirectEvents;
use super::lent::{LentStream, lend};
use super::stream::InboundStream;
use crate::flow::fairness::DeficitQueue;
use crate::flow::payer::peer_of;
use crate::flow::turnstile::AT_ONCE;

/// Who serves the connections of a thread.
pub(super) struct ThreadServices<S> {
    /// Serves usual requests with events, where the thread takes events.
    pub(super) direct: Option<DirectEvents>,
    /// The server. It serves all others.
    pub(super) http: S,
}

/// Serves what the acceptor gives this thread. Returns when the server stops and no connection is left.
pub(super) async fn serve_all<S>(
    mut accepted: UnboundedReceiver<Accepted>,
    load: Arc<ThreadLoad>,
    connections: Rc<ThreadConnections>,
    services: ThreadServices<S>,
) where
    S: Service<(LentStream, Option<SocketAddr>)> + 'static,
{
    let services = Rc::new(services);
    let mut waiting: DeficitQueue<IpAddr, Accepted> = DeficitQueue::new(1);
    loop {
        if waiting.is_empty() {
            let Some(one) = accepted.recv().await else { break };
            waiting.push(&peer_of(one.address.ip()), 1, one);
        }
        while let Ok(one) = accepted.try_recv() {
            waiting.push(&peer_of(one.address.ip()), 1, one);
        }
        for one in std::iter::from_fn(|| waiting.pop()).take(AT_ONCE) {
            actix_rt::spawn(serve_connection(one, Rc::clone(&connections), Rc::clone(&services)));
        }
        tokio::task::yield_now().await;
    }
    load.none().await;
}

/// Serves one connection from when the client has sent something. One that is over its client's share is closed.
async fn serve_connection<S>(accepted: Accepted, connections: Rc<ThreadConnections>, services: Rc<ThreadServices<S>>)
where
    S: Service<(LentStream, Option<SocketAddr>)>,
{
    let Accepted { socket, address, permit: _permit } = accepted;
    let Ok(socket) = TcpStream::from_std(socket) else { return };
    let Some(connection) = connections.accept(peer_of(address.ip())) else { return };
    let mut stream = InboundStream::new(socket, HEAD, connection, connections);
    if !stream.has_begun().await {
        return;
    }
    loop {
        if let Some(direct) = &services.direct {
            let Some(left) = Box::pin(direct.serve(stream, address)).await else { return };
            stream = left;
        }
        if poll_fn(|context| services.http.poll_ready(context)).await.is_err() {
            return;
        }
        let is_direct = services.direct.as_ref().map(|_| DirectEvents::serves as fn(&[u8]) -> bool);
        let Some(left) = lend(stream, address, &services.http, is_direct).await else { return };
        stream = left;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use actix_service::fn_service;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpSocket;
    use tokio::sync::watch;

    use super::super::acceptor::ConnectionAcceptor;
    use super::super::client_connection::ServerContext;
    use super::*;
    use crate::flow::probe::soon;

    async fn connect(from: &str, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from.parse().expect("an address"), 0)).expect("a free port");
        let mut client = soon(socket.connect(to)).await.expect("the system takes it");
        client.write_all(b"x").await.expect("it is sent");
        client
    }

    #[actix_rt::test]
    async fn a_client_that_connects_after_hundreds_of_another_begins_before_them() {
        let mut acceptor = ConnectionAcceptor::new(1_000);
        let (load, accepted) = acceptor.add_thread();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        rustix::net::listen(&listener, 1_024).expect("it listens");
        let address = listener.local_addr().expect("bound");
        let (stop, stopping) = watch::channel(false);
        let shared = ServerContext::for_test(1_000, stopping.clone());
        let begun = Rc::new(RefCell::new(Vec::new()));
        let note = Rc::clone(&begun);
        let http = fn_service(move |(_, peer): (LentStream, Option<SocketAddr>)| {
            note.borrow_mut().extend(peer.map(|peer| peer.ip().to_string()));
            std::future::ready(Ok::<_, ()>(()))
        });
        let services = ThreadServices { direct: None, http };
        // They are all accepted before the first one begins.
        let mut clients = Vec::new();
        for _ in 0..300 {
            clients.push(connect("127.0.0.9", address).await);
        }
        clients.push(connect("127.0.0.1", address).await);
        let running = acceptor.start("test", listener, stopping).expect("it starts");
        while accepted.len() < clients.len() {
            tokio::task::yield_now().await;
        }
        let serving = actix_rt::spawn(serve_all(accepted, load, ThreadConnections::start(&shared), services));
        while begun.borrow().len() < clients.len() {
            tokio::task::yield_now().await;
        }
        stop.send_replace(true);
        soon(serving).await.expect("no panic");
        let place = begun.borrow().iter().position(|from| from == "127.0.0.1").expect("it was served");
        assert!(place <= 4 * AT_ONCE, "it was number {place}");
        soon(tokio::task::spawn_blocking(|| running.join())).await.expect("no panic").expect("no panic");
    }
}
