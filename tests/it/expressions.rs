//! Expressions in the URL and the headers of triggers, and presets, over HTTP and to a real receiver.

use serde_json::{Value, json};

use crate::support::{Node, Receiver};

const TRIGGERS: &str = "/v1/accounts/default/triggers";

#[actix_rt::test]
async fn a_delivery_has_its_own_path_query_and_headers_or_is_dropped() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let url = receiver.url("/guests/{{guest.id}}/notes?name={{guest.name}}");
    let trigger = json!({"event": "guest.*", "url": url, "headers": {"X-Guest": "{{guest.id}}", "X-Fixed": "1"}});
    node.set_up("t", &json!({"format": "text", "body": "x"}), trigger).await;
    for guest in [
        json!({"id": "a/b?c", "name": "Zoë & Tom"}),
        json!({"id": "..", "name": "x"}),
        json!({"id": "", "name": "x"}),
        json!({"id": "1\r\nX-Other: b", "name": "x"}),
        json!({"id": "a\tb", "name": "x"}),
    ] {
        node.fire(json!({"type": "guest.created", "data": {"guest": guest}})).await;
    }
    node.wait_for_metric("posthaste_dropped_total{reason=\"url_refused\"}", 2.0).await;
    node.wait_for_metric("posthaste_dropped_total{reason=\"header_refused\"}", 2.0).await;
    node.stop().await;
    let received = receiver.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].path, "/guests/a%2Fb%3Fc/notes?name=Zo%C3%AB%20%26%20Tom");
    assert_eq!((received[0].header("x-guest"), received[0].header("x-fixed")), (Some("a/b?c"), Some("1")));
}

#[actix_rt::test]
async fn expressions_are_checked_when_the_trigger_is_saved() {
    let node = Node::start(&[]).await;
    let trigger = |url: &str, header: &str| json!({"event": "guest.created", "template": "w", "url": url, "headers": {"X-A": header}});
    node.put("/v1/accounts/default/templates/w", &json!({"format": "text", "body": "x"})).await;
    let path = format!("{TRIGGERS}/t");
    let refused = node.put(&path, &trigger("https://example.com/{{uper x}}", "{{x")).await;
    assert_eq!(refused.problem(), (422, "invalid_trigger".to_owned()));
    let errors = refused.json()["errors"].clone();
    let told = |place: usize, name: &str| errors[place][name].clone();
    assert_eq!((told(0, "pointer"), told(0, "code")), ("/url".into(), "bad_url".into()), "{errors}");
    assert_eq!((told(1, "pointer"), told(1, "code")), ("/headers/X-A".into(), "bad_header".into()), "{errors}");
    let refused = node.put(&path, &trigger("https://example.com/", "a\tb")).await.json();
    assert_eq!(
        (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (&"/headers/X-A".into(), &"bad_header".into())
    );
    for url in ["https://{{x}}/", "https://example.com:{{x}}/", "*|GUEST:NAME|*"] {
        assert_eq!(node.put(&path, &trigger(url, "a")).await.problem(), (422, "invalid_trigger".to_owned()), "{url}");
    }
    let saved = node.put(&path, &trigger("https://example.com/{{guest.nmae}}", "*|GUEST:NAME|*")).await;
    assert_eq!(saved.status, 201, "{}", saved.json());
    let warning = saved.json()["warnings"][0]["message"].clone();
    assert!(warning.as_str().is_some_and(|text| text.starts_with("In `url`")), "{warning}");
    let mut question = trigger("https://example.com/{{guest.name}}?x={{own}}", "{{guest.name}}");
    question["data"] = json!({"guest": {"name": "A/B"}, "own": "&"});
    let verdict = node.post(&format!("{TRIGGERS}/check"), &question).await.json();
    assert_eq!(verdict["preview"]["url"], "https://example.com/A%2FB?x=%26", "{verdict}");
    assert_eq!(verdict["preview"]["headers"]["X-A"], "A/B", "{verdict}");
    assert_eq!(verdict["warnings"], json!([]), "{verdict}");
    // The URL is shown as it is sent.
    for (url, sent) in [
        ("https://example.com/a/../b/é?x=|", "https://example.com/b/%C3%A9?x=%7C"),
        ("http://EXAMPLE.com:80", "http://example.com/"),
        ("https://example.com:8443/é/{{own}}", "https://example.com:8443/%C3%A9/%26"),
    ] {
        question["url"] = url.into();
        let verdict = node.post(&format!("{TRIGGERS}/check"), &question).await.json();
        assert_eq!(verdict["preview"]["url"], sent, "{verdict}");
    }
    question["data"] = json!({"guest": {"name": ".."}, "own": "&"});
    question["url"] = "https://example.com/{{guest.name}}".into();
    let verdict = node.post(&format!("{TRIGGERS}/check"), &question).await.json();
    assert_eq!((&verdict["ok"], &verdict["errors"][0]["code"]), (&json!(false), &json!("url_refused")), "{verdict}");
    let shown = node.get(&path).await.json();
    assert_eq!(shown["url"], "https://example.com/{{guest.nmae}}");
    // A response can be sent back as it is; with another host the saved value is refused.
    assert_eq!(node.put(&path, &shown).await.status, 200);
    let mut moved = shown;
    moved["url"] = "https://other.example/{{x}}".into();
    assert_eq!(node.put(&path, &moved).await.json()["errors"][0]["code"], "header_value_required");
    node.stop().await;
}

#[actix_rt::test]
async fn presets_are_listed_and_can_be_saved_as_they_are() {
    let node = Node::start(&[]).await;
    let presets: Value = node.get("/v1/presets").await.json();
    let presets = presets["presets"].as_array().expect("a list").clone();
    assert!(presets.len() >= 9, "{presets:?}");
    for preset in presets {
        let name = preset["name"].as_str().expect("a name");
        let mut template = json!({"format": preset["format"], "body": preset["body"]});
        if let Some(content_type) = preset.get("content_type") {
            template["content_type"] = content_type.clone();
        }
        let saved = node.put(&format!("/v1/accounts/default/templates/{name}"), &template).await;
        assert_eq!(saved.status, 201, "{name}: {}", saved.json());
        let checked = node.post("/v1/accounts/default/templates/check", &template).await.json();
        assert_eq!(checked["ok"], true, "{name}: {checked}");
    }
    node.stop().await;
}
