//! Stored records that can't be read: another program wrote them, or an earlier version did.

use serde_json::{Value, json};

use crate::support::{Node, RedisServer, json_template};

/// A list names what it can't show. Such a record can be replaced and removed.
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
    assert_eq!(node.get(&path("triggers/b")).await.problem(), (409, "record_unreadable".to_owned()));
    let trigger = json!({"event": "a", "template": "a", "url": "https://example.com/"});
    assert_eq!(node.put(&path("triggers/b"), &trigger).await.status, 200);
    assert_eq!(node.delete(&path("triggers/d")).await.status, 204);
    assert_eq!(listed(path("triggers")).await, (ids(&["a", "b", "c"]), Value::Null));
}
