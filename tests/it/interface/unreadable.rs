//! Stored records that can't be read: another program wrote them, or an earlier version did.

use serde_json::{Value, json};

use crate::support::{Node, RedisServer, json_template};

/// A list names what it can't show, and so does `explain`. Such a record can be replaced and removed.
#[actix_rt::test]
async fn a_list_names_the_records_that_it_cannot_show() {
    let redis = RedisServer::start();
    let url = redis.url();
    let node = Node::start(&[("POSTHASTE_STORE__URL", url.as_str()), ("POSTHASTE_DISPATCH__HAND_OVER", "local")]).await;
    let path = |kind: &str| format!("/v1/accounts/default/{kind}");
    for id in ["a", "b", "c", "d"] {
        node.set_up(id, &json_template(), json!({"event": "a", "url": "https://example.com/"})).await;
    }
    for (kind, id, value) in [("triggers", "b", "9 {"), ("triggers", "d", "9 null"), ("templates", "c", "none")] {
        redis.cli(&["HSET", &format!("{{posthaste}}:{kind}:default"), id, value]);
    }
    let listed = async |path: String| -> (Vec<String>, Value) {
        let page = node.get(&path).await.json();
        let items = page["items"].as_array().expect("items");
        (items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect(), page["unreadable"].clone())
    };
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(listed(path("triggers")).await, (ids(&["a", "c"]), json!(["b", "d"])));
    assert_eq!(listed(path("triggers?limit=3")).await, (ids(&["a", "c"]), json!(["b"])), "those of its page");
    assert_eq!(listed(path("templates")).await, (ids(&["a", "b", "d"]), json!(["c"])));
    // It was never live.
    redis.cli(&["HSET", "{posthaste}:triggers:default", "e", "9 {"]);
    redis.cli(&["ZADD", "{posthaste}:ids:triggers:default", "0", "e"]);
    let explained = async |question: Value| -> (Vec<String>, Value, Value) {
        let page = node.post(&path("triggers/explain"), &question).await.json();
        let triggers = page["triggers"].as_array().expect("triggers");
        let ids = triggers.iter().map(|trigger| trigger["id"].as_str().expect("an id").to_owned()).collect();
        (ids, page["unreadable"].clone(), page["cursor"].clone())
    };
    let event = json!({"type": "a", "data": {}});
    let with = |name: &str, value: Value| {
        let mut event = event.clone();
        event[name] = value;
        event
    };
    assert_eq!(explained(event.clone()).await, (ids(&["a", "c"]), json!(["b", "d", "e"]), Value::Null));
    let (first, unreadable, cursor) = explained(with("limit", json!(2))).await;
    assert_eq!((first, unreadable), (ids(&["a"]), json!(["b"])), "those of its page");
    assert_eq!(explained(with("cursor", cursor)).await, (ids(&["c"]), json!(["d", "e"]), Value::Null));
    assert_eq!(
        explained(with("triggers", json!(["e", "c"]))).await,
        (ids(&["c"]), json!(["e"]), Value::Null),
        "those that were named"
    );
    let missing = node.post(&path("triggers/explain"), &with("triggers", json!(["e", "f"]))).await;
    assert_eq!(missing.problem(), (404, "not_found".to_owned()));
    assert_eq!(node.get(&path("triggers/b")).await.problem(), (409, "record_unreadable".to_owned()));
    let trigger = json!({"event": "a", "template": "a", "url": "https://example.com/"});
    assert_eq!(node.put(&path("triggers/b"), &trigger).await.status, 200);
    assert_eq!(node.delete(&path("triggers/d")).await.status, 204);
    assert_eq!(node.delete(&path("triggers/e")).await.status, 204);
    assert_eq!(listed(path("triggers")).await, (ids(&["a", "b", "c"]), Value::Null));
}
