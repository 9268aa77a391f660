//! What a CloudEvent says of itself reaches templates, on every way from the producer to the receiver.

use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};

use crate::cli::serve::{serve, wait_for_metric};
use crate::cli::{call, home, put};
use crate::journal::{Counter, kill};
use crate::support::{Node, Receiver, RedisServer, template_of};

const BODY: &str = "{\"id\":\"{{event.id}} {{event.source}} {{event.subject}} {{event.traceparent}}\"}";

fn cloud_event(id: &str) -> Value {
    json!({"specversion": "1.0", "type": "guest.created", "source": "/pms", "subject": "guests/7", "id": id,
        "traceparent": "00-ab-cd-01", "attempt": 3, "test": true, "dataschema": null, "data": {}})
}

#[actix_rt::test]
async fn attributes_reach_templates_in_every_mode() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let body = "{\"source\": {{event.source}}, \"subject\": {{event.subject}}, \"content\": {{event.datacontenttype}}, \
                \"trace\": {{event.traceparent}}, \"attempt\": {{event.attempt}}, \"test\": {{event.test}}, \
                \"none\": {{event.dataschema}}}";
    node.set_up("t", &template_of(body), json!({"event": "*", "url": receiver.url("/")})).await;
    let post = async |headers: &[(&str, &str)], body: String| {
        let reply = node.call(Method::POST, "/v1/events", headers, body).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
    };
    let mut structured = cloud_event("1");
    structured["datacontenttype"] = "application/json".into();
    post(&[("content-type", "application/cloudevents+json")], structured.to_string()).await;
    post(&[("content-type", "application/cloudevents-batch+json")], json!([structured, cloud_event("2")]).to_string())
        .await;
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "guest.created"),
        ("ce-source", "\"/pms\""),
        ("ce-id", "3"),
        ("ce-subject", "guests%2F7"),
        ("ce-traceparent", "00-ab-cd-01"),
        ("ce-attempt", "3"),
        // Not an attribute: it is `content-type`.
        ("ce-datacontenttype", "text/plain"),
    ];
    post(&binary, "{}".into()).await;
    // Other events have none of it.
    node.fire(json!({"type": "a", "data": {}})).await;
    let mut received: Vec<Value> =
        receiver.wait_for(5).await.iter().map(|r| serde_json::from_str(r.text()).expect("JSON")).collect();
    let whole = json!({"source": "/pms", "subject": "guests/7", "content": "application/json",
        "trace": "00-ab-cd-01", "attempt": 3, "test": true, "none": null});
    let mut binary = whole.clone();
    (binary["attempt"], binary["test"]) = ("3".into(), Value::Null);
    let none = json!({"source": null, "subject": null, "content": null, "trace": null, "attempt": null, "test": null,
        "none": null});
    let mut untyped = whole.clone();
    untyped["content"] = Value::Null;
    let mut expected = vec![whole.clone(), whole, untyped, binary, none];
    received.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(received, expected);
}

#[actix_rt::test]
async fn a_cloud_event_sent_as_plain_json_is_rejected_with_its_media_type() {
    let node = Node::start(&[]).await;
    for body in [cloud_event("1"), json!([cloud_event("1")])] {
        let reply = node.post("/v1/events", &body).await;
        let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 422 && detail.contains("application/cloudevents+json"), "{}", reply.json());
    }
    let mut many = cloud_event("1");
    for n in 0..100 {
        many[format!("x{n}")] = n.into();
    }
    let typed = [("content-type", "application/cloudevents+json")];
    let reply = node.call(Method::POST, "/v1/events", &typed, many.to_string()).await;
    assert_eq!(reply.problem(), (422, "too_many_attributes".into()));
}

/// A template is checked with a sample, and only what no event has is pointed out.
#[actix_rt::test]
async fn paths_of_attributes_are_known_and_sampled() {
    let node = Node::start(&[]).await;
    let check = async |question: Value| node.post("/v1/accounts/a/templates/check", &question).await.json();
    let body = "{{event.source}}|{{event.subject}}|{{event.datacontenttype}}|{{event.traceparent}}";
    let verdict = check(json!({"format": "text", "body": body})).await;
    assert_eq!((&verdict["ok"], &verdict["diagnostics"]), (&json!(true), &json!([])), "{verdict}");
    assert_eq!(verdict["preview"]["body"], "https://example.com/pms|guests/7|application/json|");
    let data = json!({"event": {"source": "/own", "traceparent": "00-ab"}});
    let verdict = check(json!({"format": "text", "body": body, "data": data})).await;
    assert_eq!(verdict["preview"]["body"], "/own|guests/7|application/json|00-ab");
    for (path, warned) in [
        ("event.tpye", Some("event.type")),
        ("event.subjct", Some("event.subject")),
        ("event.data", None),
        ("event.traceParent", None),
        ("event.subject.name", None),
    ] {
        let verdict = check(json!({"format": "text", "body": format!("{{{{{path}}}}}")})).await;
        assert_eq!(verdict["diagnostics"][0]["code"], "unknown_path", "{path}: {verdict}");
        if let Some(warned) = warned {
            assert_eq!(verdict["diagnostics"][0]["suggestion"], warned, "{verdict}");
        }
    }
}

#[actix_rt::test]
async fn attributes_are_rendered_where_another_node_sends() {
    let redis = RedisServer::start();
    let url = redis.url();
    let node = async |roles| Node::start(&[("POSTHASTE_STORE__URL", &url), ("POSTHASTE_CLUSTER__ROLES", roles)]).await;
    let (ingest, _dispatch) = (node("[\"ingest\"]").await, node("[\"dispatch\"]").await);
    let receiver = Receiver::start();
    ingest.set_up("t", &template_of(BODY), json!({"event": "*", "url": receiver.url("/")})).await;
    let typed = [("content-type", "application/cloudevents+json")];
    let reply = ingest.call(Method::POST, "/v1/events", &typed, cloud_event("1").to_string()).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    assert_eq!(receiver.wait_for(1).await[0].text(), "{\"id\":\"1 /pms guests/7 00-ab-cd-01\"}");
}

/// An event that a killed node had accepted is rendered after the next start from what the journal has of it.
#[test]
fn attributes_survive_a_kill() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let one = [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1")];
    let (running, address) = serve(&home, &one);
    receiver.silence(true);
    let template = json!({"format": "json", "body": BODY});
    let trigger = json!({"event": "*", "template": "t", "url": receiver.url()});
    for (path, document) in [("templates/t", template), ("triggers/t", trigger)] {
        put(&address, &format!("/v1/accounts/default/{path}"), &document);
    }
    let head = "POST /v1/events HTTP/1.1\r\ncontent-type: application/cloudevents-batch+json";
    let events = Value::from((0..3).map(|id| cloud_event(&id.to_string())).collect::<Vec<_>>());
    assert_eq!(call(&address, head, events.to_string().as_bytes()).expect("a response").0, 202);
    wait_for_metric(&address, "posthaste_queue_depth", 2.0);
    kill(running);
    receiver.silence(false);
    let (_running, _) = serve(&home, &one);
    receiver.wait_for(3);
    let expected = |id| format!("{id} /pms guests/7 00-ab-cd-01");
    assert_eq!(receiver.arrived().into_keys().collect::<Vec<_>>(), [expected(0), expected(1), expected(2)]);
}
