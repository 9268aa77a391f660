//! Events come in: `POST /v1/events`. The answer is held until the events' deliveries are handed to
//! their destinations' senders, which paces a producer that posts in a closed loop, and costs one
//! that does not, nothing.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::sync::oneshot;

use super::auth::{Want, authorize};
use super::problem::Problem;
use super::{AppState, Pipeline, body};
use crate::config::Config;
use crate::flow::gate::NotAdmitted;
use crate::flow::messages::{Encoding, EventsReceived};
use crate::flow::response::{Receipt, Refusal};
use crate::model::key::Scope;

const TAKEN: &str = "application/json, application/x-ndjson, application/cloudevents+json, \
                     application/cloudevents-batch+json, and CloudEvents in binary mode";

/// Post events: one object or an array, NDJSON, or CloudEvents 1.0 (structured, batched, binary).
#[utoipa::path(
    post, path = "/v1/events", tag = "events",
    request_body(content = super::openapi::EventDocument),
    responses(
        (status = 202, description = "Taken; what was not is named", body = Receipt),
        (status = 422, description = "No event is good", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "The engine is full; nothing was taken. `Retry-After` says when to try again", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The node is stopping, or has not the role `ingest`: nothing was taken. Or the store is away: send it again later", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn post(
    request: HttpRequest,
    mut payload: web::Payload,
    shared: web::Data<AppState>,
    lane: web::Data<Pipeline>,
) -> Result<HttpResponse, Problem> {
    let received = receive(&request, &mut payload, &shared, &lane).await;
    if let Err(problem) = &received
        && problem.rejected.is_empty()
        && !matches!(
            problem.code,
            "malformed_body"
                | "no_events"
                | "engine_full"
                | "stopping"
                | "store_unavailable"
                | "not_an_ingest_node"
                | "internal_error"
        )
    {
        // What the Ingester refuses it counts itself; this is what never came to it.
        shared.metrics.events.rejected.inc_by(problem.code, 1);
    }
    received.map(|receipt| HttpResponse::Accepted().json(receipt))
}

async fn receive(
    request: &HttpRequest,
    payload: &mut web::Payload,
    shared: &AppState,
    lane: &Pipeline,
) -> Result<Receipt, Problem> {
    let only_account = match authorize(request, shared, Want::PostEvents)? {
        Scope::Producer { account } => account,
        _ => None,
    };
    let encoding = encoding(request)?;
    // Refused before its body is read, a request costs next to nothing.
    if !shared.gate.is_open() {
        shared.metrics.events.rejected.inc_by("stopping", 1);
        return Err(Problem::stopping());
    }
    match shared.gate.barred() {
        Some(NotAdmitted::Away) => {
            shared.metrics.events.rejected.inc_by("store_unavailable", 1);
            return Err(Problem::away());
        }
        Some(NotAdmitted::NotHere) => {
            shared.metrics.events.rejected.inc_by("not_an_ingest_node", 1);
            return Err(Problem::not_here());
        }
        Some(NotAdmitted::Full) => {
            shared.metrics.events.rejected.inc_by("engine_full", 1);
            return Err(Problem::full("as many deliveries wait as may; nothing of the request was taken"));
        }
        Some(NotAdmitted::Stopping) | None => {}
    }
    if shared.gate.is_full() {
        shared.metrics.events.rejected.inc_by("engine_full", 1);
        return Err(Problem::full("the engine is full; nothing of the request was taken"));
    }
    let body = body::read(request, payload, shared, shared.config.ingest.body_bytes_max).await;
    let body = body.inspect_err(|problem| {
        if problem.code == "engine_full" {
            shared.metrics.events.rejected.inc_by(problem.code, 1);
        }
    })?;
    let (reply, answer) = oneshot::channel();
    let received = EventsReceived { body: body.bytes.clone(), encoding, only_account, reply };
    if lane.ingester.try_send(received).is_err() {
        shared.metrics.events.rejected.inc_by("engine_full", 1);
        return Err(Problem::full("the engine is full; nothing of the request was taken"));
    }
    let answer = answer.await.map_err(|_| Problem::stopping())?;
    answer.map_err(|refusal| refused(refusal, events_max(&shared.config)))
}

/// The most events that a request can ever bring in.
fn events_max(config: &Config) -> usize {
    let streams = config.delivers_through_streams().then_some(config.cluster.backlog_max);
    config.ingest.events_in_flight_max.min(streams.unwrap_or(usize::MAX))
}

/// To try again helps where there will be room.
fn refused(refusal: Refusal, events_max: usize) -> Problem {
    match refusal {
        Refusal::Full { events } if events > events_max => Problem::full(format!(
            "the request holds {events} events and the engine {events_max} at a time; nothing of the request was \
             taken, send it in parts"
        )),
        refusal => refusal.into(),
    }
}

fn encoding(request: &HttpRequest) -> Result<Encoding, Problem> {
    let media = body::media_type(request)?;
    match media.as_deref() {
        Some("application/cloudevents+json") => Ok(Encoding::CloudEvent),
        Some("application/cloudevents-batch+json") => Ok(Encoding::CloudEvents),
        media if request.headers().contains_key("ce-specversion") => match media {
            None => Ok(Encoding::CloudEventData(attributes(request)?)),
            Some(media) if media == "application/json" || media.ends_with("+json") => {
                Ok(Encoding::CloudEventData(attributes(request)?))
            }
            Some(_) => Err(body::unsupported("JSON data in a binary CloudEvent")),
        },
        Some("application/json") => Ok(Encoding::Json),
        Some("application/x-ndjson" | "application/ndjson") => Ok(Encoding::JsonLines),
        _ => Err(body::unsupported(TAKEN)),
    }
}

/// A binary CloudEvent's attributes, percent-decoded as its HTTP binding says.
fn attributes(request: &HttpRequest) -> Result<Vec<(String, String)>, Problem> {
    let headers = request.headers().iter();
    let attributes = headers.filter_map(|(name, value)| Some((name.as_str().strip_prefix("ce-")?, value)));
    attributes
        .map(|(name, value)| {
            let text = percent_decode(value.as_bytes());
            let text = String::from_utf8(text).map_err(|_| {
                let detail = format!("the header ce-{name} is not UTF-8");
                Problem::new(StatusCode::BAD_REQUEST, "malformed_body", detail)
            })?;
            Ok((name.to_owned(), text))
        })
        .collect()
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| byte == b'%').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::percent_decode;

    #[test]
    fn attributes_are_decoded_and_stray_signs_stay() {
        for (given, expected) in [("a%20b", "a b"), ("%E2%82%AC", "€"), ("100%", "100%"), ("%zz", "%zz"), ("", "")] {
            assert_eq!(percent_decode(given.as_bytes()), expected.as_bytes(), "{given}");
        }
    }
}
