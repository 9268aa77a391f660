//! The OpenAPI document: it is valid, and agrees with the routes.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::Value;

use crate::support::Node;

const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];

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
        let answers = call["responses"].as_object().expect("answers");
        assert!(answers.keys().any(|status| status.starts_with('2')), "{at}");
        assert!(answers.values().all(|answer| answer["description"].is_string()), "{at}");
        for (status, answer) in answers.iter().filter(|(status, _)| status.as_str() >= "400") {
            let problem = &answer["content"]["application/problem+json"]["schema"]["$ref"];
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
