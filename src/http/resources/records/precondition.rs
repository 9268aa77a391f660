//! `If-Match` and `If-None-Match` (RFC 9110, section 13.1) on triggers and templates.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{IF_MATCH, IF_NONE_MATCH};

use crate::http::problem::Problem;
use crate::store::{Precondition, Revision};

/// The precondition of this request's write.
pub(super) fn of(request: &HttpRequest) -> Result<Precondition, Problem> {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default().trim());
    match (text(&IF_MATCH), text(&IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::None),
        (Some("*"), None) => Ok(Precondition::Exists),
        (Some(tags), None) => Ok(Precondition::Is(tags.split(',').filter_map(revision).collect())),
        (None, Some("*")) => Ok(Precondition::Absent),
        (None, Some(_)) => Err(unsupported("a write supports If-None-Match only with the value *")),
        // `If-Match` requires a record and `If-None-Match: *` requires that there is none: no write meets both.
        (Some(_), Some("*")) => Ok(Precondition::Is(Vec::new())),
        (Some(_), Some(_)) => Err(unsupported("send either If-Match or If-None-Match, not both")),
    }
}

/// Whether the client already has this revision of the record.
pub(super) fn not_modified(request: &HttpRequest, current: Revision) -> bool {
    let tags = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    tags.is_some_and(|tags| {
        tags.trim() == "*" || tags.split(',').any(|tag| revision(tag.trim().trim_start_matches("W/")) == Some(current))
    })
}

/// An unknown tag matches nothing, nor does a weak one: the comparison is strong.
fn revision(tag: &str) -> Option<Revision> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    digits.parse().ok().map(Revision)
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_precondition", detail)
}
