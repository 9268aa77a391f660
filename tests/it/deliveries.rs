//! From an event to its POSTs: formats, encodings, selected triggers, and responses of receivers.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::{Value, json};

use crate::support::{Behaviour, Node, Receiver, json_template};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[actix_rt::test]
async fn every_format_arrives_well_formed_and_signed() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    for (format, body) in [
        ("json", "{\"name\":\"*|GUEST:NAME|*\"}"),
        ("xml", "<guest name=\"{{guest.name}}\">{{guest.name}}</guest>"),
        ("form", "name={{guest.name}}&again=*|guest:name|*"),
        ("text", "Hello {{guest.name}}"),
    ] {
        let trigger = json!({"event": "guest.created", "url": receiver.url(&format!("/{format}?key=1")),
                             "headers": {"X-Token": "t"}, "secret": SECRET});
        node.set_up(format, &json!({"format": format, "body": body}), trigger).await;
    }
    let name = "Zoë \"Zo\" <O'Neil> & {{x}} *|A:B|*\n";
    node.fire(json!({"type": "guest.created", "id": "e1", "data": {"guest": {"name": name}}})).await;
    let mut received = receiver.wait_for(4).await;
    received.sort_by(|a, b| a.path.cmp(&b.path));
    let types =
        ["application/x-www-form-urlencoded", "application/json", "text/plain; charset=utf-8", "application/xml"];
    let oracle = standardwebhooks::Webhook::new(SECRET).expect("the oracle takes it");
    let mut ids = BTreeSet::new();
    for (request, content_type) in received.iter().zip(types) {
        assert_eq!(request.header("content-type"), Some(content_type));
        assert_eq!(request.header("x-token"), Some("t"));
        assert_eq!(request.header("user-agent"), Some(concat!("posthaste/", env!("CARGO_PKG_VERSION"))));
        ids.insert(request.header("webhook-id").expect("an id").to_owned());
        let mut headers = http::HeaderMap::new();
        for (header, value) in &request.headers {
            let header = http::HeaderName::from_bytes(header.as_bytes()).expect("a name");
            headers.insert(header, value.parse().expect("a value"));
        }
        let timestamp = request.header("webhook-timestamp").expect("a time").parse().expect("seconds");
        let signature = oracle.sign(request.header("webhook-id").expect("an id"), timestamp, &request.body);
        assert_eq!(request.header("webhook-signature"), Some(signature.expect("signed").as_str()));
    }
    assert_eq!(ids.len(), 4, "each trigger's delivery has its own id");
    let form: Vec<_> = url::form_urlencoded::parse(&received[0].body).into_owned().collect();
    assert_eq!(form, [("name".to_owned(), name.to_owned()), ("again".to_owned(), name.to_owned())]);
    let json: Value = serde_json::from_slice(&received[1].body).expect("JSON");
    assert_eq!(json["name"], name);
    assert_eq!(received[2].text(), format!("Hello {name}"));
    let mut xml = quick_xml::Reader::from_reader(received[3].body.as_slice());
    while xml.read_event().expect("well-formed") != quick_xml::events::Event::Eof {}

    node.fire(json!({"type": "guest.created", "id": "e1", "data": {"guest": {"name": "again"}}})).await;
    let again: BTreeSet<_> =
        receiver.wait_for(8).await[4..].iter().map(|r| r.header("webhook-id").expect("an id").to_owned()).collect();
    assert_eq!(again, ids, "the same event and trigger have the same id");
    assert_eq!(node.stop().await.unsent, 0);
}

#[actix_rt::test]
async fn events_of_every_encoding_fire() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let cloud = |id: &str| json!({"specversion": "1.0", "type": "a.b", "source": "/s", "id": id, "data": {}});
    let event = |id: &str| json!({"type": "a.b", "id": id, "data": {}});
    for (content_type, body) in [
        ("application/json", event("1").to_string()),
        ("application/json; charset=utf-8", json!([event("2"), event("3")]).to_string()),
        ("application/x-ndjson", format!("{}\n{}\n", event("4"), event("5"))),
        ("application/cloudevents+json", cloud("6").to_string()),
        ("application/cloudevents-batch+json", json!([cloud("7"), cloud("8")]).to_string()),
    ] {
        let reply = node.call(Method::POST, "/v1/events", &[("content-type", content_type)], body).await;
        assert_eq!(reply.status, 202, "{content_type}: {}", reply.json());
    }
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "a.b"),
        ("ce-source", "/s"),
        ("ce-id", "%39"),
    ];
    assert_eq!(node.call(Method::POST, "/v1/events", &binary, "{}").await.status, 202);
    let ids: BTreeSet<String> = receiver.wait_for(9).await.iter().map(|r| r.text().to_owned()).collect();
    assert_eq!(ids, (1..=9).map(|id| format!("{{\"id\":\"{id}\"}}")).collect());
}

#[actix_rt::test]
async fn only_matching_triggers_fire() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let on = |event: &str, path: &str| json!({"event": event, "url": receiver.url(path)});
    node.set_up("exact", &json_template(), on("booking.confirmed", "/exact")).await;
    node.set_up("below", &json_template(), on("booking.*", "/below")).await;
    node.set_up("all", &json_template(), on("*", "/all")).await;
    node.set_up("other", &json_template(), on("guest.*", "/other")).await;
    let mut off = on("*", "/off");
    off["enabled"] = false.into();
    node.set_up("off", &json_template(), off).await;
    let mut filtered = on("*", "/filtered");
    filtered["where"] = json!({"rental": {"id": ["r1"]}, "cost": [{"numeric": [">", 1000]}]});
    node.set_up("filtered", &json_template(), filtered).await;
    node.put("/v1/accounts/theirs/templates/w", &json_template()).await;
    let theirs = json!({"event": "*", "template": "w", "url": receiver.url("/theirs")});
    assert_eq!(node.put("/v1/accounts/theirs/triggers/t", &theirs).await.status, 201);

    node.fire(json!({"type": "booking.confirmed", "data": {"rental": {"id": "r1"}, "cost": 1000}})).await;
    node.fire(json!({"type": "booking.cancelled", "data": {"rental": {"id": "r1"}, "cost": 1000.5}})).await;
    node.fire(json!({"type": "x", "account": "theirs", "data": {}})).await;
    receiver.wait_for(7).await;
    assert_eq!(node.delete("/v1/accounts/default/triggers/all").await.status, 204);
    node.fire(json!({"type": "x", "data": {}})).await;
    node.fire(json!({"type": "guest.created", "data": {}})).await;
    let mut paths: Vec<_> = receiver.wait_for(8).await.into_iter().map(|r| r.path).collect();
    paths.sort();
    assert_eq!(paths, ["/all", "/all", "/below", "/below", "/exact", "/filtered", "/other", "/theirs"]);
    assert_eq!(node.stop().await.unsent, 0);
    assert_eq!(receiver.received().len(), 8, "nothing came late");
}

#[actix_rt::test]
async fn outcomes_are_counted_and_the_next_delivery_arrives() {
    let (node, receiver) = (Node::start(&[("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300")]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    let mut arrived = 0;
    for (behaviour, outcome) in [
        (Behaviour::Respond(204), "delivered"),
        (Behaviour::Respond(302), "redirect"),
        (Behaviour::Respond(404), "client_error"),
        (Behaviour::Respond(500), "server_error"),
        (Behaviour::AnswerAndClose, "delivered"),
        (Behaviour::Silence, "timeout_response"),
        (Behaviour::HangUp, "connection_lost_after_send"),
        (Behaviour::Reset, "connection_lost_after_send"),
        (Behaviour::Nonsense, "bad_answer"),
        (Behaviour::Respond(200), "delivered"),
    ] {
        let metric = format!("posthaste_attempts_total{{outcome=\"{outcome}\"}}");
        let before = node.metric(&metric).await;
        receiver.behave(behaviour);
        node.fire(json!({"type": "a", "data": {}})).await;
        arrived += 1;
        receiver.wait_for(arrived).await;
        node.wait_for_metric(&metric, before + 1.0).await;
    }
    assert!(receiver.received().iter().all(|r| r.path == "/"), "no redirect was followed");
    assert_eq!(receiver.received().len(), arrived, "nothing was sent twice");
}

/// The receiver closes the connection after each response, without an announcement. A POST that is sent at that moment
/// is lost, as there is no second attempt; every delivery is attempted, and nearly all arrive.
#[actix_rt::test]
async fn a_receiver_that_closes_after_each_response_gets_nearly_all() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    receiver.behave(Behaviour::AnswerAndClose);
    for id in 1..=100_u32 {
        node.fire(json!({"type": "a", "id": id.to_string(), "data": {}})).await;
        node.wait_for_metric("posthaste_attempt_duration_seconds_count", f64::from(id)).await;
    }
    let delivered = node.metric("posthaste_attempts_total{outcome=\"delivered\"}").await;
    let lost = node.metric("posthaste_attempts_total{outcome=\"connection_lost_after_send\"}").await;
    assert_eq!(delivered + lost, 100.0);
    assert!(delivered >= 80.0, "{lost} were lost");
    assert_eq!(receiver.received().len() as f64, delivered);
}

#[actix_rt::test]
async fn only_public_addresses_are_dialled() {
    let (node, receiver) = (Node::start(&[("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[]")]).await, Receiver::start());
    node.put("/v1/accounts/default/templates/t", &json_template()).await;
    for url in [
        receiver.url("/"),
        receiver.url("/").replace("127.0.0.1", "localhost"),
        receiver.url("/").replace("127.0.0.1", "127.1"),
        "http://169.254.169.254/latest".to_owned(),
        "http://[::ffff:127.0.0.1]:8080/".to_owned(),
        "http://example.com:25/".to_owned(),
        "http://hooks.internal/".to_owned(),
    ] {
        let trigger = json!({"event": "*", "template": "t", "url": url});
        let reply = node.put("/v1/accounts/default/triggers/t", &trigger).await;
        assert_eq!(reply.status, 422, "{url}: {}", reply.json());
        assert_eq!(
            (&reply.json()["errors"][0]["pointer"], &reply.json()["errors"][0]["code"]),
            (&json!("/url"), &json!("url_refused"))
        );
    }
    assert!(receiver.received().is_empty());
}

#[actix_rt::test]
async fn a_silent_destination_delays_only_itself() {
    let (node, silent, prompt) = (
        Node::start(&[
            ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2"),
            ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "5"),
            ("POSTHASTE_INGEST__EVENTS_IN_FLIGHT_MAX", "20"),
            ("POSTHASTE_DISPATCH__DRAIN_MS", "100"),
        ])
        .await,
        Receiver::start(),
        Receiver::start(),
    );
    silent.behave(Behaviour::Silence);
    node.set_up("silent", &json_template(), json!({"event": "*", "url": silent.url("/")})).await;
    node.set_up("prompt", &json_template(), json!({"event": "*", "url": prompt.url("/")})).await;
    for id in 0..50 {
        node.fire(json!({"type": "a", "id": id.to_string(), "data": {}})).await;
        prompt.wait_for(id + 1).await;
    }
    // Two are in flight, five are queued, and the others were dropped and counted.
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"queue_full\"}").await, 43.0);
    assert_eq!(node.metric("posthaste_queue_depth").await, 5.0);
    assert_eq!(node.metric("posthaste_events_in_flight").await, 0.0);
    let metrics = std::sync::Arc::clone(&node.running().shared().metrics);
    assert_eq!(node.stop().await.unsent, 7);
    assert_eq!(metrics.deliveries.dropped.get(posthaste::model::outcome::DropReason::Stopped), 7);
}

#[actix_rt::test]
async fn idle_dispatchers_stop_and_restart_without_loss() {
    let (node, receiver) = (Node::start(&[("POSTHASTE_DISPATCH__IDLE_DESTINATION_MS", "1")]).await, Receiver::start());
    node.set_up("t", &json_template(), json!({"event": "*", "url": receiver.url("/")})).await;
    for id in 0..200 {
        node.fire(json!({"type": "a", "id": id.to_string(), "data": {}})).await;
        if id % 20 == 0 {
            node.wait_for_metric("posthaste_destinations", 0.0).await;
        }
    }
    receiver.wait_for(200).await;
    node.wait_for_metric("posthaste_destinations", 0.0).await;
}

#[actix_rt::test]
async fn a_value_cannot_break_out_of_its_place() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let template = json!({"format": "json", "body": "{\"n\":{{n}}}"});
    node.set_up("t", &template, json!({"event": "*", "url": receiver.url("/")})).await;
    for (index, (data, body)) in [
        (json!({"n": "1,\"x\":2"}), "{\"n\":\"1,\\\"x\\\":2\"}"),
        (json!({"n": 7}), "{\"n\":7}"),
        (json!({}), "{\"n\":null}"),
    ]
    .into_iter()
    .enumerate()
    {
        node.fire(json!({"type": "a", "data": data})).await;
        assert_eq!(receiver.wait_for(index + 1).await[index].text(), body);
    }
}

#[actix_rt::test]
async fn a_body_over_a_bound_is_dropped_and_counted() {
    let (node, receiver) = (Node::start(&[("POSTHASTE_TEMPLATES__OUTPUT_BYTES_MAX", "20")]).await, Receiver::start());
    let template = json!({"format": "text", "body": "{{n}}"});
    node.set_up("t", &template, json!({"event": "*", "url": receiver.url("/")})).await;
    node.fire(json!({"type": "a", "data": {"n": "x".repeat(21)}})).await;
    node.fire(json!({"type": "a", "data": {"n": "short"}})).await;
    assert_eq!(receiver.wait_for(1).await[0].text(), "short");
    assert_eq!(node.metric("posthaste_dropped_total{reason=\"render_too_large\"}").await, 1.0);
}
