//! One attempt: the POST of one delivery, from its headers to its outcome. It is made once only. [`super::queue`]
//! decides what follows a failed attempt.

use std::time::SystemTime;

use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue};

use super::outbound::Outlet;
use super::signature::signatures;
use crate::model::delivery::{self, Delivery};
use crate::model::outcome::Outcome;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const HOPS: HeaderName = HeaderName::from_static(delivery::HOPS);
const AGENT: HeaderValue = HeaderValue::from_static(concat!("posthaste/", env!("CARGO_PKG_VERSION")));
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// Makes the attempt once the receiver's consent and rate allow it.
pub(super) async fn attempt(outlet: &Outlet, delivery: &Delivery) -> (Outcome, Option<u16>) {
    if let Err(ended) = outlet.await_consent(&delivery.target).await {
        return ended;
    }
    // The time of the attempt, for its signature.
    let unix_seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let request = request(outlet, delivery, unix_seconds);
    outlet.exchange(request.send_body(delivery.body.clone())).await
}

fn request(outlet: &Outlet, delivery: &Delivery, unix_seconds: u64) -> awc::ClientRequest {
    let target = &delivery.target;
    let mut request = outlet.post(&target.uri);
    let headers = request.headers_mut();
    // The headers that are added below.
    headers.reserve(8 + target.headers.len());
    headers.insert(HOST, target.host.clone());
    headers.insert(CONTENT_TYPE, delivery.content_type.clone());
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT, ANYTHING);
    if let Some(signatures) = signatures(&target.secrets, delivery, unix_seconds) {
        headers.insert(WEBHOOK_SIGNATURE, signatures);
    }
    headers.insert(WEBHOOK_ID, delivery.webhook_id.clone());
    headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(unix_seconds));
    headers.insert(HOPS, HeaderValue::from(u16::from(delivery.hops)));
    for (name, value) in &target.headers {
        headers.insert(name.clone(), value.clone());
    }
    request
}
