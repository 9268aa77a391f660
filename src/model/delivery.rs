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
    /// Its firing. `None` for an entry of a stream that another program wrote without it.
    pub firing: Option<FiringId>,
    /// Where it is sent.
    pub target: Arc<Target>,
    /// `webhook-id`: the same for the same event and trigger, on every node.
    pub webhook_id: WebhookId,
    /// `content-type` of the body.
    pub content_type: HeaderValue,
    /// The rendered body.
    pub body: Bytes,
    /// How many deliveries in a row led to its event, including this one.
    pub hops: u8,
}

/// The value of `webhook-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookId {
    /// As this node makes it. It needs no memory of its own.
    Made([u8; WEBHOOK_ID_BYTES]),
    /// As an entry of a stream has it.
    Read(HeaderValue),
}

/// The length of an id that is made here.
const WEBHOOK_ID_BYTES: usize = WEBHOOK_ID_PREFIX.len() + 32;
const WEBHOOK_ID_PREFIX: &[u8] = b"msg_";

impl WebhookId {
    /// An id with these bytes as hexadecimal digits.
    pub fn of(bytes: [u8; 16]) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; WEBHOOK_ID_BYTES];
        let (prefix, digits) = text.split_at_mut(WEBHOOK_ID_PREFIX.len());
        prefix.copy_from_slice(WEBHOOK_ID_PREFIX);
        for (at, byte) in bytes.into_iter().enumerate() {
            digits[2 * at] = HEX[usize::from(byte >> 4)];
            digits[2 * at + 1] = HEX[usize::from(byte & 15)];
        }
        Self::Made(text)
    }

    /// Its text.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Made(text) => text,
            Self::Read(value) => value.as_bytes(),
        }
    }
}
