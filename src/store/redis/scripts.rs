//! The three scripts that read and write the store's keys, and their responses. Nothing else in this folder names a
//! key, except the log and a record's hash.

use std::sync::LazyLock;
use std::time::Duration;

use crate::model::id::{AccountId, TemplateId};
use crate::redis::{LuaScript, RedisConnection, RedisError, Value};
use crate::store::Kind;
use crate::store::backend::Location;

/// The key that scripts receive; all others derive from it.
pub(super) const META: &str = "{posthaste}:meta";
/// Changes are announced here.
pub(super) const LOG: &str = "{posthaste}:log";
/// The format of keys and values that this version reads.
pub(super) const FORMAT: &str = "1";
/// The most changes or records in one response.
pub(super) const ROWS_MAX: usize = 1_000;
/// A response ends with the value that exceeds this, so this and one value are held in memory.
pub(super) const BYTES_MAX: usize = 4 << 20;
/// The deadline of a script that reads up to these bounds.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Writes; see write.lua.
pub(super) static WRITE: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::new(include_str!("write.lua")));
/// Reads changes; see changes.lua.
pub(super) static CHANGES: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::new(include_str!("changes.lua")));
/// Reads records in order; see page.lua.
pub(super) static PAGE: LazyLock<LuaScript> = LazyLock::new(|| LuaScript::new(include_str!("page.lua")));

/// Why something in Redis was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    /// Redis is unavailable, or refuses the call.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The store has another version.
    #[error("the store has the format {0}, and this version reads {FORMAT}")]
    Format(String),
    /// A script's response is malformed.
    #[error("the response of a script is malformed")]
    Response,
    /// The call took too long.
    #[error("it did not respond in time")]
    Silence,
    /// The system refused the threads that decode.
    #[error("no thread could be started: {0}")]
    Threads(std::io::Error),
}

/// One entry of the log.
#[derive(Debug)]
pub(super) struct LogEntry {
    pub(super) version: u64,
    /// `None` if another program wrote an invalid place.
    pub(super) location: Option<Location>,
    pub(super) token: String,
    pub(super) value: LogValue,
}

/// A value as it was when the log was read.
#[derive(Debug)]
pub(super) enum LogValue {
    /// A later entry of the same response has the value.
    Superseded,
    /// The record was deleted.
    Deleted,
    /// The record as stored.
    Saved(Vec<u8>),
}

/// The changes after a version, from one instant.
#[derive(Debug)]
pub(super) struct Changes {
    /// The store's mark; `None` if there is no store.
    pub(super) epoch: Option<String>,
    /// The store's version in that instant.
    pub(super) version: u64,
    /// The token of the requested version, if the log still has it.
    pub(super) token: Option<String>,
    pub(super) entries: Vec<LogEntry>,
}

/// Runs a script over the follower's own connection.
pub(super) async fn run(
    connection: &mut RedisConnection,
    code: &LuaScript,
    words: &[Vec<u8>],
) -> Result<Value, ScriptError> {
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let response = tokio::time::timeout(READ_WITHIN, code.run(connection, META, &words)).await;
    Ok(response.map_err(|_| ScriptError::Silence)??)
}

/// The arguments of changes.lua.
pub(super) fn changes_after(version: u64) -> [Vec<u8>; 3] {
    [version.to_string().into(), ROWS_MAX.to_string().into(), BYTES_MAX.to_string().into()]
}

/// Reads the response of changes.lua.
pub(super) fn read_changes(response: Value) -> Result<Changes, ScriptError> {
    let [format, epoch, version, token, entries] = items(response)?;
    match text(format) {
        Some(format) if format != FORMAT => return Err(ScriptError::Format(format)),
        _ => {}
    }
    let entries = list(entries)?.into_iter().map(read_entry);
    Ok(Changes {
        epoch: text(epoch),
        version: number(version).unwrap_or_default(),
        token: text(token),
        entries: entries.collect::<Result<_, _>>()?,
    })
}

fn read_entry(entry: Value) -> Result<LogEntry, ScriptError> {
    let [id, kind, account, name, token, value] = items(entry)?;
    let id = text(id).ok_or(ScriptError::Response)?;
    let version = id.split('-').next().and_then(|version| version.parse().ok());
    let kind = text(kind).and_then(|kind| kind_of(&kind));
    let location = kind.and_then(|kind| location(kind, &text(account)?, text(name)?));
    Ok(LogEntry {
        version: version.ok_or(ScriptError::Response)?,
        location,
        token: text(token).unwrap_or_default(),
        value: match value {
            Value::Int(_) => LogValue::Superseded,
            value => bytes(value).map_or(LogValue::Deleted, LogValue::Saved),
        },
    })
}

fn kind_of(word: &str) -> Option<Kind> {
    [Kind::Template, Kind::Trigger, Kind::Key].into_iter().find(|kind| kind.as_str() == word)
}

fn location(kind: Kind, account: &str, id: String) -> Option<Location> {
    let account = AccountId::new(account).ok();
    (account.is_none() == (kind == Kind::Key)).then_some(Location { kind, account, id })
}

/// A page of records of one kind, and where the next page begins.
#[derive(Debug)]
pub(super) struct RecordPage {
    pub(super) rows: Vec<(Location, Vec<u8>)>,
    /// Account and id; `None` on the last page.
    pub(super) next: Option<(String, String)>,
}

/// Which records the pages of page.lua hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum PageScope<'a> {
    /// Those of one account.
    Account,
    /// The triggers of one account that use a template.
    Using(&'a TemplateId),
    /// Those of later accounts too.
    All,
}

/// The arguments of page.lua: records after an id.
pub(super) fn page_after(
    kind: Kind,
    account: &str,
    id: &str,
    most: (usize, usize),
    scope: PageScope<'_>,
) -> [Vec<u8>; 7] {
    let (scope, template) = match scope {
        PageScope::Account => ("one", ""),
        PageScope::Using(template) => ("one", template.as_str()),
        PageScope::All => ("all", ""),
    };
    [
        kind.as_str().into(),
        account.into(),
        id.into(),
        most.0.to_string().into(),
        most.1.to_string().into(),
        scope.into(),
        template.into(),
    ]
}

/// Reads the response of page.lua.
pub(super) fn read_page(kind: Kind, response: Value) -> Result<RecordPage, ScriptError> {
    // On the last page, Redis omits the rest of the list.
    let mut items = list(response)?.into_iter();
    let rows = list(items.next().ok_or(ScriptError::Response)?)?;
    let next = items.next().and_then(text).zip(items.next().and_then(text));
    let rows = rows.into_iter().map(|row| {
        let [account, id, value] = self::items(row)?;
        let location = text(account).zip(text(id)).and_then(|(account, id)| location(kind, &account, id));
        // A list that another program wrote can contain invalid names.
        Ok(location.zip(bytes(value)))
    });
    let rows = rows.collect::<Result<Vec<_>, ScriptError>>()?;
    Ok(RecordPage { rows: rows.into_iter().flatten().collect(), next })
}

/// A stored value: revision, a blank, JSON. A value without a revision has the revision 0 and is not JSON.
pub(super) fn split(value: &[u8]) -> (u64, &[u8]) {
    let blank = value.iter().position(|byte| *byte == b' ').unwrap_or_default();
    let revision = std::str::from_utf8(&value[..blank]).ok().and_then(|digits| digits.parse().ok());
    revision.map_or((0, &[]), |revision| (revision, &value[blank + 1..]))
}

/// A list of exactly this many items.
pub(super) fn items<const N: usize>(response: Value) -> Result<[Value; N], ScriptError> {
    list(response)?.try_into().map_err(|_| ScriptError::Response)
}

pub(super) fn list(response: Value) -> Result<Vec<Value>, ScriptError> {
    match response {
        Value::Array(items) => Ok(items),
        _ => Err(ScriptError::Response),
    }
}

pub(super) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

pub(super) fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

pub(super) fn number(value: Value) -> Option<u64> {
    text(value)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_values_and_what_is_none() {
        for (value, expected) in [
            (&b"7 {}"[..], (7, &b"{}"[..])),
            (b"12 {\"a\": 1}", (12, b"{\"a\": 1}")),
            (b"7", (0, b"")),
            (b"{\"a\": 1}", (0, b"")),
            (b" {}", (0, b"")),
            (b"-1 {}", (0, b"")),
            (b"99999999999999999999 {}", (0, b"")),
            (b"", (0, b"")),
        ] {
            assert_eq!(split(value), expected, "{}", String::from_utf8_lossy(value));
        }
    }
}
