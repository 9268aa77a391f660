//! The calls for the operator's tools: health, readiness, metrics, and the OpenAPI document. They need no key: they
//! return numbers and fixed words only.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::flow::refusal::Refusal;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::caller::{respond, written};
use crate::http::state::AppState;
use crate::store::StoreState;
use crate::telemetry::metrics::Metrics;

/// The type that serves the OpenAPI document.
#[derive(Clone, Copy)]
pub(in crate::http) struct OpenApi(pub(in crate::http) fn() -> &'static Value);

pub(in crate::http) fn calls() -> Vec<Call> {
    vec![
        Call::get(
            "/v1/openapi.json",
            || web::route().to(openapi),
            || {
                let any = json!({"type": "object"});
                operation("read_openapi", "The OpenAPI document of the interface").content(
                    200,
                    "OpenAPI 3.1",
                    "application/json",
                    any,
                )
            },
        ),
        Call::get(
            "/metrics",
            || web::route().to(metrics),
            || {
                let text = json!({"type": "string"});
                operation("read_metrics", "Metrics in Prometheus' text format").content(
                    200,
                    "Metrics",
                    "text/plain",
                    text,
                )
            },
        ),
        Call::get(
            "/healthz",
            || web::route().to(alive),
            || operation("is_alive", "Whether the process is alive").json(200, "It is alive", Shape::of::<Alive>()),
        ),
        Call::get(
            "/readyz",
            || web::route().to(ready),
            || {
                operation("is_ready", "Whether the node is ready to act in its roles")
                    .json(200, "It is ready", Shape::of::<Ready>())
                    .problem(503, "It is not ready: it is stopping, Redis is unavailable, the journal can't be written, or deliveries of the journal are still being handed on")
            },
        ),
    ]
}

fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, "operations", summary).open()
}

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// `alive`.
    #[schema(example = "alive")]
    status: &'static str,
}

/// The node's readiness.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// True.
    ready: bool,
    /// `ingest`: it accepts events; `dispatch`: it sends deliveries.
    roles: Vec<&'static str>,
    /// True while events are refused with 429 because a bound is reached.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    /// Why triggers, templates and keys can't be changed at the moment: `unreachable` or `read_only` (a full disk).
    /// Live records stay live.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<&'static str>,
}

async fn openapi(document: web::Data<OpenApi>) -> HttpResponse {
    // Written once: it is long, and needs no key.
    static WRITTEN: OnceLock<Bytes> = OnceLock::new();
    respond(WRITTEN.get_or_init(|| written((document.0)()).into()).clone())
}

async fn metrics(state: web::Data<AppState>) -> HttpResponse {
    state.metrics.events.in_flight.set(state.gate.events() as i64);
    state.metrics.events.body_bytes.set(state.bodies.taken() as i64);
    state.metrics.deliveries.bytes.set(state.gate.delivery_bytes() as i64);
    HttpResponse::Ok().content_type(Metrics::CONTENT_TYPE).body(state.metrics.render())
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: "alive" })
}

async fn ready(state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let store_state = state.store.state();
    let store = match store_state {
        StoreState::Ready => None,
        StoreState::ReadOnly => Some("read_only"),
        StoreState::Unreachable => Some("unreachable"),
    };
    if let Some(problem) = obstacle(&state, store_state) {
        return Err(Problem { store, ..problem });
    }
    let cluster = &state.config.cluster;
    let roles = [("ingest", cluster.ingest), ("dispatch", cluster.dispatch)];
    let roles = roles.iter().filter(|(_, own)| *own).map(|(role, _)| *role).collect();
    let full = cluster.ingest && state.gate.is_full();
    Ok(HttpResponse::Ok().json(Ready { ready: true, roles, full, store }))
}

/// Why the node is not ready to act in its roles.
fn obstacle(state: &AppState, store: StoreState) -> Option<Problem> {
    if let Some(refusal @ (Refusal::Stopping | Refusal::Unavailable)) = state.gate.refusal() {
        return Some(refusal.into());
    }
    if state.recovering.load(Ordering::SeqCst) {
        let detail = "deliveries that were accepted before the last start are being handed on; events are accepted";
        return Some(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "recovering", detail));
    }
    let needed = store == StoreState::Unreachable && state.config.delivers_through_streams();
    // One that is of another type stops only its own destinations.
    let unread =
        state.config.cluster.dispatch && state.unread.load(Ordering::Relaxed) >= state.config.cluster.partitions;
    (needed || unread).then(|| Refusal::Unavailable.into())
}
