//! The Ingester alone: requests before it, a probe behind it.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::flow::fairness::Pool;
use crate::flow::probe::{Probe, soon};

struct Alone {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    ingester: InboxSender<EventsReceived>,
}

impl Alone {
    /// Two events may be in flight.
    fn start() -> (Self, mpsc::UnboundedReceiver<EventsAdmitted>) {
        let (matcher, passed) = Probe::start_behind_inbox();
        (Self::start_before(matcher), passed)
    }

    fn start_before(matcher: InboxSender<EventsAdmitted>) -> Self {
        let (gate, metrics) = (Gate::for_events(2), Arc::new(Metrics::new()));
        let (own, background) = (Arc::clone(&gate), Background::new(1));
        let (window, last_account, own_metrics) = (None, LastAccount::default(), Arc::clone(&metrics));
        let ingesting = IngestContext { gate: own, last_account, metrics: own_metrics, window, background, matcher };
        Self { gate, metrics, ingester: Ingester::start(ingesting) }
    }

    fn post(&self, payer: u64, body: impl Into<Bytes>) -> oneshot::Receiver<EventsResponse> {
        let (reply, response) = oneshot::channel();
        let source = RequestContent { body: body.into(), headers: Vec::new() };
        let unread = UnreadEvents { source, encoding: encoding::ALL[0], only_account: None, hops: 0 };
        let body = Pool::<()>::new(1 << 20, 8).apart().take_some(0);
        self.ingester.send(EventsReceived { unread, payer: Payer::Key(payer), body, reply }).expect("it lives");
        response
    }
}

const EVENT: &str = r#"{"type":"a","data":{}}"#;

#[actix_rt::test]
async fn good_events_pass_and_the_full_gate_refuses_all() {
    let (alone, mut passed) = Alone::start();
    let mut response = alone.post(1, r#"[{"type":"a","data":{}},{"type":"b"},{"type":"c","data":{}}]"#);
    let message = soon(passed.recv()).await.expect("passed on");
    assert_eq!(message.events.len(), 2);
    assert!(response.try_recv().is_err(), "responded before the work was handed over");

    assert_eq!(soon(alone.post(1, EVENT)).await, Ok(Err(Refusal::Full(ReachedBound::Events(1)))));

    drop(message);
    let receipt = soon(response).await.expect("a response").expect("a receipt");
    assert_eq!((receipt.accepted, receipt.rejected[0].index), (2, 1));
    assert_eq!(alone.gate.events(), 0);
}

#[actix_rt::test]
async fn without_a_next_stage_nothing_is_accepted() {
    let alone = Alone::start_before(Probe::gone_behind_inbox().await);
    assert_eq!(soon(alone.post(1, EVENT)).await, Ok(Err(Refusal::Stopping)));
    assert_eq!((alone.gate.events(), alone.metrics.events.accepted.get()), (0, 0));
}

#[actix_rt::test]
async fn a_closed_gate_accepts_nothing() {
    let (alone, _passed) = Alone::start();
    alone.gate.close();
    assert_eq!(soon(alone.post(1, EVENT)).await, Ok(Err(Refusal::Stopping)));
}

/// A large body is read beside this thread: a small one that came later is passed on before it.
#[actix_rt::test]
async fn a_large_body_holds_up_no_small_one() {
    let (alone, mut passed) = Alone::start();
    let large = format!(r#"[{EVENT},{}]"#, vec!["0"; 200_000].join(","));
    let (large, small) = (alone.post(1, large), alone.post(2, EVENT));
    drop(soon(passed.recv()).await);
    assert_eq!(soon(small).await.expect("a response").expect("a receipt").accepted, 1);
    drop(soon(passed.recv()).await);
    let receipt = soon(large).await.expect("a response").expect("a receipt");
    assert_eq!((receipt.accepted, receipt.rejected.len()), (1, 100));
    assert_eq!(receipt.rejected_more.get("wrong_type"), Some(&199_900));
}

#[actix_rt::test]
async fn a_panic_costs_its_request_and_the_stage_goes_on() {
    let (alone, mut passed) = Alone::start();
    drill::panic_at(drill::Stage::Ingester);
    assert_eq!(soon(alone.post(1, EVENT)).await, Ok(Err(Refusal::Panic)));
    assert_eq!(alone.metrics.events.rejected.get("internal_error"), 1);
    let response = alone.post(1, EVENT);
    drop(soon(passed.recv()).await);
    assert_eq!(soon(response).await.expect("a response").expect("a receipt").accepted, 1);
    assert_eq!((alone.gate.events(), alone.metrics.events.rejected.get("internal_error")), (0, 1));
}
