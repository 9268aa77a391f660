//! What the operator's tools ask: alive, ready, metrics. Open without a key: they hold numbers and
//! fixed words only.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::AppState;
use super::problem::Problem;
use crate::flow::gate::NotAdmitted;
use crate::telemetry::metrics::Metrics;

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(shared: web::Data<AppState>) -> HttpResponse {
    shared.metrics.events.in_flight.set(shared.gate.events() as i64);
    HttpResponse::Ok().content_type(Metrics::CONTENT_TYPE).body(shared.metrics.render())
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, description = "It is")))]
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// Whether the node takes events.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, description = "It does; `store` is `unreachable` where triggers can't be changed now"),
    (status = 503, description = "It is stopping, or Redis, which deliveries go through, is away", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn ready(shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    if !shared.gate.is_open() {
        return Err(Problem::stopping());
    }
    if shared.gate.barred() == Some(NotAdmitted::Away) {
        return Err(Problem::away());
    }
    if shared.store.connected() {
        return Ok(HttpResponse::Ok().json(json!({"status": "ready"})));
    }
    if shared.config.delivers_through_streams() {
        let detail = "Redis is away, and what an event fires could not be handed over";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail));
    }
    Ok(HttpResponse::Ok().json(json!({"status": "ready", "store": "unreachable"})))
}
