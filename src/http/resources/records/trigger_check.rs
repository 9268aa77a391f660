//! Checks a trigger before it is saved: every mistake, warnings, whether an event fires it, and what it would send.
//! Nothing is saved and nothing is sent.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::finding::Finding;
use super::template_check::{CheckOptions, compile, preview, sample_event};
use super::{Resource, expressions, replaced, triggers};
use crate::flow::event_data::EventData;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::openapi::shapes::TriggerQuestion;
use crate::http::problem::{Problem, unknown_template};
use crate::http::request::caller::{Caller, respond, written};
use crate::http::request::{body, path};
use crate::http::state::AppState;
use crate::json::{Document, kind};
use crate::matching::{FilterLimits, Pattern, Steps, Subject};
use crate::model::event::Event;
use crate::model::field::FieldError;
use crate::model::id::AccountId;
use crate::model::template::Template;
use crate::model::trigger::{self, Trigger};
use crate::store::StoredRecord;
use crate::templating::{CheckedTemplate, Data, Diagnostic, Severity};

/// Used as the id of a trigger that has none yet.
const ID: &str = "check";

/// The result of a check.
#[derive(Serialize, ToSchema)]
pub(super) struct TriggerCheckResult {
    /// Whether it may be saved.
    ok: bool,
    /// Each mistake.
    errors: Vec<FieldError>,
    /// Warnings.
    warnings: Vec<Finding>,
    /// Whether an event with the given data, or with the dictionary's examples, passes its filter; left out if the
    /// filter has a mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    fires: Option<bool>,
    /// What it sends for that data; left out if there is a mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<TriggerPreview>,
}

/// What a trigger sends.
#[derive(Serialize, ToSchema)]
struct TriggerPreview {
    url: String,
    /// `null` is a saved value that the request left out.
    #[schema(value_type = std::collections::BTreeMap<String, Option<String>>)]
    headers: Map<String, Value>,
    content_type: String,
    body: String,
}

pub(in crate::http::resources) fn calls() -> Vec<Call> {
    vec![Call::post(
        "/v1/accounts/{account}/triggers/check",
        || web::route().to(check),
        || {
            let summary =
                "Check a trigger, and see whether an event fires it and what it sends; saves and sends nothing";
            Operation::new("check_trigger", "triggers", summary).body(Shape::of::<TriggerQuestion>()).json(
                200,
                "Its errors and warnings",
                Shape::of::<TriggerCheckResult>(),
            )
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
    let text = document.text;
    let Value::Object(mut members) = document.value else {
        let what = kind(&document.value);
        let error = FieldError::new("", "wrong_type", format!("a trigger must be a JSON object, not {what}"));
        return Ok(HttpResponse::Ok().json(TriggerCheckResult::refused(vec![error])));
    };
    let data = members.shift_remove("data");
    members.shift_remove("warnings");
    let looked = caller.run_on(text.len(), move |state| {
        let mut errors = trigger::repeated(&text);
        errors.extend(Trigger::over_quota(&members, state));
        let data = match data {
            None | Some(Value::Null) => None,
            Some(Value::Object(_)) => body::data(&text),
            Some(other) => {
                let detail = format!("`data` must be an object, not {}", kind(&other));
                errors.push(FieldError::new("/data", "wrong_type", detail));
                None
            }
        };
        (members, data, errors)
    });
    let (mut members, data, mut errors) = looked.await?;
    if members.get("id").is_none_or(Value::is_null) {
        members.insert("id".into(), ID.into());
    }
    let headers = members.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
    let trigger = match read(&account, members, &caller).await? {
        Ok(trigger) => trigger,
        Err(more) => {
            errors.extend(more.into_iter().map(|error| error.also_known(&["data"])));
            return Ok(HttpResponse::Ok().json(TriggerCheckResult::refused(errors)));
        }
    };
    let question = TriggerTrial { account, trigger, data, headers, errors };
    Ok(respond(question.examine(&caller).await?))
}

/// Completes the document from the trigger that it would replace, and reads it, or returns all its mistakes.
async fn read(
    account: &AccountId,
    mut members: Map<String, Value>,
    caller: &Caller,
) -> Result<Result<Trigger, Vec<FieldError>>, Problem> {
    let mut errors = Vec::new();
    if let Some(old) = replaced::<Trigger>(account, &members, caller.state()).await? {
        errors = Trigger::complete(&mut members, &old.value).1;
    }
    let (trigger, wrong) = caller.run(|_| Trigger::examine(Value::Object(members))).await?;
    errors.extend(wrong);
    match trigger {
        Some(trigger) if errors.is_empty() => return Ok(Ok(trigger)),
        Some(trigger) => errors.extend(trigger.check(account, &errors, caller).await?.errors),
        None => {}
    }
    Ok(Err(errors))
}

/// A trigger that could be read, and what it is tried with.
struct TriggerTrial {
    account: AccountId,
    trigger: Trigger,
    data: Option<Document>,
    headers: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl TriggerTrial {
    /// The text of the result.
    async fn examine(mut self, caller: &Caller) -> Result<Vec<u8>, Problem> {
        let state = caller.state();
        let template = state.store.get::<Template>(Some(&self.account), self.trigger.template.as_str()).await?;
        let Some(StoredRecord { value: template, .. }) = template else {
            let unknown = |state: &AppState| {
                let mut looked = self.without_template(state);
                let unknown = unknown_template(&looked.question.trigger.template);
                looked.question.errors.push(unknown);
                written(&looked.result(None))
            };
            return caller.run(unknown).await;
        };
        let broken = template.broken_rules().into_iter();
        self.errors.extend(broken.map(|rule| FieldError::new("/template", rule.code, rule.detail)));
        let content_type = template.content_type.clone().unwrap_or_else(|| template.format.content_type().to_owned());
        let (event, data) = (Some(self.trigger.event.clone()), self.data.clone());
        let options = CheckOptions { event, content_type: template.content_type, data };
        let checked = compile(template.format, template.body, options, caller).await?;
        caller.run(move |state| written(&self.without_template(state).with(checked, content_type, state))).await
    }

    /// Checks everything except the template.
    fn without_template(mut self, state: &AppState) -> ExaminedTrigger {
        let trigger = &self.trigger;
        self.errors.extend(triggers::broken_rules(trigger, state));
        self.errors.extend(triggers::unselective(trigger, &self.account, state));
        let known = self.data.clone();
        let event = sample_event(&self.account, Some(&trigger.event), self.data.take(), state);
        let fires = passes(trigger.pattern.as_ref(), &event, state.live.matching());
        let mut warnings: Vec<Finding> =
            state.dictionary.trigger_warnings(trigger).into_iter().map(Finding::Trigger).collect();
        match expressions::check(trigger, known.as_ref(), state) {
            Ok(odd) => warnings.extend(odd.into_iter().map(Finding::Template)),
            Err(wrong) => self.errors.extend(wrong),
        }
        ExaminedTrigger { question: self, data: EventData::of(event).data, fires, warnings }
    }
}

/// A trigger that was checked without its template.
struct ExaminedTrigger {
    question: TriggerTrial,
    data: Data,
    fires: bool,
    warnings: Vec<Finding>,
}

impl ExaminedTrigger {
    /// The result, with the template's mistakes and preview.
    fn with(mut self, checked: CheckedTemplate, content_type: String, state: &AppState) -> TriggerCheckResult {
        let mut diagnostics = checked.diagnostics;
        let request = expressions::preview(&self.question.trigger, &self.data, state);
        let body = checked.compiled.and_then(|compiled| preview(&compiled, &self.data, &mut diagnostics));
        let (mistakes, more): (Vec<Diagnostic>, _) =
            diagnostics.into_iter().partition(|found| found.severity == Severity::Error);
        let errors = &mut self.question.errors;
        errors.extend(mistakes.into_iter().map(|mistake| FieldError::new("/template", mistake.code, mistake.message)));
        self.warnings.extend(more.into_iter().map(Finding::Template));
        let request = request.map_err(|error| errors.push(error)).ok();
        let ok = errors.is_empty();
        let headers = std::mem::take(&mut self.question.headers);
        let preview = body.zip(request).filter(|_| ok).map(|(body, (url, values))| {
            let headers = headers.into_iter().map(|(name, value)| {
                let own = values.iter().find(|(own, _)| value.is_string() && *own == name);
                let value = own.map_or(value, |(_, value)| value.as_str().into());
                (name, value)
            });
            TriggerPreview { url, headers: headers.collect(), content_type, body }
        });
        self.result(preview)
    }

    fn result(self, preview: Option<TriggerPreview>) -> TriggerCheckResult {
        let (errors, warnings) = (self.question.errors, self.warnings);
        TriggerCheckResult { ok: errors.is_empty(), errors, warnings, fires: Some(self.fires), preview }
    }
}

/// Whether an event passes a filter. A filter that costs too much is not passed.
pub(super) fn passes(pattern: Option<&Pattern>, event: &Event, limits: &FilterLimits) -> bool {
    let (Some(pattern), Some(data)) = (pattern, event.data.object()) else { return true };
    let mut steps = Steps::new(limits.steps_per_trigger_max);
    pattern.matches(&mut Subject::new(data), &mut steps).unwrap_or(false)
}

impl TriggerCheckResult {
    fn refused(errors: Vec<FieldError>) -> Self {
        Self { ok: false, errors, warnings: Vec::new(), fires: None, preview: None }
    }
}
