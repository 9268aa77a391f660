//! Requests with `Expect: 100-continue` (RFC 9110, section 10.1.1). A body that is announced as too large is refused
//! before any of it is sent.

use actix_web::ResponseError as _;
use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, Response};
use actix_web::http::header::CONTENT_LENGTH;

use crate::http::request::body;
use crate::http::resources::events;
use crate::http::security;
use crate::http::state::AppState;

/// The refusal of such a request; `None` if the client may send the body.
pub(super) fn refused(head: &RequestHead, state: &AppState) -> Option<Response<BoxBody>> {
    let is_events = head.uri.path() == events::PATH;
    let max = if is_events { state.config.ingest.body_bytes_max } else { body::DOCUMENT_BYTES_MAX };
    let length: u64 = head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    if length <= max as u64 {
        return None;
    }
    let problem = body::too_large(max).closing();
    if is_events {
        state.metrics.events.rejected.inc_by(problem.code, 1);
    }
    let mut response = problem.error_response();
    security::add_headers(response.headers_mut());
    Some(response.into())
}
