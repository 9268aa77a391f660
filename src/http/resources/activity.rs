//! Sends ended firings as Server-Sent Events (HTML Living Standard, section 9.2). A line names a firing and its
//! outcome; it never holds a body, a header or a URL's path or query.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::http::call::Call;
use crate::http::openapi::operation::{Operation, Shape};
use crate::http::openapi::terms::name_schema;
use crate::http::problem::Problem;
use crate::http::request::auth::{RequiredAccess, authorize};
use crate::http::request::query;
use crate::http::state::AppState;
use crate::model::id::{AccountId, TriggerId};
use crate::model::key::KeyScope;
use crate::model::outcome::FiringReport;
use crate::telemetry::activity::{ActivityFilter, EndedFiring, LineBatch, Subscription, TooManySubscribers};

/// The interval at which collected lines are sent: short for a person, and long enough that the node seldom wakes.
pub const SENT_EVERY: Duration = Duration::from_millis(100);
/// Without lines for this time a comment is sent. It keeps proxies from closing the connection, and it is how a client
/// that left is noticed: until then its subscription counts against the bound.
const KEPT_ALIVE_EVERY: Duration = Duration::from_secs(1);
/// How long a client waits before it connects again.
const RECONNECT_MS: u64 = 2_000;

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    account: Option<String>,
    trigger: Option<String>,
    outcome: Option<String>,
}

/// The data of one `event: firing`.
#[derive(Debug, Serialize, ToSchema)]
struct Line<'a> {
    /// The node that the firing ended on.
    node: &'a str,
    /// When the firing ended, RFC 3339.
    #[schema(format = DateTime)]
    time: String,
    /// The account of the event.
    account: &'a str,
    /// The event's type.
    event_type: &'a str,
    /// The event's id.
    event_id: &'a str,
    /// The trigger's id.
    trigger: &'a str,
    /// Scheme, host and port of the URL; `null` if the trigger's URL is unusable.
    #[schema(example = "https://example.com:443")]
    destination: Option<String>,
    /// The outcome of the attempt; `dropped` if none was made.
    #[schema(example = "delivered")]
    outcome: &'static str,
    /// Why no attempt was made; `null` if one was made.
    reason: Option<&'static str>,
    /// The status of the receiver's response.
    status: Option<u16>,
    /// Milliseconds from the start of the attempt to its end.
    duration_ms: Option<u64>,
}

pub(super) fn calls() -> Vec<Call> {
    vec![Call::get(
        "/v1/activity",
        || web::route().to(activity),
        || {
            let summary = "Firings of this node as they end, as Server-Sent Events: `event: firing` with one, \
                           `event: skipped` with how many a slow client missed";
            let outcomes = "Outcomes and reasons, separated by commas; also `failed` and `dropped`";
            Operation::new("watch_activity", "activity", summary)
                .parameter("query", "account", "Only firings of this account", name_schema())
                .parameter("query", "trigger", "Only firings of triggers with this id", name_schema())
                .parameter("query", "outcome", outcomes, outcomes_schema())
                .content(200, "An endless stream", "text/event-stream", json!({"type": "string"}))
                .shape(Shape::of::<Line<'_>>())
                .problem(400, "The query can't be read")
                .problem(429, "The limit of watching clients is reached")
        },
    )]
}

/// Words with commas between them.
fn outcomes_schema() -> Value {
    let words: Vec<&str> = ActivityFilter::words().collect();
    let word = format!(" *({})? *", words.join("|"));
    json!({"type": "string", "pattern": format!("^{word}(,{word})*$")})
}

async fn activity(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let scope = authorize(request.head(), &state, RequiredAccess::Read)?;
    let filter = read_filter(&request)?;
    let (owner, filter) = scoped(&scope, filter, &state)?;
    if request.method() == Method::HEAD {
        return Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/event-stream")).finish());
    }
    let subscription = state.metrics.activity.subscribe(owner, filter)?;
    let node = Arc::clone(&state.name);
    let hello = format!("retry: {RECONNECT_MS}\n\n");
    let first = ActivityStream { subscription, node, hello: Some(hello), sent_at: None };
    let chunks = stream::unfold(first, next_chunk);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Proxies must pass each line on as it comes.
        .insert_header((header::CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks))
}

fn read_filter(request: &HttpRequest) -> Result<ActivityFilter, Problem> {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let Query { account, trigger, outcome } = query::read(request, "account, trigger and outcome")?;
    let account = account.filter(|text| !text.is_empty()).map(|text| AccountId::new(&text)).transpose();
    let trigger = trigger.filter(|text| !text.is_empty()).map(|text| TriggerId::new(&text)).transpose();
    let mut filter = ActivityFilter::default();
    filter.account = account.map_err(|error| bad("bad_name", format!("`account` is not valid: {error}")))?;
    filter.trigger = trigger.map_err(|error| bad("bad_name", format!("`trigger` is not valid: {error}")))?;
    filter.with_outcomes(&outcome.unwrap_or_default()).map_err(|error| bad("bad_outcome", error.to_string()))
}

/// What a key may watch: the operator everything, an account its own firings if the operator allows it.
fn scoped(
    scope: &KeyScope,
    mut filter: ActivityFilter,
    state: &AppState,
) -> Result<(Option<AccountId>, ActivityFilter), Problem> {
    let forbidden = |detail: &str| Problem::new(StatusCode::FORBIDDEN, "forbidden", detail);
    match scope {
        KeyScope::Operator => Ok((None, filter)),
        KeyScope::Account(own) if filter.account.as_ref().is_some_and(|account| account != own) => {
            Err(forbidden("this key sees the activity of its own account only"))
        }
        KeyScope::Account(own) if state.config.activity.for_accounts => {
            filter.account = Some(own.clone());
            Ok((Some(own.clone()), filter))
        }
        KeyScope::Account(_) => {
            Err(forbidden("only the operator may watch activity on this node; `activity.for_accounts` changes that"))
        }
        KeyScope::Producer { .. } => Err(forbidden("a key with the scope `producer` may not watch activity")),
    }
}

/// An open stream.
struct ActivityStream {
    subscription: Subscription,
    node: Arc<str>,
    /// Sent first, so that the client knows that it is connected.
    hello: Option<String>,
    sent_at: Option<Instant>,
}

async fn next_chunk(mut watched: ActivityStream) -> Option<(Result<Bytes, Infallible>, ActivityStream)> {
    if let Some(hello) = watched.hello.take() {
        return Some((Ok(hello.into()), watched));
    }
    if let Some(sent_at) = watched.sent_at {
        // The buffer of waiting lines is bounded, so this also bounds how many are sent.
        tokio::time::sleep(SENT_EVERY.saturating_sub(sent_at.elapsed())).await;
    }
    let chunk = match tokio::time::timeout(KEPT_ALIVE_EVERY, watched.subscription.next()).await {
        Ok(batch) => text(&batch?, &watched.node),
        Err(_) => ":\n\n".into(),
    };
    watched.sent_at = Some(Instant::now());
    Some((Ok(chunk.into()), watched))
}

fn text(batch: &LineBatch, node: &str) -> String {
    let mut text = String::with_capacity(batch.lines.len() * 320 + 64);
    for ended in &batch.lines {
        let line = serde_json::to_string(&Line::of(ended, node)).expect("strings and numbers are JSON");
        // JSON text has no raw line break, so one line is one field.
        let _ = write!(text, "event: firing\ndata: {line}\n\n");
    }
    if batch.skipped > 0 {
        let _ = write!(text, "event: skipped\ndata: {{\"skipped\":{}}}\n\n", batch.skipped);
    }
    text
}

impl<'a> Line<'a> {
    fn of(ended: &'a EndedFiring, node: &'a str) -> Self {
        let (outcome, reason, status, duration) = match ended.report {
            FiringReport::Attempted { outcome, status, duration } => (outcome.as_str(), None, status, Some(duration)),
            FiringReport::Dropped(reason) => ("dropped", Some(reason.as_str()), None, None),
        };
        let time = Timestamp::try_from(ended.time).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            node,
            time: format!("{time:.3}"),
            account: ended.firing.event.account(),
            event_type: ended.firing.event.event_type(),
            event_id: ended.firing.event.id(),
            trigger: ended.firing.trigger.as_str(),
            destination: ended.destination.as_ref().map(ToString::to_string),
            outcome,
            reason,
            status,
            duration_ms: duration.map(milliseconds),
        }
    }
}

/// Whole milliseconds.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<TooManySubscribers> for Problem {
    fn from(error: TooManySubscribers) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_subscribers", error.to_string())
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("10"))
    }
}
