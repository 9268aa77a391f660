//! One attempt: the POST of one delivery, from its headers to what the receiver made of it. There
//! is no second one. What becomes of a failed attempt is decided in [`super::line`], not here.

use std::error::Error;
use std::io;
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{CONTENT_TYPE, USER_AGENT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha2::Sha256;

use super::outbound::AddressRefused;
use crate::model::delivery::Delivery;
use crate::model::outcome::Outcome;
use crate::model::secret::Secret;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("posthaste/", env!("CARGO_PKG_VERSION")));

/// Makes the attempt. `unix_seconds` is the time it says it was made at; `timeout` is over all of
/// it; of the answer's body `answer_bytes_max` bytes are read, and forgotten.
pub(super) async fn attempt(
    client: &awc::Client,
    delivery: &Delivery,
    unix_seconds: u64,
    timeout: Duration,
    answer_bytes_max: usize,
) -> (Outcome, Option<u16>) {
    let mut status = None;
    let exchange = async {
        let sent = request(client, delivery, unix_seconds).send_body(delivery.body.clone());
        let mut answer = sent.await.map_err(|error| outcome_of_error(&error))?;
        status = Some(answer.status().as_u16());
        // Read to its end, the connection can be used again; a longer body costs the connection.
        let mut read = 0;
        while let Some(Ok(chunk)) = answer.next().await {
            read += chunk.len();
            if read > answer_bytes_max {
                break;
            }
        }
        Ok(())
    };
    let ended = tokio::time::timeout(timeout, exchange).await;
    match (status, ended) {
        // What the receiver said counts, also where its body broke or dribbled on.
        (Some(status), _) => (outcome_of_status(status), Some(status)),
        (None, Ok(Err(outcome))) => (outcome, None),
        (None, _) => (Outcome::Timeout, None),
    }
}

fn request(client: &awc::Client, delivery: &Delivery, unix_seconds: u64) -> awc::ClientRequest {
    let target = &delivery.target;
    let timestamp = HeaderValue::from(unix_seconds);
    let mut request = client.post(&target.uri);
    let headers = request.headers_mut();
    // Those below, and `host` that the client adds.
    headers.reserve(6 + target.headers.len());
    headers.insert(CONTENT_TYPE, delivery.content_type.clone());
    headers.insert(USER_AGENT, AGENT);
    if let Some(secret) = &target.secret {
        headers.insert(WEBHOOK_SIGNATURE, signature(secret, delivery, &timestamp));
    }
    headers.insert(WEBHOOK_ID, delivery.webhook_id.clone());
    headers.insert(WEBHOOK_TIMESTAMP, timestamp);
    for (name, value) in &target.headers {
        headers.insert(name.clone(), value.clone());
    }
    request
}

/// The symmetric signature of the Standard Webhooks specification: version 1 over
/// `id.timestamp.body`.
fn signature(secret: &Secret, delivery: &Delivery, timestamp: &HeaderValue) -> HeaderValue {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(delivery.webhook_id.as_bytes());
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(&delivery.body);
    let text = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    HeaderValue::try_from(text).expect("base64 is visible ASCII")
}

fn outcome_of_status(status: u16) -> Outcome {
    match status {
        200..300 => Outcome::Delivered,
        300..400 => Outcome::Redirect,
        400..500 => Outcome::ClientError,
        500..600 => Outcome::ServerError,
        _ => Outcome::BadAnswer,
    }
}

fn outcome_of_error(error: &SendRequestError) -> Outcome {
    match error {
        SendRequestError::Connect(error) => outcome_of_connect_error(error),
        SendRequestError::Timeout => Outcome::Timeout,
        // The parser passes a broken connection on as its own error's cause.
        SendRequestError::Response(error) if error.source().is_some_and(|cause| cause.is::<io::Error>()) => {
            Outcome::ConnectionLost
        }
        SendRequestError::Response(_) => Outcome::BadAnswer,
        _ => Outcome::ConnectionLost,
    }
}

fn outcome_of_connect_error(error: &ConnectError) -> Outcome {
    match error {
        ConnectError::Resolver(cause) if cause.is::<AddressRefused>() => Outcome::AddressRefused,
        ConnectError::Resolver(_) | ConnectError::NoRecords | ConnectError::Unresolved => Outcome::Resolve,
        ConnectError::Timeout => Outcome::Timeout,
        ConnectError::Io(error) if is_tls(error) => Outcome::Tls,
        ConnectError::Io(error) if error.kind() == io::ErrorKind::TimedOut => Outcome::Timeout,
        ConnectError::SslIsNotSupported => Outcome::Tls,
        // awc's word for a connection that ended before the answer's head.
        ConnectError::Disconnected => Outcome::ConnectionLost,
        _ => Outcome::Connect,
    }
}

fn is_tls(error: &io::Error) -> bool {
    let cause: Option<&(dyn Error + Send + Sync)> = error.get_ref();
    cause.is_some_and(|cause| cause.is::<rustls::Error>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::target::{Destination, Target};
    use std::sync::Arc;

    #[test]
    fn the_signature_is_what_the_specification_says() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let url = url::Url::parse("http://h/").expect("a URL");
        let delivery = Delivery {
            firing: None,
            target: Arc::new(Target {
                destination: Destination::of(&url).expect("a destination"),
                uri: "http://h/".parse().expect("a URI"),
                headers: Box::default(),
                secret: Some(Secret::new(secret).expect("a secret")),
            }),
            webhook_id: HeaderValue::from_static("msg_1"),
            content_type: HeaderValue::from_static("text/plain"),
            body: "{\"a\": \"ü\"}".into(),
        };
        let own = signature(
            delivery.target.secret.as_ref().expect("set above"),
            &delivery,
            &HeaderValue::from(1_700_000_000_u64),
        );
        let oracle = standardwebhooks::Webhook::new(secret).expect("the oracle takes it");
        let expected = oracle.sign("msg_1", 1_700_000_000, &delivery.body).expect("signed");
        assert_eq!(own.to_str().expect("ASCII"), expected);
    }
}
