//! Reads the parameters of a path.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::auth::{RequiredAccess, authorize};
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::model::id::AccountId;

/// The account in the path, if the request may access it.
pub(in crate::http) fn account(request: &HttpRequest, state: &AppState) -> Result<AccountId, Problem> {
    let name = request.match_info().get("account").unwrap_or_default();
    let account = AccountId::new(name)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_name", format!("the account's name: {error}")))?;
    authorize(request.head(), state, RequiredAccess::Account(&account))?;
    Ok(account)
}

/// The id in the path.
pub(in crate::http) fn id(request: &HttpRequest) -> String {
    request.match_info().get("id").unwrap_or_default().to_owned()
}
