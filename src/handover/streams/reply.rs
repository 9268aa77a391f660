//! Returns the outcome of a trigger's test: the node that makes the attempt puts it into a list that only the
//! requesting node knows and that expires by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Streams, command};
use crate::model::outcome::{DropReason, FiringReport, Outcome};
use crate::redis::{RedisResult, Value};

/// How long an outcome is kept for its requester.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How long the requester waits in addition to the longest attempt and the takeover from a dead node: time for queued
/// deliveries before it.
const WAITED_FOR: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OutcomeText {
    Attempted { outcome: String, status: Option<u16>, duration_us: u64 },
    Dropped { reason: String },
}

/// A list for one outcome, in the slot of its delivery's stream.
pub(super) fn key(partition: usize) -> String {
    prefix(partition) + &crate::model::id::new_id()
}

/// Whether a key can be such a list. Any program can write entries, and no entry may make a node write to other keys.
pub(super) fn is_key(partition: usize, key: &str) -> bool {
    key.starts_with(&prefix(partition))
}

fn prefix(partition: usize) -> String {
    format!("{{posthaste:{partition}}}:reply:")
}

/// Waits for the outcome and passes it on, as long as the requester waits. If none comes, the requester learns that it was
/// lost.
pub(super) async fn wait(streams: Streams, key: String, mut report: oneshot::Sender<FiringReport>) {
    let longest = streams.attempt_timeout + streams.cluster.claim_after * 2 + WAITED_FOR;
    let fetched = tokio::select! {
        fetched = tokio::time::timeout(longest, fetch(&streams, &key, longest)) => fetched,
        () = report.closed() => return,
    };
    if let Ok(Ok(Some(report_text))) = fetched {
        let _ = report.send(report_text);
    }
}

async fn fetch(streams: &Streams, key: &str, longest: Duration) -> RedisResult<Option<FiringReport>> {
    let mut connection = streams.link.blocking().await?;
    let seconds = longest.as_secs().to_string();
    let popped: Option<(String, Vec<u8>)> = command("BLPOP", &[key, &seconds]).query_async(&mut connection).await?;
    Ok(popped.and_then(|(_, text)| serde_json::from_slice(&text).ok()).and_then(report_of))
}

/// Stores an outcome for its requester.
pub(super) async fn leave(streams: Streams, key: String, reported: oneshot::Receiver<FiringReport>) {
    let Ok(report) = reported.await else { return };
    let text = serde_json::to_string(&text_of(report)).expect("words and numbers are JSON");
    let mut pipeline = crate::redis::Pipeline::new();
    pipeline.add_command(command("RPUSH", &[&key, &text]));
    pipeline.add_command(command("PEXPIRE", &[&key, &KEPT_FOR.as_millis().to_string()]));
    if let Err(error) = streams.link.pipeline::<Value>(&pipeline).await {
        tracing::warn!(%error, "Redis did not store the outcome of a trigger's test");
    }
}

fn text_of(report: FiringReport) -> OutcomeText {
    match report {
        FiringReport::Attempted { outcome, status, duration } => OutcomeText::Attempted {
            outcome: outcome.as_str().to_owned(),
            status,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        },
        FiringReport::Dropped(reason) => OutcomeText::Dropped { reason: reason.as_str().to_owned() },
    }
}

/// `None` if a node of another version uses an unknown word.
fn report_of(report_text: OutcomeText) -> Option<FiringReport> {
    Some(match report_text {
        OutcomeText::Attempted { outcome, status, duration_us } => FiringReport::Attempted {
            outcome: Outcome::named(&outcome)?,
            status,
            duration: Duration::from_micros(duration_us),
        },
        OutcomeText::Dropped { reason } => FiringReport::Dropped(DropReason::named(&reason)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_comes_back_as_it_was() {
        for report in [
            FiringReport::Attempted {
                outcome: Outcome::Delivered,
                status: Some(204),
                duration: Duration::from_micros(1_234),
            },
            FiringReport::Attempted {
                outcome: Outcome::TimeoutResponse,
                status: None,
                duration: Duration::from_secs(10),
            },
            FiringReport::Dropped(DropReason::QueueFull),
        ] {
            let text = serde_json::to_string(&text_of(report)).expect("JSON");
            assert_eq!(report_of(serde_json::from_str(&text).expect("JSON")), Some(report));
        }
    }
}
