//! What is admitted, charged and given back.

use smallvec::smallvec;

use super::*;

#[test]
fn all_of_a_request_or_none() {
    let gate = Gate::for_events(3);
    let (tell, mut response) = oneshot::channel();
    let admitted = Arc::new(gate.admit_default(2, "taken", tell).expect("room"));
    let (tell, _) = oneshot::channel();
    let (reason, _) = gate.admit_default(2, "taken", tell).expect_err("no room for both");
    assert_eq!((reason, gate.events()), (Refusal::Full(ReachedBound::Events(2)), 2));
    let admit_other = |name: &str| {
        let (tell, _) = oneshot::channel();
        gate.admit(smallvec![(gate.account(&AccountId::new(name).expect("a name")), 2)], "taken", tell)
    };
    let paced = admit_other("other").expect("it holds nothing, and one permit is free");
    assert_eq!((gate.events(), gate.is_full()), (4, true));
    assert_eq!(admit_other("third").expect_err("no permit is free").0, Refusal::Full(ReachedBound::Events(2)));
    drop(paced);
    let copy = Arc::clone(&admitted);
    drop(admitted);
    assert!(response.try_recv().is_err(), "a piece of work is still under way");
    drop(copy);
    assert_eq!((response.try_recv(), gate.events()), (Ok("taken"), 0));
}

#[test]
fn what_was_accepted_before_is_not_charged_to_a_rate_again() {
    let events_per_s = std::num::NonZeroU32::new(1);
    let gate = Gate::new(NodeBounds { events: 9, deliveries: 9, bytes: 9, events_per_s }, 1);
    let one = || smallvec![(gate.account(&AccountId::default_account()), 1)];
    for _ in 0..5 {
        gate.admit_again(one(), (), oneshot::channel().0).expect("room");
    }
    assert!((0..5).any(|_| gate.admit(one(), (), oneshot::channel().0).is_err()), "new ones have a rate");
}

#[test]
fn a_request_that_is_refused_after_its_admission_owes_nothing() {
    let events_per_s = std::num::NonZeroU32::new(10);
    let gate = Gate::new(NodeBounds { events: 900, deliveries: 9, bytes: 9, events_per_s }, 1);
    let ten = || smallvec![(gate.account(&AccountId::default_account()), 10)];
    for _ in 0..5 {
        let admitted = gate.admit(ten(), "taken", oneshot::channel().0).expect("it owes nothing");
        admitted.replace_response("refused");
    }
    gate.admit(ten(), "taken", oneshot::channel().0).expect("it owes nothing");
    let refused = gate.admit(ten(), "taken", oneshot::channel().0).map_err(|(refusal, _)| refusal);
    assert!(matches!(refused, Err(Refusal::RateLimited { .. })), "{refused:?}");
}

#[actix_rt::test]
async fn a_closed_gate_empties() {
    let gate = Gate::for_events(3);
    let (tell, _response) = oneshot::channel();
    let admitted = gate.admit_default(1, (), tell).expect("room");
    let delivery = gate.count_delivery();
    gate.close();
    let (tell, _) = oneshot::channel();
    assert_eq!(gate.admit_default(1, (), tell).expect_err("closed").0, Refusal::Stopping);
    let waiting = actix_rt::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.emptied().await }
    });
    drop(admitted);
    drop(delivery);
    crate::flow::probe::soon(waiting).await.expect("emptied");
}
