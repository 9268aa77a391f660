//! Filters over HTTP: refusals and warnings, `check`, `explain`, and the result of `test`.

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{Node, Receiver, RedisServer, json_template};

const TRIGGERS: &str = "/v1/accounts/default/triggers";

async fn with_template(more: &[(&str, &str)]) -> Node {
    let node = Node::start(more).await;
    let template = json!({"format": "json", "body": "{\"name\": \"{{guest.name}}\"}"});
    assert_eq!(node.put("/v1/accounts/default/templates/w", &template).await.status, 201);
    node
}

fn trigger(more: Value) -> Value {
    let mut trigger = json!({"event": "guest.created", "template": "w", "url": "https://example.com/hook"});
    trigger.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
    trigger
}

fn codes(list: &Value) -> Vec<(&str, &str)> {
    let text = |item: &'_ Value, name: &str| item[name].as_str().map(|text| text.len()).unwrap_or_default();
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(items.iter().all(|item| text(item, "detail") + text(item, "message") > 10), "{list}");
    items.iter().map(|item| (item["pointer"].as_str().unwrap_or(""), item["code"].as_str().unwrap_or(""))).collect()
}

#[actix_rt::test]
async fn a_bad_filter_is_refused_with_its_position() {
    let node = with_template(&[]).await;
    for (filter, pointer, code) in [
        (json!({"guest": {"name": "Maria"}}), "/where/guest/name", "bad_pattern"),
        (json!({"guest": {"name": [{"wildcard": "a**"}]}}), "/where/guest/name/0/wildcard", "bad_wildcard"),
        (json!({"guest": {"name": [{"anything-but": ["a", 1]}]}}), "/where/guest/name/0/anything-but", "bad_pattern"),
        (json!({"$or": [{"a": [1]}]}), "/where/$or", "bad_pattern"),
    ] {
        let reply = node.put(&format!("{TRIGGERS}/t"), &trigger(json!({"where": filter}))).await;
        assert_eq!(reply.problem(), (422, "invalid_trigger".to_owned()), "{filter}");
        assert_eq!(codes(&reply.json()["errors"]), [(pointer, code)], "{filter}");
    }
    let text = trigger(json!({"where": {"a": [1]}})).to_string().replace("{\"a\":[1]}", "{\"a\":[1],\"a\":[2]}");
    for (method, path) in [(Method::PUT, "/t"), (Method::POST, ""), (Method::POST, "/check")] {
        let headers = [("content-type", "application/json")];
        let reply = node.call(method, &format!("{TRIGGERS}{path}"), &headers, text.clone()).await;
        assert_eq!(codes(&reply.json()["errors"]), [("/where/a", "repeated_key")], "{path}");
    }
}

/// No mistake hides another, of whatever kind they are.
#[actix_rt::test]
async fn every_mistake_of_a_document_is_named_at_once() {
    let node = with_template(&[]).await;
    let header = json!({"Host": "x", "X-A": "{{x", "X-B": null});
    for (document, expected) in [
        (
            json!({"event": "*x", "headers": {"Host": "x"}}),
            vec![("/event", "bad_event_pattern"), ("/headers/Host", "bad_header")],
        ),
        (
            json!({"template": "no", "headers": {"Host": "x"}}),
            vec![("/headers/Host", "bad_header"), ("/template", "unknown_template")],
        ),
        (
            json!({"url": "x", "template": "no", "headers": header, "where": {"a": 1}}),
            vec![
                ("/where/a", "bad_pattern"),
                ("/url", "bad_url"),
                ("/headers/X-B", "header_value_required"),
                ("/headers/Host", "bad_header"),
                ("/headers/X-A", "bad_header"),
                ("/template", "unknown_template"),
            ],
        ),
        (
            json!({"id": "other", "event": 7, "template": "a b"}),
            vec![("/id", "id_mismatch"), ("/event", "wrong_type"), ("/template", "bad_name")],
        ),
    ] {
        let document = trigger(document);
        let reply = node.put(&format!("{TRIGGERS}/t"), &document).await;
        assert_eq!(reply.problem(), (422, "invalid_trigger".to_owned()), "{document}");
        assert_eq!(codes(&reply.json()["errors"]), expected, "{document}");
        let verdict = node.post(&format!("{TRIGGERS}/check"), &document).await.json();
        let expected: Vec<_> = expected.into_iter().filter(|(pointer, _)| *pointer != "/id").collect();
        assert_eq!((codes(&verdict["errors"]), &verdict["ok"]), (expected, &json!(false)), "{document}");
    }
    // With the values of headers that must be sent again.
    let path = format!("{TRIGGERS}/t");
    assert_eq!(node.put(&path, &trigger(json!({"headers": {"X-A": "1"}}))).await.status, 201);
    let moved = trigger(json!({"url": "https://example.org/", "headers": {"X-A": null, "Host": "x"}}));
    let expected = [("/headers/X-A", "header_value_required"), ("/headers/Host", "bad_header")];
    assert_eq!(codes(&node.put(&path, &moved).await.json()["errors"]), expected);

    let template = json!({"id": "other", "format": "json", "body": "{{#if", "content_type": "application/xml"});
    let reply = node.put("/v1/accounts/default/templates/v", &template).await;
    assert_eq!(reply.problem(), (422, "invalid_template".to_owned()));
    assert_eq!(codes(&reply.json()["errors"]), [("/id", "id_mismatch"), ("/content_type", "bad_content_type")]);
    assert_eq!(codes(&reply.json()["diagnostics"]).len(), 1, "{}", reply.json());
}

#[actix_rt::test]
async fn saving_warns_of_a_trigger_that_can_never_fire() {
    let node = with_template(&[]).await;
    let saved = node.put(&format!("{TRIGGERS}/t"), &trigger(json!({"event": "guest.craeted"}))).await.json();
    assert_eq!(codes(&saved["warnings"]), [("/event", "unknown_event")]);
    assert_eq!(saved["warnings"][0]["suggestion"], "guest.created");
    let document = trigger(json!({"where": {"guest": {"contry": ["PT"]}}}));
    let saved = node.put(&format!("{TRIGGERS}/t"), &document).await.json();
    assert_eq!(codes(&saved["warnings"]), [("/where/guest/contry", "unknown_path")]);
    assert_eq!(saved["warnings"][0]["suggestion"], "guest.country");
    // The response to a PUT is a valid document for the next PUT.
    let again = node.put(&format!("{TRIGGERS}/t"), &saved).await;
    assert_eq!((again.status, again.json()), (200, saved));
    let saved = node.put(&format!("{TRIGGERS}/t"), &trigger(json!({"where": {"guest": {"country": ["PT"]}}}))).await;
    assert_eq!(saved.json().get("warnings"), None);
}

#[actix_rt::test]
async fn check_reports_and_previews_without_saving() {
    let node = with_template(&[]).await;
    let check = async |document: Value| {
        let reply = node.post(&format!("{TRIGGERS}/check"), &document).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()
    };
    let filter = json!({"guest": {"country": ["PT"]}});
    let document = trigger(json!({"where": filter, "headers": {"X-Token": "secret"}}));
    let mut asked = document.clone();
    asked["data"] = json!({"guest": {"name": "Maria", "country": "PT"}});
    let verdict = check(asked.clone()).await;
    assert_eq!((&verdict["ok"], &verdict["fires"], &verdict["errors"]), (&json!(true), &json!(true), &json!([])));
    let preview = json!({
        "url": "https://example.com/hook", "headers": {"X-Token": "secret"},
        "content_type": "application/json", "body": "{\"name\": \"Maria\"}",
    });
    assert_eq!(verdict["preview"], preview);
    asked["data"]["guest"]["country"] = "ES".into();
    assert_eq!(check(asked).await["fires"], false);
    // Nothing was saved. A check of a saved trigger uses its saved parts.
    assert_eq!(node.get(&format!("{TRIGGERS}/check")).await.status, 404);
    assert_eq!(node.put(&format!("{TRIGGERS}/t"), &document).await.status, 201);
    let shown = node.get(&format!("{TRIGGERS}/t")).await.json();
    let verdict = check(shown).await;
    assert_eq!((&verdict["ok"], &verdict["preview"]["headers"]["X-Token"]), (&json!(true), &Value::Null));
    // All mistakes of a document at once.
    let verdict = check(trigger(json!({"url": "ftp://x", "where": {"a": []}, "evnt": 1, "data": 7}))).await;
    let found = codes(&verdict["errors"]);
    for expected in
        [("/data", "wrong_type"), ("/where/a", "bad_pattern"), ("/url", "bad_url"), ("/evnt", "unknown_member")]
    {
        assert!(found.contains(&expected), "{found:?}");
    }
    let errors = verdict["errors"].as_array().expect("a list").iter();
    let unknown = errors.filter(|error| error["code"] == "unknown_member").map(|error| &error["detail"]);
    assert!(
        unknown.clone().all(|detail| detail.as_str().is_some_and(|detail| detail.ends_with(", data"))),
        "{verdict}"
    );
    assert_eq!((&verdict["ok"], verdict.get("preview")), (&json!(false), None));
    let verdict = check(trigger(json!({"template": "none"}))).await;
    assert_eq!(codes(&verdict["errors"]), [("/template", "unknown_template")]);
    let verdict = check(trigger(json!({"event": "guest.craeted"}))).await;
    assert_eq!((&verdict["ok"], codes(&verdict["warnings"])), (&json!(true), vec![("/event", "unknown_event")]));
    assert_eq!(codes(&check(json!([])).await["errors"]), [("", "wrong_type")]);
}

/// Names as long as a filter may be, which are in the path and the condition of each explanation.
#[actix_rt::test]
async fn a_page_of_explanations_ends_at_its_bytes() {
    let node = with_template(&[]).await;
    let name = "n".repeat(30_000);
    for number in 10..50 {
        let document = trigger(json!({"where": {"list": {&name: [number]}}}));
        assert_eq!(node.put(&format!("{TRIGGERS}/t{number}"), &document).await.status, 201);
    }
    let mut question = json!({"type": "guest.created", "data": {"list": vec![json!({}); 100]}});
    let (mut pages, mut seen) = (0, 0);
    loop {
        let page = node.post(&format!("{TRIGGERS}/explain"), &question).await.json();
        let triggers = page["triggers"].as_array().expect("a page");
        assert!(triggers.iter().all(|one| one["path"] == format!("/list/0/{name}")));
        (pages, seen) = (pages + 1, seen + triggers.len());
        let Some(cursor) = page.get("cursor") else { break };
        question["cursor"] = cursor.clone();
    }
    assert_eq!((pages, seen), (2, 40));
}

#[actix_rt::test]
async fn explain_says_why_an_event_does_not_fire_a_trigger() {
    let node = with_template(&[("POSTHASTE_MATCHING__STEPS_PER_TRIGGER_MAX", "2000")]).await;
    let costly: Vec<Value> = (0..900).map(|n| json!({"numeric": [">", 1_000 + n]})).collect();
    for (id, more) in [
        ("a", json!({})),
        ("b", json!({"enabled": false})),
        ("c", json!({"event": "booking.*"})),
        ("d", json!({"where": {"guest": {"country": ["PT"], "city": ["Porto"]}}})),
        ("e", json!({"where": {"n": costly}})),
        ("f", json!({"where": {"guest": {"country": ["PT"]}}})),
    ] {
        let reply = node.put(&format!("{TRIGGERS}/{id}"), &trigger(more)).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
    }
    let question = json!({
        "type": "guest.created", "id": "1", "time": "2026-07-01T00:00:00Z",
        "data": {"guest": {"country": "PT", "city": "Lisboa"}, "n": [1, 2, 3, 4]},
    });
    let explain = async |more: Value| {
        let mut question = question.clone();
        question.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        node.post(&format!("{TRIGGERS}/explain"), &question).await
    };
    let all = explain(json!({})).await.json();
    let expected = json!({"triggers": [
        {"id": "a", "fires": true},
        {"id": "b", "fires": false, "reason": "disabled"},
        {"id": "c", "fires": false, "reason": "event"},
        {"id": "d", "fires": false, "reason": "filter", "path": "/guest/city", "condition": ["Porto"], "value": "Lisboa"},
        {"id": "e", "fires": false, "reason": "filter_too_costly"},
        {"id": "f", "fires": true},
    ]});
    assert_eq!(all, expected);
    let (mut seen, mut more) = (Vec::new(), json!({"limit": 4}));
    loop {
        let page = explain(more.clone()).await.json();
        seen.extend(page["triggers"].as_array().cloned().expect("a page"));
        let Some(cursor) = page.get("cursor") else { break };
        more["cursor"] = cursor.clone();
    }
    assert_eq!(json!({"triggers": seen}), expected);
    let some = explain(json!({"triggers": ["f", "b", "f"]})).await.json();
    assert_eq!(some["triggers"], json!([expected["triggers"][1], expected["triggers"][5]]));
    assert_eq!(explain(json!({"triggers": ["f", "none"]})).await.problem(), (404, "not_found".to_owned()));
    for bad in [json!({"data": 1}), json!({"type": ""}), json!({"limit": 0}), json!({"triggers": [1]}), json!({"x": 1})]
    {
        assert_eq!(explain(bad.clone()).await.problem(), (422, "invalid_explain".to_owned()), "{bad}");
    }
}

/// The work of one page is bounded: it ends before its limit, and the next page continues.
#[actix_rt::test]
async fn a_page_of_explanations_ends_when_its_steps_are_used_up() {
    let node = with_template(&[("POSTHASTE_MATCHING__STEPS_PER_EVENT_MAX", "50")]).await;
    for id in ["a", "b", "c", "d"] {
        let filter = json!({"n": (100..140).collect::<Vec<_>>()});
        assert_eq!(node.put(&format!("{TRIGGERS}/{id}"), &trigger(json!({"where": filter}))).await.status, 201);
    }
    let mut question = json!({"type": "guest.created", "data": {"n": 1}});
    let mut pages = Vec::new();
    loop {
        let page = node.post(&format!("{TRIGGERS}/explain"), &question).await.json();
        pages.push(page["triggers"].as_array().map_or(0, Vec::len));
        let Some(cursor) = page.get("cursor") else { break };
        question["cursor"] = cursor.clone();
    }
    assert_eq!(pages.iter().sum::<usize>(), 4);
    assert!(pages.len() > 1, "{pages:?}");
}

#[actix_rt::test]
async fn filters_that_no_lookup_can_exclude_are_bounded() {
    let node = with_template(&[("POSTHASTE_MATCHING__UNSELECTIVE_FILTERS_MAX", "2")]).await;
    let absent = trigger(json!({"where": {"guest": {"email": [{"exists": false}]}}}));
    let put = async |id: &str, document: &Value| node.put(&format!("{TRIGGERS}/{id}"), document).await;
    for id in ["1", "2"] {
        assert_eq!(put(id, &absent).await.status, 201);
    }
    let refused = put("3", &absent).await;
    assert_eq!(codes(&refused.json()["errors"]), [("/where", "filter_not_selective")]);
    // A replacement does not count again; disabled triggers, other accounts and selective filters do not count.
    assert_eq!(put("2", &absent).await.status, 200);
    for (id, more) in [
        ("3", json!({"enabled": false})),
        ("4", json!({"event": "guest.updated"})),
        ("5", json!({"where": {"guest": {"country": ["PT"], "email": [{"exists": false}]}}})),
        ("6", json!({"where": null})),
    ] {
        let mut document = absent.clone();
        document.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        assert_eq!(put(id, &document).await.status, 201, "{document}");
    }
}

/// The budget of steps bounds what such filters cost. So those that another program wrote are live, however many.
#[actix_rt::test]
async fn filters_beyond_the_bound_fire_where_another_program_wrote_them() {
    let (redis, receiver) = (RedisServer::start(), Receiver::start());
    let url = redis.url();
    let bound = ("POSTHASTE_MATCHING__UNSELECTIVE_FILTERS_MAX", "1");
    let node = with_template(&[bound, ("POSTHASTE_STORE__URL", &url)]).await;
    let mut document =
        trigger(json!({"url": receiver.url("/hook"), "where": {"guest": {"email": [{"exists": false}]}}}));
    for id in ["1", "2", "3"] {
        document["id"] = id.into();
        let write = ["--eval", "src/store/redis/write.lua", "{posthaste}:meta", ",", "put", "trigger", "default", id];
        let response = redis.cli(&[&write[..], &[&document.to_string()]].concat());
        assert!(response.starts_with("written"), "{response}");
    }
    node.wait_for_metric("posthaste_triggers", 3.0).await;
    assert_eq!(node.put(&format!("{TRIGGERS}/4"), &trigger(json!({"where": document["where"]}))).await.status, 422);
    node.fire(json!({"type": "guest.created", "data": {"guest": {"name": "Maria"}}})).await;
    receiver.wait_for(3).await;
}

#[actix_rt::test]
async fn a_test_reports_whether_the_sample_passes_the_filter() {
    let node = Node::start(&[]).await;
    let receiver = Receiver::start();
    let filter = json!({"guest": {"country": ["XX"]}});
    let document = json!({"event": "guest.created", "url": receiver.url("/hook"), "where": filter});
    node.set_up("t", &json_template(), document).await;
    let test = format!("{TRIGGERS}/t/test");
    let reply = node.call(Method::POST, &test, &[], "").await.json();
    assert_eq!((&reply["delivered"], &reply["fires"]), (&json!(true), &json!(false)), "{reply}");
    let reply = node.post(&test, &json!({"data": {"guest": {"country": "XX"}}})).await.json();
    assert_eq!((&reply["delivered"], &reply["fires"]), (&json!(true), &json!(true)), "{reply}");
    assert_eq!(node.post(&test, &json!({"data": 1})).await.problem(), (422, "invalid_test".to_owned()));
}
