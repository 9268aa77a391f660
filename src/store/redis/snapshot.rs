//! Reads the whole store in Redis page by page, templates before the triggers that name them. The pages are from
//! different instants; following the log from the version that was read first corrects that.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::position::LogPosition;
use super::scripts::{self, BYTES_MAX, PageScope, ROWS_MAX, ScriptError};
use super::state::SharedState;
use crate::redis::RedisConnection;
use crate::store::Kind;
use crate::store::change::Change;
use crate::store::decoders::{Decoders, StoredRow};
use crate::store::feed::{FeedSnapshot, Observation};

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
    let mut decoders = Decoders::start(&shared.feed).map_err(ScriptError::Threads)?;
    let mut ahead = Vec::new();
    let (mut records, mut logged_at) = (0, Instant::now());
    for kind in [Kind::Template, Kind::Trigger, Kind::Key] {
        let mut from = Some((String::new(), String::new()));
        while let Some((account, id)) = from {
            let words = scripts::page_after(kind, &account, &id, (ROWS_MAX, BYTES_MAX), PageScope::All);
            let page = scripts::read_page(kind, scripts::run(connection, &scripts::PAGE, &words).await?)?;
            from = page.next;
            records += page.rows.len();
            let rows = page.rows.into_iter().map(|(location, value)| (location, scripts::split(&value).1.to_vec()));
            let given = give_out(&mut decoders, rows.collect());
            // While a page is decoded, the one before it is added, and the next one is read.
            add(&mut snapshot, std::mem::replace(&mut ahead, given)).await;
            if logged_at.elapsed() >= LOGGED_EVERY {
                logged_at = Instant::now();
                tracing::info!(records, expected, "reading the store in Redis");
            }
        }
    }
    add(&mut snapshot, ahead).await;
    snapshot.finish();
    Ok((position, records))
}

/// Batches that are being decoded, in their order.
type Decoding = Vec<oneshot::Receiver<Vec<Observation<Change>>>>;

/// Divides the rows of a page between the decoders.
fn give_out(decoders: &mut Decoders, rows: Vec<StoredRow>) -> Decoding {
    let (batch, mut rows) = (decoders.batch_of(rows.len()), rows.into_iter().peekable());
    let mut given = Vec::new();
    while rows.peek().is_some() {
        let (done, decoded) = oneshot::channel();
        // Nobody waits for it only if the read failed.
        decoders.decode(rows.by_ref().take(batch).collect(), move |records| drop(done.send(records)));
        given.push(decoded);
    }
    given
}

async fn add(snapshot: &mut FeedSnapshot<'_>, decoding: Decoding) {
    for decoded in decoding {
        snapshot.add(decoded.await.expect("no decoder ended in a panic"));
    }
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
