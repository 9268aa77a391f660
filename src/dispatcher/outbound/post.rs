//! A POST as it is sent. The HTTP client does not see it: it sends a request without headers and body, for which
//! the stream writes this one. So a head is made once, as bytes, and a body is never copied.

use std::io::{self, IoSlice, Write as _};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::socket::Socket;

/// A POST to make.
pub(in crate::dispatcher) struct Post {
    /// The request line and the header fields, each with its line end, but for `content-length` and `connection`.
    pub(in crate::dispatcher) fields: Vec<u8>,
    pub(in crate::dispatcher) body: Bytes,
}

/// A POST that is being written.
pub(super) struct OutgoingPost {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
}

impl OutgoingPost {
    /// `closes`: the connection carries no other request.
    pub(super) fn new(Post { fields: mut head, body }: Post, closes: bool) -> Self {
        let _ = write!(head, "content-length: {}\r\n", body.len());
        head.extend_from_slice(if closes { b"connection: close\r\n\r\n" } else { b"\r\n" });
        Self { head, body, written: 0 }
    }

    /// Whether a byte may have been sent.
    pub(super) fn has_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes what is left.
    pub(super) fn poll_write(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.head.len() + self.body.len() {
            let (head, body) = match self.written.checked_sub(self.head.len()) {
                Some(written) => (&[][..], &self.body[written..]),
                None => (&self.head[self.written..], &self.body[..]),
            };
            let written = ready!(socket.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Poll::Ready(Ok(()))
    }
}
