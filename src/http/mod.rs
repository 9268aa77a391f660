//! The HTTP interface, version 1: routes, keys, bodies in, problem documents out. What a request
//! means is decided behind it; it never sends anything itself.

mod auth;
mod body;
mod dictionary;
mod events;
pub mod inbound;
mod keys;
mod openapi;
mod operations;
mod precondition;
mod problem;
mod records;
mod template_check;
mod trigger_test;

use std::sync::Arc;

use actix::{Addr, Recipient};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, guard, web};

pub use openapi::document as openapi_document;
pub use problem::Problem;

use crate::config::Config;
use crate::dictionary::Dictionary;
use crate::flow::gate::Gate;
use crate::flow::messages::FiringsMatched;
use crate::ingester::Ingester;
use crate::live::Live;
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Revision, Store};
use crate::telemetry::metrics::Metrics;

/// The longest body of what is not events: a template of the greatest size, written as JSON with
/// every byte escaped, and a trigger of the greatest size, fit.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// What all HTTP threads have in common.
pub struct AppState {
    /// The settings.
    pub config: Config,
    /// What is under way.
    pub gate: Arc<Gate>,
    /// What is live.
    pub live: Arc<Live>,
    /// Where it is kept.
    pub store: Store,
    /// The dictionary.
    pub catalogue: Arc<Dictionary>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The stages of one HTTP thread.
pub struct Pipeline {
    /// Takes events.
    pub ingester: Addr<Ingester>,
    /// Takes the firing of a trigger's test.
    pub renderer: Addr<crate::renderer::Renderer>,
}

impl Pipeline {
    fn renderer(&self) -> Recipient<FiringsMatched> {
        self.renderer.clone().recipient()
    }
}

/// Sets the routes up.
pub fn routes(config: &mut web::ServiceConfig) {
    let account = web::scope("/v1/accounts/{account}")
        // A template may have the name `check`; only the POST is taken away from it.
        .service(records::member::<Template>("/templates/{id:check}").route(web::post().to(template_check::check)))
        .service(
            web::resource("/triggers/{id}/test")
                .route(web::post().to(trigger_test::test))
                .default_service(web::to(method_not_allowed)),
        )
        .service(records::collection::<Trigger>("/triggers"))
        .service(records::member::<Trigger>("/triggers/{id}"))
        .service(records::collection::<Template>("/templates"))
        .service(records::member::<Template>("/templates/{id}"))
        .default_service(web::to(not_found));
    let resource = |path: &str, route: actix_web::Route| {
        web::resource(path.to_owned()).route(route).default_service(web::to(method_not_allowed))
    };
    config
        .service(resource("/v1/events", web::post().to(events::post)))
        .service(account)
        .service(resource("/v1/dictionary", get().to(dictionary::all)))
        .service(resource("/v1/dictionary/{event}", get().to(dictionary::one)))
        .service(
            web::resource("/v1/keys")
                .route(get().to(keys::list))
                .route(web::post().to(keys::create))
                .default_service(web::to(method_not_allowed)),
        )
        .service(resource("/v1/keys/{id}", web::delete().to(keys::delete)))
        .service(resource("/v1/openapi.json", get().to(openapi::serve)))
        .service(resource("/metrics", get().to(operations::metrics)))
        .service(resource("/healthz", get().to(operations::alive)))
        .service(resource("/readyz", get().to(operations::ready)))
        .default_service(web::to(not_found));
}

/// Sets up what the second server serves: health and metrics.
pub fn admin_routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str, route: actix_web::Route| {
        web::resource(path.to_owned()).route(route).default_service(web::to(method_not_allowed))
    };
    config
        .service(resource("/metrics", get().to(operations::metrics)))
        .service(resource("/healthz", get().to(operations::alive)))
        .service(resource("/readyz", get().to(operations::ready)))
        .default_service(web::to(not_found));
}

/// `GET`, and `HEAD`, which is the same without the body (RFC 9110, section 9.1); the server leaves it out.
fn get() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn not_found() -> Result<HttpResponse, Problem> {
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_path",
        "there is nothing at this path; /v1/openapi.json lists what there is",
    ))
}

async fn method_not_allowed(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let allow = match request.match_pattern().as_deref() {
        Some("/v1/events" | "/v1/accounts/{account}/triggers/{id}/test") => "POST",
        Some("/v1/keys/{id}") => "DELETE",
        Some("/v1/accounts/{account}/templates/{id:check}") => "GET, HEAD, PUT, DELETE, POST",
        Some(path) if path.ends_with("/{id}") => "GET, HEAD, PUT, DELETE",
        Some("/v1/accounts/{account}/triggers" | "/v1/accounts/{account}/templates" | "/v1/keys") => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let detail = format!("this path takes {allow}");
    Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        .with_header(header::ALLOW, HeaderValue::from_static(allow)))
}

/// A record's entity tag.
fn etag(revision: Revision) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", revision.0)).expect("digits are visible ASCII")
}
