//! Pages of lists: `limit` records after `cursor`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::openapi::operation::Operation;
use super::problem::Problem;

/// Records of a page by default.
const LIMIT_DEFAULT: usize = 100;
/// The most records of a page.
const LIMIT_MAX: usize = 1_000;

/// The query of a list.
#[derive(Debug, Deserialize)]
struct Paging {
    limit: Option<String>,
    cursor: Option<String>,
}

/// The requested page: the id to begin after, and the number of records.
pub(super) fn paging(request: &HttpRequest) -> Result<(Option<String>, usize), Problem> {
    let bad = "the query can't be read; it takes limit and cursor";
    let paging = web::Query::<Paging>::from_query(request.query_string())
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "bad_query", bad))?;
    let limit = read_limit(paging.limit.as_deref())?;
    Ok((paging.cursor.as_deref().map(read_cursor).transpose()?, limit))
}

/// The id that a cursor contains.
pub(super) fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let decoded = BASE64.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let detail = "`cursor` is the one that the previous page returned";
    decoded.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_cursor", detail))
}

/// The cursor for the records after an id.
pub(super) fn cursor(id: &str) -> String {
    BASE64.encode(id)
}

/// The requested number of records, for a list of a single page.
pub(super) fn limit(request: &HttpRequest) -> Result<usize, Problem> {
    paging(request).map(|(_, limit)| limit)
}

fn read_limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let detail = || format!("`limit` must be a number from 1 to {LIMIT_MAX}");
    limit.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_limit", detail()))
}

/// A page of a list: `items`, and a `cursor` if there are more.
pub(super) fn page(items: Vec<Value>, next: Option<String>) -> Value {
    let mut document = Map::new();
    document.insert("items".into(), items.into());
    if let Some(next) = next {
        document.insert("cursor".into(), cursor(&next).into());
    }
    Value::Object(document)
}

/// Adds the parameters of a list to its description.
pub(super) fn paged(operation: Operation) -> Operation {
    limited(operation).parameter(
        "query",
        "cursor",
        "The cursor that the previous page returned",
        json!({"type": "string"}),
    )
}

/// Adds the parameter `limit` to a description.
pub(super) fn limited(operation: Operation) -> Operation {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT});
    operation.parameter("query", "limit", "How many records a page holds", limit)
}
