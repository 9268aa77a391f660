use serde_json::json;

use crate::support::{Node, Receiver, json_template};

/// A trigger that earlier settings of the operator allowed is read, reported, and fires nothing.
#[actix_rt::test]
async fn a_trigger_that_breaks_a_stricter_rule_loads_and_does_not_fire() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("file:{}", folder.path().join("s.redb").display());
    let receiver = Receiver::start();
    let node = Node::start(&[("POSTHASTE_STORE__URL", &store)]).await;
    let trigger = json!({"event": "*", "url": receiver.url("/"), "headers": {"X-Token": "t"}});
    node.set_up("t", &json_template(), trigger).await;
    assert_eq!(node.metric("posthaste_records_unusable").await, 0.0);
    node.stop().await;

    let strict = [("POSTHASTE_STORE__URL", store.as_str()), ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[]")];
    let node = Node::start(&strict).await;
    assert_eq!(node.metric("posthaste_records_unusable").await, 1.0);
    let shown = node.get("/v1/accounts/default/triggers/t").await;
    assert_eq!((shown.status, &shown.json()["url"]), (200, &json!(receiver.url("/"))));
    node.fire(json!({"type": "a", "data": {}})).await;
    node.wait_for_metric("posthaste_dropped_total{reason=\"url_refused\"}", 1.0).await;
    let tested = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
    assert_eq!((&tested["delivered"], &tested["reason"]), (&json!(false), &json!("url_refused")));
    let again = node.put("/v1/accounts/default/triggers/t", &shown.json()).await;
    assert_eq!((again.status, &again.json()["errors"][0]["code"]), (422, &json!("url_refused")));
    let mut good = shown.json();
    good["url"] = "https://example.com/".into();
    good["headers"] = json!({});
    good["enabled"] = false.into();
    assert_eq!(node.put("/v1/accounts/default/triggers/t", &good).await.status, 200);
    assert_eq!(node.metric("posthaste_records_unusable").await, 0.0);
    assert!(receiver.received().is_empty());
}
