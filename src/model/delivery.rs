//! Deliveries: a rendered body that is ready to send.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::firing::FiringId;
use super::target::Target;

/// One POST to make.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What it is of. `None` for an entry of a stream that an earlier version wrote.
    pub firing: Option<FiringId>,
    /// Where it goes.
    pub target: Arc<Target>,
    /// `webhook-id`: the same for the same event and trigger, on every node.
    pub webhook_id: HeaderValue,
    /// `content-type` of the body.
    pub content_type: HeaderValue,
    /// The rendered body.
    pub body: Bytes,
}
