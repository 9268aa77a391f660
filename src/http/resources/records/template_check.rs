//! Checks a template before it is saved: all that is wrong with it, and what it would send.

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::flow::event_data::EventData;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::openapi::shapes::TemplateQuestion;
use crate::http::problem::Problem;
use crate::http::request::caller::{Caller, respond, written};
use crate::http::request::{body, path};
use crate::http::state::AppState;
use crate::json::{Document, kind};
use crate::model::attributes::Attributes;
use crate::model::event::{Event, EventIdentity, EventPattern};
use crate::model::field::{FieldError, Fields};
use crate::model::id::AccountId;
use crate::model::template::{Format, Template};
use crate::templating::{self, CheckedTemplate, CompileContext, CompiledTemplate, Data, Diagnostic, Severity};

/// Attributes of the sample event, for a template that names them. The author's own are used instead of them.
const SAMPLE_SOURCE: &str = "https://example.com/pms";
const SAMPLE_ATTRIBUTES: [(&str, &str); 2] = [("subject", "guests/7"), ("datacontenttype", "application/json")];

/// The result of a check.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateCheckResult {
    /// Whether it may be saved.
    ok: bool,
    /// All errors and warnings.
    diagnostics: Vec<Diagnostic>,
    /// What it sends for the given data or the dictionary's examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<Preview>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Preview {
    content_type: String,
    body: String,
}

struct CheckQuestion {
    template: Template,
    event: Option<EventPattern>,
    data: Option<Document>,
}

pub(in crate::http::resources) fn calls() -> Vec<Call> {
    vec![Call::post(
        "/v1/accounts/{account}/templates/check",
        || web::route().to(check),
        || {
            Operation::new("check_template", "templates", "Check a template, and see what it sends")
                .body(Shape::of::<TemplateQuestion>())
                .json(200, "Its errors and warnings", Shape::of::<TemplateCheckResult>())
        },
    )]
}

async fn check(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let _one = state.expensive.begin(&account)?;
    let document = body::read_json(request.head(), &mut payload, &state).await?;
    let caller = Caller::of(request.head(), &state);
    let (value, text) = (document.value, document.text);
    let question = caller.run_on(text.len(), move |_| read(value, &text)).await?;
    let CheckQuestion { template, event, data } =
        question.map_err(|errors| Problem::invalid("invalid_check", "the document", errors))?;
    let content_type = template.content_type.clone().unwrap_or_else(|| template.format.content_type().to_owned());
    let refused = template.broken_rules();
    let options = CheckOptions { event: event.clone(), data: data.clone(), content_type: template.content_type };
    let checked = compile(template.format, template.body, options, &caller).await?;
    let result = caller.run(move |state| {
        let mut diagnostics: Vec<_> = refused.into_iter().map(wrong_content_type).collect();
        diagnostics.extend(checked.diagnostics);
        let preview = checked.compiled.and_then(|compiled| {
            let event = sample_event(&account, event.as_ref(), data, state);
            preview(&compiled, &EventData::of(event).data, &mut diagnostics).map(|body| Preview { content_type, body })
        });
        let ok = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        written(&TemplateCheckResult { ok, diagnostics, preview })
    });
    Ok(respond(result.await?))
}

fn wrong_content_type(error: FieldError) -> Diagnostic {
    let message = format!("{}.", error.detail);
    Diagnostic { severity: Severity::Error, code: "content_type", line: 1, column: 1, message, suggestion: None }
}

/// What a body is checked with.
#[derive(Default)]
pub(super) struct CheckOptions {
    /// The events it is for.
    pub(super) event: Option<EventPattern>,
    /// Data for the preview.
    pub(super) data: Option<Document>,
    /// Its content type, if it is not the default of its format.
    pub(super) content_type: Option<String>,
}

/// Compiles a body on a thread for long work: a hostile template may take a tenth of a second.
pub(super) async fn compile(
    format: Format,
    body: String,
    options: CheckOptions,
    caller: &Caller,
) -> Result<CheckedTemplate, Problem> {
    let compiling = caller.run(move |state| {
        let setting = CompileContext {
            dictionary: state.dictionary.as_ref(),
            event: options.event.as_ref(),
            data: options.data.as_ref().map(Document::root),
            content_type: options.content_type.as_deref(),
        };
        templating::compile_in(format, &body, &setting, &state.config.templates)
    });
    compiling.await
}

/// Reads a template, saved or not, with the data for the preview.
fn read(mut document: Value, text: &Bytes) -> Result<CheckQuestion, Vec<FieldError>> {
    let mut rest = Map::new();
    if let Some(members) = document.as_object_mut() {
        rest.extend(["event", "data"].into_iter().filter_map(|name| members.shift_remove_entry(name)));
        // The response to a PUT can be sent unchanged.
        members.shift_remove("warnings");
        if members.get("id").is_none_or(Value::is_null) {
            members.insert("id".into(), "check".into());
        }
    }
    let template = Template::from_json(document);
    let mut fields = Fields::new(Value::Object(rest), "a template to check")?;
    let event = fields.text("event");
    let event = fields.parse("event", "bad_event_pattern", event, EventPattern::new);
    let data = match fields.take("data") {
        None => None,
        Some(Value::Object(_)) => body::data(text),
        Some(other) => {
            fields.refuse("/data", "wrong_type", format!("`data` must be an object, not {}", kind(&other)));
            None
        }
    };
    match (template, fields.finish(Some((event, data)))) {
        (Ok(template), Ok((event, data))) => Ok(CheckQuestion { template, event, data }),
        (template, rest) => {
            let errors = template.err().into_iter().chain(rest.err());
            Err(errors.flatten().map(|error| error.also_known(&["event", "data"])).collect())
        }
    }
}

/// Renders with the code that renders deliveries. Data that yields no body is not an error of the template in general,
/// but it is reported as one here.
pub(super) fn preview(compiled: &CompiledTemplate, data: &Data, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let (rendered, unusable) = compiled.preview(data);
    diagnostics.extend(unusable);
    diagnostics.sort_by_key(|found| (found.line, found.column, found.severity));
    let body = rendered.map_err(|reason| reason.to_string());
    let body = body.and_then(|body| String::from_utf8(body.to_vec()).map_err(|_| "it is not UTF-8".to_owned()));
    let refuse = |reason: String| Diagnostic {
        severity: Severity::Error,
        code: "preview_failed",
        line: 1,
        column: 1,
        message: format!("Nothing would be sent for this data: {reason}."),
        suggestion: None,
    };
    body.map_err(|reason| diagnostics.push(refuse(reason))).ok()
}

/// An event that matches the pattern, with the given data or the dictionary's examples.
pub(super) fn sample_event(
    account: &AccountId,
    pattern: Option<&EventPattern>,
    data: Option<impl Into<Document>>,
    state: &AppState,
) -> Event {
    let event_type = state.dictionary.sample_type(pattern);
    let data = data.map_or_else(|| state.dictionary.sample(event_type.as_str()).into(), Into::into);
    // An author who writes attributes into the data's `event` tries the template with those.
    let own = data.root().get("event");
    let is_free = |name: &str| own.is_none_or(|own| own.get(name).is_none());
    let source = if is_free("source") { SAMPLE_SOURCE } else { "" };
    let mut attributes = Attributes::default();
    for (name, value) in SAMPLE_ATTRIBUTES.into_iter().filter(|(name, _)| is_free(name)) {
        // There are few.
        let _ = attributes.add(name, value.into());
    }
    Event {
        hops: 0,
        identity: EventIdentity::new(account, &event_type, source, &crate::model::id::new_id()),
        id_given: false,
        attributes,
        time: jiff::Timestamp::now().to_string().into(),
        data,
    }
}
