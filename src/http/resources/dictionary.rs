//! The dictionary: event types and their tags.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::dictionary::{DictionaryView, EventDetailView};
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::state::AppState;

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::get(
            "/v1/dictionary",
            || web::route().to(all),
            || {
                Operation::new("read_dictionary", "dictionary", "All event types and entities").json(
                    200,
                    "Event types and entities",
                    Shape::of::<DictionaryView>(),
                )
            },
        ),
        Call::get(
            "/v1/dictionary/{event}",
            || web::route().to(one),
            || {
                Operation::new("read_event_type", "dictionary", "One event type with its tags and a sample of its data")
                    .json(200, "The event type", Shape::of::<EventDetailView>())
                    .problem(404, "The dictionary does not have it")
            },
        ),
    ]
}

async fn all(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Read)?;
    Ok(HttpResponse::Ok().json(state.dictionary.view()))
}

async fn one(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Read)?;
    let event = request.match_info().get("event").unwrap_or_default();
    match state.dictionary.event_view(event) {
        Some(view) => Ok(HttpResponse::Ok().json(view)),
        None => Err(Problem::not_found("event type")),
    }
}
