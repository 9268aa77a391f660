//! Tests a trigger: sends one sample through all stages and returns the outcome. Of the receiver's response only the
//! status is returned; anything more would let customers read other networks through the node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::template_check::sample_event;
use super::trigger_check::passes;
use crate::config::Config;
use crate::flow::event_data::EventData;
use crate::flow::messages::{Firing, FiringsMatched, OneFiring};
use crate::flow::refusal::Refusal;
use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::problem::Problem;
use crate::http::request::body::JsonBody;
use crate::http::request::caller::Caller;
use crate::http::request::{body, path};
use crate::http::state::{AppState, Pipeline};
use crate::json::{Document, kind};
use crate::model::field::Fields;
use crate::model::id::{AccountId, TriggerId};
use crate::model::outcome::{DropReason, FiringReport, Outcome};

/// The result of a test.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestResult {
    /// The response was 2xx.
    delivered: bool,
    /// Whether the sample passes the trigger's filter. It is sent either way.
    fires: bool,
    /// The status of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Milliseconds from the start of the attempt to its end; of the whole test if no attempt was made.
    duration_ms: u64,
}

pub(in crate::http::resources) fn calls() -> Vec<Call> {
    let path = "/v1/accounts/{account}/triggers/{id}/test";
    vec![Call::post(
        path,
        || web::route().to(test),
        || {
            let summary = "Send one sample of a trigger, also of a disabled one, whether or not it passes the filter";
            Operation::new("test_trigger", "triggers", summary)
                .bodies(json!({"required": false, "content": {"application/json": {"schema": sample_schema()}}}), &[])
                .json(200, "The outcome", Shape::of::<TestResult>())
                .problem(404, "The trigger does not exist")
                .problem(504, "No node reported the outcome in time; the sample may still be sent")
        },
    )]
}

fn sample_schema() -> Value {
    let data = "Replaces the dictionary's sample";
    json!({"type": "object", "properties": {"data": {"type": "object", "description": data}}, "additionalProperties": false})
}

async fn test(
    request: HttpRequest,
    mut payload: web::Payload,
    state: web::Data<AppState>,
    pipeline: web::Data<Pipeline>,
) -> Result<HttpResponse, Problem> {
    let account = path::account(&request, &state)?;
    if !state.gate.is_open() {
        return Err(Refusal::Stopping.into());
    }
    let _one = state.expensive.begin_test(&account)?;
    let begun = Instant::now();
    let (report, ended) = oneshot::channel();
    let document = body::read_optional_json(request.head(), &mut payload, &state).await?;
    let (id, own) = (path::id(&request), account.clone());
    let bytes = document.as_ref().map_or(0, |document| document.text.len());
    let caller = Caller::of(request.head(), &state);
    let prepared = caller.run_on(bytes, move |state| {
        let data = document.map(sample_data).transpose()?.flatten();
        prepare(own, &id, data, report, state)
    });
    let (firing, fires) = prepared.await??;
    let firings = Box::new(OneFiring { account: state.gate.account(&account), firing: Some(firing) });
    let message = FiringsMatched { firings, accepted_at: begun, admission: None };
    pipeline.renderer.send(message).map_err(|_| Refusal::Stopping)?;
    // Without a report the delivery was lost: the node is stopping, or Redis has lost it.
    let lost = |_| if state.gate.is_open() { unanswered() } else { Refusal::Stopping.into() };
    let report = match tokio::time::timeout(patience(&state.config), ended).await {
        Ok(ended) => ended.map_err(lost)?,
        // It was not attempted: a worker begins no test that has waited for the longest time of an attempt.
        Err(_) if state.config.delivers_through_streams() => return Err(unanswered()),
        Err(_) => FiringReport::Dropped(DropReason::QueueFull),
    };
    Ok(HttpResponse::Ok().json(TestResult::of(report, fires, begun)))
}

/// The trigger's firing of the sample, and whether the sample passes its filter.
fn prepare(
    account: AccountId,
    id: &str,
    data: Option<Document>,
    report: oneshot::Sender<FiringReport>,
    state: &AppState,
) -> Result<(Firing, bool), Problem> {
    let index = state.live.index();
    let trigger = TriggerId::new(id).ok().and_then(|id| index.trigger(&account, &id).cloned());
    let trigger = trigger.ok_or_else(|| Problem::not_found("trigger"))?;
    let template = index.template(&account, &trigger.template);
    let event = sample_event(&account, Some(&trigger.event), data, state);
    let fires = passes(trigger.pattern.as_ref(), &event, state.live.matching());
    let firing = Firing {
        event: Arc::new(EventData::of(event)),
        trigger: trigger.id.clone(),
        target: trigger.target.clone(),
        template,
        charge: None,
        journaled: None,
        report: Some(report),
    };
    Ok((firing, fires))
}

/// The data in the request, which replaces the dictionary's sample.
fn sample_data(document: JsonBody) -> Result<Option<Document>, Problem> {
    let invalid = |errors| Problem::invalid("invalid_test", "the document", errors);
    let mut fields = Fields::new(document.value, "a test").map_err(invalid)?;
    let data = match fields.take("data") {
        None => Some(None),
        Some(Value::Object(_)) => Some(body::data(&document.text)),
        Some(other) => {
            fields.refuse("/data", "wrong_type", format!("`data` must be an object, not {}", kind(&other)));
            None
        }
    };
    fields.finish(data).map_err(invalid)
}

/// How much longer a test waits than its attempt may take: a busy node ends it a little late.
const BEYOND_ATTEMPT: Duration = Duration::from_secs(2);

/// How long a test waits for its outcome: for a connection, which another attempt may occupy for the longest time of an
/// attempt, and for its own attempt. With Redis, also for the takeover from a dead node.
fn patience(config: &Config) -> Duration {
    let attempts = config.dispatch.attempt_timeout * 2;
    attempts + if config.delivers_through_streams() { config.cluster.claim_after * 3 } else { BEYOND_ATTEMPT }
}

/// No outcome arrived: no node sends, or the node that had the sample died.
fn unanswered() -> Problem {
    let detail = "no node reported the outcome in time; is a node with the role dispatch running? \
                  The sample may still be sent";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "test_unanswered", detail)
}

impl TestResult {
    fn of(report: FiringReport, fires: bool, begun: Instant) -> Self {
        let milliseconds = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match report {
            FiringReport::Attempted { outcome, status, duration } => Self {
                delivered: outcome == Outcome::Delivered,
                fires,
                status,
                reason: (outcome != Outcome::Delivered).then_some(outcome.as_str()),
                duration_ms: milliseconds(duration),
            },
            FiringReport::Dropped(reason) => Self {
                delivered: false,
                fires,
                status: None,
                reason: Some(reason.as_str()),
                duration_ms: milliseconds(begun.elapsed()),
            },
        }
    }
}
