//! Presets: working templates for known receivers.

use actix_web::{HttpRequest, HttpResponse, web};

use super::auth::{RequiredAccess, authorize};
use super::call::Call;
use super::openapi::operation::{Operation, Shape};
use super::problem::Problem;
use super::state::AppState;
use crate::dictionary::Presets;

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
