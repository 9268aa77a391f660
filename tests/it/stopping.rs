//! A full node, a stop under load, a restart.

use serde_json::{Value, json};

use crate::support::{Behaviour, Node, Receiver, json_template};

#[actix_rt::test]
async fn a_full_node_refuses_and_accepted_events_arrive() {
    let (node, receiver) = (Node::start(&[("POSTHASTE_INGEST__EVENTS_IN_FLIGHT_MAX", "10")]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let event = |id: usize| json!({"type": "a", "id": id.to_string(), "data": {}});
    let posts = (0..40).map(|n| {
        let ten: Vec<Value> = (0..10).map(|m| event(n * 10 + m)).collect();
        let node = &node;
        async move { node.post("/v1/events", &json!(ten)).await }
    });
    let replies = futures_util::future::join_all(posts).await;
    let taken = replies.iter().filter(|reply| reply.status == 202).count();
    assert!(replies.iter().all(|reply| matches!(reply.status, 202 | 429)) && taken > 0);
    let refused = replies.iter().find(|reply| reply.status == 429).expect("forty at once are not all admitted");
    assert_eq!((refused.problem().1.as_str(), refused.header("retry-after").as_str()), ("engine_full", "1"));
    receiver.wait_for(taken * 10).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), taken * 10, "what was refused was not sent");
}

#[actix_rt::test]
async fn a_stop_under_load_sends_all_that_was_accepted() {
    let (node, receiver) =
        (Node::start(&[("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2")]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    receiver.behave(Behaviour::Silence);
    let posts = (0..500).map(|id| {
        let node = &node;
        async move { node.post("/v1/events", &json!({"type": "a", "id": id.to_string(), "data": {}})).await.status }
    });
    let statuses = futures_util::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 202));
    let shared = std::sync::Arc::clone(node.running().shared());
    let stopping = actix_rt::spawn(node.stop());
    while shared.gate.is_open() {
        crate::support::paused().await;
    }
    receiver.behave(Behaviour::Respond(200));
    assert_eq!(stopping.await.expect("stopped").unsent, 0);
    let counted = shared.metrics.render();
    let counted: Vec<_> = counted.lines().filter(|line| line.contains("_total") && !line.ends_with(" 0")).collect();
    assert_eq!(receiver.received().len(), 500, "{counted:#?}");
}

#[actix_rt::test]
async fn saved_records_are_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file:{}", folder.path().join("store.redb").display());
    let (more, receiver) = ([("POSTHASTE_STORE__URL", url.as_str())], Receiver::start());
    let node = Node::start(&more).await;
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let tag = node.get("/v1/accounts/default/triggers/t").await.header("etag");
    node.stop().await;
    let node = Node::start(&more).await;
    assert_eq!(node.get("/v1/accounts/default/triggers/t").await.header("etag"), tag);
    node.fire(json!({"type": "a", "data": {}})).await;
    receiver.wait_for(1).await;
}
