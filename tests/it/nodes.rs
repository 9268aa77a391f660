//! Whole nodes that share a store in Redis: what is saved at one fires at the other, and while Redis
//! is away they go on with what they know.

use serde_json::json;

use crate::support::{DEADLINE, Node, Receiver, RedisServer, json_template};

async fn start(server: &RedisServer, hand_over: &str) -> Node {
    Node::start(&[("POSTHASTE_STORE__URL", &server.url()), ("POSTHASTE_DISPATCH__HAND_OVER", hand_over)]).await
}

/// Asks until the answer has this status.
async fn wait_for_status(node: &Node, path: &str, status: u16) -> crate::support::Reply {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let reply = node.get(path).await;
        if reply.status == status {
            return reply;
        }
        assert!(std::time::Instant::now() < deadline, "{path} answers {}: {}", reply.status, reply.json());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[actix_rt::test]
async fn what_is_saved_at_one_node_fires_at_the_other() {
    let (server, receiver) = (RedisServer::start(), Receiver::start());
    let (one, two) = (start(&server, "local").await, start(&server, "local").await);
    for number in 0..20 {
        let path = format!("/{number}");
        one.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url(&path)})).await;
        let saved = one.get("/v1/accounts/default/triggers/t").await;
        let live = || two.engine().shared().store.connected();
        assert!(live());
        // The other has it a moment after the answer.
        two.wait_for_metric("posthaste_store_changes_total", f64::from(2 * (number + 1))).await;
        assert_eq!(two.get("/v1/accounts/default/triggers/t").await.header("etag"), saved.header("etag"));
        two.fire(json!({"type": "a", "id": number.to_string(), "data": {}})).await;
        receiver.wait_for(number as usize + 1).await;
        assert_eq!(receiver.received().last().expect("a POST").path, path);
    }
    let stale =
        one.call(awc::http::Method::DELETE, "/v1/accounts/default/triggers/t", &[("if-match", "\"1\"")], "").await;
    assert_eq!(stale.problem(), (412, "precondition_failed".into()));
    one.stop().await;
    two.stop().await;
}

#[actix_rt::test]
async fn nodes_go_on_with_what_they_know_while_redis_is_away() {
    let (mut server, receiver) = (RedisServer::lasting(), Receiver::start());
    let local = start(&server, "local").await;
    let shared = start(&server, "streams").await;
    local.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    for node in [&local, &shared] {
        assert_eq!(node.get("/readyz").await.json(), json!({"status": "ready"}));
    }
    server.kill();
    let away = wait_for_status(&shared, "/readyz", 503).await;
    assert_eq!(away.problem(), (503, "store_unavailable".into()));
    local.wait_for_metric("posthaste_store_connected", 0.0).await;
    let ready = local.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready", "store": "unreachable"})));
    local.fire(json!({"type": "a", "id": "1", "data": {}})).await;
    receiver.wait_for(1).await;
    let trigger = json!({"event": "*", "template": "t", "url": receiver.url("/other")});
    assert_eq!(
        local.put("/v1/accounts/default/triggers/t", &trigger).await.problem(),
        (503, "store_unavailable".into())
    );
    assert_eq!(local.get("/v1/accounts/default/triggers/t").await.problem(), (503, "store_unavailable".into()));
    assert_eq!(local.delete("/v1/keys/none").await.problem(), (503, "store_unavailable".into()));

    server.run();
    wait_for_status(&shared, "/readyz", 200).await;
    local.wait_for_metric("posthaste_store_connected", 1.0).await;
    assert_eq!(local.put("/v1/accounts/default/triggers/t", &trigger).await.status, 200);
    local.fire(json!({"type": "a", "id": "2", "data": {}})).await;
    receiver.wait_for(2).await;
    assert_eq!(receiver.received()[1].path, "/other");
    assert!(local.metric("posthaste_store_last_contact_timestamp_seconds").await > 1.0e9);
    local.stop().await;
    shared.stop().await;
}
