//! The OpenAPI document: it is valid, and agrees with the routes.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{Node, json_template};

const METHODS: [&str; 8] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"];

fn document() -> &'static Value {
    posthaste::http::openapi_document()
}

/// Every call: its path, its method, and its description.
fn calls() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().expect("paths");
    let calls = paths.iter().flat_map(|(path, calls)| {
        let calls = calls.as_object().expect("calls");
        calls.iter().map(move |(method, call)| (path.as_str(), method.as_str(), call))
    });
    calls.collect()
}

#[actix_rt::test]
async fn the_served_document_is_the_generated_one() {
    let node = Node::start(&[]).await;
    assert_eq!(&node.get("/v1/openapi.json").await.json(), document());
}

#[test]
fn it_is_openapi_3_1() {
    let document = document();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..4]), Some("3.1."));
    assert_eq!(document["info"]["title"], "Posthaste");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = document.to_string();
    for (at, _) in text.match_indices("\"$ref\":\"#") {
        let pointer: String = text[at + 9..].chars().take_while(|c| *c != '"').collect();
        assert!(document.pointer(&pointer).is_some(), "{pointer} is named and not there");
    }
    assert!(!text.contains("\"nullable\""), "a word of OpenAPI 3.0");
    let mut ids = BTreeSet::new();
    for (path, method, call) in calls() {
        let at = format!("{method} {path}");
        assert!(ids.insert(call["operationId"].as_str().expect("an id")), "{at}: its id is there twice");
        let in_path: BTreeSet<&str> = path.split('/').filter_map(|p| p.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let declared = parameters.iter().filter(|p| p["in"] == "path" && p["required"] == true);
        assert_eq!(declared.filter_map(|p| p["name"].as_str()).collect::<BTreeSet<_>>(), in_path, "{at}");
        assert!(parameters.iter().all(|p| p["schema"].is_object()), "{at}");
        let responses = call["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
        assert!(responses.values().all(|response| response["description"].is_string()), "{at}");
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{at} {status}");
        }
    }
}

#[test]
fn every_call_says_whether_it_needs_a_key_and_what_happens_without() {
    for (path, method, call) in calls() {
        let open = ["/metrics", "/healthz", "/readyz", "/v1/openapi.json"].contains(&path);
        let open = open || path.starts_with("/console");
        assert_eq!(call["security"] == serde_json::json!([]), open, "{method} {path}");
        assert_eq!(call["responses"].get("401").is_none(), open, "{method} {path}");
    }
    assert_eq!(document()["security"], serde_json::json!([{"key": []}]));
}

/// Each path accepts the documented methods, and responds to the others with 405 and a list of them.
#[actix_rt::test]
async fn paths_accept_the_documented_methods() {
    // The activity stream never ends; without permitted subscribers it is refused instead.
    let node = Node::start(&[("POSTHASTE_ACTIVITY__SUBSCRIBERS_MAX", "0")]).await;
    for path in document()["paths"].as_object().expect("paths").keys() {
        // `templates/check` also matches a template's own path, and likewise for triggers.
        let also = |own: &str| {
            ["check", "explain"]
                .iter()
                .any(|word| path.ends_with(&format!("/{word}")) && own == path.replace(word, "{id}"))
        };
        let own = calls().into_iter().filter(|(own, ..)| own == path || also(own));
        let mut taken: BTreeSet<String> = own.map(|(_, method, _)| method.to_uppercase()).collect();
        if taken.contains("GET") {
            taken.insert("HEAD".to_owned());
        }
        let asked = path.replace("{account}", "acme").replace("{id}", "x").replace("{event}", "guest.created");
        for name in METHODS {
            let method: Method = name.parse().expect("a method");
            let reply = node.call(method, &asked, &[], "").await;
            assert_eq!(reply.status != 405, taken.contains(name), "{name} {path}: {}", reply.status);
            assert!(reply.status != 404 || reply.json()["code"] != "no_such_path", "{name} {path}");
            if reply.status == 405 {
                let allowed: BTreeSet<String> = reply.header("allow").split(", ").map(str::to_owned).collect();
                assert_eq!(allowed, taken, "{name} {path}");
            }
        }
    }
}

#[actix_rt::test]
async fn head_is_get_without_the_body() {
    let node = Node::start(&[]).await;
    for path in ["/healthz", "/readyz", "/v1/dictionary", "/v1/accounts/acme/triggers"] {
        let (get, head) = (node.get(path).await, node.call(Method::HEAD, path, &[], "").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
    }
}

/// A member that its reader bounds says so, whichever document it is in.
#[test]
fn documents_say_what_their_readers_require() {
    let schemas = &document()["components"]["schemas"];
    for (pointer, expected) in [
        ("/NewKey/properties/scope/enum", json!(["operator", "producer", "account"])),
        ("/TriggerDocument/properties/template/maxLength", json!(128)),
        ("/TriggerQuestion/properties/template/maxLength", json!(128)),
        ("/TriggerDocument/properties/headers/maxProperties", json!(32)),
        ("/TriggerDocument/properties/warnings/readOnly", json!(true)),
        ("/TriggerQuestion/properties/rate_per_s/minimum", json!(1)),
        ("/TriggerQuestion/additionalProperties", json!(false)),
        ("/TemplateQuestion/required", json!(["format", "body"])),
        ("/ShownKey/required", json!(["id", "name", "scope", "created", "key"])),
        ("/ExplainQuestion/properties/limit/maximum", json!(1_000)),
        ("/RotationDocument/properties/grace_s/maximum", json!(604_800)),
        ("/CloudEventDocument/properties/specversion/const", json!("1.0")),
        ("/Preset/properties/format/enum", json!(["json", "xml", "form", "text"])),
    ] {
        assert_eq!(schemas.pointer(pointer), Some(&expected), "{pointer}");
    }
    for name in ["event", "id", "template", "url", "secret"] {
        let pattern = &schemas["TriggerDocument"]["properties"][name]["pattern"];
        assert!(pattern.is_string(), "{name}");
        assert_eq!(pattern, &schemas["TriggerQuestion"]["properties"][name]["pattern"], "{name}");
    }
    for (path, method, call) in calls() {
        let parameters = call["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for limit in parameters.iter().filter(|parameter| parameter["name"] == "limit") {
            let schema = &limit["schema"];
            assert_eq!((&schema["minimum"], &schema["maximum"]), (&json!(1), &json!(1_000)), "{method} {path}");
        }
        assert!(call["responses"]["405"]["headers"]["Allow"].is_object(), "{method} {path}");
        for status in ["429", "503"] {
            let response = &call["responses"][status];
            assert!(response.is_null() || response["headers"]["Retry-After"].is_object(), "{method} {path} {status}");
        }
        assert!(call["responses"]["431"].is_object(), "{method} {path}");
    }
}

#[actix_rt::test]
async fn what_a_write_returns_can_be_written_again() {
    let node = Node::start(&[]).await;
    let (template, trigger) = ("/v1/accounts/acme/templates/w", "/v1/accounts/acme/triggers/t");
    let document = json!({"id": null, "format": "text", "body": "{{event.tpye}}"});
    let trigger_document = json!({"id": null, "event": "guest.created", "template": "w", "url": "https://example.com/",
        "headers": {"x-token": "a"}, "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "rate_per_s": 5});
    for (path, document) in [(template, document), (trigger, trigger_document)] {
        let written = node.put(path, &document).await;
        assert_eq!(written.status, 201, "{path}: {}", written.json());
        assert!(written.json()["warnings"].is_array(), "{path}: {}", written.json());
        let again = node.put(path, &written.json()).await;
        assert_eq!((again.status, again.json()), (200, written.json()), "{path}");
        let collection = path.rsplit_once('/').expect("a path").0;
        let checked = node.post(&format!("{collection}/check"), &written.json()).await;
        assert_eq!((checked.status, &checked.json()["ok"]), (200, &json!(true)), "{path}: {}", checked.json());
        // Without an id one is made, and `null` is none.
        let mut unnamed = node.get(path).await.json();
        for (name, value) in unnamed.as_object_mut().into_iter().flatten() {
            if ["id", "secrets", "headers"].contains(&name.as_str()) {
                *value = Value::Null;
            }
        }
        let made = node.post(collection, &unnamed).await;
        assert_eq!(made.status, 201, "{path}: {}", made.json());
        let place = made.header("location");
        assert_eq!(node.get(&place).await.json()["id"], made.json()["id"], "{place}");
    }
}

/// `If-Match` asks for a record and `If-None-Match: *` for none, so both are never so.
#[actix_rt::test]
async fn preconditions_that_exclude_each_other_fail() {
    let node = Node::start(&[]).await;
    let headers = [("content-type", "application/json"), ("if-match", "*"), ("if-none-match", "*")];
    for _ in 0..2 {
        let body = json_template().to_string();
        let reply = node.call(Method::PUT, "/v1/accounts/a/templates/t", &headers, body).await;
        assert_eq!(reply.problem(), (412, "precondition_failed".into()));
        node.put("/v1/accounts/a/templates/t", &json_template()).await;
    }
}

#[actix_rt::test]
async fn a_head_that_is_too_large_has_a_problem_document() {
    let node = Node::start(&[]).await;
    let long = format!("/v1/dictionary/{}", "x".repeat(40_000));
    for (path, headers) in [(long.as_str(), vec![]), ("/v1/dictionary", vec![("x-long", "y".repeat(40_000))])] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = node.call(Method::GET, path, &headers, "").await;
        assert_eq!(reply.problem(), (431, "head_too_large".into()));
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
}
