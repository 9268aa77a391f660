//! Tests of triggers beside other work.

use serde_json::json;

use super::{event, set_up};
use crate::support::{Behaviour, Node, Receiver};

/// A trigger's test does not wait behind its destination's queue.
#[actix_rt::test]
async fn a_test_has_its_turn_before_the_queue_is_empty() {
    let (node, receiver) =
        (Node::start(&[("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1")]).await, Receiver::start());
    set_up(&node, "own", "t", json!({"event": "a", "url": receiver.url("/")})).await;
    receiver.behave(Behaviour::Silence);
    for id in 0..50 {
        node.fire(event("own", id)).await;
    }
    let sample = json!({});
    let test = node.post("/v1/accounts/own/triggers/t/test", &sample);
    let release = async {
        node.wait_for_metric("posthaste_queue_depth", 50.0).await;
        receiver.behave(Behaviour::Respond(200));
    };
    let (reply, ()) = futures_util::future::join(test, release).await;
    assert_eq!(reply.json()["delivered"], true, "{}", reply.json());
    // Its event has an id of its own.
    let events: Vec<String> = (0..50).map(|id| json!({"id": id.to_string()}).to_string()).collect();
    let received = receiver.wait_for(51).await;
    let place = received.iter().position(|received| events.iter().all(|event| event != received.text()));
    assert!(place.is_some_and(|place| place < 5), "it was {place:?}");
}

/// Each waits for its receiver, for as long as that likes.
#[actix_rt::test]
async fn an_account_has_a_number_of_tests_at_a_time() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    for account in ["own", "other"] {
        set_up(&node, account, "t", json!({"event": "a", "url": receiver.url("/")})).await;
    }
    receiver.behave(Behaviour::Silence);
    let sample = json!({});
    let tests = (0..40).map(|_| node.post("/v1/accounts/own/triggers/t/test", &sample));
    let release = async {
        receiver.wait_for(32).await;
        let other = node.post("/v1/accounts/other/triggers/t/test", &sample);
        let arrives = async {
            receiver.wait_for(33).await;
            receiver.behave(Behaviour::Respond(200));
        };
        futures_util::future::join(other, arrives).await.0
    };
    let (own, other) = futures_util::future::join(futures_util::future::join_all(tests), release).await;
    assert_eq!(other.json()["delivered"], true, "{}", other.json());
    let refused = own.iter().filter(|reply| reply.status == 429).count();
    assert_eq!((refused, own.iter().filter(|reply| reply.json()["delivered"] == true).count()), (8, 32));
}
