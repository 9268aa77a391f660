//! `POST /v1/events`: receives events. The response is held until the attempts of the events' deliveries begin, which
//! paces a producer that waits for responses. There is one exception: if some deliveries, and not many, have been
//! waiting for a while, a small request gets its response when its deliveries are rendered.

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::flow::fairness::Share;
use crate::flow::payer::Payer;
use crate::flow::refusal::{ReachedBound, Refusal};
use crate::flow::response::{EventsResponse, Receipt};
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::openapi::shapes::{CloudEventDocument, EventDocument};
use crate::http::problem::Problem;
use crate::http::request::auth::{Credentials, RequiredAccess};
use crate::http::request::body::{self, RequestBody};
use crate::http::request::caller::{payer, written};
use crate::http::state::{AppState, Pipeline};
use crate::ingester::encoding::{self, Encoding, RequestContent, UnsupportedMediaType};
use crate::ingester::{EventsReceived, UnreadEvents};
use crate::model::delivery::{HOPS, HOPS_MAX};
use crate::model::id::AccountId;
use crate::model::key::KeyScope;

pub(in crate::http) static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Names that are looked up in each request.
static SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");
static HOPS_NAME: HeaderName = HeaderName::from_static(HOPS);

/// Where events are posted.
pub(in crate::http) const PATH: &str = "/v1/events";

pub(super) fn calls() -> Vec<Call> {
    vec![Call::post(PATH, || web::route().to(post), described)]
}

fn described() -> Operation {
    let summary = "Post events: one object or an array, NDJSON, or CloudEvents 1.0 (structured, batched, binary)";
    Operation::new("post_events", "events", summary)
        .bodies(request_body(), &[Shape::of::<EventDocument>(), Shape::of::<CloudEventDocument>()])
        .json(202, "Events were accepted; each rejected event is named", Shape::of::<Receipt>())
        .problem(422, "No event is valid")
        .problem(429, "The node is full; no event was accepted. `Retry-After` says when to try again")
        .problem(508, "The header `posthaste-hops` says that deliveries lead back here in a loop")
        .problem(503, "The node is stopping, or does not have the role `ingest`: no event was accepted. Or Redis is unavailable: send the request again later")
}

/// The bodies that the encodings accept.
fn request_body() -> Value {
    let taken = encoding::ALL.iter().filter_map(|one| Some((*one.media_types.first()?, (one.schema)()?)));
    let content: serde_json::Map<String, Value> =
        taken.map(|(media_type, schema)| (media_type.to_owned(), json!({ "schema": schema }))).collect();
    json!({
        "required": true,
        "description": "One event or many. A CloudEvent in binary mode has its attributes in headers that \
                        begin with `ce-`, and JSON data as its body.",
        "content": content,
    })
}

/// Receives events without the router, which would take longer than everything else that is done with a small request.
/// Unusual requests reach the same handler through the router.
pub struct EventsCall {
    state: web::Data<AppState>,
    pipeline: web::Data<Pipeline>,
}

impl EventsCall {
    /// For the thread of this pipeline.
    pub fn new(state: web::Data<AppState>, pipeline: web::Data<Pipeline>) -> Self {
        Self { state, pipeline }
    }

    /// Hands on the events of a request to [`PATH`] whose body is here and has no coding.
    pub(in crate::http) fn hand_over(
        &self,
        head: &RequestHead,
        known: &KnownHead,
        body: Bytes,
    ) -> Result<ResponseReceiver, Problem> {
        let (state, max) = (&self.state, self.state.config.ingest.body_bytes_max);
        let handed_over = known.admit(state).and_then(|only_account| {
            let body = body::take_whole(&known.bodies, body, max)?;
            known.hand_over(head, only_account, body, &self.pipeline)
        });
        handed_over.inspect_err(|problem| state.metrics.events.rejected.inc_by(problem.code, 1))
    }

    /// Receives the events of any other request to [`PATH`], whose body has this length. `known` is what its head says, if
    /// another request had the same.
    pub(in crate::http) async fn handle(
        &self,
        head: &RequestHead,
        known: &mut Option<KnownHead>,
        length: u64,
        payload: &mut impl body::BodyStream,
    ) -> Result<Receipt, Problem> {
        receive((head, known, Some(length)), payload, &self.state, &self.pipeline).await
    }
}

/// What the head of a request says, apart from the length of its body: the requests of a client mostly have the same.
pub(in crate::http) struct KnownHead {
    credentials: Credentials,
    hops: u8,
    encoding: &'static Encoding,
    payer: Payer,
    /// The sender's share of all bodies.
    bodies: Share,
    /// Whether the body has no coding.
    pub(in crate::http) is_plain: bool,
}

/// Waits for the response to events that were handed on.
pub(in crate::http) struct ResponseReceiver(oneshot::Receiver<EventsResponse>);

impl ResponseReceiver {
    pub(in crate::http) async fn receive(self) -> Result<Receipt, Problem> {
        Ok(self.0.await.unwrap_or(Err(Refusal::Stopping))?)
    }
}

impl KnownHead {
    fn of(head: &RequestHead, state: &AppState) -> Result<Self, Problem> {
        let credentials = Credentials::of(head, state)?;
        credentials.authorize(state, RequiredAccess::PostEvents)?;
        let hops = hops(head)?;
        let media_type = body::media_type(head)?;
        let has_attributes = head.headers.contains_key(&SPECVERSION);
        let encoding = Encoding::select(media_type.as_deref(), has_attributes)
            .map_err(|UnsupportedMediaType(supported)| body::unsupported(&supported))?;
        let (payer, is_plain) = (payer(head), body::is_plain(head));
        Ok(Self { credentials, hops, encoding, payer, bodies: state.bodies.share(&payer), is_plain })
    }

    /// Whether a request with this head may post events now, and the only account that it may post for. Refused before its
    /// body is read, a request is very cheap.
    fn admit(&self, state: &AppState) -> Result<Option<AccountId>, Problem> {
        let only_account = match self.credentials.authorize(state, RequiredAccess::PostEvents)? {
            KeyScope::Producer { account } => account,
            _ => None,
        };
        if let Some(refusal) = state.gate.refusal() {
            return Err(refusal.into());
        }
        if state.gate.is_full() {
            return Err(Refusal::Full(ReachedBound::Node).into());
        }
        Ok(only_account)
    }

    /// Hands a body to the Ingester, with its charge.
    fn hand_over(
        &self,
        head: &RequestHead,
        only_account: Option<AccountId>,
        body: RequestBody,
        pipeline: &Pipeline,
    ) -> Result<ResponseReceiver, Problem> {
        let headers = if self.encoding.reads_headers { attributes(head) } else { Vec::new() };
        let source = RequestContent { body: body.bytes, headers };
        let (reply, response) = oneshot::channel();
        let unread = UnreadEvents { source, encoding: self.encoding, only_account, hops: self.hops };
        let received = EventsReceived { unread, payer: self.payer, body: body.taken, reply };
        pipeline.ingester.send(received).map_err(|_| Refusal::Stopping)?;
        Ok(ResponseReceiver(response))
    }
}

async fn post(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
    pipeline: web::Data<Pipeline>,
) -> Result<HttpResponse, Problem> {
    // The server passes on what arrived with the head after the first poll. If the call ended in it, the server would close
    // the connection, as if the body had not arrived.
    tokio::task::yield_now().await;
    let head = request.head();
    let receipt = receive((head, &mut None, body::length(head)), &mut payload, &state, &pipeline).await?;
    Ok(HttpResponse::Accepted().insert_header((CONTENT_TYPE, JSON.clone())).body(written(&receipt)))
}

/// The head of a request, what is known of it, and the length of the body.
type EventsHeader<'a> = (&'a RequestHead, &'a mut Option<KnownHead>, Option<u64>);

async fn receive(
    head: EventsHeader<'_>,
    payload: &mut impl body::BodyStream,
    state: &web::Data<AppState>,
    pipeline: &Pipeline,
) -> Result<Receipt, Problem> {
    // The Ingester counts its own refusals; the others are counted here.
    let handed_over = hand_over(head, payload, state, pipeline).await;
    handed_over.inspect_err(|problem| state.metrics.events.rejected.inc_by(problem.code, 1))?.receive().await
}

/// Reads the request and hands it to the Ingester.
async fn hand_over(
    (head, known, length): EventsHeader<'_>,
    payload: &mut impl body::BodyStream,
    state: &web::Data<AppState>,
    pipeline: &Pipeline,
) -> Result<ResponseReceiver, Problem> {
    let known = match known {
        Some(known) => known,
        none => none.insert(KnownHead::of(head, state)?),
    };
    let only_account = known.admit(state)?;
    let max = state.config.ingest.body_bytes_max;
    let body = if known.is_plain {
        body::read_as_it_comes(&known.bodies, length, payload, state, max).await?
    } else {
        Box::pin(body::read_decompressed((head, length), payload, state, max)).await?
    };
    known.hand_over(head, only_account, body, pipeline)
}

/// The number of deliveries that led to the request: zero if the header is missing.
fn hops(head: &RequestHead) -> Result<u8, Problem> {
    let mut values = head.headers.get_all(&HOPS_NAME);
    let Some(value) = values.next() else { return Ok(0) };
    let number = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(number) = number.filter(|_| values.next().is_none()) else {
        let detail = format!("the header {HOPS} is one whole number; copy it from the delivery, or leave it out");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_hops", detail));
    };
    // A number too large to parse exceeds the bound as well.
    let hops = number.parse().unwrap_or(u8::MAX);
    if hops >= HOPS_MAX { Err(Refusal::Loop.into()) } else { Ok(hops) }
}

/// The headers that carry a CloudEvent's attributes (HTTP protocol binding, section 3.1): `content-type` is
/// `datacontenttype`, the others begin with `ce-`.
fn attributes(head: &RequestHead) -> Vec<(String, Bytes)> {
    let headers = head.headers.iter();
    let attributes = headers.filter_map(|(name, value)| match name.as_str() {
        "content-type" => Some(("datacontenttype", value)),
        "ce-datacontenttype" => None,
        name => Some((name.strip_prefix("ce-")?, value)),
    });
    attributes.map(|(name, value)| (name.to_owned(), Bytes::copy_from_slice(value.as_bytes()))).collect()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut problem = Self::new(status, refusal.code(), refusal.detail());
        if let Some(seconds) = refusal.retry_after_s() {
            problem = problem.with_retry_after(seconds);
        }
        if refusal.closes_connection() {
            problem = problem.closing();
        }
        if let Refusal::NoGoodEvent(rejected) = refusal {
            (problem.rejected, problem.rejected_more) = (rejected.listed, rejected.more);
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::refusal::Rejections;
    use crate::http::PROBLEM_CODES;
    use crate::telemetry::metrics::Metrics;

    /// The refusal after this one, so that a new one can't be left out.
    fn next(refusal: &Refusal) -> Option<Refusal> {
        Some(match refusal {
            Refusal::Malformed(_) => Refusal::NoEvents,
            Refusal::NoEvents => {
                let mut rejected = Rejections::default();
                rejected.push(0, "bad_id", String::new());
                rejected.push(1, "bad_time", String::new());
                Refusal::NoGoodEvent(rejected)
            }
            Refusal::NoGoodEvent(_) => Refusal::Full(ReachedBound::Node),
            Refusal::Full(_) => Refusal::RateLimited { events: 1, retry_after_s: 1 },
            Refusal::RateLimited { .. } => Refusal::Unavailable,
            Refusal::Unavailable => Refusal::IdInProgress { events: 1, retry_after_s: 1 },
            Refusal::IdInProgress { .. } => Refusal::NotIngest,
            Refusal::NotIngest => Refusal::Stopping,
            Refusal::Stopping => Refusal::Loop,
            Refusal::Loop => Refusal::Panic,
            Refusal::Panic => return None,
        })
    }

    #[test]
    fn each_refusal_is_in_the_table_of_codes_and_has_a_counter() {
        let metrics = Metrics::new();
        let mut refusal = Some(Refusal::Malformed(String::new()));
        while let Some(one) = refusal {
            let (code, status) = (one.code(), one.status());
            assert!(PROBLEM_CODES.iter().any(|known| (known.code, known.status) == (code, status)), "{code} {status}");
            let counted = format!("posthaste_events_rejected_total{{code=\"{code}\"}} 0\n");
            let counts = !matches!(one, Refusal::NoGoodEvent(_));
            assert!(!counts || metrics.render().contains(&counted), "{code} has no counter");
            refusal = next(&one);
        }
    }
}
