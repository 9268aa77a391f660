//! Templates over HTTP: the warnings when they and their triggers are saved, and bodies that exceed a bound.

use serde_json::{Value, json};

use crate::support::{Node, Receiver};

const TEMPLATES: &str = "/v1/accounts/default/templates";
const TRIGGERS: &str = "/v1/accounts/default/triggers";

fn codes(list: &Value) -> Vec<(&str, &str, u64, u64)> {
    let text = |found: &'_ Value, name: &str| found[name].as_str().map(str::to_owned).expect("a text");
    let number = |found: &Value, name: &str| found[name].as_u64().expect("a number");
    let list = list.as_array().expect("a list").iter();
    list.map(|found| {
        assert!(text(found, "message").ends_with(['.', '?']), "{found}");
        let word = |name: &str| found[name].as_str().expect("a word");
        (word("severity"), word("code"), number(found, "line"), number(found, "column"))
    })
    .collect()
}

#[actix_rt::test]
async fn saving_a_trigger_warns_of_paths_that_its_events_lack() {
    let node = Node::start(&[]).await;
    let body = "{\"guest\": \"*|GUEST:NAME|*\",\n \"due\": {{invoice.due}}, \"brand\": \"*|CARD:BRAND|*\"}";
    let saved = node.put(&format!("{TEMPLATES}/w"), &json!({"format": "json", "body": body})).await;
    // Some event carries each of them, so the template alone gives no warning.
    assert_eq!((saved.status, saved.json().get("warnings")), (201, None), "{}", saved.json());

    let path = format!("{TRIGGERS}/t");
    let trigger = |event: &str| json!({"event": event, "template": "w", "url": "https://example.com/"});
    let invoice = node.put(&path, &trigger("invoice.paid")).await;
    assert_eq!(invoice.status, 201);
    let warnings = invoice.json()["warnings"].clone();
    assert_eq!(codes(&warnings), [("warning", "unknown_path", 2, 36)]);
    assert!(warnings[0]["message"].as_str().is_some_and(|text| text.contains("invoice.paid")), "{warnings}");

    let guest = node.put(&path, &trigger("guest.created")).await;
    assert_eq!(guest.status, 200);
    let two = [("warning", "unknown_path", 2, 9), ("warning", "unknown_path", 2, 36)];
    assert_eq!(codes(&guest.json()["warnings"]), two);
    assert_eq!(codes(&node.post(TRIGGERS, &trigger("guest.*")).await.json()["warnings"]), two);
    // Warnings are returned once and not stored. Without knowledge of the events there are none.
    assert_eq!(node.get(&path).await.json().get("warnings"), None);
    let silent = node.put(&path, &trigger("*")).await;
    assert_eq!((silent.status, silent.json().get("warnings")), (200, None), "{}", silent.json());
    let unknown = node.put(&path, &trigger("order.placed")).await.json();
    assert_eq!(
        (unknown["warnings"].as_array().map(Vec::len), &unknown["warnings"][0]["code"]),
        (Some(1), &json!("unknown_event"))
    );
}

#[actix_rt::test]
async fn saving_a_template_returns_all_mistakes_or_warnings() {
    let node = Node::start(&[]).await;
    let save = |body: &str| json!({"format": "json", "body": body});
    let refused =
        node.put(&format!("{TEMPLATES}/w"), &save("{\"a\": *|GUEST:NMAE|*,\n \"b\": {{uper a}}, {{c}}: 1}")).await;
    assert_eq!(refused.problem(), (422, "invalid_template".to_owned()));
    let found = refused.json()["diagnostics"].clone();
    let errors: Vec<_> = codes(&found).into_iter().filter(|(severity, ..)| *severity == "error").collect();
    assert_eq!(
        errors,
        [("error", "unknown_tag", 1, 7), ("error", "unknown_helper", 2, 7), ("error", "json_key_unquoted", 2, 19)]
    );
    assert_eq!(found[0]["suggestion"], "*|GUEST:NAME|*");
    assert_eq!(node.get(&format!("{TEMPLATES}/w")).await.status, 404);

    let taken = node.put(&format!("{TEMPLATES}/w"), &save("{\"a\": {{guest.nmae}}, \"a\": 1}")).await;
    assert_eq!(taken.status, 201);
    let warnings = taken.json()["warnings"].clone();
    assert_eq!(codes(&warnings), [("warning", "unknown_path", 1, 7), ("warning", "duplicate_key", 1, 23)]);
    assert_eq!(warnings[0]["suggestion"], "guest.name");
}

#[actix_rt::test]
async fn a_preview_over_a_bound_is_an_error() {
    let node = Node::start(&[]).await;
    let body = "{{#each xs}}{{#each ../xs}}{{#each ../../xs}}x{{/each}}{{/each}}{{/each}}";
    let question = json!({"format": "text", "body": body, "data": {"xs": vec![0; 100]}});
    let verdict = node.post(&format!("{TEMPLATES}/check"), &question).await.json();
    assert_eq!((&verdict["ok"], verdict.get("preview")), (&json!(false), None));
    let found = verdict["diagnostics"].clone();
    assert_eq!(codes(&found).last(), Some(&("error", "preview_failed", 1, 1)));
}

#[actix_rt::test]
async fn a_whole_document_is_checked_with_its_content_type_and_its_data() {
    let node = Node::start(&[]).await;
    let check = format!("{TEMPLATES}/check");
    let mut document = json!({
        "id": "w", "name": "W", "format": "text", "body": "{{own.x}} {{date own.d}} {{own.y}}", "content_type": "text/html",
        "event": "guest.created", "data": {"own": {"x": "<b>", "d": "03/04/2026"}},
    });
    let verdict = node.post(&check, &document).await.json();
    let expected = [
        ("warning", "value_unescaped", 1, 1),
        ("warning", "unusable_value", 1, 11),
        ("warning", "unknown_path", 1, 26),
        ("warning", "value_unescaped", 1, 26),
    ];
    let mut found = codes(&verdict["diagnostics"]);
    found.sort_by_key(|found| (found.3, found.1));
    assert_eq!(found, expected, "{verdict}");
    assert_eq!((verdict["ok"].as_bool(), verdict["preview"]["content_type"].as_str()), (Some(true), Some("text/html")));

    document["content_type"] = "application/problem+json".into();
    let verdict = node.post(&check, &document).await.json();
    assert_eq!((verdict["ok"].as_bool(), codes(&verdict["diagnostics"])[0].1), (Some(false), "content_type"));
    let saved = json!({"format": "text", "body": "{{x}}", "content_type": "application/json"});
    let refused = node.put(&format!("{TEMPLATES}/w"), &saved).await;
    assert_eq!(refused.status, 422, "{}", refused.json());
    assert!(refused.json().to_string().contains("choose the format json"), "{}", refused.json());

    let refused = node.post(&check, &json!({"format": "yaml", "data": 1, "more": true})).await.json();
    let pointers: Vec<_> = refused["errors"].as_array().expect("errors").iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/format", "/body", "/more", "/data"]);
}

#[actix_rt::test]
async fn a_body_over_a_bound_is_counted_by_its_reason() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let loops = "{{#each xs}}{{#each ../xs}}{{#each ../../xs}}x{{/each}}{{/each}}{{/each}}";
    for (id, body, format) in [
        ("steps", loops, "text"),
        ("long", "{{#each xs}}{{../s}}{{/each}}", "text"),
        ("deep", "[[[[[[[[[[{{this}}]]]]]]]]]]", "json"),
    ] {
        let trigger = json!({"event": format!("a.{id}"), "url": receiver.url("/")});
        node.set_up(id, &json!({"format": format, "body": body}), trigger).await;
    }
    let deep: Value = serde_json::from_str(&format!("{}{}", "[".repeat(118), "]".repeat(118))).expect("JSON");
    for (id, data) in [
        ("steps", json!({"xs": vec![0; 100]})),
        ("long", json!({"xs": vec![0; 100], "s": "x".repeat(20_000)})),
        ("deep", json!({"d": [deep]})),
    ] {
        node.fire(json!({"type": format!("a.{id}"), "data": data})).await;
    }
    for reason in ["render_too_many_steps", "render_too_large", "render_malformed"] {
        node.wait_for_metric(&format!("posthaste_dropped_total{{reason=\"{reason}\"}}"), 1.0).await;
    }
    node.stop().await;
    assert_eq!(receiver.received().len(), 0);
}
