//! Triggers and templates of an account. Both have the same five calls: they differ in their documents, not in how they
//! are stored. The other files of this folder have the calls that only one of the two has.

mod expressions;
pub(in crate::http) mod finding;
mod precondition;
pub(in crate::http) mod secret_rotate;
pub(super) mod template_check;
mod templates;
pub(super) mod trigger_check;
pub(super) mod trigger_explain;
pub(super) mod trigger_test;
mod triggers;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::flow::messages::LiveTemplate;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::{Problem, etag};
use crate::http::request::caller::{Caller, respond, written};
use crate::http::request::{body, paging, path};
use crate::http::state::AppState;
use crate::model::field::FieldError;
use crate::model::id::{AccountId, new_id};
use crate::store::{AccountRecord, Precondition, PutResult, StoreError, StoredRecord};
use crate::templating::Diagnostic;
use finding::Finding;

/// How often a write is tried if it keeps a part of a record that others change at the same time.
const WRITES_MAX: u32 = 8;

/// What the calls need to know of a kind of record.
pub(super) trait Resource: AccountRecord {
    /// Its name in messages.
    const NAME: &'static str;
    /// The code of a document with mistakes.
    const INVALID: &'static str;
    /// The path of an account's records of this kind.
    const COLLECTION: &'static str;
    /// The path of one record.
    const MEMBER: &'static str;
    /// The operation ids of its calls.
    const IDS: CallIds;
    /// The group of its calls in the OpenAPI document.
    const TAG: &'static str;
    /// The meaning of a 409 response to a deletion.
    const KEPT: &'static str;
    /// Whether its list can be limited to those that use a template.
    const USES_TEMPLATES: bool = false;

    /// The schemas of one record and of a page.
    fn shapes() -> (Shape, Shape);

    /// The document that a client reads.
    fn view(&self) -> Value;

    /// Adds the parts of the old record to a document that leaves them out. Returns whether any was added, and the mistakes.
    fn complete(_document: &mut Map<String, Value>, _old: &Self) -> (bool, Vec<FieldError>) {
        (false, Vec::new())
    }

    /// The parts of a document that exceed the quotas.
    fn over_quota(_: &Map<String, Value>, _: &AppState) -> Vec<FieldError> {
        Vec::new()
    }

    /// Checks the record against this node's rules and the account's other records. `found` are the mistakes of its
    /// document: the record has harmless values in their places, which must not be reported.
    fn check(
        &self,
        account: &AccountId,
        found: &[FieldError],
        caller: &Caller,
    ) -> impl Future<Output = Result<CheckedRecord, Problem>>;
}

/// The operation ids of the calls on a kind of record.
pub(super) struct CallIds {
    pub(super) list: &'static str,
    pub(super) create: &'static str,
    pub(super) read: &'static str,
    pub(super) replace: &'static str,
    pub(super) delete: &'static str,
}

/// What a check of a record found.
#[derive(Default)]
pub(super) struct CheckedRecord {
    /// Mistakes in the document.
    pub(super) errors: Vec<FieldError>,
    /// What is wrong with the body of a template that can't be used.
    pub(super) unusable: Option<Vec<Diagnostic>>,
    pub(super) warnings: Vec<Finding>,
    /// The compiled template, so that it is compiled only once.
    pub(super) live: Option<Arc<LiveTemplate>>,
}

/// The descriptions of the five calls in the OpenAPI document.
trait DescribedResource: Resource {
    fn operation(id: &'static str, summary: String) -> Operation {
        Operation::new(id, Self::TAG, summary)
    }

    fn describe_list() -> Operation {
        let operation = Self::operation(Self::IDS.list, format!("List {}, ordered by id", Self::TAG));
        let operation = operation.json(200, "A page", Self::shapes().1);
        if Self::USES_TEMPLATES { paging::paged_by_template(operation) } else { paging::paged(operation) }
    }

    fn describe_create() -> Operation {
        Self::operation(Self::IDS.create, format!("Create a {}; an id is generated if it is left out", Self::NAME))
            .body(Self::shapes().0)
            .json(201, "Created", Self::shapes().0)
            .header(&[201], "ETag", "Its entity tag")
            .header(&[201], "Location", "Its path")
            .problem(409, "The id is in use, or the account has reached a quota")
            .problem(422, "The document has mistakes; `errors` or `diagnostics` names each")
    }

    fn describe_read() -> Operation {
        Self::operation(Self::IDS.read, format!("Read a {}", Self::NAME))
            .parameter("header", "If-None-Match", "Only if its entity tag differs", json!({"type": "string"}))
            .json(200, &format!("The {}", Self::NAME), Self::shapes().0)
            .empty(304, "Its entity tag has not changed")
            .header(&[200, 304], "ETag", "Its entity tag")
            .problem(404, "It does not exist")
            .problem(409, "The stored record can't be read")
    }

    fn describe_replace() -> Operation {
        Self::operation(Self::IDS.replace, format!("Create or replace a {}", Self::NAME))
            .parameter("header", "If-Match", "Only if it has this entity tag", json!({"type": "string"}))
            .parameter("header", "If-None-Match", "`*`: only if it does not exist", json!({"const": "*"}))
            .body(Self::shapes().0)
            .json(200, "Replaced", Self::shapes().0)
            .json(201, "Created", Self::shapes().0)
            .header(&[200, 201], "ETag", "Its entity tag")
            .header(&[201], "Location", "Its path")
            .problem(409, "Its stored template can't be read, or the account has reached a quota")
            .problem(412, "Its entity tag differs")
            .header(&[412], "ETag", "The current entity tag")
            .problem(422, "The document has mistakes; `errors` or `diagnostics` names each")
    }

    fn describe_delete() -> Operation {
        Self::operation(Self::IDS.delete, format!("Delete a {}", Self::NAME))
            .parameter("header", "If-Match", "Only if it has this entity tag", json!({"type": "string"}))
            .empty(204, "Deleted")
            .problem(404, "It does not exist")
            .problem(409, Self::KEPT)
            .problem(412, "Its entity tag differs")
            .header(&[412], "ETag", "The current entity tag")
    }
}

impl<T: Resource> DescribedResource for T {}

/// Whether a member has a mistake.
pub(super) fn is_wrong(found: &[FieldError], pointer: &str) -> bool {
    found.iter().any(|error| error.pointer == pointer)
}

/// The mistakes in places that have none yet.
pub(super) fn new_mistakes(mut more: Vec<FieldError>, found: &[FieldError]) -> Vec<FieldError> {
    more.retain(|error| !is_wrong(found, &error.pointer));
    more
}

/// The five calls on a kind of record.
pub(in crate::http::resources) fn calls<T: Resource>() -> Vec<Call> {
    vec![
        Call::get(T::COLLECTION, || web::route().to(list::<T>), T::describe_list),
        Call::post(T::COLLECTION, || web::route().to(create::<T>), T::describe_create),
        Call::get(T::MEMBER, || web::route().to(read::<T>), T::describe_read),
        Call::put(T::MEMBER, || web::route().to(replace::<T>), T::describe_replace),
        Call::delete(T::MEMBER, || web::route().to(delete::<T>), T::describe_delete),
    ]
}

async fn list<T: Resource>(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let (template, after, limit) = if T::USES_TEMPLATES {
        paging::paging_by_template(&request)?
    } else {
        let (after, limit) = paging::paging(&request)?;
        (None, after, limit)
    };
    let _one = state.expensive.begin(&account)?;
    let page = state.store.list_unread::<T>(Some(&account), template, after.as_deref(), limit).await?;
    let caller = Caller::of(request.head(), &state);
    let listed = caller.run(|_| written(&paging::page(page.read(), T::view)));
    Ok(respond(listed.await?))
}

async fn read<T: Resource>(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let stored = state.store.get::<T>(Some(&account), &path::id(&request)).await?;
    let stored = stored.ok_or_else(|| Problem::not_found(T::NAME))?;
    let tag = (ETAG, etag(stored.revision));
    if precondition::not_modified(&request, stored.revision) {
        return Ok(HttpResponse::NotModified().insert_header(tag).finish());
    }
    Ok(HttpResponse::Ok().insert_header(tag).json(stored.value.view()))
}

async fn create<T: Resource>(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let document = body::read_json(request.head(), &mut payload, &state).await?;
    let mut members = object::<T>(document.value)?;
    members.entry("id").or_insert_with(|| new_id().into());
    let caller = Caller::of(request.head(), &state);
    let saved = save::<T>(&account, members, Vec::new(), document.text, Precondition::Absent, &caller).await;
    saved.map_err(|problem| match problem.code {
        "precondition_failed" => Problem::new(
            StatusCode::CONFLICT,
            "id_taken",
            format!("a {} with this id exists; PUT replaces it", T::NAME),
        ),
        _ => problem,
    })
}

async fn replace<T: Resource>(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let precondition = precondition::of(&request)?;
    let document = body::read_json(request.head(), &mut payload, &state).await?;
    let mut members = object::<T>(document.value)?;
    let id = path::id(&request);
    let mut errors = Vec::new();
    if members.get("id").is_some_and(|own| *own != id.as_str()) {
        let detail = format!("the path says `{id}`; leave `id` out or send the same one");
        errors.push(FieldError::new("/id", "id_mismatch", detail));
    }
    members.insert("id".into(), id.into());
    save::<T>(&account, members, errors, document.text, precondition, &Caller::of(request.head(), &state)).await
}

fn object<T: Resource>(document: Value) -> Result<Map<String, Value>, Problem> {
    match document {
        Value::Object(mut members) => {
            // `null` is left out, as for other members.
            if members.get("id").is_some_and(Value::is_null) {
                members.shift_remove("id");
            }
            Ok(members)
        }
        other => {
            let detail = format!("a {} must be a JSON object, not {}", T::NAME, crate::json::kind(&other));
            Err(Problem::invalid(T::INVALID, T::NAME, vec![FieldError::new("", "wrong_type", detail)]))
        }
    }
}

async fn save<T: Resource>(
    account: &AccountId,
    mut members: Map<String, Value>,
    mut errors: Vec<FieldError>,
    text: Bytes,
    precondition: Precondition,
    caller: &Caller,
) -> Result<HttpResponse, Problem> {
    let _one = caller.state().expensive.begin(account)?;
    // Makes a response to PUT valid as the document of the next PUT.
    members.shift_remove("warnings");
    let looked = caller.run_on(text.len(), move |state| {
        errors.extend(T::repeated(&text));
        // What exceeds a quota is not processed.
        let over = T::over_quota(&members, state);
        members.retain(|name, _| !over.iter().any(|error| error.pointer.strip_prefix('/') == Some(name)));
        errors.extend(over);
        (errors, members)
    });
    let (errors, members) = looked.await?;
    let (record, written, warnings) = write::<T>(account, &members, &errors, precondition, caller).await?;
    let mut view = record.view();
    if let (false, Some(members)) = (warnings.is_empty(), view.as_object_mut()) {
        members.insert("warnings".into(), serde_json::to_value(warnings).unwrap_or_default());
    }
    let mut response = if written.created { HttpResponse::Created() } else { HttpResponse::Ok() };
    if written.created {
        let place = format!("/v1/accounts/{account}/{}s/{}", T::NAME, record.id());
        response.insert_header((LOCATION, place));
    }
    Ok(response.insert_header((ETAG, etag(written.revision))).json(view))
}

/// Reads the document, completes it from the record that it replaces, checks it, and writes it if it has no mistake.
async fn write<T: Resource>(
    account: &AccountId,
    members: &Map<String, Value>,
    found: &[FieldError],
    precondition: Precondition,
    caller: &Caller,
) -> Result<(T, PutResult, Vec<Finding>), Problem> {
    let state = caller.state();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut members = members.clone();
        let mut precondition = precondition.clone();
        let (mut errors, mut kept_of_another) = (found.to_vec(), false);
        if precondition != Precondition::Absent
            && let Some(old) = replaced::<T>(account, &members, state).await?
        {
            let (kept, wrong) = T::complete(&mut members, &old.value);
            errors.extend(wrong);
            // The kept part must be that of the replaced record, not of an earlier revision.
            let may_be_another = match &precondition {
                Precondition::None | Precondition::Exists => true,
                Precondition::Is(revisions) => revisions.len() > 1 && revisions.contains(&old.revision),
                Precondition::Absent => false,
            };
            if kept && may_be_another {
                precondition = Precondition::Is(vec![old.revision]);
                kept_of_another = true;
            }
        }
        let (record, wrong) = caller.run(|_| T::examine(Value::Object(members))).await?;
        errors.extend(wrong);
        let checked = match &record {
            Some(record) => record.check(account, &errors, caller).await?,
            None => CheckedRecord::default(),
        };
        let CheckedRecord { errors: wrong, unusable, warnings, live } = checked;
        errors.extend(wrong);
        let Some(record) = record.filter(|_| errors.is_empty() && unusable.is_none()) else {
            return Err(refused::<T>(errors, unusable.unwrap_or_default()));
        };
        match state.store.put_compiled(Some(account), &record, live, precondition).await {
            Err(StoreError::PreconditionFailed { .. }) if kept_of_another && attempts < WRITES_MAX => {}
            written => return Ok((record, written?, warnings)),
        }
    }
}

fn refused<T: Resource>(errors: Vec<FieldError>, diagnostics: Vec<Diagnostic>) -> Problem {
    let problem = match (errors.as_slice(), diagnostics.first()) {
        ([], Some(first)) => {
            let detail = format!("line {}, column {}: {}", first.line, first.column, first.message);
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, T::INVALID, detail)
        }
        _ => Problem::invalid(T::INVALID, T::NAME, errors),
    };
    Problem { diagnostics, ..problem }
}

/// The record that a document would replace. An unreadable record is replaced completely.
pub(super) async fn replaced<T: Resource>(
    account: &AccountId,
    members: &Map<String, Value>,
    state: &AppState,
) -> Result<Option<StoredRecord<T>>, Problem> {
    let id = members.get("id").and_then(Value::as_str).unwrap_or_default();
    match state.store.get::<T>(Some(account), id).await {
        Ok(old) => Ok(old),
        Err(StoreError::Unreadable { .. } | StoreError::NotFound | StoreError::Misplaced(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn delete<T: Resource>(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let precondition = precondition::of(&request)?;
    let _one = state.expensive.begin(&account)?;
    state.store.delete::<T>(Some(&account), &path::id(&request), precondition).await?;
    Ok(HttpResponse::NoContent().finish())
}
