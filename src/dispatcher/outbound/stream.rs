//! A connection to a receiver: TLS, the receiver's complete response, and the decision whether another request may be
//! written. It writes POSTs itself. For a request of the handshake it is beneath the HTTP client, which sees plain HTTP and
//! reads short responses: a status, and whether the connection stays open.
//!
//! A request is written once. Before its first byte the connection is checked; a closed one, or one with unread data,
//! is replaced by a new one. After its first byte the request is never written again.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_rt::net::{ActixStream, Ready};
use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::client_response::ClientResponse;
use super::habit::ClosedConnection;
use super::peer::{Peer, ReusedConnection};
use super::post::OutgoingPost;
use super::progress::AttemptPhase;
use super::response::{Response, ResponseProgress, Reuse};
use super::socket::{IdleState, Socket};
use crate::model::outcome::Outcome;

/// The buffer of one read: most responses are shorter.
const READ_BYTES: usize = 8_192;

type ReplacementFuture = LocalBoxFuture<'static, Result<Socket, Outcome>>;

enum StreamState {
    /// No request is in flight.
    Idle,
    /// The connection was found unusable before a byte was written; a new one is being made.
    Replacing(ReplacementFuture),
    /// The request is being written; `begun` once a byte of it may have been sent.
    Sending { begun: bool },
    /// The response is being read. The rest of the request is discarded, unless it was sent whole.
    Receiving { whole_request_sent: bool },
    /// The response is complete; the client is reading its short form.
    Responding(ClientResponse),
}

/// A connection that carries one request after the other.
pub(super) struct Stream {
    peer: Rc<Peer>,
    socket: Socket,
    /// When the connection was made.
    opened: Instant,
    state: StreamState,
    /// The POST that it writes.
    outgoing: OutgoingPost,
    response: Response,
    /// When the last response ended; `None` if there was none on this connection.
    idle_since: Option<Instant>,
    /// Set while a reused connection carries a request of whose response no byte has arrived.
    reused: Option<ReusedConnection>,
    /// When it can't be used again any more; `None` before the first response.
    usable_until: Option<Instant>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("destination", &self.peer.destination).finish_non_exhaustive()
    }
}

impl Stream {
    pub(super) fn new(peer: Rc<Peer>, socket: Socket) -> Self {
        let response = Response::new(peer.answer_bytes_max());
        Self {
            peer,
            socket,
            opened: Instant::now(),
            state: StreamState::Idle,
            outgoing: OutgoingPost::default(),
            response,
            idle_since: None,
            reused: None,
            usable_until: None,
        }
    }

    /// For the POST that [`Stream::poll_exchange`] sends.
    pub(super) fn outgoing(&mut self) -> &mut OutgoingPost {
        &mut self.outgoing
    }

    /// Whether it may be used again, as far as is known without a look at it.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        self.usable_until.is_none_or(|until| now < until)
    }

    /// Sends the POST and reads the response to its end. The result is in the attempt's progress. Returns whether the
    /// connection can be used again.
    pub(super) fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            match self.state {
                StreamState::Idle => self.begin()?,
                StreamState::Replacing(_) => ready!(self.poll_replace(cx))?,
                StreamState::Sending { .. } => {
                    let error = match self.outgoing.poll_write(&mut self.socket, cx) {
                        Poll::Ready(Ok(())) => {
                            self.receive();
                            continue;
                        }
                        Poll::Ready(Err(error)) => Some(error),
                        Poll::Pending => None,
                    };
                    let begun = !self.socket.writes_all_or_nothing() || self.outgoing.has_begun();
                    ready!(self.poll_unsent(begun, error, cx))?;
                    if self.response.is_over() {
                        return Poll::Ready(Ok(self.end(false)));
                    }
                }
                StreamState::Receiving { whole_request_sent } => {
                    ready!(self.poll_receive(cx))?;
                    return Poll::Ready(Ok(self.end(whole_request_sent)));
                }
                // Only the client has one.
                StreamState::Responding(_) => return Poll::Ready(Ok(false)),
            }
        }
    }

    /// Checks the connection before the first byte of a request.
    fn begin(&mut self) -> io::Result<()> {
        let now = self.peer.current.now();
        let idle = self.idle_since.map(|since| now.saturating_duration_since(since));
        self.response.reset();
        self.reused = None;
        // Data that was not requested would be read as the response to this request.
        self.state = match (self.socket.silence(), idle) {
            (IdleState::Kept, None) => StreamState::Sending { begun: false },
            (IdleState::Kept, Some(idle)) => {
                self.reused = self.peer.begin_reuse(idle, now);
                if self.reused.is_some() { StreamState::Sending { begun: false } } else { self.replacing() }
            }
            (_, Some(idle)) => {
                self.peer.closed(ClosedConnection { opened: self.opened, idle });
                self.replacing()
            }
            (IdleState::Closed, None) => return Err(self.fail(Outcome::ConnectionLostBeforeSend)),
            (IdleState::Alert, None) => return Err(self.fail(Outcome::Tls)),
            (IdleState::Broken, None) => return Err(self.fail(Outcome::BadAnswer)),
        };
        self.peer.current.enter(AttemptPhase::Send);
        Ok(())
    }

    fn replacing(&self) -> StreamState {
        StreamState::Replacing(Box::pin(Rc::clone(&self.peer).connect()))
    }

    /// The request was sent whole.
    fn receive(&mut self) {
        self.peer.current.enter(AttemptPhase::Response);
        self.state = StreamState::Receiving { whole_request_sent: true };
    }

    fn poll_replace(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let StreamState::Replacing(connecting) = &mut self.state {
            match ready!(connecting.as_mut().poll(cx)) {
                Ok(socket) => {
                    self.socket = socket;
                    self.opened = Instant::now();
                    (self.idle_since, self.usable_until) = (None, None);
                    self.state = StreamState::Sending { begun: false };
                    self.peer.current.enter(AttemptPhase::Send);
                }
                Err(outcome) => return Poll::Ready(Err(self.fail(outcome))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Handles a failed write: the receiver may have responded with the reason. Ready once the state says how to
    /// continue.
    fn poll_unsent(&mut self, begun: bool, error: Option<io::Error>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(error) = error else {
            // The receiver does not read on. It may have responded already and expect nothing more.
            if begun && self.poll_receive(cx)?.is_ready() {
                return Poll::Ready(Ok(()));
            }
            return Poll::Pending;
        };
        if begun {
            self.peer.current.enter(AttemptPhase::Response);
            self.state = StreamState::Receiving { whole_request_sent: false };
            return Poll::Ready(Ok(()));
        }
        match self.reused.take() {
            Some(reused) => {
                self.peer.closed(ClosedConnection { opened: self.opened, idle: reused.idle });
                self.state = self.replacing();
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Err(self.fail(outcome_of(&error, Outcome::ConnectionLostBeforeSend)))),
        }
    }

    /// Reads until the response is complete.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut storage = [MaybeUninit::<u8>::uninit(); READ_BYTES];
        while !self.response.is_over() {
            let mut buffer = ReadBuf::uninit(&mut storage);
            let read = match self.socket.poll_read(cx, &mut buffer) {
                Poll::Pending if self.response.may_end_here() => Ok(()),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => read,
            };
            if let Err(error) = &read
                && self.response.status().is_none()
            {
                return Poll::Ready(Err(self.lose(outcome_of(error, Outcome::ConnectionLostAfterSend))));
            }
            if read.is_err() || buffer.filled().is_empty() {
                if !self.response.end() {
                    return Poll::Ready(Err(self.lose(Outcome::ConnectionLostAfterSend)));
                }
                break;
            }
            if let Some(reused) = self.reused.take() {
                reused.succeed();
            }
            let fed = self.response.feed(buffer.filled());
            if let Some(status) = self.response.status() {
                self.peer.current.receive(status);
            }
            match fed {
                Ok(ResponseProgress::More | ResponseProgress::Over) => {}
                Err(_) => return Poll::Ready(Err(self.fail(Outcome::BadAnswer))),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The response is complete. Returns whether the connection can be used again.
    fn end(&mut self, whole_request_sent: bool) -> bool {
        let now = self.peer.current.now();
        let usable_for = match self.response.reuse() {
            Reuse::Within(announced) if whole_request_sent => self.peer.reuse_within(announced, now),
            _ => Duration::ZERO,
        };
        (self.idle_since, self.usable_until) = (Some(now), Some(now + usable_for));
        self.outgoing.end();
        self.state = StreamState::Idle;
        !usable_for.is_zero()
    }

    /// The same; prepares the response's short form for the client.
    fn respond(&mut self, whole_request_sent: bool) {
        let closes = !self.end(whole_request_sent);
        let status = self.response.status().unwrap_or_default();
        let allowed = self.peer.asks_for_consent.then(|| self.response.allowed_origin());
        self.state = StreamState::Responding(ClientResponse::new(status, closes, allowed));
    }

    /// The connection broke before the response was complete.
    fn lose(&mut self, outcome: Outcome) -> io::Error {
        // No byte arrived on a reused connection: the receiver had closed it.
        if outcome == Outcome::ConnectionLostAfterSend
            && let Some(reused) = self.reused.take()
        {
            reused.fail(self.opened);
        }
        self.fail(outcome)
    }

    fn fail(&mut self, outcome: Outcome) -> io::Error {
        self.peer.current.fail(outcome);
        io::ErrorKind::ConnectionAborted.into()
    }
}

/// A TLS alert is more specific than a broken connection: with TLS 1.3 a receiver can refuse the client's certificate,
/// or its absence, after the client's handshake is complete.
fn outcome_of(error: &io::Error, lost: Outcome) -> Outcome {
    let is_tls = error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>());
    if is_tls { Outcome::Tls } else { lost }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = self.get_mut();
        loop {
            match own.state {
                StreamState::Idle => own.begin()?,
                StreamState::Replacing(_) => ready!(own.poll_replace(cx))?,
                StreamState::Sending { begun } => {
                    let error = match own.socket.poll_write(cx, bytes) {
                        Poll::Ready(Ok(written)) => {
                            own.state = StreamState::Sending { begun: true };
                            return Poll::Ready(Ok(written));
                        }
                        Poll::Ready(Err(error)) => Some(error),
                        Poll::Pending => None,
                    };
                    let begun = begun || !own.socket.writes_all_or_nothing();
                    ready!(own.poll_unsent(begun, error, cx))?;
                    if own.response.is_over() {
                        own.respond(false);
                    }
                }
                // The receiver reads no more of the request.
                StreamState::Receiving { .. } | StreamState::Responding(_) => return Poll::Ready(Ok(bytes.len())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let StreamState::Sending { begun: true } = own.state else { return Poll::Ready(Ok(())) };
        let error = match own.socket.poll_flush(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Some(error),
            Poll::Pending => None,
        };
        ready!(own.poll_unsent(true, error, cx))?;
        if own.response.is_over() {
            own.respond(false);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket.poll_shutdown(cx)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        loop {
            match &mut own.state {
                // The client checks whether it may use the connection: an end of file means that it may not.
                StreamState::Idle => {
                    let usable = own.is_usable(own.peer.current.now());
                    return if usable { Poll::Pending } else { Poll::Ready(Ok(())) };
                }
                StreamState::Replacing(_) => ready!(own.poll_replace(cx))?,
                StreamState::Sending { .. } => own.receive(),
                StreamState::Receiving { whole_request_sent } => {
                    let whole_request_sent = *whole_request_sent;
                    ready!(own.poll_receive(cx))?;
                    own.respond(whole_request_sent);
                }
                StreamState::Responding(response) => {
                    if response.give(buffer) {
                        own.state = StreamState::Idle;
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl ActixStream for Stream {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}
