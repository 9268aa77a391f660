//! What one account may store, and how much one response holds.

use serde_json::{Value, json};

use crate::support::{Node, RedisServer, json_template};

const NARROW: [(&str, &str); 4] = [
    ("POSTHASTE_QUOTAS__TRIGGERS_PER_ACCOUNT", "3"),
    ("POSTHASTE_QUOTAS__TEMPLATES_PER_ACCOUNT", "2"),
    ("POSTHASTE_QUOTAS__BYTES_PER_ACCOUNT", "2000"),
    ("POSTHASTE_QUOTAS__FILTER_BYTES_MAX", "100"),
];

fn trigger(more: Value) -> Value {
    let mut trigger = json!({"event": "*", "template": "w", "url": "https://example.com/"});
    for (name, value) in more.as_object().expect("an object") {
        trigger[name] = value.clone();
    }
    trigger
}

/// The same checks with an embedded store and with Redis.
async fn the_quotas_of_an_account_hold(node: &Node) {
    let of = |account: &str, what: &str| format!("/v1/accounts/{account}/{what}");
    let put = |account: &str, what: &str, document: Value| {
        let path = of(account, what);
        async move { node.put(&path, &document).await }
    };
    assert_eq!(put("a", "templates/w", json_template()).await.status, 201);
    for id in ["1", "2", "3"] {
        assert_eq!(put("a", &format!("triggers/{id}"), trigger(json!({}))).await.status, 201);
    }
    let refused = put("a", "triggers/4", trigger(json!({}))).await;
    assert_eq!(refused.problem(), (409, "quota_exceeded".to_owned()));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("quota of 3 triggers")));
    let refused = node.post(&of("a", "triggers"), &trigger(json!({}))).await;
    assert_eq!(refused.problem(), (409, "quota_exceeded".to_owned()));
    // At the quota a record can be replaced, and a deletion makes room.
    assert_eq!(put("a", "triggers/3", trigger(json!({"enabled": false}))).await.status, 200);
    assert_eq!(node.delete(&of("a", "triggers/3")).await.status, 204);
    assert_eq!(put("a", "triggers/4", trigger(json!({}))).await.status, 201);
    // Another account has its own quotas, in bytes too.
    let text = |bytes: usize| json!({"format": "text", "body": "x".repeat(bytes)});
    assert_eq!(put("b", "templates/w", text(1_000)).await.status, 201);
    assert_eq!(put("b", "templates/v", text(1_000)).await.problem(), (409, "quota_exceeded".to_owned()));
    assert_eq!(put("b", "templates/w", text(1_700)).await.status, 200);
    assert_eq!(put("b", "templates/w", text(1_990)).await.problem(), (409, "quota_exceeded".to_owned()));
    assert_eq!(put("b", "templates/w", text(10)).await.status, 200);
    assert_eq!(put("b", "templates/v", text(1_000)).await.status, 201);
    assert_eq!(put("b", "templates/u", text(1)).await.problem(), (409, "quota_exceeded".to_owned()));
    // A filter's size is checked before it is compiled.
    let long = trigger(json!({"where": {"a": ["x".repeat(200)]}}));
    let refused = put("a", "triggers/1", long).await;
    assert_eq!(refused.status, 422);
    let errors = refused.json()["errors"].clone();
    assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!("/where"), &json!("filter_too_large")));
}

#[actix_rt::test]
async fn the_quotas_of_an_account_hold_in_an_embedded_store() {
    the_quotas_of_an_account_hold(&Node::start(&NARROW).await).await;
}

#[actix_rt::test]
async fn the_quotas_of_an_account_hold_in_redis() {
    let server = RedisServer::start();
    let url = server.url();
    let node = Node::start(&[&NARROW[..], &[("POSTHASTE_STORE__URL", url.as_str())]].concat()).await;
    the_quotas_of_an_account_hold(&node).await;
    // Writes of other programs through the script respect the quotas too.
    let document = json!({"id": "5", "event": "*", "template": "w", "url": "https://example.com/"}).to_string();
    let script =
        ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ",", "put", "trigger", "a", "5", &document];
    assert_eq!(server.cli(&script), "over_quota\ntriggers\n3");
    // A trigger whose filter is too large is stored, reported once, and fires nothing.
    let filter = json!({"a": ["x".repeat(200)]});
    let document = json!({"id": "t", "event": "*", "template": "w", "url": "https://example.com/", "where": filter});
    let document = document.to_string();
    let script =
        ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ",", "put", "trigger", "b", "t", &document];
    assert!(server.cli(&script).starts_with("written\n"));
    node.wait_for_metric("posthaste_records_unusable", 1.0).await;
    assert_eq!(node.get("/v1/accounts/b/triggers/t").await.status, 200, "it is not lost");
    let dropped = "posthaste_dropped_total{reason=\"filter_too_costly\"}";
    node.fire(json!({"type": "a", "account": "b", "data": {"a": "x".repeat(200)}})).await;
    assert!(node.metric(dropped).await <= 1.0);
    assert_eq!(node.metric("posthaste_attempts_total{outcome=\"delivered\"}").await, 0.0);
}

#[actix_rt::test]
async fn a_page_ends_at_its_bytes_and_the_next_goes_on() {
    let server = RedisServer::start();
    let url = server.url();
    for more in [&[][..], &[("POSTHASTE_STORE__URL", url.as_str())]] {
        let node = Node::start(more).await;
        for number in 0..40 {
            let template = json!({"format": "text", "body": "x".repeat(60_000)});
            assert_eq!(node.put(&format!("/v1/accounts/a/templates/{number:02}"), &template).await.status, 201);
        }
        let (mut ids, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let reply = node.get(&format!("/v1/accounts/a/templates?limit=1000{cursor}")).await;
            assert!(reply.body.len() < (1 << 20) + 70_000, "{}", reply.body.len());
            pages += 1;
            let page = reply.json();
            let items = page["items"].as_array().expect("items");
            ids.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(ids, (0..40).map(|number| format!("{number:02}")).collect::<Vec<_>>());
        assert_eq!(pages, 3);
    }
}

#[actix_rt::test]
async fn of_many_rejected_events_a_hundred_are_listed() {
    let node = Node::start(&[]).await;
    let bad = |number: usize| vec![json!(0); number];
    let reply = node.post("/v1/events", &json!(bad(250_000))).await;
    assert_eq!(reply.problem(), (422, "no_good_event".to_owned()));
    assert!(reply.body.len() < 20_000, "{}", reply.body.len());
    assert_eq!(reply.json()["rejected"].as_array().map(Vec::len), Some(100));
    assert_eq!(reply.json()["rejected_more"], json!({"wrong_type": 249_900}));
    let mut events = bad(150);
    events.push(json!({"type": "a", "data": {}}));
    events.push(json!({"type": "a"}));
    let reply = node.post("/v1/events", &json!(events)).await;
    let receipt = reply.json();
    assert_eq!((reply.status, &receipt["accepted"]), (202, &json!(1)));
    assert_eq!(receipt["rejected"][99]["index"], 99);
    assert_eq!(receipt["rejected_more"], json!({"missing_member": 1, "wrong_type": 50}));
    assert_eq!(node.metric("posthaste_events_rejected_total{code=\"wrong_type\"}").await, 250_150.0);
    // Up to a hundred, all are listed.
    let reply = node.post("/v1/events", &json!(bad(100))).await;
    assert_eq!(
        (reply.json()["rejected"].as_array().map(Vec::len), &reply.json()["rejected_more"]),
        (Some(100), &Value::Null)
    );
}
