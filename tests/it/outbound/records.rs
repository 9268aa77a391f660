//! Triggers and templates that were saved under an older rule or other settings.

use posthaste::model::id::AccountId;
use posthaste::model::template::Template;
use posthaste::store::Precondition;
use serde_json::json;

use crate::support::{Node, Receiver, json_template};

/// A text that is sent as JSON was accepted once, though values in it are not escaped. It is read, reported, and fires
/// nothing.
#[actix_rt::test]
async fn a_text_that_was_saved_as_json_does_not_fire() {
    const UNUSABLE: &str = "posthaste_records_unusable";
    let receiver = Receiver::start();
    let node = Node::start(&[]).await;
    let text = json!({"id": "t", "format": "text", "body": "{\"a\": \"{{a}}\"}"});
    node.set_up("t", &text, json!({"event": "*", "url": receiver.url("/")})).await;
    for (content_type, unusable) in [("application/json", 1.0), ("text/csv", 0.0), ("Text/XML; v=1", 1.0)] {
        let mut saved = text.clone();
        saved["content_type"] = content_type.into();
        let saved = Template::from_json(saved).expect("it is read");
        let store = &node.running().shared().store;
        let account = AccountId::default_account();
        store.put(Some(&account), &saved, Precondition::None).await.expect("written");
        assert_eq!(node.metric(UNUSABLE).await, unusable, "{content_type}");
    }
    let path = "/v1/accounts/default/templates/t";
    let shown = node.get(path).await;
    assert_eq!((shown.status, &shown.json()["content_type"]), (200, &json!("Text/XML; v=1")));
    node.fire(json!({"type": "a", "data": {"a": "\", \"b\": \""}})).await;
    node.wait_for_metric("posthaste_dropped_total{reason=\"template_unusable\"}", 1.0).await;
    let tested = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
    assert_eq!((&tested["delivered"], &tested["reason"]), (&json!(false), &json!("template_unusable")));
    let trigger = node.get("/v1/accounts/default/triggers/t").await.json();
    let checked = node.post("/v1/accounts/default/triggers/check", &trigger).await.json();
    assert_eq!((&checked["ok"], &checked["errors"][0]["code"]), (&json!(false), &json!("bad_content_type")));
    assert_eq!(node.put(path, &shown.json()).await.status, 422);
    let good = json!({"format": "xml", "content_type": "text/xml", "body": "<a>{{a}}</a>"});
    assert_eq!(node.put(path, &good).await.status, 200);
    assert_eq!(node.metric(UNUSABLE).await, 0.0);
    node.fire(json!({"type": "a", "data": {"a": "<"}})).await;
    assert_eq!(receiver.wait_for(1).await[0].text(), "<a>&lt;</a>");
}

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
