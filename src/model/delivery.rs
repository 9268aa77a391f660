//! Deliveries: a rendered body that is ready to send.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::target::Target;

/// One POST to make.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where it goes.
    pub target: Arc<Target>,
    /// `webhook-id`: the same for the same event and trigger, on every node.
    pub webhook_id: HeaderValue,
    /// `content-type` of the body.
    pub content_type: HeaderValue,
    /// The rendered body.
    pub body: Bytes,
}
