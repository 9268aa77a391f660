//! Signing secrets and header values: rotated, never shown, and not passed to another host.

use serde_json::{Value, json};

use crate::support::{Node, Receiver, json_template};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TRIGGER: &str = "/v1/accounts/default/triggers/t";

/// The signatures of the next delivery, each checked by the official library with one of the keys.
async fn signers(node: &Node, receiver: &Receiver, keys: &[&str]) -> Vec<bool> {
    let before = receiver.received().len();
    node.fire(json!({"type": "a", "data": {}})).await;
    let received = receiver.wait_for(before + 1).await[before].clone();
    let header = |name: &str| received.header(name).expect("a header");
    let time = header("webhook-timestamp").parse().expect("seconds");
    let signs = |key: &&str| {
        let oracle = standardwebhooks::Webhook::new(key).expect("the oracle accepts it");
        let signature = oracle.sign(header("webhook-id"), time, &received.body).expect("signed");
        header("webhook-signature").split(' ').any(|own| own == signature)
    };
    keys.iter().map(signs).collect()
}

#[actix_rt::test]
async fn a_rotation_signs_with_both_until_the_old_one_expires() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let trigger = json!({"event": "*", "url": receiver.url("/"), "secret": SECRET, "headers": {"X-Token": "t"}});
    node.set_up("t", &json_template(), trigger).await;
    let rotate = format!("{TRIGGER}/secret/rotate");
    let rotated = node.post(&rotate, &json!({"grace_s": 3_600})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.json());
    assert_eq!(rotated.header("cache-control"), "no-store");
    let key = rotated.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(signers(&node, &receiver, &[SECRET, &key]).await, [true, true]);

    let shown = node.get(TRIGGER).await.json();
    let secrets = shown["secrets"].as_array().expect("a list");
    assert_eq!((secrets.len(), &secrets[0]["id"]), (2, &rotated.json()["id"]));
    assert!(secrets[0].get("until").is_none() && secrets[1]["until"].is_string());
    assert!(!shown.to_string().contains("whsec_"));
    assert_eq!(node.put(TRIGGER, &shown).await.status, 200, "what was shown can be put");
    assert_eq!(signers(&node, &receiver, &[SECRET, &key]).await, [true, true]);

    let last = node.post(&rotate, &json!({"grace_s": 0})).await.json();
    let last = last["key"].as_str().expect("a key");
    assert_eq!(signers(&node, &receiver, &[SECRET, &key, last]).await, [false, false, true]);

    for (document, problem) in [
        (json!({"grace_s": 604_801}), (422, "invalid_rotation")),
        (json!({"grace_s": -1}), (422, "invalid_rotation")),
        (json!({"grace": 1}), (422, "invalid_rotation")),
        (json!([]), (422, "invalid_rotation")),
    ] {
        assert_eq!(node.post(&rotate, &document).await.problem(), (problem.0, problem.1.to_owned()), "{document}");
    }
    let missing = node.post("/v1/accounts/default/triggers/x/secret/rotate", &json!({})).await;
    assert_eq!(missing.problem(), (404, "not_found".into()));
    for _ in 0..7 {
        assert_eq!(node.post(&rotate, &json!({})).await.status, 200);
    }
    assert_eq!(node.post(&rotate, &json!({})).await.problem(), (409, "too_many_secrets".into()));
}

#[actix_rt::test]
async fn no_header_value_is_shown_or_follows_a_new_host() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let trigger = json!({"event": "*", "url": receiver.url("/"), "headers": {"X-Token": "hunter2"}});
    node.set_up("t", &json_template(), trigger).await;
    let shown = node.get(TRIGGER).await.json();
    assert_eq!(shown["headers"], json!({"X-Token": null}));
    let list = node.get("/v1/accounts/default/triggers").await;
    assert!(!String::from_utf8_lossy(&list.body).contains("hunter2"));

    let mut moved = shown.clone();
    moved["url"] = receiver.url("/elsewhere").into();
    assert_eq!(node.put(TRIGGER, &moved).await.status, 200, "the same destination");
    node.fire(json!({"type": "a", "data": {}})).await;
    let received = receiver.wait_for(1).await;
    assert_eq!((received[0].path.as_str(), received[0].header("x-token")), ("/elsewhere", Some("hunter2")));

    let other = Receiver::start();
    moved["url"] = other.url("/").into();
    let refused = node.put(TRIGGER, &moved).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (422, &json!("header_value_required")));
    moved["headers"]["X-Token"] = Value::Null;
    let mut new = moved.clone();
    new["id"] = "new".into();
    let created = node.put("/v1/accounts/default/triggers/new", &new).await;
    assert_eq!((created.status, &created.json()["errors"][0]["code"]), (422, &json!("header_value_required")));
    node.fire(json!({"type": "a", "data": {}})).await;
    receiver.wait_for(2).await;
    assert!(other.received().is_empty());
}
