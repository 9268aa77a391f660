//! What comes before the first byte of a delivery, so that there is one attempt at most.

use crate::flow::in_flight::InFlight;
use crate::flow::keep::{Begin, Turn};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// Waits until the attempt may begin: until this node has won the delivery, where other nodes may hold it too, or until
/// the journal names it as begun, where it is kept in one. `None` where another node has won it, where it is too old, or
/// where the thread ends, which leaves it in the journal.
pub(super) async fn may_begin(begin: Option<&dyn Begin>, metrics: &Metrics, mut queued: InFlight) -> Option<InFlight> {
    if let Some(claim) = queued.claim.take()
        && !claim.redeem().await
    {
        return None;
    }
    let (Some(kept), Some(begin)) = (queued.kept.take(), begin) else { return Some(queued) };
    if queued.accepted_at.elapsed() > begin.age_max() {
        queued.drop_unsent(metrics, Dropped::Expired);
        return None;
    }
    let mut turn = begin.begin(kept);
    while let Turn::Later(next) = turn.await.ok()? {
        queued.permit = None;
        turn = next;
    }
    Some(queued)
}
