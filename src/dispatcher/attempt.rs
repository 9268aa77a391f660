//! One attempt: the POST of one delivery, from its headers to the receiver's response. It is never repeated.
//! [`super::queue`] decides what happens after a failed attempt.

use std::time::{Instant, SystemTime};

use super::outbound::Outlet;
use crate::flow::drill;
use crate::model::delivery::Delivery;
use crate::model::outcome::Outcome;

/// Makes the attempt, which began at this time, where the receiver consents to it.
pub(super) async fn attempt(outlet: &Outlet, delivery: &Delivery, begun: Instant) -> (Outcome, Option<u16>) {
    drill::point(drill::Stage::Dispatcher);
    if let Err(ended) = outlet.consent(&delivery.target).await {
        return ended;
    }
    // The time that the attempt says it was made at.
    let unix_seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    outlet.post(delivery, unix_seconds, begun).await
}
