//! The bodies of responses on their way to a connection: handed over in parts, so that what a client does not read is
//! held once and counted while it is held.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

use super::client_connection::ClientConnection;

/// The size of a part: less than what the server buffers before it writes.
pub(super) const PART_BYTES: usize = 16 << 10;

/// A request that is being served. It ends when its response ends.
pub(super) struct ServedRequest {
    connection: Rc<ClientConnection>,
    ended: Option<Instant>,
}

impl ServedRequest {
    pub(super) fn begin(connection: Rc<ClientConnection>) -> Self {
        connection.request_begins();
        Self { connection, ended: None }
    }

    pub(super) fn connection(&self) -> &ClientConnection {
        &self.connection
    }

    /// Its response was handed to the stream, at about this time.
    pub(super) fn end(mut self, now: Instant) {
        self.ended = Some(now);
    }
}

impl Drop for ServedRequest {
    fn drop(&mut self) {
        self.connection.request_ends(self.ended.unwrap_or_else(Instant::now));
    }
}

/// A response's body, and the request that it belongs to.
pub(super) struct ResponseBody {
    content: BodyContent,
    served: Option<ServedRequest>,
}

enum BodyContent {
    /// Complete in memory. What is left of it counts as held.
    Whole(Bytes),
    /// Produced while it is sent, or small.
    Other(BoxBody),
}

impl ResponseBody {
    pub(super) fn new(body: BoxBody, served: Option<ServedRequest>) -> Self {
        let content = match body.size() {
            BodySize::Sized(size) if size > PART_BYTES as u64 => match body.try_into_bytes() {
                Ok(bytes) => BodyContent::Whole(bytes),
                Err(body) => BodyContent::Other(body),
            },
            _ => BodyContent::Other(body),
        };
        let own = Self { content, served };
        own.count();
        own
    }

    /// Counts what is left.
    fn count(&self) {
        if let (BodyContent::Whole(bytes), Some(served)) = (&self.content, &self.served) {
            served.connection().hold_response(bytes.len());
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (BodyContent::Whole(_), Some(served)) = (&self.content, &self.served) {
            served.connection().hold_response(0);
        }
    }
}

impl MessageBody for ResponseBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        match &self.content {
            BodyContent::Whole(bytes) => BodySize::Sized(bytes.len() as u64),
            BodyContent::Other(body) => body.size(),
        }
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.content {
            BodyContent::Other(body) => Pin::new(body).poll_next(context),
            BodyContent::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            BodyContent::Whole(bytes) => {
                let part = bytes.split_to(bytes.len().min(PART_BYTES));
                self.count();
                Poll::Ready(Some(Ok(part)))
            }
        }
    }
}
