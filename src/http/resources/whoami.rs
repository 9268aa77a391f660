//! The rights of a key, for a client that has only the key.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::state::AppState;
use crate::model::id::AccountId;
use crate::model::key::KeyScope;

/// The rights of the request's key.
#[derive(Debug, Serialize, ToSchema)]
struct Whoami {
    /// `operator`, `producer` or `account`.
    scope: &'static str,
    /// The account, if the key belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    account: Option<AccountId>,
    /// Whether it may watch activity.
    activity: bool,
    /// The node that responds.
    node: String,
    /// Its version.
    version: &'static str,
}

pub(super) fn calls() -> Vec<Call> {
    vec![Call::get(
        "/v1/whoami",
        || web::route().to(whoami),
        || {
            Operation::new("whoami", "keys", "The rights of the request's key").json(
                200,
                "The key's scope",
                Shape::of::<Whoami>(),
            )
        },
    )]
}

async fn whoami(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let scope = authorize(request.head(), &state, RequiredAccess::Read)?;
    let (account, activity) = match &scope {
        KeyScope::Operator => (None, true),
        KeyScope::Account(own) => (Some(own.clone()), state.config.activity.for_accounts),
        KeyScope::Producer { account } => (account.clone(), false),
    };
    let (scope, node, version) = (scope.as_str(), state.name.to_string(), env!("CARGO_PKG_VERSION"));
    Ok(HttpResponse::Ok().json(Whoami { scope, account, activity, node, version }))
}
