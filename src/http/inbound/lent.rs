//! A connection's stream while it is lent to the HTTP server. It is taken back between two requests if the next one is not
//! for the server. The server's future is then dropped; it has no response left to send.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_service::Service;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::DISCONNECT_WITHIN;
use super::client_connection::ClientConnection;
use super::stream::InboundStream;
use super::unreadable;

/// The field that the server writes into the head of a connection's last response (HTTP/1.1).
const CLOSE: &[u8] = b"connection: close";

/// A connection's stream, for the server.
pub(super) struct LentStream(Rc<Loan>);

struct Loan {
    stream: RefCell<InboundStream>,
    /// Whether a request that begins with these bytes is not for the server.
    is_others: Option<fn(&[u8]) -> bool>,
    /// The server may have more to write.
    writes: Cell<bool>,
    /// The server closes the connection.
    closes: Cell<bool>,
    /// What is left of the response to a request that the server could not read.
    instead: RefCell<Option<BytesMut>>,
    taken_back: Cell<bool>,
}

/// Lends a connection's stream to the server. Returns it once its next request is not for the server, with that request
/// still to be read; `None` once the connection has ended.
pub(super) async fn lend<S>(
    stream: InboundStream,
    peer: SocketAddr,
    server: &S,
    is_others: Option<fn(&[u8]) -> bool>,
) -> Option<InboundStream>
where
    S: Service<(LentStream, Option<SocketAddr>)>,
{
    let loan = Rc::new(Loan::new(stream, is_others));
    let mut serving = Box::pin(server.call((LentStream(Rc::clone(&loan)), Some(peer))));
    let is_over = poll_fn(|context| match serving.as_mut().poll(context) {
        // What ends a connection early is counted where it is found.
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if loan.taken_back.get() => Poll::Ready(false),
        Poll::Pending => Poll::Pending,
    });
    let is_over = is_over.await;
    drop(serving);
    let mut stream = Rc::into_inner(loan)?.stream.into_inner();
    if !is_over {
        stream.take_back();
        return Some(stream);
    }
    if stream.has_unread() {
        stream.discard_rest();
        let _ = tokio::time::timeout(DISCONNECT_WITHIN, stream.shutdown()).await;
    }
    None
}

impl LentStream {
    /// What requests know of their connection.
    pub(super) fn connection(&self) -> Rc<ClientConnection> {
        Rc::clone(self.0.stream.borrow().connection())
    }
}

impl Loan {
    fn new(mut stream: InboundStream, is_others: Option<fn(&[u8]) -> bool>) -> Self {
        stream.lend_out();
        let stream = RefCell::new(stream);
        let (writes, closes, taken_back) = (Cell::default(), Cell::default(), Cell::default());
        Self { stream, is_others, writes, closes, instead: RefCell::default(), taken_back }
    }

    /// Whether the stream may be taken back: the server has responded to all of its requests, and keeps the connection.
    /// A server that closes it says so in its response, before it discards the rest of a body.
    fn is_between_requests(&self) -> bool {
        !self.writes.get() && !self.closes.get() && self.stream.borrow().is_between_requests()
    }
}

impl AsyncRead for LentStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let loan = &*self.0;
        if loan.taken_back.get() {
            return Poll::Pending;
        }
        let is_others = loan.is_others.filter(|_| loan.is_between_requests());
        let mut stream = loan.stream.borrow_mut();
        let before = out.filled().len();
        ready!(Pin::new(&mut *stream).poll_read(context, out))?;
        let read = &out.filled()[before..];
        if is_others.is_some_and(|is_others| is_others(read)) {
            stream.give_back(BytesMut::from(read));
            out.set_filled(before);
            loan.taken_back.set(true);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LentStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let loan = &*self.0;
        loan.writes.set(true);
        // The head of a response is in its first write. If a body holds the same text, the server only keeps the
        // stream for longer.
        if loan.is_others.is_some() && memchr::memmem::find(bytes, CLOSE).is_some() {
            loan.closes.set(true);
        }
        let mut stream = loan.stream.borrow_mut();
        match unreadable::response_at(bytes) {
            None => Pin::new(&mut *stream).poll_write(context, bytes),
            // Earlier responses in these bytes are written first.
            Some(before @ 1..) => Pin::new(&mut *stream).poll_write(context, &bytes[..before]),
            Some(0) => {
                stream.discard_rest();
                let mut instead = loan.instead.borrow_mut();
                let left = instead.get_or_insert_with(|| BytesMut::from(&*unreadable::response()));
                while !left.is_empty() {
                    let written = ready!(Pin::new(&mut *stream).poll_write(context, left))?;
                    left.advance(written);
                }
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    /// The server flushes once it has nothing more to write.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(context))?;
        self.0.writes.set(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.closes.set(true);
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::task::Waker;

    use actix_rt::net::TcpStream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::response::ServedRequest;
    use super::super::stream::tests::connected;
    use super::*;
    use crate::flow::probe::{Wakes, soon};

    const OWN: &str = "PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
    const OTHERS: &str = "POST / HTTP/1.1\r\n\r\n";
    const RESPONSE: &str = "HTTP/1.1 200 OK\r\n\r\n";

    /// A connection that was lent, for a server that is this test.
    struct Server {
        loan: Rc<Loan>,
        lent: LentStream,
        client: TcpStream,
    }

    impl Server {
        async fn new() -> Self {
            let (stream, client) = connected().await;
            let loan = Rc::new(Loan::new(stream, Some(|bytes| bytes.starts_with(b"POST "))));
            Self { lent: LentStream(Rc::clone(&loan)), loan, client }
        }

        /// What it reads; `None`: the stream was taken back.
        async fn read(&mut self) -> Option<String> {
            let mut room = [0; 256];
            let read = poll_fn(|context| {
                let mut read = ReadBuf::new(&mut room);
                match Pin::new(&mut self.lent).poll_read(context, &mut read) {
                    Poll::Ready(done) => Poll::Ready(done.map(|()| Some(read.filled().len()))),
                    Poll::Pending if self.loan.taken_back.get() => Poll::Ready(Ok(None)),
                    Poll::Pending => Poll::Pending,
                }
            });
            let length = soon(read).await.expect("no failure")?;
            Some(String::from_utf8_lossy(&room[..length]).into_owned())
        }

        /// The client sends this, and the server reads.
        async fn next(&mut self, sent: &str) -> Option<String> {
            self.client.write_all(sent.as_bytes()).await.expect("it is read");
            self.read().await
        }

        async fn respond(&mut self, response: &str) {
            self.lent.write_all(response.as_bytes()).await.expect("it is sent");
            self.lent.flush().await.expect("it is sent");
        }

        fn begin(&self) -> ServedRequest {
            ServedRequest::begin(self.lent.connection())
        }
    }

    #[actix_rt::test]
    async fn the_stream_comes_back_with_a_request_for_others() {
        let mut server = Server::new().await;
        for own in [OWN, "GET / HTTP/1.1\r\n\r\n", OWN] {
            assert_eq!(server.next(own).await.as_deref(), Some(own));
            drop(server.begin());
            server.respond(RESPONSE).await;
        }
        let (begin, end) = OTHERS.split_at(9);
        server.client.write_all(begin.as_bytes()).await.expect("it is read");
        assert_eq!(server.next(&format!("{end}{OWN}")).await, None);
        // Nothing more is passed on, and others have all of it.
        assert_eq!(server.read().await, None);
        drop(server.lent);
        let loan = Rc::into_inner(server.loan).expect("the server is gone");
        let mut stream = loan.stream.into_inner();
        stream.take_back();
        let mut read = vec![0; OTHERS.len() + OWN.len()];
        // They may read a part of it, and give that back.
        soon(stream.read_exact(&mut read[..OTHERS.len()])).await.expect("no failure");
        stream.give_back(BytesMut::from(OTHERS));
        soon(stream.read_exact(&mut read)).await.expect("no failure");
        assert_eq!(read, [OTHERS, OWN].concat().as_bytes());
    }

    #[actix_rt::test]
    async fn the_server_keeps_a_connection_that_it_is_not_done_with() {
        let mut unread = Server::new().await;
        assert_eq!(unread.next("PUT / HTTP/1.1\r\ncontent-length: 40\r\n\r\n").await.map(|read| read.len()), Some(38));
        drop(unread.begin());
        unread.respond(RESPONSE).await;
        assert_eq!(unread.next(OTHERS).await.as_deref(), Some(OTHERS), "it belongs to the body");

        let mut unsent = Server::new().await;
        assert_eq!(unsent.next(OWN).await.as_deref(), Some(OWN));
        drop(unsent.begin());
        unsent.lent.write_all(RESPONSE.as_bytes()).await.expect("it is sent");
        assert_eq!(unsent.next(OTHERS).await.as_deref(), Some(OTHERS), "it may have more to write");

        let mut closing = Server::new().await;
        assert_eq!(closing.next(OWN).await.as_deref(), Some(OWN));
        drop(closing.begin());
        closing.respond("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
        assert_eq!(closing.next(OTHERS).await.as_deref(), Some(OTHERS), "it has said that it closes the connection");

        let mut older = Server::new().await;
        let old = OWN.replace("HTTP/1.1", "HTTP/1.0");
        assert_eq!(older.next(&old).await, Some(old));
        drop(older.begin());
        older.respond("HTTP/1.0 200 OK\r\n\r\n").await;
        assert_eq!(
            older.next(OTHERS).await.as_deref(),
            Some(OTHERS),
            "a response that is not known to be the last one"
        );
    }

    /// The server would write the first response as it suits the second request.
    #[actix_rt::test]
    async fn a_request_that_came_together_with_another_waits_for_its_end() {
        let mut server = Server::new().await;
        let head = "HEAD / HTTP/1.1\r\n\r\n";
        assert_eq!(server.next(&format!("{OWN}{head}{OWN}{OTHERS}")).await.as_deref(), Some(OWN));
        for next in [head, OWN] {
            let serving = server.begin();
            let wakes = Arc::new(Wakes::default());
            let waker = Waker::from(Arc::clone(&wakes));
            let mut room = [0; 256];
            let read =
                Pin::new(&mut server.lent).poll_read(&mut Context::from_waker(&waker), &mut ReadBuf::new(&mut room));
            assert!(read.is_pending() && wakes.0.load(Ordering::Relaxed) == 0, "the one before is being served");
            drop(serving);
            assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
            server.respond(RESPONSE).await;
            assert_eq!(server.read().await.as_deref(), Some(next));
        }
        drop(server.begin());
        server.respond(RESPONSE).await;
        assert_eq!(server.read().await, None);
        assert!(server.loan.taken_back.get());
    }
}
