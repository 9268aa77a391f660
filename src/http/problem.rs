//! Errors as problem documents (RFC 9457), each with a stable `code`. They never contain a stack trace or a value of a
//! customer's data.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::flow::refusal::{RETRY_AFTER_S, RejectedEvent};
use crate::model::field::FieldError;
use crate::model::id::TemplateId;
use crate::store::{Revision, StoreError};
use crate::templating::Diagnostic;

/// The media type of a problem document.
const CONTENT_TYPE: &str = "application/problem+json";

/// Codes of mistakes that are also codes of problems.
const OWN_CODES: [&str; 2] = ["header_value_required", "unknown_template"];

/// Why a request failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// The status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: &'static str,
    /// The kind of problem. Stable.
    #[schema(example = "invalid_trigger")]
    pub code: &'static str,
    /// What is wrong and what to do instead, for a person.
    pub detail: String,
    /// Each mistake of a document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Each rejected event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedEvent>,
    /// How many more events were rejected than `rejected` lists, by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected_more: BTreeMap<&'static str, usize>,
    /// What is wrong with a template.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// `/readyz` only: why triggers, templates and keys can't be changed at the moment, as in its other response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<&'static str>,
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
            rejected_more: BTreeMap::new(),
            diagnostics: Vec::new(),
            store: None,
            headers: Vec::new(),
        }
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A document with mistakes. If all of them have one code, and clients handle it as that of a problem, it is the
    /// code of the problem.
    pub(super) fn invalid(code: &'static str, what: &str, errors: Vec<FieldError>) -> Self {
        let only = |own: &str| errors.iter().all(|error| error.code == own) && !errors.is_empty();
        let code = OWN_CODES.into_iter().find(|own| only(own)).unwrap_or(code);
        let detail = match errors.as_slice() {
            [only] => only.detail.clone(),
            more => format!("{what} has {} mistakes; `errors` names each", more.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail) }
    }

    /// Tells the client to try again after this many seconds.
    pub(super) fn with_retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, seconds)
    }

    /// Closes the connection after this response.
    pub(super) fn closing(self) -> Self {
        self.with_header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    fn store_unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).with_retry_after(RETRY_AFTER_S)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} here"))
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
                    Some(revision) => problem.with_header(header::ETAG, etag(*revision)),
                    None => problem,
                };
            }
            StoreError::TemplateMissing(template) => {
                return Self::invalid("unknown_template", "the trigger", vec![unknown_template(template)]);
            }
            StoreError::TemplateInUse { .. } => (StatusCode::CONFLICT, "template_in_use"),
            StoreError::Unreadable { .. } => (StatusCode::CONFLICT, "record_unreadable"),
            StoreError::Misplaced(_) => (StatusCode::NOT_FOUND, "not_found"),
            StoreError::OverQuota { .. } => (StatusCode::CONFLICT, "quota_exceeded"),
            StoreError::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            StoreError::Replaced { .. } => (StatusCode::CONFLICT, "record_unreadable"),
            // The store logs the library's message; a client can't use it.
            StoreError::Refused(_) => {
                return Self::store_unavailable("the store accepts no writes at the moment; nothing was changed");
            }
            StoreError::NotRead(_) => return Self::store_unavailable("the store is unavailable; try again later"),
            StoreError::Unavailable(_) => {
                let detail =
                    "the store is unavailable; it is unknown whether the change was made, read the record again later";
                return Self::store_unavailable(detail);
            }
        };
        let problem = Self::new(status, code, detail);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => problem.with_retry_after(RETRY_AFTER_S),
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

/// The mistake of a trigger whose template does not exist.
pub(super) fn unknown_template(template: &TemplateId) -> FieldError {
    let detail = format!("the account has no template `{template}`; save it first");
    FieldError::new("/template", "unknown_template", detail)
}

/// A record's entity tag (RFC 9110, section 8.8.3).
pub(super) fn etag(revision: Revision) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", revision.0)).expect("digits are visible ASCII")
}
