//! Explains for each trigger of an account why an event does not fire it, with the code that matches events. Nothing is
//! sent.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::caller::{Caller, respond, written};
use crate::http::request::paging::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::http::request::{body, paging, path};
use crate::http::state::AppState;
use crate::json::{Document, kind, whole_number};
use crate::live::{Index, LiveTrigger};
use crate::matching::{FilterLimits, Steps, Subject, TooCostly};
use crate::model::event::EventType;
use crate::model::field::Fields;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::DropReason;
use crate::model::trigger::Trigger;
use crate::store::{PAGE_BYTES_MAX, Page, StoreError, UnreadPage};

/// An event as it might be posted, and the triggers to explain.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only a schema; `read` reads the document")]
pub(super) struct ExplainQuestion {
    /// The event's type.
    #[schema(example = "guest.created")]
    r#type: String,
    /// Its data.
    #[schema(value_type = Object)]
    data: Value,
    /// Not used by filters.
    id: Option<String>,
    /// Not used by filters.
    time: Option<String>,
    /// Only these triggers; by default all of the account.
    triggers: Option<Vec<String>>,
    /// The most triggers of a page: 100 by default, at most 1,000. A page may hold fewer, as its work is bounded.
    limit: Option<u32>,
    /// The cursor that the previous page returned.
    cursor: Option<String>,
}

/// A page of explanations, in the order of the triggers' ids.
#[derive(Serialize, ToSchema)]
#[schema(as = Explained)]
pub(super) struct ExplanationPage {
    triggers: Vec<Explanation>,
    /// Ids on this page whose stored record can't be read. Present where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
    /// Present if there are more.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Whether the event would fire a trigger.
#[derive(Serialize, ToSchema)]
pub(super) struct Explanation {
    id: String,
    fires: bool,
    /// Why not: `disabled`, `event`, `filter`, `filter_too_costly`, `template_unusable`, or the reason why its firings
    /// are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// For `filter`: the JSON Pointer into `data` of the first failed condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// That condition, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Value>>)]
    condition: Option<Box<RawValue>>,
    /// The value there; left out if there is none, or if it exceeds a kilobyte.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    value: Option<Box<RawValue>>,
}

pub(in crate::http::resources) fn calls() -> Vec<Call> {
    vec![Call::post(
        "/v1/accounts/{account}/triggers/explain",
        || web::route().to(explain),
        || {
            let summary = "Say for each trigger whether an event would fire it, and why not; sends nothing";
            Operation::new("explain_triggers", "triggers", summary)
                .body(Shape::of::<ExplainQuestion>())
                .json(200, "A page of explanations", Shape::of::<ExplanationPage>())
                .problem(404, "One of `triggers` does not exist")
                .problem(422, "The document has mistakes")
        },
    )]
}

struct ParsedQuestion {
    event_type: EventType,
    data: Document,
    triggers: Option<Vec<TriggerId>>,
    limit: usize,
    cursor: Option<String>,
}

async fn explain(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    let _one = state.expensive.begin(&account)?;
    let document = body::read_json(request.head(), &mut payload, &state).await?;
    let caller = Caller::of(request.head(), &state);
    let (value, text) = (document.value, document.text);
    let question = caller.run_on(text.len(), move |_| read(value, &text)).await??;
    let after = question.cursor.as_deref().map(paging::read_cursor).transpose()?;
    let asked = match &question.triggers {
        Some(ids) => Asked::Named(named(&state, &account, ids, after.as_deref(), question.limit).await?),
        None => Asked::All(state.store.list_unread(Some(&account), None, after.as_deref(), question.limit).await?),
    };
    let explained = caller.run(move |state| {
        let index = state.live.index();
        let page = asked.read(&index, &account);
        written(&page.explain(&index, &account, &question, state.live.matching()))
    });
    Ok(respond(explained.await?))
}

/// The triggers of a page, in the order of their ids, as the store keeps them.
enum Asked {
    All(UnreadPage<Trigger>),
    Named(TriggerPage),
}

/// The live triggers of a page, and the ids of those whose record can't be read.
struct TriggerPage {
    live: Vec<Arc<LiveTrigger>>,
    unreadable: Vec<String>,
    /// The id after which the next page starts, if there is one.
    next: Option<String>,
}

impl Asked {
    fn read(self, index: &Index, account: &AccountId) -> TriggerPage {
        match self {
            Self::All(page) => {
                let Page { items, unreadable, next } = page.read();
                // One that was deleted meanwhile is left out.
                let live = items.iter().filter_map(|stored| index.trigger(account, &stored.value.id).cloned());
                TriggerPage { live: live.collect(), unreadable, next }
            }
            Self::Named(page) => page,
        }
    }
}

/// A page of the requested ids.
async fn named(
    state: &AppState,
    account: &AccountId,
    ids: &[TriggerId],
    after: Option<&str>,
    limit: usize,
) -> Result<TriggerPage, Problem> {
    let (ids, next) = page_of(ids, after, limit);
    let mut page = TriggerPage { live: Vec::with_capacity(ids.len()), unreadable: Vec::new(), next };
    for id in ids {
        // A record that can't be read is not live.
        let live = state.live.index().trigger(account, &id).cloned();
        if let Some(trigger) = live {
            page.live.push(trigger);
            continue;
        }
        match state.store.get::<Trigger>(Some(account), id.as_str()).await {
            Err(StoreError::Unreadable { .. }) => page.unreadable.push(id.to_string()),
            Err(error) => return Err(error.into()),
            Ok(_) => {
                let detail = format!("the account has no trigger `{id}`");
                return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
            }
        }
    }
    Ok(page)
}

fn page_of(ids: &[TriggerId], after: Option<&str>, limit: usize) -> (Vec<TriggerId>, Option<String>) {
    let mut ids: Vec<TriggerId> =
        ids.iter().filter(|id| after.is_none_or(|after| id.as_str() > after)).cloned().collect();
    ids.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    ids.dedup();
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = ids.last().filter(|_| more).map(|id| id.as_str().to_owned());
    (ids, next)
}

impl TriggerPage {
    /// Explains triggers until the matching steps of one event are used up, or the page is full; the next page begins
    /// there then.
    fn explain(
        mut self,
        index: &Index,
        account: &AccountId,
        question: &ParsedQuestion,
        limits: &FilterLimits,
    ) -> ExplanationPage {
        let data = question.data.object().expect("`read` takes members only");
        let mut subject = Subject::new(data);
        let mut triggers = Vec::with_capacity(self.live.len());
        let (mut used, mut bytes) = (0, 0);
        for (place, trigger) in self.live.iter().enumerate() {
            if place > 0 && (used >= limits.steps_per_event_max || bytes >= PAGE_BYTES_MAX) {
                let last = self.live[place - 1].id.as_str();
                self.unreadable.retain(|id| id.as_str() < last);
                self.next = Some(last.to_owned());
                break;
            }
            let mut steps = Steps::new(limits.steps_per_trigger_max);
            let usable = index.template(account, &trigger.template).is_some();
            let explanation = Explanation::of(trigger, usable, &question.event_type, &mut subject, &mut steps);
            bytes += explanation.text_bytes();
            triggers.push(explanation);
            used += limits.steps_per_trigger_max - steps.left() + 1;
        }
        let cursor = self.next.map(|id| paging::cursor(&id));
        ExplanationPage { triggers, unreadable: self.unreadable, cursor }
    }
}

impl Explanation {
    fn text_bytes(&self) -> usize {
        let raw = |value: &Option<Box<RawValue>>| value.as_ref().map_or(0, |value| value.get().len());
        self.path.as_ref().map_or(0, String::len) + raw(&self.condition) + raw(&self.value)
    }

    fn of(
        trigger: &LiveTrigger,
        usable: bool,
        event_type: &EventType,
        subject: &mut Subject<'_>,
        steps: &mut Steps,
    ) -> Self {
        let id = trigger.id.to_string();
        let because = |reason| Self {
            id: id.clone(),
            fires: false,
            reason: Some(reason),
            path: None,
            condition: None,
            value: None,
        };
        if !trigger.enabled {
            return because("disabled");
        }
        if !trigger.event.matches(event_type) {
            return because("event");
        }
        match trigger.pattern.as_ref().map_or(Ok(None), |pattern| pattern.explain(subject, steps)) {
            Err(TooCostly) => return because(DropReason::FilterTooCostly.as_str()),
            Ok(Some(mismatch)) => {
                let value = mismatch.value.and_then(|value| RawValue::from_string(value).ok());
                let (path, condition) = (Some(mismatch.path), Some(mismatch.condition));
                return Self { path, condition, value, ..because("filter") };
            }
            Ok(None) => {}
        }
        match &trigger.target {
            Err(reason) => because(reason.as_str()),
            Ok(_) if !usable => because(DropReason::TemplateUnusable.as_str()),
            Ok(_) => Self { fires: true, reason: None, ..because("") },
        }
    }
}

fn read(document: Value, text: &Bytes) -> Result<ParsedQuestion, Problem> {
    let invalid = |errors| Problem::invalid("invalid_explain", "the document", errors);
    let mut fields = Fields::new(document, "a question").map_err(invalid)?;
    let event_type = fields.required_text("type");
    let event_type = fields.parse("type", "bad_event_type", event_type, EventType::new);
    let (_, _) = (fields.text("id"), fields.text("time"));
    let data = match fields.take("data") {
        Some(Value::Object(_)) => body::data(text),
        None => {
            fields.refuse("/data", "missing", "`data` is required: an object");
            None
        }
        Some(other) => {
            fields.refuse("/data", "wrong_type", format!("`data` must be an object, not {}", kind(&other)));
            None
        }
    };
    let triggers = match fields.take("triggers") {
        None => None,
        Some(Value::Array(ids)) if ids.len() <= LIMIT_MAX => {
            let read: Vec<_> = ids.iter().map(|id| id.as_str().and_then(|id| TriggerId::new(id).ok())).collect();
            if let Some(place) = read.iter().position(Option::is_none) {
                fields.refuse(format!("/triggers/{place}"), "bad_name", "this is not a valid trigger id");
            }
            Some(read.into_iter().flatten().collect())
        }
        Some(_) => {
            fields.refuse("/triggers", "wrong_type", format!("`triggers` must be a list of at most {LIMIT_MAX} ids"));
            None
        }
    };
    let limit = match fields.take("limit") {
        None => LIMIT_DEFAULT,
        Some(given) => whole_number(&given)
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| (1..=LIMIT_MAX).contains(n))
            .unwrap_or_else(|| {
                fields.refuse("/limit", "bad_limit", format!("`limit` must be a number from 1 to {LIMIT_MAX}"));
                LIMIT_DEFAULT
            }),
    };
    let cursor = fields.text("cursor");
    let question =
        event_type.zip(data).map(|(event_type, data)| ParsedQuestion { event_type, data, triggers, limit, cursor });
    fields.finish(question).map_err(invalid)
}
