//! The store in Redis, shared by nodes and other programs; `docs/redis.md` describes it. A write is one script. Its
//! change comes back through the log, to this node as to all others, and only then does the writer get a response.
//! While Redis is unavailable, calls fail at once and the sink keeps what it has.

mod follower;
mod pending;
mod position;
mod reports;
mod rights;
mod scripts;
mod snapshot;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};

use self::follower::Follower;
use self::pending::PendingWrites;
use self::reports::{CallReports, CallSubject, StoreOperation};
use self::scripts::{META, PageScope, ROWS_MAX, ScriptError};
use self::state::SharedState;
use super::backend::{Backend, ListBounds, Location, Row, Write};
use super::compile_budget::CompileBudget;
use super::feed::ChangeFeed;
use super::{Kind, OpenError, Precondition, PutResult, Revision, StoreError, StoreState};
use crate::config::StoreSettings;
use crate::model::id::{AccountId, TemplateId, TriggerId};
use crate::model::quotas::Quota;
use crate::redis::{Cmd, Link, LuaScript, RedisError, RedisResult, Value, is_broken, is_not_executed, is_wrong_type};
use crate::telemetry::metrics::Metrics;

/// The most writes in flight; past it, callers wait for a permit. A write's deadline starts with its permit, and it
/// must not run out behind the writes before it, also where Redis syncs each one to a slow disk. Enough for ten
/// thousand writes a second.
const WRITES_MAX: usize = 64;
/// Names of accounts read at a time.
const ACCOUNTS_MAX: usize = 1_000;

/// Opens the store, waiting for Redis up to the configured time, and starts to follow it.
pub(super) async fn open(
    settings: &StoreSettings,
    feed: Arc<ChangeFeed>,
    metrics: Arc<Metrics>,
) -> Result<Arc<dyn Backend>, OpenError> {
    let link = Link::new(&settings.url, settings.ca_file.as_deref())?;
    let (pending, connected, quotas) = (PendingWrites::new(), AtomicBool::new(false), settings.quotas.clone());
    let budget = Arc::new(CompileBudget::of_changes());
    let shared = Arc::new(SharedState { link, feed, metrics, pending, connected, quotas, budget });
    shared.set_connected(false);
    let system = |error: std::io::Error| StoreError::Unavailable(error.to_string());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(system)?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let (opened, response) = oneshot::channel();
    let follower = Follower::new(Arc::clone(&shared));
    let within = settings.start_within;
    let run = move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = follower.run(opened, within) => {}
            }
        });
        // No wait for a template that is being compiled: it is not used any more.
        runtime.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("store-follower".to_owned()).spawn(run).map_err(system)?;
    let store = RedisStore {
        calls: Arc::new(RedisCalls { shared, writes: Semaphore::new(WRITES_MAX), reports: CallReports::default() }),
        runtime: handle,
        stop: Some(stop),
        thread: Some(thread),
    };
    response.await.map_err(|_| stopped_early())??;
    Ok(Arc::new(store))
}

/// The store, and the thread of all its connections.
struct RedisStore {
    calls: Arc<RedisCalls>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for RedisStore {
    /// Waits for the thread, so that no part of the store outlives this call.
    fn drop(&mut self) {
        self.stop = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A sink that held the last handle drops it on this thread.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's follower had stopped after a panic");
        }
    }
}

impl RedisStore {
    /// Runs a call on the store's thread: a connection lives as long as the thread that opened it, and threads that
    /// serve requests come and go. A caller that stops waiting does not stop the call.
    fn call<T, F>(
        &self,
        subject: CallSubject,
        work: impl FnOnce(Arc<RedisCalls>) -> F,
    ) -> BoxFuture<'static, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let calls = Arc::clone(&self.calls);
        let work = work(Arc::clone(&calls));
        let done = self.runtime.spawn(async move {
            let done = work.await;
            calls.reports.note(subject, done.as_ref().map(drop));
            done
        });
        async move { done.await.map_err(|_| stopped_early())? }.boxed()
    }
}

impl Backend for RedisStore {
    fn get(&self, location: Location) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        self.call(subject(StoreOperation::Get, &location), |calls| async move { calls.get(location).await })
    }

    fn list(
        &self,
        after: Location,
        using: Option<TemplateId>,
        most: ListBounds,
    ) -> BoxFuture<'_, Result<(Vec<Row>, bool), StoreError>> {
        let subject = subject(StoreOperation::List, &after);
        self.call(subject, move |calls| async move { calls.list(after, using, most).await })
    }

    fn write(&self, write: Write) -> BoxFuture<'_, Result<PutResult, StoreError>> {
        self.call(subject(StoreOperation::Write, &write.location), |calls| async move { calls.write(write).await })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<AccountId>, StoreError>> {
        let subject = CallSubject { operation: StoreOperation::List, kind: None, account: None };
        self.call(subject, |calls| async move { calls.accounts().await })
    }

    fn state(&self) -> StoreState {
        let connected = self.calls.shared.connected.load(Ordering::Relaxed);
        if connected { StoreState::Ready } else { StoreState::Unreachable }
    }
}

/// The calls to Redis, all over one connection.
struct RedisCalls {
    shared: Arc<SharedState>,
    writes: Semaphore,
    reports: CallReports,
}

impl RedisCalls {
    async fn get(&self, location: Location) -> Result<Option<Row>, StoreError> {
        let account = location.account.as_ref().map_or("", AccountId::as_str);
        let list = match location.kind {
            Kind::Template => format!("{{posthaste}}:templates:{account}"),
            Kind::Trigger => format!("{{posthaste}}:triggers:{account}"),
            Kind::Key => "{posthaste}:keys".to_owned(),
        };
        let mut command = Cmd::new();
        command.arg("HGET").arg(list).arg(&location.id);
        let value: Option<Vec<u8>> = read(Some(location.kind), || self.shared.link.query(&command)).await?;
        Ok(value.map(|value| row(location.id, &value)))
    }

    async fn list(
        &self,
        after: Location,
        using: Option<TemplateId>,
        most: ListBounds,
    ) -> Result<(Vec<Row>, bool), StoreError> {
        let account = after.account.as_ref().map_or("", AccountId::as_str);
        let scope = using.as_ref().map_or(PageScope::Account, PageScope::Using);
        let (mut rows, mut bytes, mut from) = (Vec::new(), 0, Some(after.id));
        while let Some(id) = from.take_if(|_| rows.len() < most.records && bytes < most.bytes) {
            let records = (most.records - rows.len()).min(ROWS_MAX);
            let words = scripts::page_after(after.kind, account, &id, (records, most.bytes - bytes), scope);
            let page =
                scripts::read_page(after.kind, read(Some(after.kind), || self.run(&scripts::PAGE, &words)).await?);
            let page = page.map_err(unavailable)?;
            bytes += page.rows.iter().map(|(_, value)| value.len()).sum::<usize>();
            rows.extend(page.rows.into_iter().map(|(location, value)| row(location.id, &value)));
            from = page.next.map(|(_, id)| id);
        }
        Ok((rows, from.is_some()))
    }

    async fn write(&self, write: Write) -> Result<PutResult, StoreError> {
        let _permit = self.writes.acquire().await.map_err(unavailable)?;
        let Write { location, content, precondition, change } = write;
        let expected = self.shared.pending.expect(change);
        let operation = if content.is_some() { "put" } else { "delete" };
        let kind = location.kind;
        let words = [
            operation.into(),
            kind.as_str().into(),
            location.account.as_ref().map_or("", AccountId::as_str).into(),
            location.id.into_bytes(),
            content.map(|content| content.json).unwrap_or_default(),
            condition(&precondition).into_bytes(),
            expected.token.clone().into_bytes(),
        ];
        let response = self.run(&scripts::WRITE, &words).await.map_err(|error| not_written(kind, error))?;
        let written = put_result(response)?;
        expected.live(written.revision.0).await;
        Ok(written)
    }

    async fn accounts(&self) -> Result<Vec<AccountId>, StoreError> {
        let (mut accounts, mut from) = (Vec::new(), "-".to_owned());
        loop {
            let mut command = Cmd::new();
            command.arg("ZRANGEBYLEX").arg("{posthaste}:accounts").arg(&from).arg("+");
            command.arg("LIMIT").arg(0).arg(ACCOUNTS_MAX);
            let names: Vec<Vec<u8>> = read(None, || self.shared.link.query(&command)).await?;
            let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
            accounts.extend(names.iter().filter_map(|name| AccountId::new(name).ok()));
            match names.last().filter(|_| names.len() == ACCOUNTS_MAX) {
                Some(last) => from = format!("({last}"),
                None => return Ok(accounts),
            }
        }
    }

    async fn run(&self, code: &LuaScript, words: &[Vec<u8>]) -> RedisResult<Value> {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.shared.link.code(code, META, &words).await
    }
}

/// Reads, and repeats the read if the connection breaks, which is safe for reads only.
async fn read<T, F>(kind: Option<Kind>, ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = RedisResult<T>>,
{
    let response = match ask().await {
        Err(error) if is_broken(&error) => ask().await,
        response => response,
    };
    response.map_err(|error| if is_wrong_type(&error) { replaced(kind, &error) } else { unavailable(error) })
}

/// What a call is about.
fn subject(operation: StoreOperation, location: &Location) -> CallSubject {
    CallSubject { operation, kind: Some(location.kind), account: location.account.clone() }
}

/// Why a write failed. Without a response it may have been executed.
fn not_written(kind: Kind, error: RedisError) -> StoreError {
    match error {
        error if is_wrong_type(&error) => replaced(Some(kind), &error),
        error if is_not_executed(&error) => StoreError::Refused(error.to_string()),
        error => unavailable(error),
    }
}

fn replaced(kind: Option<Kind>, error: &RedisError) -> StoreError {
    let what = match kind {
        Some(Kind::Template) => "the account's templates",
        Some(Kind::Trigger) => "the account's triggers",
        Some(Kind::Key) => "the keys",
        None => "the list of accounts",
    };
    StoreError::Replaced { what, words: error.to_string() }
}

/// The precondition, as write.lua reads it.
fn condition(precondition: &Precondition) -> String {
    match precondition {
        Precondition::None => "any".to_owned(),
        Precondition::Exists => "exists".to_owned(),
        Precondition::Absent => "absent".to_owned(),
        Precondition::Is(revisions) => {
            revisions.iter().fold("is".to_owned(), |text, revision| format!("{text} {}", revision.0))
        }
    }
}

/// Reads the response of write.lua.
fn put_result(response: Value) -> Result<PutResult, StoreError> {
    let mut words = scripts::list(response).map_err(unavailable)?.into_iter().map(scripts::text);
    let verdict = words.next().flatten().unwrap_or_default();
    let mut word = || words.next().flatten();
    let version = |word: Option<String>| word.and_then(|word| word.parse().ok()).map(Revision);
    Err(match verdict.as_str() {
        "written" => {
            let revision = version(word()).ok_or_else(|| unavailable(ScriptError::Response))?;
            return Ok(PutResult { revision, created: word().as_deref() == Some("created") });
        }
        "not_found" => StoreError::NotFound,
        "precondition_failed" => StoreError::PreconditionFailed { current: version(word()) },
        "template_missing" => match word().and_then(|name| TemplateId::new(&name).ok()) {
            Some(template) => StoreError::TemplateMissing(template),
            None => unavailable(ScriptError::Response),
        },
        "over_quota" => {
            let quota = word().and_then(|word| Quota::named(&word));
            let most = word().and_then(|word| word.parse().ok());
            match quota.zip(most) {
                Some((quota, most)) => StoreError::OverQuota { quota, most },
                None => unavailable(ScriptError::Response),
            }
        }
        "template_in_use" => {
            let triggers = std::iter::from_fn(word).filter_map(|name| TriggerId::new(&name).ok());
            StoreError::TemplateInUse { triggers: triggers.collect() }
        }
        "other_format" => unavailable(ScriptError::Format(word().unwrap_or_default())),
        _ => unavailable(ScriptError::Response),
    })
}

fn row(id: String, value: &[u8]) -> Row {
    let (revision, json) = scripts::split(value);
    Row { id, revision: Revision(revision), json: json.to_vec() }
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

fn stopped_early() -> StoreError {
    StoreError::Unavailable("the thread of the store in Redis has stopped".to_owned())
}
