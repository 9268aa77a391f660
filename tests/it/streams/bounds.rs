//! What happens if something is full, slow or unavailable.

use serde_json::json;

use super::{DISPATCH, INGEST, backlog, event, expected, ids, node, set_up, until, with_a_silent_receiver};
use crate::support::{Behaviour, Node, Receiver, RedisServer, json_template};

#[actix_rt::test]
async fn over_the_backlogs_bound_nothing_is_accepted_and_accepted_events_arrive() {
    let redis = RedisServer::start();
    let ingest = node(&redis.url(), &[INGEST, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "10")]).await;
    let receiver = Receiver::start();
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    let mut taken = Vec::new();
    for id in 0..20 {
        let reply = ingest.post("/v1/events", &event(id)).await;
        if reply.status == 202 {
            taken.push(id);
        } else {
            assert_eq!(reply.problem(), (429, "engine_full".to_owned()));
            assert!(!reply.header("retry-after").is_empty());
        }
    }
    // A lone account has eight ninths of it, rounded up.
    assert_eq!((taken.clone(), backlog(&redis)), ((0..9).collect(), 9));
    ingest.wait_for_metric("posthaste_backlog_deliveries", 9.0).await;
    until("the oldest has an age", async || ingest.metric("posthaste_backlog_oldest_age_seconds").await > 0.0).await;
    let _dispatch = node(&redis.url(), &[DISPATCH]).await;
    receiver.wait_for(9).await;
    until("room is not seen", async || ingest.post("/v1/events", &event("later")).await.status == 202).await;
    receiver.wait_for(10).await;
    assert_eq!(ids(&receiver)[..9], expected(taken)[..]);
    ingest.wait_for_metric("posthaste_backlog_deliveries", 0.0).await;
}

/// The deliveries of a request are counted before any of them is added.
#[actix_rt::test]
async fn a_request_over_the_bound_is_refused_completely() {
    let redis = RedisServer::start();
    let ingest = node(&redis.url(), &[INGEST, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "20")]).await;
    let receiver = Receiver::start();
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    set_up(&ingest, &[], "u", receiver.url("/")).await;
    let events = |count: usize| json!((0..count).map(event).collect::<Vec<_>>());
    assert_eq!(ingest.post("/v1/events", &events(7)).await.status, 202);
    let again = ingest.post("/v1/events", &events(1)).await;
    assert_eq!((again.status, backlog(&redis)), (202, 16));
    let reply = ingest.post("/v1/events", &events(2)).await;
    assert_eq!((reply.problem(), backlog(&redis)), ((429, "engine_full".to_owned()), 16));
    assert_eq!(ingest.post("/v1/events", &events(1)).await.status, 202);
    let reply = ingest.post("/v1/events", &events(1)).await;
    assert_eq!((reply.problem(), backlog(&redis)), ((429, "engine_full".to_owned()), 18));
}

/// What an account has in the streams counts for its share, on every node: a flood leaves room for others, and has room
/// again when what it has there was sent.
#[actix_rt::test]
async fn an_account_leaves_room_in_the_streams() {
    let redis = RedisServer::start();
    let small = [INGEST, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "90")];
    let (one, two) = (node(&redis.url(), &small).await, node(&redis.url(), &small).await);
    let receiver = Receiver::start();
    for account in ["flood", "other"] {
        one.set_up_in(account, "t", &json_template(), json!({"event": "a", "url": receiver.url("/")})).await;
    }
    until("a trigger is not live", async || two.metric("posthaste_triggers").await == 2.0).await;
    let of = |account: &str, id: usize| json!({"type": "a", "account": account, "id": id.to_string(), "data": {}});
    let mut accepted = 0;
    for id in 0..90 {
        accepted += usize::from(one.post("/v1/events", &of("flood", id)).await.status == 202);
    }
    assert_eq!((accepted, backlog(&redis)), (80, 80));
    for (node, id) in [(&one, 0), (&two, 1), (&one, 2), (&two, 3)] {
        assert_eq!(node.post("/v1/events", &of("other", id)).await.status, 202);
    }
    let _dispatch = node(&redis.url(), &[DISPATCH]).await;
    receiver.wait_for(84).await;
    until("the account has no room", async || one.post("/v1/events", &of("flood", 90)).await.status == 202).await;
    receiver.wait_for(85).await;
    until("entries are not counted out", async || {
        redis.cli(&["KEYS", "{posthaste:*}:held"]).is_empty() && backlog(&redis) == 0
    })
    .await;
}

/// What is added faster than it is read paces its producer, so that it neither fills the streams nor is refused.
#[actix_rt::test]
async fn a_producer_waits_while_much_is_not_read() {
    let redis = RedisServer::start();
    let ingest = node(&redis.url(), &[INGEST, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "4000")]).await;
    let receiver = Receiver::start();
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    let events = json!((0..1_500).map(event).collect::<Vec<_>>());
    assert_eq!(ingest.post("/v1/events", &events).await.status, 202);
    let begun = std::time::Instant::now();
    assert_eq!((ingest.post("/v1/events", &event("next")).await.status, backlog(&redis)), (202, 1_501));
    assert!(begun.elapsed().as_millis() >= 400, "{:?}", begun.elapsed());
}

/// A request that fires more than the streams may hold is worked off as they empty: they never hold more.
#[actix_rt::test]
async fn the_bound_holds_whatever_a_request_fires() {
    let redis = RedisServer::start();
    let ingest = node(&redis.url(), &[INGEST, ("POSTHASTE_CLUSTER__BACKLOG_MAX", "20")]).await;
    let receiver = Receiver::start();
    for id in 0..10 {
        set_up(&ingest, &[], &format!("t{id}"), receiver.url("/")).await;
    }
    let events = json!((0..10).map(event).collect::<Vec<_>>());
    let posted = ingest.post("/v1/events", &events);
    let seen = async {
        until("nothing is added", async || backlog(&redis) >= 10).await;
        let refused = ingest.post("/v1/events", &event("more")).await;
        assert_eq!(refused.problem(), (429, "engine_full".to_owned()));
        assert!(backlog(&redis) <= 20, "{}", backlog(&redis));
        let _dispatch = node(&redis.url(), &[DISPATCH]).await;
        let mut most = 0;
        until("not all arrive", async || {
            most = most.max(backlog(&redis));
            receiver.received().len() >= 100
        })
        .await;
        most
    };
    let (reply, most) = futures_util::future::join(posted, seen).await;
    assert_eq!(reply.status, 202);
    assert!(most <= 20, "{most}");
}

#[actix_rt::test]
async fn a_slow_destination_delays_no_other_in_its_stream() {
    let redis = RedisServer::start();
    let (silent, prompt) = (Receiver::start(), Receiver::start());
    let small = [
        ("POSTHASTE_CLUSTER__PARTITIONS", "1"),
        ("POSTHASTE_CLUSTER__TAKE_MAX", "8"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
    ];
    let node = node(&redis.url(), &small).await;
    silent.behave(Behaviour::Silence);
    set_up(&node, &[], "silent", silent.url("/")).await;
    set_up(&node, &[], "prompt", prompt.url("/")).await;
    for id in 0..100 {
        node.fire(event(id)).await;
    }
    prompt.wait_for(100).await;
    assert_eq!(ids(&prompt), expected(0..100));
    // Two are in flight, two are queued, and the others stay in the stream.
    node.wait_for_metric("posthaste_parked_deliveries", 96.0).await;
    assert_eq!((node.metric("posthaste_queue_depth").await, backlog(&redis)), (2.0, 98));
    // A stop gives back queued deliveries; attempts in flight end with the node.
    assert_eq!(node.stop().await.unsent, 2);
    assert_eq!(backlog(&redis), 98);
}

/// Of eight permits, a delivery of 200,000 bytes needs four.
#[actix_rt::test]
async fn a_node_reads_fewer_large_deliveries() {
    let redis = RedisServer::start();
    let patient = [
        ("POSTHASTE_CLUSTER__PARTITIONS", "1"),
        ("POSTHASTE_CLUSTER__TAKE_MAX", "8"),
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
    ];
    let node = node(&redis.url(), &patient).await;
    let receiver = Receiver::start();
    receiver.behave(Behaviour::Silence);
    let template = json!({"format": "text", "body": "{{pad}}"});
    node.set_up("t", &template, json!({"event": "a", "url": receiver.url("/")})).await;
    let event = json!({"type": "a", "data": {"pad": "x".repeat(200_000)}});
    // The first one shows how large they are.
    node.fire(event.clone()).await;
    receiver.wait_for(1).await;
    for _ in 1..12 {
        node.fire(event.clone()).await;
    }
    // Two are queued, and the reader waits for permits without asking Redis.
    until("it takes another number", async || {
        let asks = redis.cli(&["CLIENT", "LIST"]).lines().any(|client| client.contains("flags=b"));
        !asks && node.metric("posthaste_queue_depth").await == 2.0
    })
    .await;
    assert_eq!((receiver.received().len(), backlog(&redis)), (1, 11));
    receiver.behave(Behaviour::Respond(200));
    receiver.wait_for(12).await;
    until("the stream is not empty", async || backlog(&redis) == 0).await;
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"queue_full\"}").await, 0.0);
}

#[actix_rt::test]
async fn another_node_gets_returned_deliveries_at_once() {
    let redis = RedisServer::start();
    // Taking over from a dead node would take longer than the test waits.
    let patient = [("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "600000")];
    let more = [
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
        // Queued deliveries hold their permits.
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ];
    let (first, receiver) = with_a_silent_receiver(&redis, &[&patient[..], &more].concat(), 10).await;
    receiver.wait_for(1).await;
    first.wait_for_metric("posthaste_queue_depth", 9.0).await;
    assert_eq!(first.stop().await.unsent, 1, "the one whose attempt is under way");
    receiver.behave(Behaviour::Respond(200));
    let quick = [("POSTHASTE_CLUSTER__CLAIM_AFTER_MS", "400")];
    let second = node(&redis.url(), &quick).await;
    receiver.wait_for(10).await;
    assert_eq!(ids(&receiver), expected(0..10));
    second.wait_for_metric("posthaste_claims_total", 9.0).await;
}

/// Posts until the node responds with this status and code.
pub(super) async fn until_response(node: &Node, status: u16, code: &str) {
    until(code, async || {
        let reply = node.post("/v1/events", &json!({"type": "nobody.listens", "data": {}})).await;
        reply.status == status && (code.is_empty() || reply.problem().1 == code)
    })
    .await;
}

#[actix_rt::test]
async fn while_redis_is_unavailable_nothing_is_accepted_and_nothing_is_lost() {
    let mut redis = RedisServer::lasting();
    let (ingest, receiver) = (node(&redis.url(), &[INGEST]).await, Receiver::start());
    set_up(&ingest, &[], "t", receiver.url("/")).await;
    for id in 0..5 {
        ingest.fire(event(id)).await;
    }
    let dispatch = {
        redis.kill();
        until_response(&ingest, 503, "store_unavailable").await;
        assert_eq!(ingest.get("/readyz").await.problem(), (503, "store_unavailable".to_owned()));
        assert_eq!(ingest.get("/healthz").await.status, 200);
        redis.run();
        until_response(&ingest, 202, "").await;
        node(&redis.url(), &[DISPATCH]).await
    };
    receiver.wait_for(5).await;
    // The same for the node that sends.
    redis.kill();
    redis.run();
    for id in 5..10 {
        // The first request over the broken connection is refused, and the producer sends it again.
        until("events are not taken", async || ingest.post("/v1/events", &event(id)).await.status == 202).await;
    }
    receiver.wait_for(10).await;
    assert_eq!(ids(&receiver), expected(0..10));
    assert_eq!(dispatch.stop().await.unsent, 0);
}

#[actix_rt::test]
async fn nodes_resume_with_a_redis_that_lost_its_data() {
    let mut redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[]).await, Receiver::start());
    set_up(&node, &[], "t", receiver.url("/")).await;
    node.fire(event(0)).await;
    receiver.wait_for(1).await;
    redis.kill();
    redis.run();
    until_response(&node, 202, "").await;
    // The triggers are lost too, until they are written again.
    until("the trigger is not gone", async || node.get("/v1/accounts/default/triggers/t").await.status == 404).await;
    set_up(&node, &[], "t", receiver.url("/")).await;
    node.fire(event(1)).await;
    receiver.wait_for(2).await;
    assert_eq!(ids(&receiver), expected(0..2));
}

#[actix_rt::test]
async fn an_entry_makes_no_node_write_to_the_key_it_names() {
    let redis = RedisServer::start();
    let (_node, receiver) = (node(&redis.url(), &[("POSTHASTE_CLUSTER__PARTITIONS", "1")]).await, Receiver::start());
    redis.cli(&["HSET", "{posthaste:0}:precious", "a", "b"]);
    let (stream, url) = ("{posthaste:0}:deliveries", receiver.url("/"));
    for reply in ["{posthaste:0}:precious", "{posthaste:0}:reply:x"] {
        redis.add_delivery(stream, &url, "b", &["reply", reply]);
    }
    receiver.wait_for(2).await;
    // The next entry in the same stream is kept for its requester.
    until("no outcome", async || redis.cli(&["LLEN", "{posthaste:0}:reply:x"]) == "1").await;
    assert_eq!(redis.cli(&["TTL", "{posthaste:0}:precious"]), "-1", "it does not go away");
}

#[actix_rt::test]
async fn a_stop_gives_back_although_a_group_was_removed() {
    let redis = RedisServer::start();
    let (first, second) = (Receiver::start(), Receiver::start());
    let more = [
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
        ("POSTHASTE_CLUSTER__PARTITIONS", "2"),
    ];
    let node = node(&redis.url(), &more).await;
    for (id, receiver) in [("first", &first), ("second", &second)] {
        receiver.behave(Behaviour::Silence);
        set_up(&node, &[], id, receiver.url("/")).await;
    }
    for id in 0..5 {
        node.fire(event(id)).await;
    }
    node.wait_for_metric("posthaste_queue_depth", 8.0).await;
    // Once its consumers have stopped, nothing of it is pending and no node creates it again. On its own thread: the
    // stop gives Redis two seconds, and this thread starts programs.
    let removed = std::thread::spawn(move || {
        crate::journal::wait("end of the consumers", || {
            redis.cli(&["CLIENT", "LIST"]).matches("cmd=xreadgroup").count() == 0
        });
        for partition in 0..2 {
            redis.cli(&["XGROUP", "DESTROY", &format!("{{posthaste:{partition}}}:deliveries"), "dispatch"]);
        }
        // Redis needs this, and the stop needs Redis.
        redis
    });
    let stopped = node.stop().await;
    drop(removed.join().expect("removed"));
    assert_eq!(stopped.unsent, 2, "the two whose attempts are under way");
}

#[actix_rt::test]
async fn an_unresponsive_stream_delays_no_other() {
    let redis = RedisServer::start();
    let (first, second) = (Receiver::start(), Receiver::start());
    let partitions = ("POSTHASTE_CLUSTER__PARTITIONS", "16");
    let more = [
        partitions,
        ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"),
        ("POSTHASTE_DISPATCH__DRAIN_MS", "50"),
        ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", "60000"),
        ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", "60000"),
    ];
    let node = node(&redis.url(), &more).await;
    // Entries of two destinations, written as by another program, so that their streams are known.
    let add = |stream: &str, receiver: &Receiver, id: usize| {
        redis.add_delivery(stream, &receiver.url("/"), &format!("{{\"id\":\"{id}\"}}"), &[]);
    };
    let (broken, whole) = ("{posthaste:0}:deliveries", "{posthaste:1}:deliveries");
    first.behave(Behaviour::Silence);
    second.behave(Behaviour::Silence);
    for id in 0..5 {
        add(broken, &first, id);
        add(whole, &second, id);
    }
    node.wait_for_metric("posthaste_queue_depth", 8.0).await;
    redis.cli(&["SET", broken, "no stream"]);
    first.behave(Behaviour::Respond(200));
    until("the first attempt does not end", async || {
        node.metric("posthaste_attempts_total{outcome=\"delivered\"}").await == 1.0
    })
    .await;
    until("the next has not asked", async || node.metric("posthaste_queue_depth").await == 7.0).await;
    second.behave(Behaviour::Respond(200));
    second.wait_for(5).await;
    assert_eq!(ids(&second), expected(0..5));
    assert_eq!(ids(&first), expected(0..1), "without a response nothing is sent");
}

#[actix_rt::test]
async fn invalid_entries_are_removed_and_counted() {
    let redis = RedisServer::start();
    let (node, receiver) = (node(&redis.url(), &[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let stream = "{posthaste:3}:deliveries";
    redis.cli(&["XADD", stream, "*", "a", "b"]);
    redis.add_delivery(stream, "gopher://h/", "b", &[]);
    redis.add_delivery(stream, &receiver.url("/x"), "b", &[]);
    assert_eq!(receiver.wait_for(1).await[0].path, "/x", "a delivery is one whoever wrote it");
    node.wait_for_metric("posthaste_dropped_total{reason=\"entry_unreadable\"}", 2.0).await;
    assert_eq!(redis.cli(&["XLEN", stream]), "0");
}
