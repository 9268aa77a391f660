//! Keeps the node's sink in step with the store in Redis: reads all of it, then follows its log, and reads all of it
//! again if the log is incomplete. It has its own thread and connection, and never stops retrying. It writes only the
//! mark of a new store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::position::LogPosition;
use super::rights;
use super::scripts::{self, Changes, LOG, LogEntry, LogValue, ScriptError};
use super::state::SharedState;
use crate::model::duration_text::DurationText;
use crate::redis::{Cmd, Outage, RESPONSE_WITHIN, RedisConnection, Value, is_refusal, is_wrong_type};
use crate::store::OpenError;
use crate::store::feed::{self, LoadedRecord, Observation};
use crate::telemetry::metrics::{Label as _, SnapshotReason};

/// How long a wait for new entries blocks. After each wait the follower checks whether the history is still the one that it
/// followed, so this also bounds how long a lost history goes unnoticed.
const NEWS_WITHIN: Duration = Duration::from_secs(1);
/// Changes that arrive within this time are read together, which saves Redis a read for each of them and each node.
const GATHERED_FOR: Duration = Duration::from_millis(2);
/// The pause between two attempts to reach Redis.
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The least time for a connection at a start. Half of what is left of `store.start_within_ms` is for the connection, and
/// half to find out why there is none.
const ATTEMPT_MIN: Duration = Duration::from_millis(500);
/// How often a start logs that it still waits.
const LOGGED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Follows the store.
pub(super) struct Follower {
    shared: Arc<SharedState>,
    position: Option<LogPosition>,
    outage: Outage,
}

type OpenedSender = oneshot::Sender<Result<(), OpenError>>;

impl Follower {
    pub(super) fn new(shared: Arc<SharedState>) -> Self {
        Self { shared, position: None, outage: Outage::default() }
    }

    /// Runs forever once the store is open. An error that keeps it from being opened is returned through `opened`
    /// and ends it.
    pub(super) async fn run(mut self, opened: OpenedSender, within: Duration) {
        let first = self.open(within).await;
        let failed = first.is_err();
        if opened.send(first.map(drop)).is_err() || failed {
            return;
        }
        loop {
            let error = match self.follow().await {
                Err(error) => error,
                Ok(never) => match never {},
            };
            if self.outage.note(&error.to_string(), Instant::now()) {
                tracing::warn!(
                    %error,
                    "the store in Redis is unavailable: what is live stays live, and writes are refused"
                );
            }
            self.shared.set_connected(false);
            self.shared.pending.failed();
            // Otherwise the next caller would be the first to notice.
            self.shared.link.renew().await;
            tokio::time::sleep(TRIED_AGAIN_AFTER).await;
        }
    }

    /// Reads the store for the first time.
    async fn open(&mut self, within: Duration) -> Result<(), OpenError> {
        let place = self.shared.link.place().to_owned();
        let begun = Instant::now();
        let mut logged_at = None::<Instant>;
        loop {
            let left = within.saturating_sub(begun.elapsed());
            let error = match self.read_first((left / 2).clamp(ATTEMPT_MIN, RESPONSE_WITHIN)).await {
                Ok(missing) if missing.is_empty() => {
                    self.warn_of_eviction().await;
                    return Ok(());
                }
                Ok(missing) => {
                    let detail = format!("it may not use {}", missing.join(", "));
                    return Err(OpenError::Refused { place, detail });
                }
                Err(error) => error,
            };
            let detail = error.to_string();
            match &error {
                ScriptError::Format(found) => {
                    let found = found.chars().take(32).collect();
                    return Err(OpenError::OtherSharedFormat { place, found, known: scripts::FORMAT });
                }
                ScriptError::Redis(error) if is_refusal(error) => return Err(OpenError::Refused { place, detail }),
                ScriptError::Redis(error) if is_wrong_type(error) => return Err(OpenError::Occupied { place, detail }),
                ScriptError::Redis(error) => {
                    let left = within.saturating_sub(begun.elapsed()).max(ATTEMPT_MIN / 2);
                    if let Some(cause) = self.shared.link.cause(error, left).await {
                        return Err(OpenError::Misdirected { place, cause });
                    }
                }
                _ => {}
            }
            if begun.elapsed() >= within {
                return Err(OpenError::Unreachable { place, waited: DurationText(within), detail });
            }
            if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOGGED_AGAIN_AFTER) {
                logged_at = Some(Instant::now());
                tracing::warn!(%place, error = detail, "waiting for Redis");
            }
            tokio::time::sleep(TRIED_AGAIN_AFTER.min(within.saturating_sub(begun.elapsed()))).await;
        }
    }

    async fn warn_of_eviction(&self) {
        if let Some(policy) = self.shared.link.eviction().await {
            tracing::warn!(
                policy,
                "Redis removes keys when its memory is full, and with them accepted deliveries or triggers; \
                 set its maxmemory-policy to noeviction"
            );
        }
    }

    /// Logs the commands that this user may not run.
    async fn read_first(&mut self, connects_within: Duration) -> Result<Vec<String>, ScriptError> {
        let mut connection = self.shared.link.blocking_within(connects_within).await?;
        let missing = rights::missing(&mut connection).await?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        self.read_snapshot(&mut connection, SnapshotReason::Start).await?;
        self.catch_up(&mut connection).await?;
        Ok(missing)
    }

    /// Follows the log for as long as one connection lasts.
    async fn follow(&mut self) -> Result<std::convert::Infallible, ScriptError> {
        let mut connection = self.shared.link.blocking().await?;
        loop {
            self.catch_up(&mut connection).await?;
            self.wait_for_news(&mut connection).await?;
            // Only now: a user may have lost the right to one of the two.
            self.shared.set_connected(true);
            if self.outage.end() {
                tracing::info!("the store in Redis is available again, and this node follows it");
            }
        }
    }

    /// Waits until the log has a new entry. A response that never comes ends the connection.
    async fn wait_for_news(&self, connection: &mut RedisConnection) -> Result<(), ScriptError> {
        let Some(position) = &self.position else { return Ok(()) };
        let mut command = Cmd::new();
        // The end of an outage is noticed at once.
        let wait = if self.outage.is_open() { Duration::from_millis(1) } else { NEWS_WITHIN };
        command.arg("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(wait.as_millis() as u64);
        command.arg("STREAMS").arg(LOG).arg(format!("{}-0", position.version));
        let reply = tokio::time::timeout(NEWS_WITHIN + RESPONSE_WITHIN, command.query_async::<Value>(connection));
        reply.await.map_err(|_| ScriptError::Silence)??;
        Ok(())
    }

    /// Applies all changes.
    async fn catch_up(&mut self, connection: &mut RedisConnection) -> Result<(), ScriptError> {
        let mut turns = 0_u32;
        loop {
            let Some(position) = &self.position else {
                self.read_snapshot(connection, SnapshotReason::Start).await?;
                continue;
            };
            let read = scripts::run(connection, &scripts::CHANGES, &scripts::changes_after(position.version)).await?;
            let read = scripts::read_changes(read)?;
            match position.check(&read) {
                Err(reason) => {
                    // A log that can't be followed at all must not be read without pauses.
                    tokio::time::sleep(TRIED_AGAIN_AFTER * turns.min(25)).await;
                    turns += 1;
                    self.read_snapshot(connection, reason).await?;
                }
                Ok(()) => {
                    let version = read.version;
                    let last = self.apply(read).await;
                    if !self.outage.is_open() {
                        self.shared.set_connected(true);
                    }
                    if last >= version {
                        tokio::time::sleep(GATHERED_FOR).await;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Applies the changes that were read, and returns the version they reach.
    async fn apply(&mut self, read: Changes) -> u64 {
        let Some(last) = read.entries.last().map(|entry| (entry.version, entry.token.clone())) else {
            return read.version;
        };
        let newest = (last.0, read.version);
        let number = read.entries.len();
        let mut observed = Vec::with_capacity(number);
        let mut writers = Vec::new();
        for entry in read.entries {
            match self.shared.pending.take(&entry.token) {
                Some((change, writer)) => {
                    observed.push(Observation::Record(LoadedRecord::Ready(change)));
                    writers.push(writer);
                }
                None => observed.extend(observe(entry, newest)),
            }
        }
        let observed = self.shared.compile(observed).await;
        self.shared.feed.apply(observed);
        self.shared.metrics.store.changes.inc_by(number as u64);
        if let Some(position) = &mut self.position {
            (position.version, position.token) = (last.0, Some(last.1));
        }
        for writer in writers {
            // The writer may have stopped waiting.
            let _ = writer.send(());
        }
        last.0
    }

    /// Reads the whole store, and then replaces the live records in one step.
    async fn read_snapshot(
        &mut self,
        connection: &mut RedisConnection,
        reason: SnapshotReason,
    ) -> Result<(), ScriptError> {
        let begun = Instant::now();
        if reason != SnapshotReason::Start {
            tracing::warn!(reason = reason.word(), "the store's log is incomplete; reading the whole store");
        }
        let (position, records) = super::snapshot::take(&self.shared, connection).await?;
        tracing::info!(
            place = self.shared.link.place(),
            records,
            version = position.version,
            seconds = begun.elapsed().as_secs_f64(),
            "the store in Redis was read"
        );
        self.shared.metrics.store.snapshots.inc(reason);
        self.shared.pending.snapshot(position.version);
        self.position = Some(position);
        Ok(())
    }
}

/// The change of an entry of the log; `None` if a later entry supersedes it.
fn observe(entry: LogEntry, (last, version): (u64, u64)) -> Option<Observation<LoadedRecord>> {
    let Some(location) = entry.location else {
        tracing::warn!(version = entry.version, "an entry of the store's log names no record and is skipped");
        return None;
    };
    match entry.value {
        LogValue::Superseded => None,
        LogValue::Deleted => Some(Observation::Deleted(location)),
        LogValue::Saved(value) => match scripts::split(&value) {
            // A later entry has the value.
            (revision, _) if (last + 1..=version).contains(&revision) => None,
            (_, json) => Some(feed::read(location, json)),
        },
    }
}
