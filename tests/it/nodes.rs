//! Nodes that share a store in Redis: a record that is saved at one fires at the other, and while Redis is unavailable
//! they continue with what is live.

use serde_json::json;

use crate::support::{DEADLINE, Forwarder, Node, Receiver, RedisServer, json_template};

async fn start(server: &RedisServer, hand_over: &str) -> Node {
    Node::start(&[("POSTHASTE_STORE__URL", &server.url()), ("POSTHASTE_DISPATCH__HAND_OVER", hand_over)]).await
}

/// Repeats a request until the response has this status.
async fn wait_for_status(node: &Node, path: &str, status: u16) -> crate::support::Reply {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let reply = node.get(path).await;
        if reply.status == status {
            return reply;
        }
        assert!(std::time::Instant::now() < deadline, "{path} responds {}: {}", reply.status, reply.json());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[actix_rt::test]
async fn a_record_saved_at_one_node_fires_at_the_other() {
    let (server, receiver) = (RedisServer::start(), Receiver::start());
    let (one, two) = (start(&server, "local").await, start(&server, "local").await);
    for number in 0..20 {
        let path = format!("/{number}");
        one.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url(&path)})).await;
        let saved = one.get("/v1/accounts/default/triggers/t").await;
        let live = || two.running().shared().store.connected();
        assert!(live());
        // The other node has it a moment after the response.
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
async fn nodes_continue_with_live_records_while_redis_is_unavailable() {
    let (mut server, receiver) = (RedisServer::lasting(), Receiver::start());
    let local = start(&server, "local").await;
    let shared = start(&server, "streams").await;
    local.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    for node in [&local, &shared] {
        assert_eq!(node.get("/readyz").await.json(), json!({"ready": true, "roles": ["ingest", "dispatch"]}));
    }
    server.kill();
    let away = wait_for_status(&shared, "/readyz", 503).await;
    assert_eq!(away.problem(), (503, "store_unavailable".into()));
    local.wait_for_metric("posthaste_store_connected", 0.0).await;
    let ready = local.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()),
        (200, json!({"ready": true, "roles": ["ingest", "dispatch"], "store": "unreachable"}))
    );
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

/// Writes a trigger whose URL can't be dialled and an unusable template, as another program could.
fn write_what_no_node_can_use(cli: impl Fn(&[&str]) -> String) {
    for (kind, id, json) in [
        ("template", "w", r#"{"id":"w","name":"","format":"text","body":"x"}"#),
        ("template", "unclosed", r#"{"id":"unclosed","name":"","format":"text","body":"{{#if a}}"}"#),
        ("trigger", "t", r#"{"id":"t","event":"*","template":"w","url":"ftp://h/"}"#),
    ] {
        let script = ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ","];
        let response = cli(&[&script[..], &["put", kind, "default", id, json]].concat());
        assert!(response.starts_with("written"), "{response}");
    }
}

#[actix_rt::test]
async fn an_unusable_record_is_counted_once_while_it_is_stored() {
    const UNUSABLE: &str = "posthaste_records_unusable";
    let server = std::sync::Arc::new(RedisServer::start());
    // Written after the node has read the position of the log and before it reads the first page, so that both contain
    // it.
    let writer = std::sync::Arc::clone(&server);
    let write = move || write_what_no_node_can_use(|words| writer.cli(words));
    let door = Forwarder::before(server.port(), b"\r\nall\r\n", write);
    let url = format!("redis://127.0.0.1:{}", door.port());
    let node = Node::start(&[("POSTHASTE_STORE__URL", &url), ("POSTHASTE_DISPATCH__HAND_OVER", "local")]).await;
    let changes = "posthaste_store_changes_total";
    node.wait_for_metric(changes, 3.0).await;
    assert_eq!(node.metric(UNUSABLE).await, 2.0);
    write_what_no_node_can_use(|words| server.cli(words));
    node.wait_for_metric(changes, 6.0).await;
    assert_eq!(node.metric(UNUSABLE).await, 2.0, "the same ones again");

    let usable = json!({"event": "*", "template": "w", "url": "https://h/"});
    assert!(node.put("/v1/accounts/default/triggers/t", &usable).await.status < 300);
    assert_eq!(node.metric(UNUSABLE).await, 1.0, "one was written again");
    assert_eq!(node.delete("/v1/accounts/default/templates/unclosed").await.status, 204);
    assert_eq!(node.metric(UNUSABLE).await, 0.0, "and the other deleted");

    write_what_no_node_can_use(|words| server.cli(words));
    node.wait_for_metric(UNUSABLE, 2.0).await;
    let script = ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ",", "delete", "trigger", "default", "t"];
    assert!(server.cli(&script).starts_with("written"));
    node.wait_for_metric(UNUSABLE, 1.0).await;
    server.cli(&["FLUSHALL"]);
    // A new snapshot is read, and it is empty.
    node.wait_for_metric(UNUSABLE, 0.0).await;
    node.stop().await;
}

/// The store, the streams and the ids of events are opened one after the other, each over connections of its own.
#[actix_rt::test]
async fn a_start_waits_for_a_redis_that_goes_away_in_its_middle() {
    for asked_first in
        [&b"{posthaste}:try:"[..], b"{posthaste:0}:try:", b"{posthaste}:partitions", b"posthaste:seen:try:"]
    {
        let server = std::sync::Arc::new(RedisServer::start());
        let (killer, (sender, killed)) = (std::sync::Arc::clone(&server), std::sync::mpsc::channel());
        let door = Forwarder::before(server.port(), asked_first, move || {
            sender.send(killer.cli(&["CLIENT", "KILL", "TYPE", "normal"])).expect("the test goes on");
        });
        let url = format!("redis://127.0.0.1:{}", door.port());
        let settings = [("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_INGEST__DUPLICATE_WINDOW_MS", "1000")];
        let node = Node::start(&settings).await;
        assert_ne!(killed.try_recv().expect("it asked"), "0");
        wait_for_status(&node, "/readyz", 200).await;
        node.stop().await;
    }
}
