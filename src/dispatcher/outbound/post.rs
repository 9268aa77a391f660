//! A POST as it is sent. The HTTP client does not see it: it sends a request without headers and body, for which
//! the stream writes this one. So a head is made once, as bytes, and a large body is never copied.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::socket::Socket;

/// A body of at most this many bytes is copied behind the head: one buffer costs the kernel less to write than two,
/// and the copy costs less than the difference.
const JOINED_BYTES_MAX: usize = 4_096;

/// A POST to make.
pub(in crate::dispatcher) struct Post<'a> {
    /// The request line and the header fields, each with its line end, but for `content-length` and `connection`.
    pub(in crate::dispatcher) fields: Vec<u8>,
    pub(in crate::dispatcher) body: &'a Bytes,
}

impl Post<'_> {
    /// How much room the fields should have behind them for this body.
    pub(in crate::dispatcher) fn bytes_behind_fields(body: &Bytes) -> usize {
        if body.len() <= JOINED_BYTES_MAX { body.len() } else { 0 }
    }
}

/// A number as its decimal digits. A head has several, and the standard library's way to write them takes longer than
/// the rest of the head.
pub(in crate::dispatcher) struct DecimalDigits {
    digits: [u8; 20],
    first: usize,
}

impl DecimalDigits {
    pub(in crate::dispatcher) fn of(mut number: u64) -> Self {
        let (mut digits, mut first) = ([b'0'; 20], 20);
        for digit in digits.iter_mut().rev() {
            *digit += (number % 10) as u8;
            (number, first) = (number / 10, first - 1);
            if number == 0 {
                break;
            }
        }
        Self { digits, first }
    }

    pub(in crate::dispatcher) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.first..]
    }
}

/// A POST that is being written.
pub(super) struct OutgoingPost {
    head: Vec<u8>,
    /// Empty where the body is behind the head already.
    body: Bytes,
    written: usize,
}

impl OutgoingPost {
    /// `closes`: the connection carries no other request.
    pub(super) fn new(Post { fields: mut head, body }: Post<'_>, closes: bool) -> Self {
        let end: &[u8] = if closes { b"\r\nconnection: close\r\n\r\n" } else { b"\r\n\r\n" };
        for part in [b"content-length: ", DecimalDigits::of(body.len() as u64).as_bytes(), end] {
            head.extend_from_slice(part);
        }
        let body = if body.len() <= JOINED_BYTES_MAX {
            head.extend_from_slice(body);
            Bytes::new()
        } else {
            body.clone()
        };
        Self { head, body, written: 0 }
    }

    /// Whether a byte may have been sent.
    pub(super) fn has_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes what is left.
    pub(super) fn poll_write(&mut self, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.head.len() + self.body.len() {
            let written = match self.written.checked_sub(self.head.len()) {
                Some(written) => socket.poll_write(cx, &self.body[written..]),
                None if self.body.is_empty() => socket.poll_write(cx, &self.head[self.written..]),
                None => {
                    let parts = [IoSlice::new(&self.head[self.written..]), IoSlice::new(&self.body)];
                    socket.poll_write_vectored(cx, &parts)
                }
            };
            let written = ready!(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::DecimalDigits;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([0, u64::MAX]) {
            assert_eq!(DecimalDigits::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
