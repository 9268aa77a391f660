//! Presets: working templates for known receivers.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::dictionary::Presets;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::state::AppState;

pub(super) fn calls() -> Vec<Call> {
    vec![Call::get(
        "/v1/presets",
        || web::route().to(all),
        || {
            Operation::new("list_presets", "dictionary", "Working templates for known receivers").json(
                200,
                "Templates, each with the events it is for and what its trigger needs",
                Shape::of::<Presets>(),
            )
        },
    )]
}

async fn all(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Read)?;
    Ok(HttpResponse::Ok().json(state.presets.as_ref()))
}
