//! Runs the tour: posts each event to the node, waits for the POSTs that it causes, and prints both. A POST that is
//! missing, late or unexpected ends the tour with an error.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::calls::NodeClient;
use super::day::{self, DemoEvent, DemoTrigger};
use crate::cli::error::TourError;
use crate::cli::print::{ASIDE, EVENT, HEADING, POST, counted, indented, say};
use crate::cli::receive::ReceivedPost;
use crate::model::duration_text::DurationText;

/// How long a POST may take. It normally takes about a millisecond, but the machine may be very busy.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// The tour in numbers.
#[derive(Debug, Default)]
pub(super) struct TourTotals {
    pub(super) events: usize,
    pub(super) posts: usize,
    /// From the posting of an event to the arrival of its last POST.
    pub(super) slowest: Duration,
}

/// Puts the templates and triggers of the day.
pub(super) async fn set_up(calls: &NodeClient, receiver: &str) -> Result<(), TourError> {
    say(&format!("{HEADING}Three triggers, each with a template of its own{HEADING:#}"));
    let setups = day::setups(receiver);
    let descriptions: Vec<String> =
        setups.iter().map(|setup| format!("  {:13} {}", setup.id, setup.description)).collect();
    put(calls, setups).await?;
    say(&descriptions.join("\n"));
    Ok(())
}

/// Puts templates, each with its trigger.
pub(super) async fn put(calls: &NodeClient, setups: impl IntoIterator<Item = DemoTrigger>) -> Result<(), TourError> {
    let account = format!("/v1/accounts/{}", day::ACCOUNT);
    for DemoTrigger { id, template, trigger, .. } in setups {
        calls.put(&format!("{account}/templates/{id}"), &with_id(template, id)).await?;
        calls.put(&format!("{account}/triggers/{id}"), &with_id(trigger, id)).await?;
    }
    Ok(())
}

fn with_id(mut document: Value, id: &str) -> Value {
    document["id"] = id.into();
    document
}

/// Posts the day's events, each one after the POSTs of the one before have arrived.
pub(super) async fn run(
    calls: &NodeClient,
    arrived: &mut UnboundedReceiver<ReceivedPost>,
) -> Result<TourTotals, TourError> {
    let mut totals = TourTotals::default();
    for demo_event in day::happenings() {
        totals.events += 1;
        say(&format!("\n{EVENT}event {}{EVENT:#}  {}", totals.events, demo_event.description));
        say(&indented(&event_text(&demo_event.event), 2));
        let posted = Instant::now();
        calls.post("/v1/events", &demo_event.event).await?;
        for (receipt, trigger) in await_posts(&demo_event, arrived).await? {
            let between = receipt.arrived.saturating_duration_since(posted);
            totals.posts += 1;
            totals.slowest = totals.slowest.max(between);
            say(&post_text(&receipt, &trigger, between));
        }
    }
    Ok(totals)
}

/// The POSTs that an event must cause, each with its trigger's id.
async fn await_posts(
    demo_event: &DemoEvent,
    arrived: &mut UnboundedReceiver<ReceivedPost>,
) -> Result<Vec<(ReceivedPost, String)>, TourError> {
    let mut missing = demo_event.fires.to_vec();
    let mut posts = Vec::with_capacity(missing.len());
    let deadline = tokio::time::Instant::now() + ARRIVES_WITHIN;
    while let Some(next) = missing.first() {
        let receipt = tokio::time::timeout_at(deadline, arrived.recv()).await;
        let receipt = receipt.ok().flatten();
        let receipt = receipt.ok_or(TourError::Missing { trigger: next, within: DurationText(ARRIVES_WITHIN) })?;
        let trigger = receipt.path.trim_start_matches('/').to_owned();
        let index = missing.iter().position(|id| *id == trigger);
        missing.remove(index.ok_or_else(|| TourError::Unexpected(trigger.clone()))?);
        posts.push((receipt, trigger));
    }
    Ok(posts)
}

/// Type and data; the account is the same all day.
fn event_text(event: &Value) -> String {
    let mut text = format!("type: {}", event["type"].as_str().unwrap_or_default());
    for (entity, value) in event["data"].as_object().into_iter().flatten() {
        let _ = write!(text, "\n{entity}: {value}");
    }
    text
}

fn post_text(receipt: &ReceivedPost, trigger: &str, between: Duration) -> String {
    let head = format!("{POST}POST /{trigger}{POST:#}  {ASIDE}{} after the event{ASIDE:#}", milliseconds(between));
    format!("\n{}\n{}", indented(&head, 4), indented(&receipt.content(ASIDE), 6))
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

/// The summary of the tour.
pub(super) fn summary(totals: &TourTotals) -> String {
    format!(
        "\n{HEADING}That was {} and {}, the slowest {} after its event.{HEADING:#}\n\
         JSON, XML and form bodies stayed well-formed whatever the guests typed; a filter kept one booking back;\n\
         what looked like a template in the data stayed text; one trigger's POSTs were signed\n\
         (webhook-signature, as the Standard Webhooks specification says).",
        counted(totals.events, "event"),
        counted(totals.posts, "POST"),
        milliseconds(totals.slowest),
    )
}
