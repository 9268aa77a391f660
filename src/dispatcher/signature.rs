//! The symmetric signatures of the Standard Webhooks specification, version 1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::delivery::Delivery;
use crate::model::secret::Secret;

/// `v1,`, the base64 of 32 bytes, and the space before the next one.
const SIGNATURE_BYTES: usize = 3 + 44 + 1;

/// How much is hashed at a time: some tens of microseconds.
const SLICE_BYTES: usize = 32 << 10;

/// Whether the signatures of a delivery take so long that other work of the thread must have its turn between.
pub(super) fn are_costly(delivery: &Delivery) -> bool {
    delivery.target.secrets.len() * delivery.body.len() > SLICE_BYTES
}

/// One signature for each secret of the delivery that is valid at this time, separated by spaces; `None` if there is none.
pub(super) fn signatures(delivery: &Delivery, unix_seconds: u64) -> Option<String> {
    let valid = valid_secrets(delivery, unix_seconds);
    joined(
        delivery,
        valid.map(|secret| {
            let mut mac = begun(secret, delivery, unix_seconds);
            mac.update(&delivery.body);
            mac
        }),
    )
}

/// The same, and `turn` is waited for before each slice of the work.
pub(super) async fn signatures_in_turns(
    delivery: &Delivery,
    unix_seconds: u64,
    turn: impl AsyncFn(),
) -> Option<String> {
    let mut macs = Vec::new();
    for secret in valid_secrets(delivery, unix_seconds) {
        let mut mac = begun(secret, delivery, unix_seconds);
        for slice in delivery.body.chunks(SLICE_BYTES) {
            turn().await;
            mac.update(slice);
        }
        macs.push(mac);
    }
    joined(delivery, macs)
}

fn valid_secrets(delivery: &Delivery, unix_seconds: u64) -> impl Iterator<Item = &Secret> {
    delivery.target.secrets.iter().filter(move |secret| secret.is_valid_at(unix_seconds))
}

/// Signs `id.timestamp.`; the body follows.
fn begun(secret: &Secret, delivery: &Delivery, unix_seconds: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(delivery.webhook_id.as_bytes());
    mac.update(b".");
    mac.update(unix_seconds.to_string().as_bytes());
    mac.update(b".");
    mac
}

fn joined(delivery: &Delivery, macs: impl IntoIterator<Item = Hmac<Sha256>>) -> Option<String> {
    let mut text = String::with_capacity(delivery.target.secrets.len() * SIGNATURE_BYTES);
    for mac in macs {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str("v1,");
        BASE64.encode_string(mac.finalize().into_bytes(), &mut text);
    }
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use http::HeaderValue;

    use super::*;
    use crate::model::delivery::WebhookId;
    use crate::model::target::Target;

    const ONE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const TWO: &str = "whsec_bjB0LWYwci10aGUtbDBnLWFuZC1sb25nLWVub3VnaA==";

    fn delivery(id: &'static str, body: &'static str, secrets: &[(&str, Option<i64>)]) -> Delivery {
        let secrets = secrets.iter().map(|(text, until)| {
            let until = until.map(|second| jiff::Timestamp::from_second(second).expect("a time"));
            Secret::new(text).expect("a secret").with_end(until)
        });
        Delivery {
            firing: None,
            target: Arc::new(Target::read("http://h/", &[], secrets.collect()).expect("a target")),
            webhook_id: WebhookId::Read(HeaderValue::from_static(id)),
            content_type: HeaderValue::from_static("text/plain"),
            body: body.into(),
            hops: 1,
        }
    }

    /// The test vector of the specification's libraries.
    #[test]
    fn the_test_vector_of_the_specification() {
        let delivery = delivery("msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", &[(ONE, None)]);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(&delivery, 1_614_265_330).as_deref(), Some(expected));
    }

    #[test]
    fn each_valid_secret_signs_and_the_official_library_agrees() {
        let delivery = delivery("msg_1", "{\"a\": \"ü\"}", &[(ONE, Some(1_700_000_000)), (TWO, None)]);
        let oracle = |secret: &str, time: i64| {
            let webhook = standardwebhooks::Webhook::new(secret).expect("a valid secret");
            webhook.sign("msg_1", time, &delivery.body).expect("signed")
        };
        let both = format!("{} {}", oracle(ONE, 1_699_999_999), oracle(TWO, 1_699_999_999));
        assert_eq!(signatures(&delivery, 1_699_999_999), Some(both));
        assert_eq!(signatures(&delivery, 1_700_000_000), Some(oracle(TWO, 1_700_000_000)));
        let large = self::delivery("m", Box::leak("x".repeat(3 * SLICE_BYTES + 1).into()), &[(ONE, None), (TWO, None)]);
        assert!(are_costly(&large) && !are_costly(&delivery));
        let turns = std::cell::Cell::new(0);
        let in_turns = signatures_in_turns(&large, 9, async || turns.set(turns.get() + 1));
        assert_eq!(in_turns.now_or_never(), Some(signatures(&large, 9)));
        assert_eq!(turns.get(), 8);
        assert_eq!(signatures(&self::delivery("m", "", &[(ONE, Some(1))]), 1), None);
        assert_eq!(signatures(&self::delivery("m", "", &[]), 1), None);
    }
}
