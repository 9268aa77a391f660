//! Reads all that the store in Redis holds, a page at a time, templates before what names them. Its
//! records are of different instants; the log, followed from the version that was read first, makes up
//! for that.

use std::time::{Duration, Instant};

use super::follower::{Point, Shared, ask};
use super::scripts::{self, ROWS_MAX, Trouble};
use crate::redis::Connection;
use crate::store::{Kind, change};

/// How often a long reading says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// Reads everything into the sink, and says from where the log is to be followed and how many records
/// there were.
pub(super) async fn take(shared: &Shared, connection: &mut Connection) -> Result<(Point, usize), Trouble> {
    let point = begin(connection).await?;
    let expected = expected(connection).await?;
    let mut snapshot = shared.feed.snapshot(expected);
    let (mut records, mut said) = (0, Instant::now());
    for kind in [Kind::Template, Kind::Trigger, Kind::Key] {
        let mut from = Some((String::new(), String::new()));
        while let Some((account, id)) = from {
            let words = scripts::page_after(kind, &account, &id, ROWS_MAX, true);
            let page = scripts::read_page(kind, ask(connection, &scripts::PAGE, &words).await?)?;
            from = page.next;
            records += page.rows.len();
            let told = page.rows.into_iter().map(|(place, value)| change::read(place, scripts::split(&value).1));
            snapshot.add(told.collect());
            if said.elapsed() >= SAID_EVERY {
                said = Instant::now();
                tracing::info!(records, expected, "reading the store in Redis");
            }
        }
    }
    snapshot.finish();
    Ok((point, records))
}

/// Where the store's history is before anything is read. Where there is no store, this begins one.
async fn begin(connection: &mut Connection) -> Result<Point, Trouble> {
    let opened = ask(connection, &scripts::WRITE, &[b"open".to_vec()]).await?;
    let mut words = scripts::list(opened)?.into_iter().map(scripts::text);
    let mut word = || words.next().flatten().ok_or(Trouble::Answer);
    match (word()?.as_str(), word()?) {
        ("open", _) => {}
        (_, format) => return Err(Trouble::Format(format)),
    }
    let (epoch, version) = (word()?, word()?.parse().map_err(|_| Trouble::Answer)?);
    let changes = ask(connection, &scripts::CHANGES, &scripts::changes_after(version)).await?;
    Ok(Point { epoch, version, token: scripts::read_changes(changes)?.token })
}

/// About how many records there are; for what shows how far the reading is, and no more.
async fn expected(connection: &mut Connection) -> Result<usize, Trouble> {
    let mut command = crate::redis::Cmd::new();
    command.arg("HMGET").arg(scripts::META).arg("templates").arg("triggers").arg("keys");
    let counts: Vec<Option<usize>> = command.query_async(connection).await?;
    Ok(counts.into_iter().flatten().sum())
}
