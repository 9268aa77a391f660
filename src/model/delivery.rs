//! Deliveries: a rendered body that is ready to send.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::firing::FiringId;
use super::target::Target;

/// The header that says how many deliveries in a row led to a request.
pub const HOPS: &str = "posthaste-hops";
/// An event that came through this many deliveries is part of a loop and refused.
pub const HOPS_MAX: u8 = 8;

/// One POST to make.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its firing. `None` for an entry of a stream that an earlier version wrote.
    pub firing: Option<FiringId>,
    /// Where it is sent.
    pub target: Arc<Target>,
    /// `webhook-id`: the same for the same event and trigger, on every node.
    pub webhook_id: HeaderValue,
    /// `content-type` of the body.
    pub content_type: HeaderValue,
    /// The rendered body.
    pub body: Bytes,
    /// How many deliveries in a row led to its event, including this one.
    pub hops: u8,
}
