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
    /// Releases another one together with this, or returns it if they are not of one request, or of one account without
    /// a request.
    pub fn absorb(&mut self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Request(own, charge), Self::Request(request, other)) if Arc::ptr_eq(own, &request) => {
                charge.absorb(other).map(|other| Self::Request(request, other))
            }
            (Self::Account(charge), Self::Account(other)) => charge.absorb(other).map(Self::Account),
            (_, other) => Some(other),
        }
    }
}
