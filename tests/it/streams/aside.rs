//! A burst of deliveries that is more than its destination's queue holds stays in its stream, as long
//! as the destination answers and the streams have room.

use super::{STREAM, backlog, entry_ids, event, expected, ids, node, set_up, until};
use crate::support::{Behaviour, Node, Receiver, RedisServer};

/// Two connections, twenty that wait, eight taken at a time; time enough for a first answer.
const SMALL: [(&str, &str); 6] = [
    ("POSTHASTE_CLUSTER__PARTITIONS", "1"),
    ("POSTHASTE_CLUSTER__TAKE_MAX", "8"),
    ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
    ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "20"),
    ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
];
const SET_ASIDE: &str = "posthaste_set_aside_deliveries";
const QUEUE_FULL: &str = "posthaste_dropped_total{reason=\"queue_full\"}";

/// A node with 100 deliveries for a receiver that has yet to answer: two are under way, twenty wait, the
/// others stay in the stream.
async fn holding_a_burst(redis: &RedisServer) -> (Node, Receiver) {
    let node = node(&redis.url(), &SMALL).await;
    let receiver = Receiver::start();
    receiver.behave(Behaviour::Silence);
    set_up(&node, &[], "t", receiver.url("/")).await;
    for id in 0..100 {
        node.fire(event(id)).await;
    }
    node.wait_for_metric(SET_ASIDE, 78.0).await;
    assert_eq!((node.metric("posthaste_queue_depth").await, backlog(redis)), (20.0, 98));
    (node, receiver)
}

#[actix_rt::test]
async fn it_is_sent_when_there_is_room_and_delays_no_other() {
    let redis = RedisServer::start();
    let (node, busy) = holding_a_burst(&redis).await;
    let prompt = Receiver::start();
    set_up(&node, &[], "prompt", prompt.url("/")).await;
    node.fire(event(100)).await;
    assert_eq!(prompt.wait_for(1).await[0].text(), "{\"id\":\"100\"}", "it came behind all the others");
    busy.behave(Behaviour::Answer(200));
    busy.wait_for(101).await;
    assert_eq!(ids(&busy), expected(0..101));
    node.wait_for_metric(SET_ASIDE, 0.0).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!(node.metric(QUEUE_FULL).await, 0.0);
}

#[actix_rt::test]
async fn it_keeps_its_order() {
    let redis = RedisServer::start();
    let (_node, receiver) = holding_a_burst(&redis).await;
    receiver.behave(Behaviour::Answer(200));
    receiver.wait_for(100).await;
    let sent: Vec<usize> = receiver.received().iter().map(|request| number(request.text())).collect();
    // Two connections: a neighbour may overtake, nobody else.
    assert!(sent.iter().enumerate().all(|(place, number)| place.abs_diff(*number) <= 2), "{sent:?}");
}

fn number(body: &str) -> usize {
    body.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
}

#[actix_rt::test]
async fn a_stop_gives_it_back() {
    let redis = RedisServer::start();
    let (first, receiver) = holding_a_burst(&redis).await;
    assert_eq!(first.stop().await.unsent, 2, "the two whose attempts are under way");
    assert_eq!(backlog(&redis), 98);
    receiver.behave(Behaviour::Answer(200));
    let _second = node(&redis.url(), &SMALL).await;
    receiver.wait_for(100).await;
    assert_eq!(ids(&receiver), expected(0..100));
}

#[actix_rt::test]
async fn what_another_has_had_meanwhile_is_left_out() {
    let redis = RedisServer::start();
    let (node, receiver) = holding_a_burst(&redis).await;
    let last = redis.cli(&["XREVRANGE", STREAM, "+", "-", "COUNT", "30"]);
    let last = entry_ids(&last);
    assert_eq!(last.len(), 30);
    redis.cli(&[&["XACK", STREAM, "dispatch"], &last[..]].concat());
    redis.cli(&[&["XDEL", STREAM], &last[..]].concat());
    receiver.behave(Behaviour::Answer(200));
    receiver.wait_for(70).await;
    node.wait_for_metric(SET_ASIDE, 0.0).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!((ids(&receiver), node.metric(QUEUE_FULL).await), (expected(0..70), 0.0));
}

/// Half of the streams is for all the others.
#[actix_rt::test]
async fn no_destination_fills_the_streams() {
    let redis = RedisServer::start();
    let more = [("POSTHASTE_CLUSTER__BACKLOG_MAX", "60"), ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "5")];
    let node = node(&redis.url(), &[&SMALL[..], &more].concat()).await;
    let receiver = Receiver::start();
    receiver.behave(Behaviour::Silence);
    set_up(&node, &[], "t", receiver.url("/")).await;
    // One after the other: each is set aside or dropped before the next comes.
    for id in 0..100 {
        node.fire(event(id)).await;
        until("an event is still on its way", async || {
            let ended = node.metric("posthaste_queue_depth").await
                + node.metric(SET_ASIDE).await
                + node.metric(QUEUE_FULL).await
                + node.metric("posthaste_attempts_in_flight").await;
            ended == f64::from(id + 1)
        })
        .await;
    }
    assert!(node.metric(QUEUE_FULL).await > 0.0);
    assert!((20..=32).contains(&backlog(&redis)), "{}", backlog(&redis));
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"engine_full\"}").await, 0.0);
}

#[actix_rt::test]
async fn a_destination_that_ceases_to_answer_is_let_down() {
    let redis = RedisServer::start();
    let more = [("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "3000")];
    let node = node(&redis.url(), &[&SMALL[..], &more].concat()).await;
    let receiver = Receiver::start();
    set_up(&node, &[], "t", receiver.url("/")).await;
    node.fire(event(0)).await;
    node.wait_for_metric("posthaste_attempts_total{outcome=\"delivered\"}", 1.0).await;
    receiver.behave(Behaviour::Silence);
    for id in 1..=60 {
        node.fire(event(id)).await;
    }
    until("nothing is set aside", async || node.metric(SET_ASIDE).await > 0.0).await;
    // As long as one attempt may take there was no answer: it goes the way of all that is too much.
    until("nothing is let go of", async || node.metric(SET_ASIDE).await == 0.0).await;
    until("nothing is dropped", async || node.metric(QUEUE_FULL).await > 0.0).await;
}
