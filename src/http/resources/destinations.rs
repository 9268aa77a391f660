//! The states of this node's destinations, those in the worst state first.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use super::activity;
use crate::flow::destination_state::{DestinationState, DestinationStatesQuery, DestinationSurvey};
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::request::paging;
use crate::http::state::AppState;
use crate::model::duration_text::DurationText;

/// How long a dispatch thread may take to report its destinations. If one takes longer, the response is a 503 problem.
const RESPONSE_WITHIN: Duration = Duration::from_secs(2);

/// The destinations of this node.
#[derive(Debug, Serialize, ToSchema)]
struct Destinations {
    /// The node.
    node: String,
    /// Those in the worst state first.
    items: Vec<DestinationView>,
    /// How many destinations there are.
    total: usize,
}

/// One destination. Its numbers count since the first delivery after it was idle.
#[derive(Debug, Serialize, ToSchema)]
struct DestinationView {
    /// Scheme, host and port.
    #[schema(example = "https://example.com:443")]
    destination: String,
    /// What is wrong: `none`, `failing` (the last attempt was not delivered), `dropping` (deliveries were dropped
    /// within the last minute) or `stalled` (so slow that it no longer paces producers).
    trouble: &'static str,
    /// Queued deliveries.
    queued: usize,
    /// Bytes of their bodies.
    queued_bytes: usize,
    /// Attempts in flight.
    in_flight: usize,
    /// Milliseconds that the oldest queued delivery has waited; `null` if the queue is empty.
    oldest_ms: Option<u64>,
    /// Attempts that ended, by outcome.
    attempts: BTreeMap<&'static str, u64>,
    /// Dropped deliveries, by reason.
    dropped: BTreeMap<&'static str, u64>,
}

pub(super) fn calls() -> Vec<Call> {
    vec![Call::get(
        "/v1/destinations",
        || web::route().to(list),
        || {
            let summary = "The live destinations of this node, those in the worst state first. Operator only";
            let operation = Operation::new("list_destinations", "activity", summary);
            paging::limited(operation.json(200, "Destinations", Shape::of::<Destinations>()))
                .problem(503, "A thread of the node did not respond in time")
        },
    )]
}

async fn list(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Operate)?;
    let limit = paging::limit(&request)?;
    let requests = state.dispatchers.iter().map(|dispatchers| dispatchers.send(DestinationStatesQuery { limit }));
    let surveys = tokio::time::timeout(RESPONSE_WITHIN, join_all(requests)).await.map_err(|_| unresponsive())?;
    let mut all = DestinationSurvey::default();
    for survey in surveys.into_iter().flatten() {
        all.total += survey.total;
        all.destinations.extend(survey.destinations);
    }
    all.keep(limit);
    all.destinations.sort_by_key(|one| std::cmp::Reverse(one.rank()));
    let items = all.destinations.into_iter().map(DestinationView::of).collect();
    Ok(HttpResponse::Ok().json(Destinations { node: state.name.to_string(), items, total: all.total }))
}

fn unresponsive() -> Problem {
    let detail = format!("a dispatch thread did not respond within {}", DurationText(RESPONSE_WITHIN));
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "dispatch_unresponsive", detail).with_retry_after(1)
}

impl DestinationView {
    fn of(state: DestinationState) -> Self {
        Self {
            destination: state.destination.to_string(),
            trouble: state.trouble.as_str(),
            queued: state.queued,
            queued_bytes: state.queued_bytes,
            in_flight: state.in_flight,
            oldest_ms: state.oldest_wait.map(activity::milliseconds),
            attempts: state.attempts.into_iter().map(|(outcome, number)| (outcome.as_str(), number)).collect(),
            dropped: state.dropped.into_iter().map(|(reason, number)| (reason.as_str(), number)).collect(),
        }
    }
}
