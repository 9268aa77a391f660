//! The step before the first byte of a delivery, which guarantees at most one attempt.

use crate::flow::in_flight::InFlight;
use crate::flow::journal::{AttemptJournal, AttemptStart};
use crate::model::outcome::DropReason;
use crate::telemetry::metrics::Metrics;

/// Waits until the attempt may begin: the claim is redeemed, if other nodes may hold the delivery too, and the journal
/// has recorded it, if there is one. `None` if another node redeemed the claim, if the delivery is too old, or if the
/// thread ends; the latter leaves the delivery in the journal.
pub(super) async fn may_begin(
    begin: Option<&dyn AttemptJournal>,
    metrics: &Metrics,
    mut queued: InFlight,
) -> Option<InFlight> {
    if let Some(claim) = queued.claim.take()
        && !claim.redeem().await
    {
        return None;
    }
    let (Some(journaled), Some(begin)) = (queued.journaled.take(), begin) else { return Some(queued) };
    if queued.accepted_at.elapsed() > begin.age_max() {
        queued.drop_unsent(metrics, DropReason::Expired);
        return None;
    }
    let group = begin.begin(journaled)?;
    if group.after(AttemptStart::Soon).await == AttemptStart::Later {
        queued.permit = None;
        group.after(AttemptStart::Later).await;
    }
    group.release_last(queued.permit.take());
    Some(queued)
}
