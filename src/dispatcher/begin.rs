//! What comes before the first byte of a delivery that is kept in a journal.

use crate::flow::in_flight::InFlight;
use crate::flow::keep::Begin;
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// Waits until the journal names the delivery as one whose attempt begins. `None` where it is too old, or where its
/// thread ends: then it stays in the journal.
pub(super) async fn may_begin(begin: Option<&dyn Begin>, metrics: &Metrics, mut queued: InFlight) -> Option<InFlight> {
    let (Some(kept), Some(begin)) = (queued.kept.take(), begin) else { return Some(queued) };
    if queued.accepted_at.elapsed() > begin.age_max() {
        queued.drop_unsent(metrics, Dropped::Expired);
        return None;
    }
    begin.begin(kept).await.ok().map(|()| queued)
}
