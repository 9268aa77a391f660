//! What a delivery counts against until its attempt begins.

use std::sync::Arc;

use super::account::Charge;
use super::gate::{AdmittedEvents, StreamPermit};
use super::response::EventsResponse;

/// The permits that a request's events hold.
pub type Admission = Arc<AdmittedEvents<EventsResponse>>;

/// The bound that a waiting delivery counts against.
#[derive(Debug)]
pub enum Permit {
    /// The permits of the request that it came with, and its own charge to its account.
    Request(Admission, Charge),
    /// Its own charge to its account. Its request has its response.
    Account(Charge),
    /// A permit of its own: another node accepted it, and this node read it from a stream.
    Stream(StreamPermit),
}

impl Permit {
    /// Its delivery's charge; one that was read from a stream has none.
    pub(super) fn charge(&mut self) -> Option<&mut Charge> {
        match self {
            Self::Request(_, charge) | Self::Account(charge) => Some(charge),
            Self::Stream(_) => None,
        }
    }
}
