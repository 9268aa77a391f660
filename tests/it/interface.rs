//! The HTTP interface: bad input, records, keys. Every response is checked against the OpenAPI document.

mod bodies;
mod connections;
mod direct;
mod document;
mod filters;
mod limits;
mod metrics;
mod pipelined;
mod quotas;
mod unreadable;

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{Node, Receiver, json_template};

#[actix_rt::test]
async fn each_kind_of_bad_input_has_its_status_and_code() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let json = "application/json";
    let deep = format!("{{\"type\":\"a\",\"data\":{}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    for (content_type, body, status, code) in [
        (json, b"{\"type\":\"a\",\"da".to_vec(), 400, "malformed_body"),
        (json, b"".to_vec(), 400, "malformed_body"),
        (json, b"{\"type\":\"\xff\xfe\",\"data\":{}}".to_vec(), 400, "malformed_body"),
        (json, deep.into_bytes(), 400, "malformed_body"),
        (json, b"[]".to_vec(), 422, "no_events"),
        (json, b"{\"type\":7,\"data\":{}}".to_vec(), 422, "wrong_type"),
        (json, b"{\"type\":\"a\"}".to_vec(), 422, "missing_member"),
        (json, b"{\"type\":\"a b\",\"data\":{}}".to_vec(), 422, "bad_event_type"),
        (json, b"[{\"type\":\"a b\",\"data\":{}},7]".to_vec(), 422, "no_good_event"),
        ("application/x-ndjson", b"{\n}".to_vec(), 400, "no_good_event"),
        ("application/cloudevents+json", b"{\"type\":\"a\"}".to_vec(), 422, "missing_member"),
        ("application/cloudevents-batch+json", b"{}".to_vec(), 400, "malformed_body"),
        ("text/plain", b"{}".to_vec(), 415, "unsupported_media_type"),
        ("application/json; charset=latin1", b"{}".to_vec(), 415, "unsupported_charset"),
        (json, vec![b' '; (1 << 20) + 1], 413, "body_too_large"),
    ] {
        let reply = node.call(Method::POST, "/v1/events", &[("content-type", content_type)], body).await;
        assert_eq!(reply.problem(), (status, code.to_owned()), "{}", reply.json());
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let fields: serde_json::Map<String, Value> = (0..10_000).map(|n| (format!("f{n}"), n.into())).collect();
    node.fire(json!({"type": "a", "id": "many", "data": fields})).await;
    let mixed = json!([{"type": "a", "id": "good", "data": {}}, {"type": ""}, 7]);
    let reply = node.post("/v1/events", &mixed).await;
    assert_eq!((reply.status, &reply.json()["accepted"]), (202, &json!(1)));
    let places: Vec<_> =
        reply.json()["rejected"].as_array().expect("a list").iter().map(|r| r["index"].clone()).collect();
    assert_eq!(places, [1, 2]);
    receiver.wait_for(2).await;
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 2);
}

#[actix_rt::test]
async fn records_are_created_read_replaced_listed_and_deleted() {
    let node = Node::start(&[]).await;
    let (triggers, templates) = ("/v1/accounts/acme/triggers", "/v1/accounts/acme/templates");
    let trigger = json!({"event": "a", "template": "w", "url": "https://example.com/"});
    assert_eq!(node.put(&format!("{triggers}/t"), &trigger).await.problem(), (422, "unknown_template".into()));
    let made = node.put(&format!("{templates}/w"), &json_template()).await;
    assert_eq!(made.status, 201);
    assert_eq!(node.put(&format!("{triggers}/t"), &trigger).await.status, 201);
    assert_eq!(node.delete(&format!("{templates}/w")).await.problem(), (409, "template_in_use".into()));

    let read = node.get(&format!("{triggers}/t")).await;
    assert_eq!((read.json()["id"].clone(), read.json()["enabled"].clone()), (json!("t"), json!(true)));
    let tag = read.header("etag");
    let path = format!("{triggers}/t");
    let typed = ("content-type", "application/json");
    let stale = node.call(Method::PUT, &path, &[typed, ("if-match", "\"0\"")], trigger.to_string()).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".into()));
    let fresh = node.call(Method::PUT, &path, &[typed, ("if-match", &tag)], trigger.to_string()).await;
    assert_eq!(fresh.status, 200);
    assert_ne!(fresh.header("etag"), tag);
    let again = node.call(Method::PUT, &path, &[typed, ("if-none-match", "*")], trigger.to_string()).await;
    assert_eq!(again.status, 412);
    let nowhere = format!("{triggers}/nowhere");
    let none = node.call(Method::PUT, &nowhere, &[typed, ("if-match", "*")], trigger.to_string()).await;
    assert_eq!(none.problem(), (412, "precondition_failed".into()));
    let kept = node.call(Method::DELETE, &path, &[("if-match", &tag)], "").await;
    assert_eq!((kept.status, node.get(&path).await.status), (412, 200));
    let mut misnamed = trigger.clone();
    misnamed["id"] = "other".into();
    let refused = node.put(&path, &misnamed).await;
    assert_eq!((refused.status, refused.json()["errors"][0]["code"].clone()), (422, json!("id_mismatch")));
    let same = node.call(Method::GET, &path, &[("if-none-match", &fresh.header("etag"))], "").await;
    assert_eq!(same.status, 304);

    let posted = node.post(triggers, &trigger).await;
    let id = posted.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(posted.header("location"), format!("{triggers}/{id}"));
    let mut taken = trigger.clone();
    taken["id"] = "t".into();
    assert_eq!(node.post(triggers, &taken).await.problem(), (409, "id_taken".into()));

    let first = node.get(&format!("{triggers}?limit=1")).await.json();
    let cursor = first["cursor"].as_str().expect("there is more");
    let second = node.get(&format!("{triggers}?limit=1&cursor={cursor}")).await.json();
    assert_eq!((&first["items"][0]["id"], &second["items"][0]["id"]), (&json!(id), &json!("t")));
    assert!(second.get("cursor").is_none());
    for (query, code) in [
        ("limit=0", "bad_limit"),
        ("limit=x", "bad_limit"),
        ("cursor=*", "bad_cursor"),
        ("template=a%20b", "bad_name"),
        ("template=", "bad_name"),
        ("limit=1&limit=1", "bad_query"),
        ("foo=1", "bad_query"),
    ] {
        assert_eq!(node.get(&format!("{triggers}?{query}")).await.problem(), (400, code.into()), "{query}");
    }
    for path in [templates, "/v1/keys", "/v1/activity", "/v1/destinations"] {
        let reply = node.get(&format!("{path}?foo=1")).await;
        assert_eq!(reply.problem(), (400, "bad_query".into()), "{path}");
    }
    assert_eq!(node.get(&format!("{templates}?template=w")).await.problem(), (400, "bad_query".into()));
    assert_eq!(node.delete(&format!("{triggers}/{id}")).await.status, 204);
    assert_eq!(node.delete(&format!("{triggers}/{id}")).await.problem(), (404, "not_found".into()));
    assert_eq!(node.delete(&format!("{triggers}/t")).await.status, 204);
    assert_eq!(node.delete(&format!("{templates}/w")).await.status, 204);
    let wrong = node.call(Method::PATCH, &path, &[], "").await;
    assert_eq!(
        (wrong.problem(), wrong.header("allow").as_str()),
        ((405, "method_not_allowed".into()), "GET, HEAD, PUT, DELETE")
    );
    assert_eq!(node.get("/v2").await.problem(), (404, "no_such_path".into()));
    let begin = node.get("/").await.json();
    assert!(begin["detail"].as_str().is_some_and(|text| text.contains("/console")), "{begin}");
}

#[actix_rt::test]
async fn triggers_are_listed_by_template() {
    let node = Node::start(&[]).await;
    let (triggers, templates) = ("/v1/accounts/acme/triggers", "/v1/accounts/acme/templates");
    for template in ["w", "wx"] {
        assert_eq!(node.put(&format!("{templates}/{template}"), &json_template()).await.status, 201);
    }
    for (id, template) in [("a", "w"), ("b", "wx"), ("c", "w")] {
        let trigger = json!({"event": "a", "template": template, "url": "https://example.com/"});
        assert_eq!(node.put(&format!("{triggers}/{id}"), &trigger).await.status, 201);
    }
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = node.get(&format!("{triggers}?template=w&limit=1{cursor}")).await.json();
        pages.push(page["items"].as_array().expect("a list").iter().map(|item| item["id"].clone()).collect::<Vec<_>>());
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, [["a"], ["c"]]);
    assert_eq!(node.get(&format!("{triggers}?template=none")).await.json(), json!({"items": []}));
}

#[actix_rt::test]
async fn a_secret_is_written_and_never_read() {
    let node = Node::start(&[]).await;
    let path = "/v1/accounts/default/triggers/t";
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    node.set_up("t", &json_template(), json!({"event": "a", "url": "https://example.com/", "secret": secret})).await;
    let read = node.get(path).await;
    assert!(!String::from_utf8_lossy(&read.body).contains("whsec"));
    let stored = || async {
        let account = posthaste::model::id::AccountId::default_account();
        let stored = node.running().shared().store.get::<posthaste::model::trigger::Trigger>(Some(&account), "t").await;
        stored.expect("reachable").expect("there").value.secrets.first().map(|secret| secret.to_text())
    };
    assert_eq!(node.put(path, &read.json()).await.status, 200);
    assert_eq!(stored().await.as_deref(), Some(secret), "what was read, written back, keeps it");
    let mut without = read.json();
    without["secret"] = Value::Null;
    node.put(path, &without).await;
    assert_eq!(stored().await, None);
}

/// Sent back with another port, a trigger that was read lacks the values of its headers.
#[actix_rt::test]
async fn a_header_value_that_must_be_sent_is_the_problems_code() {
    let node = Node::start(&[]).await;
    let path = "/v1/accounts/default/triggers/t";
    let more = json!({"event": "a", "url": "https://example.com/", "headers": {"X-Token": "1", "X-Other": "2"}});
    node.set_up("t", &json_template(), more).await;
    let mut moved = node.get(path).await.json();
    moved["url"] = "https://example.com:8443/".into();
    let refused = node.put(path, &moved).await;
    assert_eq!(refused.problem(), (422, "header_value_required".into()));
    assert_eq!(refused.json()["errors"].as_array().map(Vec::len), Some(2), "{}", refused.json());
}

#[actix_rt::test]
async fn keys_allow_what_their_scope_allows() {
    const OPERATOR: &str = "the-operators-own-key";
    let mut node = Node::start(&[("POSTHASTE_AUTH__OPERATOR_KEY", OPERATOR)]).await;
    assert_eq!(node.get("/v1/keys").await.problem(), (401, "key_missing".into()));
    assert_eq!(node.get("/healthz").await.status, 200);
    node.key = Some("phk_unknown".into());
    assert_eq!(node.get("/v1/keys").await.problem(), (401, "key_unknown".into()));
    node.key = Some(OPERATOR.into());
    let mut shown = Vec::new();
    let scopes = [
        json!({"scope": "producer"}),
        json!({"scope": "account", "account": "acme"}),
        json!({"scope": "producer", "account": "acme"}),
    ];
    for document in scopes {
        let reply = node.post("/v1/keys", &document).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        shown.push((
            reply.json()["id"].as_str().expect("an id").to_owned(),
            reply.json()["key"].as_str().expect("a key").to_owned(),
        ));
    }
    assert_eq!(node.post("/v1/keys", &json!({"scope": "account"})).await.status, 422);
    let listed = node.get("/v1/keys").await;
    assert_eq!(listed.json()["items"].as_array().map(Vec::len), Some(3));
    assert!(shown.iter().all(|(_, key)| !String::from_utf8_lossy(&listed.body).contains(key.as_str())));

    let event = json!({"type": "a", "data": {}});
    node.key = Some(shown[0].1.clone());
    assert_eq!(node.post("/v1/events", &event).await.status, 202);
    assert_eq!(node.get("/v1/accounts/acme/triggers").await.problem(), (403, "forbidden".into()));
    node.key = Some(shown[1].1.clone());
    assert_eq!(node.post("/v1/events", &event).await.status, 403);
    assert_eq!(node.get("/v1/accounts/acme/triggers").await.status, 200);
    assert_eq!(node.get("/v1/accounts/other/triggers").await.status, 403);
    assert_eq!(node.get("/v1/dictionary").await.status, 200);
    node.key = Some(shown[2].1.clone());
    assert_eq!(node.post("/v1/events", &event).await.problem(), (422, "account_not_allowed".into()));
    let own = json!({"type": "a", "account": "acme", "data": {}});
    assert_eq!(node.post("/v1/events", &own).await.status, 202);
    node.key = Some(OPERATOR.into());
    assert_eq!(node.delete(&format!("/v1/keys/{}", shown[0].0)).await.status, 204);
    node.key = Some(shown[0].1.clone());
    assert_eq!(node.post("/v1/events", &event).await.status, 401);
}

#[actix_rt::test]
async fn a_template_is_checked_and_a_trigger_tested() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let check = "/v1/accounts/default/templates/check";
    let good = json!({"format": "json", "body": "{\"n\":\"*|GUEST:NAME|*\"}", "event": "guest.created"});
    let verdict = node.post(check, &good).await.json();
    assert_eq!((&verdict["ok"], &verdict["preview"]["content_type"]), (&json!(true), &json!("application/json")));
    let own = json!({"format": "text", "body": "{{a}}", "data": {"a": "é"}});
    assert_eq!(node.post(check, &own).await.json()["preview"]["body"], "é");
    // Numbers have the digits that an event's have.
    let text = r#"{"format": "json", "body": "[{{a}}]", "data": {"a": 1E400}}"#;
    let reply = node.call(Method::POST, check, &[("content-type", "application/json")], text).await.json();
    assert_eq!(reply["preview"]["body"], "[1E400]");
    let bad = node.post(check, &json!({"format": "json", "body": "\n *|GUEST:NMAE|*"})).await.json();
    let first = &bad["diagnostics"][0];
    assert_eq!(
        (&bad["ok"], &first["code"], &first["line"], &first["column"]),
        (&json!(false), &json!("unknown_tag"), &json!(2), &json!(2))
    );
    assert_eq!(first["suggestion"], "*|GUEST:NAME|*");

    let trigger = json!({"event": "guest.*", "url": receiver.url("/hook"), "enabled": false});
    node.set_up("t", &good_template(), trigger).await;
    let text = r#"{"event": "a", "template": "t", "url": "https://example.com/{{a}}", "data": {"a": 1E+2}}"#;
    let path = "/v1/accounts/default/triggers/check";
    let reply = node.call(Method::POST, path, &[("content-type", "application/json")], text).await.json();
    assert_eq!(reply["preview"]["url"], "https://example.com/1E%2B2", "{reply}");
    let tried = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
    assert_eq!((&tried["delivered"], &tried["status"]), (&json!(true), &json!(200)));
    assert_eq!(receiver.wait_for(1).await[0].path, "/hook");
    let (path, text) = ("/v1/accounts/default/triggers/t/test", r#"{"data": {"guest": {"name": 1E400}}}"#);
    assert_eq!(node.call(Method::POST, path, &[("content-type", "application/json")], text).await.status, 200);
    assert_eq!(receiver.wait_for(2).await[1].body, br#"{"n":"1E400"}"#);
    assert_eq!(node.post("/v1/accounts/default/triggers/no/test", &json!({})).await.status, 404);
}

fn good_template() -> Value {
    json!({"format": "json", "body": "{\"n\":\"*|GUEST:NAME|*\"}"})
}

#[actix_rt::test]
async fn the_dictionary_can_be_read() {
    let node = Node::start(&[]).await;
    let all = node.get("/v1/dictionary").await.json();
    assert!(all["events"].as_array().is_some_and(|events| events.len() >= 20));
    assert_eq!(node.get("/v1/dictionary/guest.created").await.json()["type"], "guest.created");
    assert_eq!(node.get("/v1/dictionary/no.such").await.status, 404);
}
