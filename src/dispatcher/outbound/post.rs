//! A POST as it is sent. Its head is made as bytes, and a large body is never copied. What the POSTs of one trigger have in
//! common comes first, so that a connection keeps it from one to the next.

use std::io::{self, IoSlice};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http::header::ACCEPT;

use super::socket::Socket;
use crate::dispatcher::signature::signatures;
use crate::model::delivery::{Delivery, HOPS};
use crate::model::headers::is_own;
use crate::model::target::Target;

const AGENT_LINE: &str = concat!("user-agent: posthaste/", env!("CARGO_PKG_VERSION"), "\r\n");
/// The bytes of a usual head without its URL and the trigger's own headers.
const USUAL_HEAD_BYTES: usize = 384;

/// A body of at most this many bytes is copied behind the head: one buffer costs the kernel less to write than two,
/// and the copy costs less than the difference.
const JOINED_BYTES_MAX: usize = 4_096;

/// A number as its decimal digits. A head has several, and the standard library's way to write them takes longer than
/// the rest of the head.
struct DecimalDigits {
    digits: [u8; 20],
    first: usize,
}

impl DecimalDigits {
    fn of(mut number: u64) -> Self {
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

    fn as_bytes(&self) -> &[u8] {
        &self.digits[self.first..]
    }
}

/// What the first fields of a head are made of.
#[derive(Default)]
struct SharedFields {
    /// Only compared: the trigger may be gone.
    target: Weak<Target>,
    content_type: Option<HeaderValue>,
    hops: u8,
    unix_seconds: u64,
    /// Where they end.
    end: usize,
}

/// A POST that is being written. Its memory serves all POSTs of a connection.
#[derive(Default)]
pub(super) struct OutgoingPost {
    head: Vec<u8>,
    shared: SharedFields,
    /// Empty where the body is behind the head already.
    body: Bytes,
    written: usize,
}

impl OutgoingPost {
    /// Begins the POST of this delivery, whose signatures may be there already. `closes`: the connection carries no other
    /// request.
    pub(super) fn begin(&mut self, delivery: &Delivery, unix_seconds: u64, signed: Option<String>, closes: bool) {
        let Self { head, shared, written, .. } = self;
        *written = 0;
        if shared.are_of(delivery, unix_seconds) {
            head.truncate(shared.end);
        } else {
            head.clear();
            write_shared(head, delivery, unix_seconds);
            *shared = SharedFields {
                target: Arc::downgrade(&delivery.target),
                content_type: Some(delivery.content_type.clone()),
                hops: delivery.hops,
                unix_seconds,
                end: head.len(),
            };
        }
        head.extend_from_slice(b"webhook-id: ");
        head.extend_from_slice(delivery.webhook_id.as_bytes());
        if let Some(signatures) = signed.or_else(|| signatures(delivery, unix_seconds)) {
            head.extend_from_slice(b"\r\nwebhook-signature: ");
            head.extend_from_slice(signatures.as_bytes());
        }
        let body = &delivery.body;
        head.extend_from_slice(b"\r\ncontent-length: ");
        head.extend_from_slice(DecimalDigits::of(body.len() as u64).as_bytes());
        head.extend_from_slice(if closes { b"\r\nconnection: close\r\n\r\n" } else { b"\r\n\r\n" });
        self.body = if body.len() <= JOINED_BYTES_MAX {
            head.extend_from_slice(body);
            Bytes::new()
        } else {
            body.clone()
        };
    }

    /// The POST is over; the body belongs to its delivery.
    pub(super) fn end(&mut self) {
        if !self.body.is_empty() {
            self.body = Bytes::new();
        }
    }

    /// Whether a byte may have been sent.
    pub(super) fn has_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes what is left, and has it sent.
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
        socket.poll_flush(cx)
    }
}

impl SharedFields {
    fn are_of(&self, delivery: &Delivery, unix_seconds: u64) -> bool {
        (self.unix_seconds, self.hops) == (unix_seconds, delivery.hops)
            && std::ptr::eq(self.target.as_ptr(), Arc::as_ptr(&delivery.target))
            && self.content_type.as_ref() == Some(&delivery.content_type)
    }
}

/// Writes the request line and the fields that deliveries of a target have in common for a second.
fn write_shared(head: &mut Vec<u8>, delivery: &Delivery, unix_seconds: u64) {
    let target = &delivery.target;
    let path = target.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let own = target.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    head.reserve(USUAL_HEAD_BYTES + path.len() + own.sum::<usize>() + delivery.body.len().min(JOINED_BYTES_MAX));
    let accept: &[u8] = if target.headers.iter().any(|(name, _)| *name == ACCEPT) { b"" } else { b"accept: */*\r\n" };
    for part in [
        b"POST ",
        path.as_bytes(),
        b" HTTP/1.1\r\nhost: ",
        target.host.as_bytes(),
        b"\r\ncontent-type: ",
        delivery.content_type.as_bytes(),
        b"\r\n",
        AGENT_LINE.as_bytes(),
        accept,
    ] {
        head.extend_from_slice(part);
    }
    // What another program wrote to a stream must not frame the request either.
    for (name, value) in target.headers.iter().filter(|(name, _)| !is_own(name.as_str())) {
        field(head, name.as_str(), value.as_bytes());
    }
    field(head, "webhook-timestamp", DecimalDigits::of(unix_seconds).as_bytes());
    field(head, HOPS, DecimalDigits::of(delivery.hops.into()).as_bytes());
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::WebhookId;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers.flat_map(|power| [power - 1, power, power + 1]).chain([0, u64::MAX]) {
            assert_eq!(DecimalDigits::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn a_post_does_not_depend_on_those_before_it() {
        let own = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
        let target = |url, headers: &[_]| Arc::new(Target::read(url, headers, Vec::new()).expect("a target"));
        let first = target("http://one.example/a", &own("x-own", "1"));
        let other = target("http://one.example/b?c", &own("accept", "text/plain"));
        let (mut kept, mut sent) = (OutgoingPost::default(), 0);
        for (number, body) in ["", "short", &"long".repeat(JOINED_BYTES_MAX), "short"].into_iter().enumerate() {
            // Each differs from the one before it in one respect.
            for (target, content_type, unix_seconds, hops) in [
                (&first, "a/b", 1, 1),
                (&other, "a/b", 1, 1),
                (&first, "a/b", 1, 1),
                (&first, "c/d", 1, 1),
                (&first, "c/d", 2, 1),
                (&first, "c/d", 2, 2),
                (&first, "c/d", 2, 2),
            ] {
                let delivery = Delivery {
                    firing: None,
                    target: Arc::clone(target),
                    webhook_id: WebhookId::of([number as u8; 16]),
                    content_type: HeaderValue::from_static(content_type),
                    body: Bytes::copy_from_slice(body.as_bytes()),
                    hops,
                };
                let mut fresh = OutgoingPost::default();
                for post in [&mut fresh, &mut kept] {
                    post.begin(&delivery, unix_seconds, None, number == 1);
                }
                assert_eq!((&kept.head, &kept.body), (&fresh.head, &fresh.body));
                sent += 1;
            }
        }
        kept.end();
        assert_eq!((sent, kept.body.len()), (28, 0));
    }
}
