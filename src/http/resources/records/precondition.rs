//! `If-Match` and `If-None-Match` (RFC 9110, section 13.1) on triggers and templates.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::http::problem::Problem;
use crate::store::{Precondition, Revision};

/// The precondition of this request's write.
pub(super) fn of(request: &HttpRequest) -> Result<Precondition, Problem> {
    let (own, none) = (list(request, &IF_MATCH), list(request, &IF_NONE_MATCH));
    match (own.as_deref(), none.as_deref()) {
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
    list(request, &IF_NONE_MATCH).is_some_and(|tags| {
        tags == "*" || tags.split(',').any(|tag| revision(tag.trim().trim_start_matches("W/")) == Some(current))
    })
}

/// The list in a header. Several lines are one list (RFC 9110, section 5.3).
fn list(request: &HttpRequest, name: &HeaderName) -> Option<String> {
    let lines = request.headers().get_all(name).map(|value| value.to_str().unwrap_or_default().trim());
    lines.map(str::to_owned).reduce(|list, line| format!("{list},{line}"))
}

/// An unknown tag matches nothing, nor does a weak one: the comparison is strong.
fn revision(tag: &str) -> Option<Revision> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    digits.parse().ok().map(Revision)
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_precondition", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn several_lines_are_one_list() {
        let request = |name: HeaderName, lines: &[&str]| {
            let begun = TestRequest::default();
            let line = |request: TestRequest, line: &&str| request.append_header((name.clone(), line.to_string()));
            lines.iter().fold(begun, line).to_http_request()
        };
        let own = |lines: &[&str]| of(&request(IF_MATCH, lines)).expect("a precondition");
        let is = |revisions: &[u64]| Precondition::Is(revisions.iter().map(|own| Revision(*own)).collect());
        assert_eq!(own(&["\"3\""]), is(&[3]));
        assert_eq!(own(&["\"3\", \"4\"", "W/\"5\"", "\"7\""]), is(&[3, 4, 7]));
        assert_eq!(own(&["*"]), Precondition::Exists);
        assert_eq!(own(&[""]), is(&[]));
        let none = |lines: &[&str], current| not_modified(&request(IF_NONE_MATCH, lines), Revision(current));
        assert!(none(&["\"3\"", "W/\"7\""], 7) && none(&["*"], 7) && !none(&["\"3\"", "\"4\""], 7) && !none(&[], 7));
        assert_eq!(of(&request(IF_NONE_MATCH, &["*"])).expect("one"), Precondition::Absent);
        assert!(of(&request(IF_NONE_MATCH, &["\"3\"", "*"])).is_err());
    }
}
