//! A trigger is tried: one sample through the real path, and how it went. Never what the receiver
//! answered beyond its status, which would make Posthaste a window into networks.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::problem::Problem;
use super::template_check::sample_event;
use super::{AppState, Pipeline, records};
use crate::flow::in_flight::Report;
use crate::flow::messages::{EventData, Firing, FiringsMatched};
use crate::model::id::TriggerId;
use crate::model::outcome::Outcome;

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TestResult {
    /// The receiver answered 2xx.
    delivered: bool,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Milliseconds from the begin of the attempt to its end; of the whole test where none was made.
    duration_ms: u64,
}

/// Send one sample of a trigger, also of a disabled one, and see how it goes. Its filter is not asked.
#[utoipa::path(
    post, path = "/v1/accounts/{account}/triggers/{id}/test", tag = "triggers",
    params(("account" = String, Path, description = "The account"), ("id" = String, Path, description = "The trigger")),
    responses(
        (status = 200, description = "How it went", body = TestResult),
        (status = 404, description = "There is no such trigger", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "No node told how it went; the sample may still be sent", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn test(
    request: HttpRequest,
    shared: web::Data<AppState>,
    lane: web::Data<Pipeline>,
) -> Result<HttpResponse, Problem> {
    let account = records::account(&request, &shared)?;
    if !shared.gate.is_open() {
        return Err(Problem::stopping());
    }
    let begun = Instant::now();
    let (report, ended) = oneshot::channel();
    let firing = {
        let index = shared.live.index();
        let id = TriggerId::new(&records::id(&request)).ok();
        let trigger = id.and_then(|id| index.trigger(&account, &id).cloned());
        let trigger = trigger.ok_or_else(|| Problem::not_found("trigger"))?;
        let event = sample_event(account.clone(), Some(&trigger.event), None, &shared);
        Firing {
            event: Arc::new(EventData::of(event)),
            trigger: trigger.id.clone(),
            target: trigger.target.clone(),
            template: index.template(&account, &trigger.template),
            report: Some(report),
        }
    };
    let message = FiringsMatched { firings: vec![firing], accepted_at: begun, admission: None };
    lane.renderer().try_send(message).map_err(|_| Problem::stopping())?;
    // Without a report the work was lost to a stop, or Redis has lost it.
    let lost = |_| if shared.gate.is_open() { unanswered() } else { Problem::stopping() };
    let report = ended.await.map_err(lost)?;
    Ok(HttpResponse::Ok().json(TestResult::of(report, begun)))
}

/// Nobody said how it went: no node sends, or the one that had the sample died.
fn unanswered() -> Problem {
    let detail = "no node has told how the test went in the time of an attempt; is one with the role dispatch running? \
                  The sample may still be sent";
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "test_unanswered", detail)
}

impl TestResult {
    fn of(report: Report, begun: Instant) -> Self {
        let milliseconds = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        match report {
            Report::Attempted { outcome, status, duration } => Self {
                delivered: outcome == Outcome::Delivered,
                status,
                reason: (outcome != Outcome::Delivered).then_some(outcome.as_str()),
                duration_ms: milliseconds(duration),
            },
            Report::Dropped(reason) => Self {
                delivered: false,
                status: None,
                reason: Some(reason.as_str()),
                duration_ms: milliseconds(begun.elapsed()),
            },
        }
    }
}
