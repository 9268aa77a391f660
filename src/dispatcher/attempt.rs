//! One attempt: the POST of one delivery, from its headers to what the receiver made of it. There
//! is no second one. What becomes of a failed attempt is decided in [`super::line`], not here.

use std::error::Error;
use std::io;
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{CONTENT_TYPE, USER_AGENT};
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue};

use super::outbound::AddressRefused;
use super::signature::signatures;
use crate::model::delivery::Delivery;
use crate::model::outcome::Outcome;

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
    if let Some(signatures) = signatures(&target.secrets, delivery, unix_seconds) {
        headers.insert(WEBHOOK_SIGNATURE, signatures);
    }
    headers.insert(WEBHOOK_ID, delivery.webhook_id.clone());
    headers.insert(WEBHOOK_TIMESTAMP, timestamp);
    for (name, value) in &target.headers {
        headers.insert(name.clone(), value.clone());
    }
    request
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
