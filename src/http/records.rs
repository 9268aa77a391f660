//! Triggers and templates of an account: the same five calls over both, since they differ in what
//! a document may say and not in what is done with it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::auth::{Want, authorize};
use super::problem::Problem;
use super::{AppState, body, etag, get, method_not_allowed, precondition, template_check};
use crate::flow::messages::LiveTemplate;
use crate::model::field::FieldError;
use crate::model::id::{AccountId, new_id};
use crate::model::template::Template;
use crate::model::trigger::Trigger;
use crate::store::{Precondition, Record, Stored};
use crate::templating::Diagnostic;

/// How many records a list holds where the request does not say, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// What the calls need to know of a kind of record.
pub(super) trait Resource: Record + 'static {
    /// Its word in texts.
    const NAME: &'static str;
    /// The code of a document with mistakes.
    const INVALID: &'static str;

    /// As a reader sees it.
    fn view(&self) -> Value;

    /// Takes over what a reader never sees from the record that this one replaces, where the
    /// document does not mention it.
    fn keep(&mut self, _old: &Self, _document: &Map<String, Value>) {}

    /// Judges it together with what else there is.
    fn judge(&self, account: &AccountId, shared: &AppState) -> impl Future<Output = Result<Judged, Problem>>;
}

/// A record that may be saved.
#[derive(Default)]
pub(super) struct Judged {
    warnings: Vec<Diagnostic>,
    /// What a template compiles to, so that it is compiled once.
    live: Option<Arc<LiveTemplate>>,
}

impl Resource for Template {
    const NAME: &'static str = "template";
    const INVALID: &'static str = "invalid_template";

    fn view(&self) -> Value {
        self.to_json()
    }

    async fn judge(&self, _: &AccountId, shared: &AppState) -> Result<Judged, Problem> {
        let checked = template_check::compile(self.format, self.body.clone(), None, shared).await?;
        if let Some(compiled) = checked.compiled {
            return Ok(Judged { warnings: checked.diagnostics, live: LiveTemplate::new(self, compiled) });
        }
        let detail = checked.diagnostics.first().map_or_else(String::new, |first| {
            format!("line {}, column {}: {}", first.line, first.column, first.message)
        });
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Self::INVALID, detail);
        Err(Problem { diagnostics: checked.diagnostics, ..problem })
    }
}

impl Resource for Trigger {
    const NAME: &'static str = "trigger";
    const INVALID: &'static str = "invalid_trigger";

    fn view(&self) -> Value {
        self.to_json()
    }

    /// A document that was read, changed and written back does not hold the secret; only `null`
    /// takes it away.
    fn keep(&mut self, old: &Self, document: &Map<String, Value>) {
        if !document.contains_key("secret") {
            self.secret.clone_from(&old.secret);
        }
    }

    /// Warns where the template names what the trigger's events don't carry. Whether the template
    /// is there is the store's to say, together with the write.
    async fn judge(&self, account: &AccountId, shared: &AppState) -> Result<Judged, Problem> {
        let template = shared.store.get::<Template>(Some(account), self.template.as_str()).await?;
        let Some(Stored { value, .. }) = template else {
            return Ok(Judged::default());
        };
        let event = Some(self.event.clone());
        let checked = template_check::compile(value.format, value.body, event, shared).await?;
        Ok(Judged { warnings: checked.diagnostics, live: None })
    }
}

/// `GET` and `POST` on an account's records.
pub(super) fn collection<T: Resource>(path: &str) -> actix_web::Resource {
    web::resource(path.to_owned())
        .route(get().to(list::<T>))
        .route(web::post().to(create::<T>))
        .default_service(web::to(method_not_allowed))
}

/// `GET`, `PUT` and `DELETE` on one record.
pub(super) fn member<T: Resource>(path: &str) -> actix_web::Resource {
    web::resource(path.to_owned())
        .route(get().to(read::<T>))
        .route(web::put().to(replace::<T>))
        .route(web::delete().to(delete::<T>))
        .default_service(web::to(method_not_allowed))
}

/// The account that a path names, if the request may work on it.
pub(super) fn account(request: &HttpRequest, shared: &AppState) -> Result<AccountId, Problem> {
    let name = request.match_info().get("account").unwrap_or_default();
    let account = AccountId::new(name)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_name", format!("the account's name: {error}")))?;
    authorize(request, shared, Want::Account(&account))?;
    Ok(account)
}

/// The id that a path names.
pub(super) fn id(request: &HttpRequest) -> String {
    request.match_info().get("id").unwrap_or_default().to_owned()
}

/// What a list may be asked for.
#[derive(Debug, Deserialize)]
struct Paging {
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list<T: Resource>(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = account(&request, &shared)?;
    let (after, limit) = paging(&request)?;
    let page = shared.store.list::<T>(Some(&account), after.as_deref(), limit).await?;
    let items: Vec<Value> = page.items.iter().map(|stored| stored.value.view()).collect();
    Ok(HttpResponse::Ok().json(list_document(items, page.next)))
}

/// A page of a list: `items`, and a `cursor` where there are more.
pub(super) fn list_document(items: Vec<Value>, next: Option<String>) -> Value {
    let mut document = Map::new();
    document.insert("items".into(), items.into());
    if let Some(next) = next {
        document.insert("cursor".into(), BASE64.encode(next).into());
    }
    Value::Object(document)
}

/// What a list is asked for: the id to begin after, and how many.
pub(super) fn paging(request: &HttpRequest) -> Result<(Option<String>, usize), Problem> {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let paging = web::Query::<Paging>::from_query(request.query_string())
        .map_err(|_| bad("bad_query", "the query can't be read; it takes limit and cursor".into()))?;
    let limit = match &paging.limit {
        None => LIMIT_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| bad("bad_limit", format!("`limit` is a number from 1 to {LIMIT_MAX}")))?,
    };
    let after = paging.cursor.as_ref().map(|cursor| {
        let decoded = BASE64.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.ok_or_else(|| bad("bad_cursor", "`cursor` is what the page before gave; this is something else".into()))
    });
    Ok((after.transpose()?, limit))
}

async fn read<T: Resource>(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = account(&request, &shared)?;
    let stored = shared.store.get::<T>(Some(&account), &id(&request)).await?;
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
    shared: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = account(&request, &shared)?;
    let document = body::read_json(&request, &mut payload, &shared).await?;
    let mut members = object::<T>(document)?;
    members.entry("id").or_insert_with(|| new_id().into());
    let written = save::<T>(&account, members, Precondition::Absent, &shared).await;
    written.map_err(|problem| match problem.code {
        "precondition_failed" => Problem::new(
            StatusCode::CONFLICT,
            "id_taken",
            format!("there is a {} with this id already; PUT replaces it", T::NAME),
        ),
        _ => problem,
    })
}

async fn replace<T: Resource>(
    request: HttpRequest,
    mut payload: web::Payload,
    shared: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = account(&request, &shared)?;
    let precondition = precondition::of(&request)?;
    let document = body::read_json(&request, &mut payload, &shared).await?;
    let mut members = object::<T>(document)?;
    let id = id(&request);
    if members.get("id").is_some_and(|own| *own != id.as_str()) {
        let error =
            FieldError::new("/id", "id_mismatch", format!("the path says `{id}`; leave `id` out or say the same"));
        return Err(Problem::invalid(T::INVALID, T::NAME, vec![error]));
    }
    members.insert("id".into(), id.into());
    save::<T>(&account, members, precondition, &shared).await
}

fn object<T: Resource>(document: Value) -> Result<Map<String, Value>, Problem> {
    match document {
        Value::Object(members) => Ok(members),
        other => {
            let detail = format!("a {} is a JSON object, not {}", T::NAME, crate::model::field::kind(&other));
            Err(Problem::invalid(T::INVALID, T::NAME, vec![FieldError::new("", "wrong_type", detail)]))
        }
    }
}

async fn save<T: Resource>(
    account: &AccountId,
    members: Map<String, Value>,
    precondition: Precondition,
    shared: &AppState,
) -> Result<HttpResponse, Problem> {
    let record = T::from_json(Value::Object(members.clone()));
    let mut record = record.map_err(|errors| Problem::invalid(T::INVALID, T::NAME, errors))?;
    if precondition != Precondition::Absent
        && let Ok(Some(old)) = shared.store.get::<T>(Some(account), record.id()).await
    {
        record.keep(&old.value, &members);
    }
    let Judged { warnings, live } = record.judge(account, shared).await?;
    let written = shared.store.put_compiled(Some(account), &record, live, precondition).await?;
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

async fn delete<T: Resource>(request: HttpRequest, shared: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let account = account(&request, &shared)?;
    let precondition = precondition::of(&request)?;
    shared.store.delete::<T>(Some(&account), &id(&request), precondition).await?;
    Ok(HttpResponse::NoContent().finish())
}
