//! Requests with events, served as they come from their connection. What the HTTP server and its router do with a small
//! request takes longer than all that is done with its event. So a connection has its usual requests with events read
//! and answered here, with the same parser of heads. The server has the connection for its other requests.

mod head;
mod payload;
mod response;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_web::ResponseError as _;
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::http::header::{CONNECTION, HeaderValue};
use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;

use super::DISCONNECT_WITHIN;
use super::framing::RequestLengths;
use super::response::{ResponseBody, ServedRequest};
use super::stream::{InboundStream, TURN_BYTES, skip};
use crate::flow::response::Receipt;
use crate::http::problem::Problem;
use crate::http::request::caller::written;
use crate::http::resources::events::{EventsCall, ResponseReceiver};
use head::EventsHead;
use payload::{DirectBody, poll_some, take_whole};
use response::ResponseHeads;

/// Serves such requests on one thread.
pub(super) struct DirectEvents {
    events: EventsCall,
    /// The buffer into which all streams are read. Each poll removes what it has read, so that a connection without a
    /// request needs no buffer of its own.
    room: RefCell<Box<[u8]>>,
    heads: RefCell<ResponseHeads>,
}

/// A connection until it has another request.
struct EventsConnection {
    stream: InboundStream,
    /// Bytes that were read and not used yet.
    ahead: BytesMut,
    head: EventsHead,
}

/// What a connection has next.
enum NextRequest {
    /// A request with events, whose body has this length.
    Events(u64),
    /// Something for the server.
    Other,
    /// Nothing more.
    Ended,
}

/// A connection has room for one.
type DirectResponse = Result<Receipt, Box<Problem>>;

impl DirectEvents {
    pub(super) fn new(events: EventsCall) -> Self {
        let room = RefCell::new(vec![0; TURN_BYTES].into());
        Self { events, room, heads: RefCell::new(ResponseHeads::new()) }
    }

    /// Whether these bytes begin with the head of a request that is served here.
    pub(super) fn serves(bytes: &[u8]) -> bool {
        head::is_usual(bytes)
    }

    /// Serves a connection. Returns its stream once it has a request for the server, with which it begins.
    pub(super) async fn serve(&self, stream: InboundStream, peer: SocketAddr) -> Option<InboundStream> {
        let mut own = EventsConnection { stream, ahead: BytesMut::new(), head: EventsHead::new(peer) };
        loop {
            let stays = match poll_fn(|context| self.poll_next(&mut own, context)).await {
                NextRequest::Events(body) => self.respond(&mut own, body).await.unwrap_or(false),
                NextRequest::Other => {
                    own.stream.give_back(own.ahead);
                    return Some(own.stream);
                }
                NextRequest::Ended => false,
            };
            if !stays {
                return None;
            }
        }
    }

    /// Reads up to the end of a head.
    fn poll_next(&self, own: &mut EventsConnection, context: &mut Context<'_>) -> Poll<NextRequest> {
        if !own.ahead.is_empty() {
            let lengths = own.head.read(&own.ahead);
            skip(&mut own.ahead, lengths.map_or(0, |lengths| lengths.head));
            return Poll::Ready(NextRequest::of(lengths));
        }
        let mut room = self.room.borrow_mut();
        let mut known = None;
        let like_last = |bytes: &[u8]| {
            known = own.head.like_last(bytes);
            known
        };
        let read = match ready!(poll_some(&mut own.stream, context, &mut room, like_last)) {
            Ok([]) | Err(_) => return Poll::Ready(NextRequest::Ended),
            Ok(read) => read,
        };
        let lengths = known.or_else(|| own.head.read(read));
        own.ahead = BytesMut::from(&read[lengths.map_or(0, |lengths| lengths.head)..]);
        Poll::Ready(NextRequest::of(lengths))
    }

    /// Serves one request. Returns whether the connection may have another. A client that goes away meanwhile is
    /// noticed when the response is written.
    async fn respond(&self, own: &mut EventsConnection, body: u64) -> io::Result<bool> {
        let served = ServedRequest::begin(Rc::clone(own.stream.connection()));
        // All but the usual is in memory of its own, so that a connection without a request is small.
        let (response, is_read) = match self.hand_over(own, body) {
            Some(Ok(response)) => (response.receive().await, true),
            Some(Err(problem)) => (Err(problem), true),
            None => Box::pin(self.receive(own, body)).await,
        };
        let response = response.map_err(Box::new);
        own.head.end();
        let (now, closes) = (Instant::now(), !is_read || served.connection().is_stopping());
        let Some(whole) = self.usual_response(&response, closes, now) else {
            return Box::pin(self.respond_in_parts(own, (response, served), (is_read, closes), now)).await;
        };
        own.stream.write_all(&whole).await?;
        served.end(now);
        Ok(true)
    }

    /// Hands on the events of a usual request: all of it is here, and its head is like the last one's.
    fn hand_over(&self, own: &mut EventsConnection, body: u64) -> Option<Result<ResponseReceiver, Problem>> {
        let EventsHead { request, known, .. } = &own.head;
        let known = known.as_ref().filter(|known| known.is_plain)?;
        let body = take_whole(&mut own.ahead, body)?;
        Some(self.events.hand_over(request, known, body))
    }

    /// Receives the events of any other request. Returns the response, and whether the whole body was read.
    async fn receive(&self, own: &mut EventsConnection, body: u64) -> (Result<Receipt, Problem>, bool) {
        let (stream, ahead) = (&mut own.stream, &mut own.ahead);
        let mut payload = DirectBody { stream, ahead, left: body, room: &self.room };
        let EventsHead { request, known, .. } = &mut own.head;
        let response = self.events.handle(request, known, body, &mut payload).await;
        (response, payload.discard().await)
    }

    /// The response that only says how many events were accepted, if that is all there is to say.
    fn usual_response(&self, response: &DirectResponse, closes: bool, now: Instant) -> Option<Rc<[u8]>> {
        let receipt = response.as_ref().ok().filter(|receipt| !closes && receipt.has_no_rejected())?;
        Some(self.heads.borrow_mut().accepted(receipt.accepted, now))
    }

    async fn respond_in_parts(
        &self,
        own: &mut EventsConnection,
        (response, served): (DirectResponse, ServedRequest),
        (is_read, closes): (bool, bool),
        now: Instant,
    ) -> io::Result<bool> {
        let (head, body, closes) = self.in_parts(response, closes, now);
        let (mut part, mut body) = (head, ResponseBody::new(BoxBody::new(body), Some(served)));
        loop {
            match poll_fn(|context| Pin::new(&mut body).poll_next(context)).await.transpose() {
                Ok(Some(next)) => part.extend_from_slice(&next),
                Ok(None) if part.is_empty() => break,
                Ok(None) => {}
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
            own.stream.write_all(&part).await?;
            part.clear();
        }
        drop(body);
        if closes {
            if !is_read || !own.ahead.is_empty() {
                own.stream.discard_rest();
            }
            tokio::time::timeout(DISCONNECT_WITHIN, own.stream.shutdown()).await??;
        }
        Ok(!closes)
    }

    /// The head of a response, its body, and whether it is the connection's last.
    fn in_parts(&self, response: DirectResponse, closes: bool, now: Instant) -> (Vec<u8>, Vec<u8>, bool) {
        let mut heads = self.heads.borrow_mut();
        match response {
            Ok(receipt) => {
                let body = written(&receipt);
                (heads.write_accepted(body.len(), closes, now), body, closes)
            }
            Err(problem) => {
                let response = problem.error_response();
                let says_so = response.headers().get(CONNECTION) == Some(&HeaderValue::from_static("close"));
                let (response, body) = response.into_parts();
                let body = body.try_into_bytes().map(Vec::from).unwrap_or_default();
                let closes = closes || says_so;
                let fields = response.headers().iter();
                (heads.write(response.status(), fields, (body.len(), closes), now), body, closes)
            }
        }
    }
}

/// The last response of a connection.
pub(super) fn last_response(problem: &Problem) -> Vec<u8> {
    let (response, body) = problem.error_response().into_parts();
    let body = body.try_into_bytes().map(Vec::from).unwrap_or_default();
    let head =
        ResponseHeads::new().write(response.status(), response.headers().iter(), (body.len(), true), Instant::now());
    [head, body].concat()
}

impl NextRequest {
    fn of(lengths: Option<RequestLengths>) -> Self {
        lengths.map_or(Self::Other, |lengths| Self::Events(lengths.body))
    }
}
