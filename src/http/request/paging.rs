//! Pages of lists: `limit` records after `cursor`.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::query;
use crate::http::openapi::operation::Operation;
use crate::http::openapi::terms::name_schema;
use crate::http::problem::Problem;
use crate::model::id::{NAME_BYTES_MAX, TemplateId};
use crate::store::Page;

/// Records of a page by default.
pub(in crate::http) const LIMIT_DEFAULT: usize = 100;
/// The most records of a page.
pub(in crate::http) const LIMIT_MAX: usize = 1_000;

/// The query of a list of a single page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    limit: Option<String>,
}

/// The query of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paging {
    limit: Option<String>,
    cursor: Option<String>,
}

/// The query of a list whose records name a template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagingByTemplate {
    template: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// The requested page: the id to begin after, and the number of records.
pub(in crate::http) fn paging(request: &HttpRequest) -> Result<(Option<String>, usize), Problem> {
    let Paging { limit, cursor } = query::read(request, "limit and cursor")?;
    read_page(limit.as_deref(), cursor.as_deref())
}

/// The same, and the template that the records must name.
pub(in crate::http) fn paging_by_template(
    request: &HttpRequest,
) -> Result<(Option<TemplateId>, Option<String>, usize), Problem> {
    let PagingByTemplate { template, limit, cursor } = query::read(request, "template, limit and cursor")?;
    let template = template.as_deref().map(TemplateId::new).transpose();
    let template = template.map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_name", format!("`template` is not valid: {error}"))
    })?;
    let (after, limit) = read_page(limit.as_deref(), cursor.as_deref())?;
    Ok((template, after, limit))
}

fn read_page(limit: Option<&str>, cursor: Option<&str>) -> Result<(Option<String>, usize), Problem> {
    let limit = read_limit(limit)?;
    Ok((cursor.map(read_cursor).transpose()?, limit))
}

/// The id that a cursor contains.
pub(in crate::http) fn read_cursor(cursor: &str) -> Result<String, Problem> {
    let decoded = BASE64.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.filter(|id| id.is_ascii() && id.len() <= NAME_BYTES_MAX);
    let detail = "`cursor` must be the one that the previous page returned";
    decoded.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_cursor", detail))
}

/// The form of a cursor: the base64 of an id. An id is ASCII, so the first bit of each byte is zero, as are the bits that
/// fill up the last digit.
pub(in crate::http) fn cursor_schema() -> Value {
    let (first, second, third) = ("[A-Za-f]", "[A-HQ-Xg-nw-z0-3]", "[ABEFIJMNQRUVYZcdghklopstwx014589]");
    let whole = format!("{first}{second}{third}[A-Za-z0-9_-]");
    let pattern = format!("^({whole})*({first}[AQgw]|{first}{second}[AEIMQUYcgkosw048])?$");
    json!({"type": "string", "pattern": pattern, "maxLength": (NAME_BYTES_MAX * 4).div_ceil(3)})
}

/// The cursor for the records after an id.
pub(in crate::http) fn cursor(id: &str) -> String {
    BASE64.encode(id)
}

/// The requested number of records, for a list of a single page.
pub(in crate::http) fn limit(request: &HttpRequest) -> Result<usize, Problem> {
    let Limit { limit } = query::read(request, "limit")?;
    read_limit(limit.as_deref())
}

fn read_limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    let detail = || format!("`limit` must be a number from 1 to {LIMIT_MAX}");
    limit.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "bad_limit", detail()))
}

/// A page of a list: `items`, the ids of those that are `unreadable` if there are any, and a `cursor` if there are more.
pub(in crate::http) fn page<T>(page: Page<T>, view: impl Fn(&T) -> Value) -> Value {
    let mut document = Map::new();
    let items: Vec<Value> = page.items.iter().map(|stored| view(&stored.value)).collect();
    document.insert("items".into(), items.into());
    if !page.unreadable.is_empty() {
        document.insert("unreadable".into(), page.unreadable.into());
    }
    if let Some(next) = page.next {
        document.insert("cursor".into(), cursor(&next).into());
    }
    Value::Object(document)
}

/// Adds the parameters of a list to its description.
pub(in crate::http) fn paged(operation: Operation) -> Operation {
    limited(operation).parameter("query", "cursor", "The cursor that the previous page returned", cursor_schema())
}

/// Adds the parameters of a list whose records name a template.
pub(in crate::http) fn paged_by_template(operation: Operation) -> Operation {
    paged(operation.parameter("query", "template", "Only those that use this template", name_schema()))
}

/// Adds the parameter `limit` to a description.
pub(in crate::http) fn limited(operation: Operation) -> Operation {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT});
    operation.parameter("query", "limit", "How many records a page holds", limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern() -> impl Strategy<Value = String> {
        let schema = cursor_schema();
        let pattern = schema["pattern"].as_str().expect("a pattern").trim_matches(['^', '$']);
        proptest::string::string_regex(pattern).expect("a pattern")
    }

    proptest! {
        #[test]
        fn what_the_documents_say_is_a_cursor_is_one(cursor in pattern(), id in "[!-~]{0,40}") {
            prop_assert_eq!(read_cursor(&cursor).is_ok(), cursor.len() <= 171, "{}", cursor);
            prop_assert_eq!(read_cursor(&super::cursor(&id)).ok(), Some(id));
        }
    }
}
