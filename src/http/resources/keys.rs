//! Keys: the operator creates, lists and deletes them. The key itself is shown in one response only.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;

use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::openapi::shapes::{KeyList, NewKey, ShownKey};
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::request::{body, paging, path};
use crate::http::state::AppState;
use crate::model::field::Fields;
use crate::model::key::{Key, KeyScope};
use crate::model::trigger::display_name;
use crate::store::Precondition;

pub(super) fn calls() -> Vec<Call> {
    vec![
        Call::get(
            "/v1/keys",
            || web::route().to(list),
            || {
                let operation = Operation::new("list_keys", "keys", "List keys; never the keys themselves");
                paging::paged(operation.json(200, "A page of keys", Shape::of::<KeyList>()))
            },
        ),
        Call::post(
            "/v1/keys",
            || web::route().to(create),
            || {
                Operation::new("create_key", "keys", "Create a key. The response is the only one that shows it")
                    .body(Shape::of::<NewKey>())
                    .json(201, "The key, shown this once", Shape::of::<ShownKey>())
            },
        ),
        Call::delete(
            "/v1/keys/{id}",
            || web::route().to(delete),
            || {
                Operation::new("delete_key", "keys", "Delete a key; from then on it is refused")
                    .empty(204, "Deleted")
                    .problem(404, "The key does not exist")
            },
        ),
    ]
}

async fn create(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Operate)?;
    let document = body::read_json(request.head(), &mut payload, &state).await?;
    let invalid = |errors| Problem::invalid("invalid_key", "a key", errors);
    let mut fields = Fields::new(document.value, "a key").map_err(invalid)?;
    let name = display_name(&mut fields);
    let scope = KeyScope::read(&mut fields);
    let (name, scope) = fields.finish(scope.map(|scope| (name, scope))).map_err(invalid)?;
    let (key, shown) = Key::make(name, scope, Timestamp::now()).map_err(|error| {
        tracing::error!(%error, "the system provides no random bytes");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "an internal error; no key was created")
    })?;
    state.store.put(None, &key, Precondition::Absent).await?;
    let mut view = key.to_json();
    if let Some(members) = view.as_object_mut() {
        members.insert("key".into(), shown.into_shown().into());
    }
    Ok(HttpResponse::Created().json(view))
}

async fn list(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Operate)?;
    let (after, limit) = paging::paging(&request)?;
    let page = state.store.list::<Key>(None, after.as_deref(), limit).await?;
    Ok(HttpResponse::Ok().json(paging::page(page, Key::to_json)))
}

async fn delete(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    authorize(request.head(), &state, RequiredAccess::Operate)?;
    state.store.delete::<Key>(None, &path::id(&request), Precondition::None).await?;
    Ok(HttpResponse::NoContent().finish())
}
