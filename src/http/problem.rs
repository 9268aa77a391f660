//! Errors as problem documents (RFC 9457), each with a stable `code`. Never a stack, never a value
//! out of a customer's data.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::flow::response::{Refusal, Rejected};
use crate::model::field::FieldError;
use crate::store::StoreError;
use crate::templating::Diagnostic;

/// The media type of a problem document.
const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which a producer may try again where the engine is full: it empties in less.
const RETRY_AFTER_S: u64 = 1;

/// Why a request was not done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: &'static str,
    /// What kind of problem; stable.
    #[schema(example = "invalid_trigger")]
    pub code: &'static str,
    /// What is wrong and what instead, for a person.
    pub detail: String,
    /// Each mistake of a document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Each event that was not taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
    /// What is wrong with a template.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error"),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            rejected: Vec::new(),
            diagnostics: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A document with mistakes.
    pub(super) fn invalid(code: &'static str, what: &str, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.detail.clone(),
            more => format!("{what} has {} mistakes; `errors` names each", more.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail) }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} here"))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let unprocessable = |code, detail: &str| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        match refusal {
            Refusal::Malformed(detail) => Self::new(StatusCode::BAD_REQUEST, "malformed_body", detail),
            Refusal::NoEvents => unprocessable("no_events", "the request holds no event"),
            Refusal::NoGoodEvent(rejected) => {
                let syntax = rejected.iter().all(|one| one.code == "malformed_json");
                let status = if syntax { StatusCode::BAD_REQUEST } else { StatusCode::UNPROCESSABLE_ENTITY };
                let (code, detail) = match rejected.as_slice() {
                    [only] => (only.code, only.detail.clone()),
                    more => (
                        "no_good_event",
                        format!("none of the {} events could be taken; `rejected` says why", more.len()),
                    ),
                };
                Self { rejected, ..Self::new(status, code, detail) }
            }
            Refusal::Full { events } => Self::full(format!(
                "the engine has no room for {events} more events now; nothing of the request was taken"
            )),
            Refusal::Away => Self::away(),
            Refusal::NotHere => Self::not_here(),
            Refusal::Stopping => Self::stopping(),
            Refusal::Fault => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal_error",
                "a fault of the engine; nothing of the request was taken",
            ),
        }
    }
}

impl Problem {
    pub(super) fn full(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "engine_full", detail).with_header(header::RETRY_AFTER, RETRY_AFTER_S)
    }

    /// Deliveries can't be kept: Redis is away, full or a replica.
    pub(super) fn away() -> Self {
        let detail = "Redis can't be reached or takes nothing in, so what is accepted could not be kept; send the request again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
            .with_header(header::RETRY_AFTER, RETRY_AFTER_S)
    }

    /// The node has not the role `ingest`.
    pub(super) fn not_here() -> Self {
        let detail = "this node sends and takes no events in; post them to a node with the role ingest";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_an_ingest_node", detail)
    }

    pub(super) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "this node is stopping; nothing of the request was taken, send it to another or later",
        )
        .with_header(header::RETRY_AFTER, RETRY_AFTER_S)
        .with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        let (status, code) = match &error {
            StoreError::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            StoreError::PreconditionFailed { current } => {
                let problem = Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail);
                return match current {
                    Some(revision) => problem.with_header(header::ETAG, super::etag(*revision)),
                    None => problem,
                };
            }
            StoreError::TemplateMissing(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_template"),
            StoreError::TemplateInUse { .. } => (StatusCode::CONFLICT, "template_in_use"),
            StoreError::Unreadable { .. } => (StatusCode::CONFLICT, "record_unreadable"),
            StoreError::Misplaced(_) => (StatusCode::NOT_FOUND, "not_found"),
            StoreError::Unavailable(_) => {
                tracing::error!(error = %detail, "the store is not available");
                (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable")
            }
        };
        let problem = Self::new(status, code, detail);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => problem.with_header(header::RETRY_AFTER, RETRY_AFTER_S),
            _ => problem,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        response.content_type(CONTENT_TYPE).body(body)
    }
}
