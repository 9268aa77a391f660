//! The stream beneath the HTTP server. It passes on complete heads only, ends when the end of its connection is
//! requested, and reports when the client does not read. It changes no byte of a request; a refused head is replaced by
//! a short request of our own, whose response is the connection's last.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_rt::net::TcpStream;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::client_connection::{ClientConnection, HeadRefused};
use super::connections::ThreadConnections;
use super::framing::{HeadLimits, RequestFraming, RequestLengths};
use super::policy::EndMode;

/// The path of the request that replaces a refused head.
pub(super) const REFUSED_PATH: &str = "/-/refused-head";
const REFUSED_REQUEST: &[u8] = b"GET /-/refused-head HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";
/// How much is read from a connection, or written to it, in one turn. Then the other connections of its thread have
/// theirs, however much a client sends or requests.
pub(super) const TURN_BYTES: usize = 16 << 10;
/// The size of a read while a part of a head is held.
const READ_BYTES: usize = 4_096;
/// How many bytes are discarded after a refused head, so that the client reads the response before it learns that its
/// bytes were not read (a reset, RFC 9112, section 9.6).
const DISCARDED_BEHIND_HEAD_MAX: usize = 1 << 20;

/// A connection's bytes.
pub(super) struct InboundStream {
    socket: TcpStream,
    framing: RequestFraming,
    /// Bytes that were passed on and given back. The next read returns them.
    given_back: BytesMut,
    /// Bytes that were read and not passed on.
    held: BytesMut,
    /// How many of the bytes held may be passed on.
    ready: usize,
    /// How much was read since the others had their turn.
    read: usize,
    /// How much was written since the others had their turn.
    written: usize,
    /// The next turn, if the connection waits for it.
    turn: Option<oneshot::Receiver<()>>,
    /// Set once what arrives is discarded: how many more bytes of it.
    discards: Option<usize>,
    /// The HTTP server reads, which gets one request at a time: it writes a response as it suits the last head that it has
    /// read.
    is_lent: bool,
    connection: Rc<ClientConnection>,
    connections: Rc<ThreadConnections>,
}

impl Drop for InboundStream {
    fn drop(&mut self) {
        self.connections.closed(&self.connection);
    }
}

impl InboundStream {
    pub(super) fn new(
        socket: TcpStream,
        limits: HeadLimits,
        connection: Rc<ClientConnection>,
        connections: Rc<ThreadConnections>,
    ) -> Self {
        Self {
            socket,
            framing: RequestFraming::new(limits),
            given_back: BytesMut::new(),
            held: BytesMut::new(),
            ready: 0,
            read: 0,
            written: 0,
            turn: None,
            discards: None,
            is_lent: false,
            connection,
            connections,
        }
    }

    /// What requests know of their connection.
    pub(super) fn connection(&self) -> &Rc<ClientConnection> {
        &self.connection
    }

    /// Returns once the client has sent something, or the end of the connection is requested. The server gives a
    /// connection its buffers when it begins to read, so it begins then. Returns whether it has to.
    pub(super) async fn has_begun(&self) -> bool {
        poll_fn(|context| {
            self.connection.polled_by(context);
            match self.connection.ending() {
                Some(EndMode::HeadTimeout) => Poll::Ready(true),
                Some(EndMode::Close | EndMode::Abort) => Poll::Ready(false),
                None => self.socket.poll_read_ready(context).map(|_| true),
            }
        })
        .await
    }

    /// Takes back the last bytes that were passed on. The next read returns them first.
    pub(super) fn give_back(&mut self, mut bytes: BytesMut) {
        bytes.extend_from_slice(&self.given_back);
        self.given_back = bytes;
    }

    /// From here on the HTTP server reads, whatever of it others have read before. All requests before this one were
    /// served.
    pub(super) fn lend_out(&mut self) {
        let mut bytes = std::mem::take(&mut self.given_back);
        bytes.extend_from_slice(&self.held);
        // All that is left of a connection with a refused head is the request that replaces it.
        self.ready = if self.discards.is_some() { bytes.len() } else { 0 };
        (self.held, self.is_lent) = (bytes, true);
        self.framing = self.framing.restarted(self.connection.ended());
        self.connection.hold_head(0);
    }

    /// The HTTP server reads no more.
    pub(super) fn take_back(&mut self) {
        self.is_lent = false;
        self.framing.let_pass(u64::MAX);
        if !self.held.is_empty() {
            self.advance_held();
        }
    }

    /// Whether the client may have sent more than was read when its last response was written: a close would then be a
    /// reset, in which that response can be lost.
    pub(super) fn has_unread(&self) -> bool {
        (self.discards.is_some() || !self.held.is_empty()) && self.connection.stays()
    }

    /// Whether all requests that were passed on have been served, and no byte of another one was passed on.
    pub(super) fn is_between_requests(&self) -> bool {
        let served = self.connection.served();
        self.given_back.is_empty() && self.ready == 0 && served.is_some() && self.framing.complete_requests() == served
    }

    /// Discards what arrives from now on, until the connection has ended: the client has its last response, and has not
    /// sent all of its request.
    pub(super) fn discard_rest(&mut self) {
        self.discards = Some(usize::MAX);
    }

    /// Waits for the turn to continue, which is not in this poll.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(turn) = &mut self.turn {
                // If the turnstile is gone, there is nothing to wait for.
                let _ = ready!(Pin::new(turn).poll(context));
                (self.turn, self.read, self.written) = (None, 0, 0);
                return Poll::Ready(());
            }
            self.turn = self.connections.next_turn(self.connection.peer());
            if self.turn.is_none() {
                (self.read, self.written) = (0, 0);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn refuse(&mut self, reason: HeadRefused) {
        self.connection.refuse_head(reason);
        self.held = BytesMut::from(REFUSED_REQUEST);
        self.ready = self.held.len();
        self.discards = Some(DISCARDED_BEHIND_HEAD_MAX);
    }

    /// Passes on the held bytes that may be passed on.
    fn pass(&mut self, out: &mut ReadBuf<'_>) {
        let part = self.ready.min(out.remaining());
        pass_from(&mut self.held, part, out);
        self.ready -= part;
    }

    /// Records how many bytes of an incomplete head are held; `is_new`: it begins with bytes that came just now. What waits
    /// for its turn may be complete.
    fn note_head(&self, is_new: bool) {
        let held = if self.framing.is_held_back() { 0 } else { self.held.len() - self.ready };
        if is_new {
            self.connection.hold_head(0);
        }
        self.connection.hold_head(if self.discards.is_none() { held } else { 0 });
        if held > 0 {
            self.connections.bound_bytes();
        }
    }

    /// Reads directly into `out`, and holds back an incomplete head.
    fn read_through(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        mut known: impl FnMut(&[u8]) -> Option<RequestLengths>,
    ) -> Poll<io::Result<usize>> {
        let before = out.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, out))?;
        let read = &out.filled()[before..];
        let length = read.len();
        let known = if self.framing.is_at_head() { known(read) } else { None };
        let pass = match known {
            Some(known) => self.framing.advance_known(read, known),
            None => self.framing.advance(read),
        };
        if pass < length {
            self.held.extend_from_slice(&read[pass..]);
            out.set_filled(before + pass);
            self.note_head(pass > 0);
        }
        Poll::Ready(Ok(length))
    }

    /// Reads more bytes after a held part of a head.
    fn read_behind(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        self.held.extend_from_slice(read.filled());
        self.advance_held();
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Frames the bytes held behind those that may be passed on already.
    fn advance_held(&mut self) {
        self.ready += self.framing.advance(&self.held[self.ready..]);
        self.note_head(self.ready > 0);
    }

    /// Reads and discards what a client sends after its last response. `Ready`: it has ended, or enough was discarded.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; READ_BYTES];
        while let Some(left) = self.discards.filter(|left| *left > 0) {
            if self.read >= TURN_BYTES {
                ready!(self.poll_turn(context));
            }
            let mut read = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut self.socket).poll_read(context, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    self.read += read.filled().len();
                    self.discards = Some(left.saturating_sub(read.filled().len()));
                }
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

/// Moves this many of the first bytes.
fn pass_from(bytes: &mut BytesMut, part: usize, out: &mut ReadBuf<'_>) {
    out.put_slice(&bytes[..part]);
    skip(bytes, part);
}

/// Removes this many of the first bytes, and frees the memory of what is empty then.
pub(super) fn skip(bytes: &mut BytesMut, part: usize) {
    bytes.advance(part);
    if bytes.is_empty() {
        *bytes = BytesMut::new();
    }
}

impl AsyncRead for InboundStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_known(context, out, |_| None)
    }
}

impl InboundStream {
    /// Reads. `known` says the lengths of a head that was passed on before, but for the digits of its body's length, if the
    /// bytes begin with one: it is not scanned again.
    pub(super) fn poll_known(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        mut known: impl FnMut(&[u8]) -> Option<RequestLengths>,
    ) -> Poll<io::Result<()>> {
        let own = self;
        loop {
            if !own.given_back.is_empty() {
                let part = own.given_back.len().min(out.remaining());
                pass_from(&mut own.given_back, part, out);
                return Poll::Ready(Ok(()));
            }
            if own.ready > 0 {
                own.pass(out);
                return Poll::Ready(Ok(()));
            }
            match own.connection.ending() {
                Some(EndMode::Abort) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Some(EndMode::Close) => return Poll::Ready(Ok(())),
                Some(EndMode::HeadTimeout) if own.discards.is_none() => {
                    own.refuse(HeadRefused::Timeout);
                    continue;
                }
                _ => {}
            }
            own.connection.polled_by(context);
            if own.discards.is_some() {
                // The response to the refused head ends the connection.
                return Poll::Pending;
            }
            if let Some(unfit) = own.framing.refused() {
                own.refuse(HeadRefused::Unfit(unfit));
                continue;
            }
            if own.is_lent {
                own.framing.let_pass(own.connection.ended() + 1);
                if !own.held.is_empty() && own.framing.is_held_back() {
                    own.connection.wake_when_served();
                    return Poll::Pending;
                }
                if !own.held.is_empty() && own.framing.is_at_head() {
                    own.advance_held();
                    continue;
                }
            }
            if own.read >= TURN_BYTES {
                ready!(own.poll_turn(context));
            }
            let before = out.filled().len();
            let read = match own.held.is_empty() {
                true => own.read_through(context, out, &mut known),
                false => own.read_behind(context),
            };
            if read.is_pending() {
                own.read = 0;
            }
            let read = ready!(read)?;
            own.read += read;
            if read == 0 || out.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for InboundStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let own = &mut *self;
        if own.connection.ending() == Some(EndMode::Abort) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if own.written >= TURN_BYTES {
            ready!(own.poll_turn(context));
        }
        let part = &bytes[..bytes.len().min(TURN_BYTES)];
        let written = Pin::new(&mut own.socket).poll_write(context, part);
        match &written {
            Poll::Pending => {
                own.written = 0;
                own.connection.polled_by(context);
                own.connection.write_blocked();
                own.connections.bound_bytes();
            }
            Poll::Ready(Ok(length)) => {
                own.written += length;
                own.connection.written(*length, *length == bytes.len());
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let own = &mut *self;
        ready!(Pin::new(&mut own.socket).poll_shutdown(context))?;
        if own.discards.is_some() && own.connection.ending() != Some(EndMode::Close) {
            own.connection.polled_by(context);
            ready!(own.poll_discard(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
pub(super) mod tests;
