//! A connected socket, plain or with TLS, and what can be learned of it without waiting.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::records::RecordTransport;

/// A connection to a receiver.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<RecordTransport>>),
}

/// The state of an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdleState {
    /// Nothing has arrived.
    Kept,
    /// The receiver has closed it.
    Closed,
    /// Data that was not requested has arrived.
    Broken,
    /// A TLS alert: with TLS 1.3 the receiver can refuse the node's certificate, or its absence, after the node's
    /// handshake is complete.
    Alert,
}

impl Socket {
    /// Checks what has arrived. The runtime may not know of it yet, so the system is asked directly.
    pub(super) fn silence(&mut self) -> IdleState {
        match self {
            Self::Plain(tcp) => match receive(tcp, &mut [0], RecvFlags::empty()) {
                Ok(0) => IdleState::Closed,
                Ok(_) => IdleState::Broken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => IdleState::Kept,
                Err(_) => IdleState::Closed,
            },
            Self::Tls(tls) => tls_silence(tls),
        }
    }

    /// Whether a failed write means that no byte was written. With TLS, a record may have been sent.
    pub(super) fn writes_all_or_nothing(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => {
                // What one read brings; `poll_read` would look for more until the buffer is full.
                let read = match ready!(Pin::new(&mut **tls).poll_fill_buf(cx)) {
                    Ok(bytes) => &bytes[..bytes.len().min(buffer.remaining())],
                    // Many servers close the connection without a TLS close; HTTP has its own end.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => &[],
                    Err(error) => return Poll::Ready(Err(error)),
                };
                buffer.put_slice(read);
                let read = read.len();
                Pin::new(&mut **tls).consume(read);
                Poll::Ready(Ok(()))
            }
        }
    }

    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, parts),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, parts),
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

/// Reads what the system holds, bypassing the runtime.
fn receive(tcp: &TcpStream, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    Ok(recv(tcp, buffer, RecvFlags::DONTWAIT | flags)?.0)
}

struct RawSocket<'a>(&'a TcpStream);

impl io::Read for RawSocket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self.0, buffer, RecvFlags::empty())
    }
}

/// Session tickets may arrive at any time and are ignored; data and alerts are not.
fn tls_silence(tls: &mut TlsStream<RecordTransport>) -> IdleState {
    let (RecordTransport(tcp), session) = tls.get_mut();
    // The session holds nothing to read and no close: mostly nothing has arrived either.
    let is_silent = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
    if session.wants_read() && receive(tcp, &mut [0], RecvFlags::PEEK).is_err_and(is_silent) {
        return IdleState::Kept;
    }
    loop {
        // First what the session holds already: one record can hold the end of a response and more.
        match session.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() > 0 => return IdleState::Broken,
            Ok(state) if state.peer_has_closed() => return IdleState::Closed,
            Ok(_) => {}
            Err(_) => return IdleState::Alert,
        }
        match session.read_tls(&mut RawSocket(tcp)) {
            Ok(0) => return IdleState::Closed,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return IdleState::Kept,
            Err(_) => return IdleState::Closed,
        }
    }
}
