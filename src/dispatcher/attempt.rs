//! One attempt: whether it may begin, and the POST of one delivery, from its headers to the receiver's response. It is
//! never repeated. [`super::queue`] decides what happens after a failed attempt.

use std::rc::Rc;
use std::time::Instant;

use super::outbound::{DeadlineSeat, Outlet};
use crate::flow::drill;
use crate::flow::in_flight::InFlight;
use crate::flow::journal::{AttemptGroup, AttemptJournal, AttemptStart};
use crate::flow::task_waker::TaskWaker;
use crate::model::delivery::Delivery;
use crate::model::outcome::{DropReason, Outcome};
use crate::telemetry::metrics::Metrics;

/// A delivery, and if there is a journal, the attempts whose begin is recorded together with its own.
pub(super) type RecordedDelivery = (InFlight, Option<Rc<AttemptGroup>>);

/// Redeems the claim, if other nodes may hold the delivery too. Returns whether the attempt is this node's.
pub(super) async fn redeem(queued: &mut InFlight) -> bool {
    match queued.claim.take() {
        Some(claim) => claim.redeem().await,
        None => true,
    }
}

/// Has the journal record that the attempt begins, if there is one. `None` if the delivery is too old; `now`: when its
/// turn came.
pub(super) fn record(
    journal: Option<&dyn AttemptJournal>,
    metrics: &Metrics,
    mut queued: InFlight,
    now: Instant,
) -> Option<RecordedDelivery> {
    let (Some(journaled), Some(journal)) = (queued.journaled.take(), journal) else { return Some((queued, None)) };
    if queued.accepted_at.checked_add(journal.age_max()).is_some_and(|until| now > until) {
        queued.drop_unsent(metrics, DropReason::Expired);
        return None;
    }
    let group = journal.begin(journaled)?;
    Some((queued, Some(group)))
}

/// Waits until the attempt may begin, since its record is written. If the thread ends first, the delivery stays in the
/// journal.
pub(super) async fn recorded(queued: &mut InFlight, group: Rc<AttemptGroup>, worker: &Rc<TaskWaker>) {
    if group.after(AttemptStart::Soon, worker).await == AttemptStart::Later {
        queued.permit = None;
        group.after(AttemptStart::Later, worker).await;
    }
    group.release_last(queued.permit.take());
}

/// Makes the attempt, which began at this time, if the receiver consents to it.
pub(super) async fn attempt(
    outlet: &Outlet,
    delivery: &Delivery,
    begun: Instant,
    seat: &DeadlineSeat,
) -> (Outcome, Option<u16>) {
    drill::point(drill::Stage::Dispatcher);
    if let Err(ended) = outlet.consent(&delivery.target, seat).await {
        return ended;
    }
    outlet.post(delivery, begun, seat).await
}
