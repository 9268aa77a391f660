//! Keys: made, listed and deleted by the operator. The key itself is in one answer, once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use serde_json::Value;

use super::auth::{Want, authorize};
use super::problem::Problem;
use super::records::{id, list_document, paging};
use super::{AppState, body};
use crate::model::field::Fields;
use crate::model::key::{Key, Scope};
use crate::model::trigger::display_name;
use crate::store::Precondition;

/// Make a key. The answer is the only one that shows it.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys",
    request_body(content = super::openapi::NewKey),
    responses(
        (status = 201, description = "The key, shown this once", body = super::openapi::ShownKey),
    )
)]
pub(super) async fn create(
    request: HttpRequest,
    mut payload: web::Payload,
    shared: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    authorize(&request, &shared, Want::Operate)?;
    let document = body::read_json(&request, &mut payload, &shared).await?;
    let invalid = |errors| Problem::invalid("invalid_key", "a key", errors);
    let mut fields = Fields::new(document, "a key").map_err(invalid)?;
    let name = display_name(&mut fields);
    let scope = Scope::read(&mut fields);
    let (name, scope) = fields.finish(scope.map(|scope| (name, scope))).map_err(invalid)?;
    let (key, shown) = Key::make(name, scope, Timestamp::now()).map_err(|error| {
        tracing::error!(%error, "the system gives no randomness");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "a fault of the engine; no key was made")
    })?;
    shared.store.put(None, &key, Precondition::Absent).await?;
    let mut view = key.to_json();
    if let Some(members) = view.as_object_mut() {
        members.insert("key".into(), shown.into_shown().into());
    }
    Ok(HttpResponse::Created().json(view))
}

/// List keys; never the keys themselves.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys",
    params(("limit" = Option<usize>, Query, description = "1 to 1000; 100"), ("cursor" = Option<String>, Query, description = "What the page before gave")),
    responses((status = 200, description = "A page of keys", body = super::openapi::KeyList))
)]
pub(super) async fn list(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(&request, &shared, Want::Operate)?;
    let (after, limit) = paging(&request)?;
    let page = shared.store.list::<Key>(None, after.as_deref(), limit).await?;
    let items: Vec<Value> = page.items.iter().map(|stored| stored.value.to_json()).collect();
    Ok(HttpResponse::Ok().json(list_document(items, page.next)))
}

/// Delete a key; from then on it opens nothing.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key's public name")),
    responses(
        (status = 204, description = "Gone"),
        (status = 404, description = "There is no such key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn delete(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(&request, &shared, Want::Operate)?;
    shared.store.delete::<Key>(None, &id(&request), Precondition::None).await?;
    Ok(HttpResponse::NoContent().finish())
}
