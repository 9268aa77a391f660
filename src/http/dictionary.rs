//! The dictionary: event types and their tags.

use actix_web::{HttpRequest, HttpResponse, web};

use super::AppState;
use super::auth::{Want, authorize};
use super::problem::Problem;
use crate::dictionary::{DictionaryView, EventDetailView};

/// All event types and entities.
#[utoipa::path(get, path = "/v1/dictionary", tag = "dictionary", responses((status = 200, description = "Event types and entities", body = DictionaryView)))]
pub(super) async fn all(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(&request, &shared, Want::Read)?;
    Ok(HttpResponse::Ok().json(shared.catalogue.view()))
}

/// One event type with its tags and a sample of its data.
#[utoipa::path(get, path = "/v1/dictionary/{event}", tag = "dictionary",
    params(("event" = String, Path, description = "An event type")),
    responses((status = 200, description = "The event type", body = EventDetailView), (status = 404, description = "The dictionary does not know it", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(&request, &shared, Want::Read)?;
    let event = request.match_info().get("event").unwrap_or_default();
    match shared.catalogue.event_view(event) {
        Some(view) => Ok(HttpResponse::Ok().json(view)),
        None => Err(Problem::not_found("event type")),
    }
}
