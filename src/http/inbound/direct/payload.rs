//! The body of a request that is served directly, as its bytes arrive.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use tokio::io::ReadBuf;

use super::super::framing::RequestLengths;
use super::super::stream::InboundStream;

/// A body, and how much of it is left to be read: first from the bytes that were read ahead, then from the stream.
pub(super) struct DirectBody<'a> {
    pub(super) stream: &'a mut InboundStream,
    /// Bytes that were read ahead. Those after the body stay in it.
    pub(super) ahead: &'a mut BytesMut,
    pub(super) left: u64,
    /// The buffer into which the stream is read.
    pub(super) room: &'a RefCell<Box<[u8]>>,
}

/// Reads what has arrived into this room. `known`: see [`InboundStream::poll_known`]. Nothing: the connection has ended.
pub(super) fn poll_some<'a>(
    stream: &mut InboundStream,
    context: &mut Context<'_>,
    room: &'a mut [u8],
    known: impl FnMut(&[u8]) -> Option<RequestLengths>,
) -> Poll<io::Result<&'a [u8]>> {
    let mut read = ReadBuf::new(room);
    ready!(stream.poll_known(context, &mut read, known))?;
    let length = read.filled().len();
    Poll::Ready(Ok(&room[..length]))
}

/// A body of this length, if all of it was read ahead.
pub(super) fn take_whole(ahead: &mut BytesMut, length: u64) -> Option<Bytes> {
    let length = usize::try_from(length).ok().filter(|length| *length <= ahead.len())?;
    // The rest of the buffer has no use if there is nothing behind the body.
    let all = length == ahead.len();
    Some(if all { std::mem::take(ahead) } else { ahead.split_to(length) }.freeze())
}

impl DirectBody<'_> {
    /// How many of these bytes belong to the body.
    fn part(&self, bytes: usize) -> usize {
        usize::try_from(self.left).map_or(bytes, |left| left.min(bytes))
    }

    /// Discards what has arrived of it. Returns whether that is all.
    pub(super) async fn discard(&mut self) -> bool {
        poll_fn(|context| {
            while self.left > 0 && matches!(Pin::new(&mut *self).poll_next(context), Poll::Ready(Some(Ok(_)))) {}
            Poll::Ready(self.left == 0)
        })
        .await
    }
}

impl Stream for DirectBody<'_> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let own = &mut *self;
        if own.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(rest) = take_whole(own.ahead, own.left) {
            own.left = 0;
            return Poll::Ready(Some(Ok(rest)));
        }
        let part = if own.ahead.is_empty() {
            let mut room = own.room.borrow_mut();
            let read = match ready!(poll_some(own.stream, context, &mut room, |_| None)) {
                Ok([]) => return Poll::Ready(Some(Err(PayloadError::Incomplete(None)))),
                Ok(read) => read,
                Err(error) => return Poll::Ready(Some(Err(PayloadError::Incomplete(Some(error))))),
            };
            let (part, rest) = read.split_at(own.part(read.len()));
            own.ahead.extend_from_slice(rest);
            Bytes::copy_from_slice(part)
        } else {
            std::mem::take(own.ahead).freeze()
        };
        own.left -= part.len() as u64;
        Poll::Ready(Some(Ok(part)))
    }
}
