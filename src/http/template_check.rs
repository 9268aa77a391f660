//! A template is judged before it is saved: all that is wrong with it, and what it would send.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::call::Call;
use super::openapi::operation::{Operation, Shape};
use super::openapi::shapes::TemplateQuestion;
use super::problem::Problem;
use super::state::AppState;
use super::{body, path};
use crate::json::kind;
use crate::model::event::{Event, EventPattern};
use crate::model::field::{FieldError, Fields};
use crate::model::id::AccountId;
use crate::model::template::Format;
use crate::templating::{self, Checked, Compiled, Data, Diagnostic, Severity};

/// What is said of a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verdict {
    /// It may be saved.
    ok: bool,
    /// Everything that is wrong or worth a look.
    diagnostics: Vec<Diagnostic>,
    /// What it sends for the data given, or for the dictionary's examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Preview>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Preview {
    content_type: String,
    body: String,
}

struct Question {
    format: Format,
    body: String,
    event: Option<EventPattern>,
    data: Option<Map<String, Value>>,
}

pub(super) fn calls() -> Vec<Call> {
    vec![Call::post(
        "/v1/accounts/{account}/templates/check",
        || web::route().to(check),
        || {
            Operation::new("check_template", "templates", "Check a template, and see what it sends")
                .body(Shape::of::<TemplateQuestion>())
                .json(200, "What is wrong with it or worth a look", Shape::of::<Verdict>())
        },
    )]
}

async fn check(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let document = body::read_json(&request, &mut payload, &state).await?;
    let question = read(document).map_err(|errors| Problem::invalid("invalid_check", "the document", errors))?;
    let checked = compile(question.format, question.body, question.event.clone(), &state).await?;
    let mut diagnostics = checked.diagnostics;
    let preview = checked.compiled.and_then(|compiled| {
        let content_type = question.format.content_type().to_owned();
        let event = sample_event(account, question.event.as_ref(), question.data, &state);
        preview(&compiled, event, &mut diagnostics).map(|body| Preview { content_type, body })
    });
    let ok = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    Ok(HttpResponse::Ok().json(Verdict { ok, diagnostics, preview }))
}

/// Compiles a body beside the threads that take events in: a hostile one may take a tenth of a
/// second.
pub(super) async fn compile(
    format: Format,
    body: String,
    event: Option<EventPattern>,
    state: &AppState,
) -> Result<Checked, Problem> {
    let (catalogue, limits) = (Arc::clone(&state.dictionary), state.config.templates.clone());
    let compiling = move || templating::compile(format, &body, catalogue.as_ref(), event.as_ref(), &limits);
    web::block(compiling).await.map_err(|_| {
        let detail = "the check of this template failed; that is a fault of the engine, not yours";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    })
}

fn read(document: Value) -> Result<Question, Vec<FieldError>> {
    let mut fields = Fields::new(document, "a template to check")?;
    let format = fields.required_text("format");
    let format = fields.parse("format", "bad_format", format, |text| {
        let format = Format::ALL.into_iter().find(|format| format.as_str() == text);
        format.ok_or("json, xml, form or text belongs here")
    });
    let body = fields.required_text("body");
    let event = fields.text("event");
    let event = fields.parse("event", "bad_event_pattern", event, EventPattern::new);
    let data = match fields.take("data") {
        None => None,
        Some(Value::Object(members)) => Some(members),
        Some(other) => {
            fields.refuse("/data", "wrong_type", format!("`data` is an object, not {}", kind(&other)));
            None
        }
    };
    let question = match (format, body) {
        (Some(format), Some(body)) => Some(Question { format, body, event, data }),
        _ => None,
    };
    fields.finish(question)
}

/// Renders by the code that renders deliveries. Data that gives no body is the template's problem
/// only with this data, but one worth an error while somebody looks.
fn preview(compiled: &Compiled, event: Event, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let (rendered, unusable) = compiled.preview(&Data::of(event));
    diagnostics.extend(unusable);
    diagnostics.sort_by_key(|found| (found.line, found.column, found.severity));
    let body = rendered.map_err(|reason| reason.to_string());
    let body = body.and_then(|body| String::from_utf8(body.to_vec()).map_err(|_| "it is not UTF-8".to_owned()));
    let refuse = |reason: String| Diagnostic {
        severity: Severity::Error,
        code: "preview_failed",
        line: 1,
        column: 1,
        message: format!("With this data nothing would be sent: {reason}."),
        suggestion: None,
    };
    body.map_err(|reason| diagnostics.push(refuse(reason))).ok()
}

/// An event like those that the pattern means, with the data given or the dictionary's examples.
pub(super) fn sample_event(
    account: AccountId,
    pattern: Option<&EventPattern>,
    data: Option<Map<String, Value>>,
    state: &AppState,
) -> Event {
    let event_type = state.dictionary.sample_type(pattern);
    Event {
        account,
        id: crate::model::id::new_event_id(),
        id_given: false,
        source: "".into(),
        time: jiff::Timestamp::now().to_string().into(),
        data: data.unwrap_or_else(|| state.dictionary.sample(event_type.as_str())).into(),
        event_type,
    }
}
