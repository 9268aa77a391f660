//! The code of docs/receiving.md for Rust is compiled, and verifies a delivery. `scripts/signatures` runs that of the
//! other languages.

// The version that the library takes; the engine's is older.
use http1 as http;
use serde_json::json;

use super::read;
use crate::support::{Node, Receiver, json_template};

include!("verify.rs");

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn the_code_is_that_of_the_document() {
    let document = read("docs/receiving.md");
    let block = document.split_once("```rust\n").and_then(|(_, rest)| rest.split_once("```\n"));
    assert_eq!(block.map(|(code, _)| code), Some(include_str!("verify.rs")));
}

#[test]
fn the_signature_to_try_is_right() {
    let document = read("docs/receiving.md");
    let signed = Webhook::new(SECRET)
        .and_then(|webhook| webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#));
    assert!(document.contains(&format!("the signature is `{}`", signed.expect("a signature"))));
    assert!(document.contains(&format!("the secret `{SECRET}`")));
}

#[actix_rt::test]
async fn the_code_verifies_a_delivery() {
    let (node, receiver) = (Node::start(&[]).await, Receiver::start());
    let trigger = json!({"event": "*", "url": receiver.url("/"), "secret": SECRET});
    node.set_up("t", &json_template(), trigger).await;
    node.fire(json!({"type": "guest.created", "data": {}})).await;
    let delivery = receiver.wait_for(1).await.remove(0);
    let headers: http::HeaderMap = delivery
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().expect("a name"), value.parse().expect("a value")))
        .collect();
    verify(SECRET, &headers, &delivery.body).expect("it is signed");
    let other = "whsec_bjB0LWYwci10aGUtbDBnLWFuZC1sb25nLWVub3VnaA==";
    verify(other, &headers, &delivery.body).expect_err("not with this secret");
    let changed = [&delivery.body[..], b" "].concat();
    verify(SECRET, &headers, &changed).expect_err("not this body");
}
