//! One attempt: whether it may begin, and the POST of one delivery, from its headers to the receiver's response. It is
//! never repeated. [`super::queue`] decides what happens after a failed attempt.

use std::time::Instant;

use super::outbound::Outlet;
use crate::flow::drill;
use crate::flow::in_flight::InFlight;
use crate::flow::journal::{AttemptJournal, AttemptStart};
use crate::model::delivery::Delivery;
use crate::model::outcome::{DropReason, Outcome};
use crate::telemetry::metrics::Metrics;

/// Waits until the attempt may begin: the claim is redeemed, if other nodes may hold the delivery too, and the journal
/// has recorded it, if there is one. `None` if another node redeemed the claim, if the delivery is too old, or if the
/// thread ends; the latter leaves the delivery in the journal. `now`: when its turn came.
pub(super) async fn may_begin(
    journal: Option<&dyn AttemptJournal>,
    metrics: &Metrics,
    mut queued: InFlight,
    now: Instant,
) -> Option<InFlight> {
    if let Some(claim) = queued.claim.take()
        && !claim.redeem().await
    {
        return None;
    }
    let (Some(journaled), Some(journal)) = (queued.journaled.take(), journal) else { return Some(queued) };
    if now.saturating_duration_since(queued.accepted_at) > journal.age_max() {
        queued.drop_unsent(metrics, DropReason::Expired);
        return None;
    }
    let group = journal.begin(journaled)?;
    if group.after(AttemptStart::Soon).await == AttemptStart::Later {
        queued.permit = None;
        group.after(AttemptStart::Later).await;
    }
    group.release_last(queued.permit.take());
    Some(queued)
}

/// Makes the attempt, which began at this time, if the receiver consents to it.
pub(super) async fn attempt(outlet: &Outlet, delivery: &Delivery, begun: Instant) -> (Outcome, Option<u16>) {
    drill::point(drill::Stage::Dispatcher);
    if let Err(ended) = outlet.consent(&delivery.target).await {
        return ended;
    }
    outlet.post(delivery, begun).await
}
