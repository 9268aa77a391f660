//! One attempt: the POST of one delivery, from its headers to the receiver's response. It is never repeated.
//! [`super::queue`] decides what happens after a failed attempt.

use std::time::{Instant, SystemTime};

use http::header::ACCEPT;

use super::outbound::{DecimalDigits, Outlet, Post};
use super::signature::signatures;
use crate::flow::drill;
use crate::model::delivery::{Delivery, HOPS};
use crate::model::headers::is_own;
use crate::model::outcome::Outcome;

const AGENT_LINE: &str = concat!("user-agent: posthaste/", env!("CARGO_PKG_VERSION"), "\r\n");
/// The bytes of a usual head without its URL and the trigger's own headers.
const USUAL_HEAD_BYTES: usize = 384;

/// Makes the attempt, which began at this time, where the receiver consents to it.
pub(super) async fn attempt(outlet: &Outlet, delivery: &Delivery, begun: Instant) -> (Outcome, Option<u16>) {
    drill::point(drill::Stage::Dispatcher);
    if let Err(ended) = outlet.consent(&delivery.target).await {
        return ended;
    }
    // The time that the attempt says it was made at.
    let unix_seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    outlet.post(Post { fields: fields(delivery, unix_seconds), body: &delivery.body }, begun).await
}

/// The request line and the header fields, but for those that frame the request.
fn fields(delivery: &Delivery, unix_seconds: u64) -> Vec<u8> {
    let target = &delivery.target;
    let path = target.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let own = target.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let behind = Post::bytes_behind_fields(&delivery.body);
    let mut head = Vec::with_capacity(USUAL_HEAD_BYTES + path.len() + own.sum::<usize>() + behind);
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
        b"webhook-id: ",
        delivery.webhook_id.as_bytes(),
        b"\r\nwebhook-timestamp: ",
        DecimalDigits::of(unix_seconds).as_bytes(),
        b"\r\n",
    ] {
        head.extend_from_slice(part);
    }
    field(&mut head, HOPS, DecimalDigits::of(delivery.hops.into()).as_bytes());
    if let Some(signatures) = signatures(&target.secrets, delivery, unix_seconds) {
        field(&mut head, "webhook-signature", signatures.as_bytes());
    }
    // What another program wrote to a stream must not frame the request either.
    for (name, value) in target.headers.iter().filter(|(name, _)| !is_own(name.as_str())) {
        field(&mut head, name.as_str(), value.as_bytes());
    }
    head
}

fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}
