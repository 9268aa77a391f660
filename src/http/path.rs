//! Reads the parameters of a path.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::auth::{RequiredAccess, authorize};
use super::problem::Problem;
use super::state::AppState;
use crate::model::id::AccountId;

/// The account in the path, if the request may access it.
pub(super) fn account(request: &HttpRequest, state: &AppState) -> Result<AccountId, Problem> {
    let name = request.match_info().get("account").unwrap_or_default();
    let account = AccountId::new(name)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_name", format!("the account's name: {error}")))?;
    authorize(request.head(), state, RequiredAccess::Account(&account))?;
    Ok(account)
}

/// The id in the path.
pub(super) fn id(request: &HttpRequest) -> String {
    request.match_info().get("id").unwrap_or_default().to_owned()
}
