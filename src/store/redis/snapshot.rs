//! Reads the whole store in Redis page by page, templates before the triggers that name them. The pages are from
//! different instants; following the log from the version that was read first corrects that.

use std::time::{Duration, Instant};

use super::position::LogPosition;
use super::scripts::{self, BYTES_MAX, ROWS_MAX, ScriptError};
use super::state::SharedState;
use crate::redis::RedisConnection;
use crate::store::Kind;

/// How often a long read logs its progress.
const LOGGED_EVERY: Duration = Duration::from_secs(5);

/// Reads everything into the sink. Returns the position from which to follow the log, and the number of records.
pub(super) async fn take(
    shared: &SharedState,
    connection: &mut RedisConnection,
) -> Result<(LogPosition, usize), ScriptError> {
    let position = begin(shared, connection).await?;
    let expected = expected(connection).await?;
    let mut snapshot = shared.feed.snapshot(expected);
    let (mut records, mut logged_at) = (0, Instant::now());
    for kind in [Kind::Template, Kind::Trigger, Kind::Key] {
        let mut from = Some((String::new(), String::new()));
        while let Some((account, id)) = from {
            let words = scripts::page_after(kind, &account, &id, (ROWS_MAX, BYTES_MAX), true);
            let page = scripts::read_page(kind, scripts::run(connection, &scripts::PAGE, &words).await?)?;
            from = page.next;
            records += page.rows.len();
            let rows = page.rows.into_iter().map(|(location, value)| (location, scripts::split(&value).1.to_vec()));
            snapshot.add(shared.read_all(rows.collect()).await);
            if logged_at.elapsed() >= LOGGED_EVERY {
                logged_at = Instant::now();
                tracing::info!(records, expected, "reading the store in Redis");
            }
        }
    }
    snapshot.finish();
    Ok((position, records))
}

/// The position in the store's history before the first read. Creates a new store if there is none.
async fn begin(shared: &SharedState, connection: &mut RedisConnection) -> Result<LogPosition, ScriptError> {
    let quotas = [shared.quotas.triggers, shared.quotas.templates, shared.quotas.bytes];
    let mut words = vec![b"open".to_vec()];
    words.extend(quotas.map(|number| number.to_string().into_bytes()));
    let opened = scripts::run(connection, &scripts::WRITE, &words).await?;
    let mut words = scripts::list(opened)?.into_iter().map(scripts::text);
    let mut word = || words.next().flatten().ok_or(ScriptError::Response);
    match (word()?.as_str(), word()?) {
        ("open", _) => {}
        (_, format) => return Err(ScriptError::Format(format)),
    }
    let (epoch, version) = (word()?, word()?.parse().map_err(|_| ScriptError::Response)?);
    let changes = scripts::run(connection, &scripts::CHANGES, &scripts::changes_after(version)).await?;
    Ok(LogPosition { epoch, version, token: scripts::read_changes(changes)?.token })
}

/// The approximate number of records, used only to show progress.
async fn expected(connection: &mut RedisConnection) -> Result<usize, ScriptError> {
    let mut command = crate::redis::Cmd::new();
    command.arg("HMGET").arg(scripts::META).arg("templates").arg("triggers").arg("keys");
    let counts: Vec<Option<usize>> = command.query_async(connection).await?;
    Ok(counts.into_iter().flatten().sum())
}
