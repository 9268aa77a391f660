//! The connection to Redis: what a `store.url` names, and connections that are replaced when they break. The only
//! part that names the client library; the store and the streams use the commands re-exported here. It knows none of
//! their keys, values or scripts.

mod address;
mod authorities;
mod cause;
mod code;
mod connection;
mod eviction;
mod outage;
pub(crate) mod rights;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

pub(crate) use ::redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ServerErrorKind, Value,
};

pub use address::AddressError;
use address::RedisAddress;
pub use cause::PermanentError;
pub(crate) use code::LuaScript;
pub(crate) use connection::RedisConnection;
pub(crate) use outage::Outage;

/// The deadline of opening a connection, and of a command that does not block. Redis responds within a millisecond;
/// one that takes a thousand times as long is unavailable, and callers must learn so.
pub(crate) const RESPONSE_WITHIN: Duration = Duration::from_secs(2);
/// After a failed connection attempt, the next one starts this much later; callers before it get an error at once.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long a command is repeated that the server says it has not executed: while a cluster changes masters, or a
/// server loads its data.
const REFUSED_FOR: Duration = Duration::from_secs(2);
const RESEND_AFTER: Duration = Duration::from_millis(25);
/// If a connection breaks later than this after a command was sent, the command may be the cause.
const BROKEN_WITHIN: Duration = Duration::from_millis(500);

/// The mistakes in the settings that can be found without connecting.
pub(crate) fn mistakes(url: &str, ca_file: Option<&Path>) -> impl Iterator<Item = AddressError> {
    let address = RedisAddress::new(url, None).err();
    address.into_iter().chain(ca_file.and_then(|file| authorities::read(file).err()))
}

/// The address of Redis, and one connection that all clones share. A command that blocks uses a connection of its
/// own.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    address: Arc<RedisAddress>,
    shared: Arc<Mutex<LinkState>>,
}

#[derive(Debug, Default)]
struct LinkState {
    connection: Option<RedisConnection>,
    /// Counts the connections, so that many callers that saw one break replace it once.
    generation: u64,
    failed: Option<Instant>,
}

impl Link {
    /// Reads `redis://`, `rediss://` or `redis+cluster://`; `ca_file` is a file of certificate
    /// authorities to trust instead of the public ones. Connects to nothing yet.
    pub(crate) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, AddressError> {
        Ok(Self { address: Arc::new(RedisAddress::new(url, ca_file)?), shared: Arc::default() })
    }

    /// The same address with a separate connection, for another thread or purpose.
    pub(crate) fn apart(&self) -> Self {
        Self { address: Arc::clone(&self.address), shared: Arc::default() }
    }

    /// Whether it is a Redis Cluster, where a pipeline's keys must have one slot.
    pub(crate) fn is_cluster(&self) -> bool {
        self.address.is_cluster()
    }

    /// The address, without user and password.
    pub(crate) fn place(&self) -> &str {
        self.address.place()
    }

    /// A connection for commands that block; the caller bounds its waits.
    pub(crate) async fn blocking(&self) -> RedisResult<RedisConnection> {
        self.blocking_within(RESPONSE_WITHIN).await
    }

    /// The same, opened within a shorter time.
    pub(crate) async fn blocking_within(&self, time: Duration) -> RedisResult<RedisConnection> {
        within(time, self.address.connect(None)).await
    }

    /// Runs one command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        self.run(REFUSED_FOR, |mut connection| async move { command.query_async(&mut connection).await }).await
    }

    /// Runs several commands. On a cluster their keys have one slot.
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        self.run(REFUSED_FOR, |mut connection| async move { pipeline.query_async(&mut connection).await }).await
    }

    /// Runs several commands that may run twice without harm: see [`Link::code_twice`].
    pub(crate) async fn pipeline_twice<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        self.run_twice(|mut connection| async move { pipeline.query_async(&mut connection).await }).await
    }

    /// Runs a script.
    pub(crate) async fn code(&self, code: &LuaScript, key: &str, words: &[&[u8]]) -> RedisResult<Value> {
        self.run(REFUSED_FOR, |mut connection| async move { code.run(&mut connection, key, words).await }).await
    }

    /// Runs a script that may run twice without harm: again, over a new connection, if the first one turns out to be
    /// closed, for example since it was idle for long. Only the second error says something about the server.
    pub(crate) async fn code_twice(&self, code: &LuaScript, key: &str, words: &[&[u8]]) -> RedisResult<Value> {
        self.run_twice(|mut connection| async move { code.run(&mut connection, key, words).await }).await
    }

    async fn run_twice<T, F>(&self, work: impl Fn(RedisConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let begun = Instant::now();
        match self.run(REFUSED_FOR, &work).await {
            Err(error) if is_broken(&error) && begun.elapsed() < BROKEN_WITHIN => self.run(Duration::ZERO, &work).await,
            done => done,
        }
    }

    /// Runs `work` over the shared connection. A command that the server says it has not executed is repeated for
    /// `refused_for`. After any other error, and above all without a response, it is not repeated: it may have been
    /// executed.
    async fn run<T, F>(&self, refused_for: Duration, work: impl Fn(RedisConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let begun = Instant::now();
        loop {
            let (connection, generation) = self.connection().await?;
            let done = within(RESPONSE_WITHIN, work(connection)).await;
            match done {
                Err(error) if is_broken(&error) => {
                    self.forget(generation).await;
                    return Err(error);
                }
                Err(error) if is_refused_for_now(&error) && begun.elapsed() < refused_for => {
                    // A master that became a replica refuses all writes on this connection.
                    if !self.is_cluster() {
                        self.forget(generation).await;
                    }
                    tokio::time::sleep(RESEND_AFTER).await;
                }
                done => return done,
            }
        }
    }

    async fn connection(&self) -> RedisResult<(RedisConnection, u64)> {
        let mut state = self.shared.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if state.failed.is_some_and(|failed| failed.elapsed() < RETRY_AFTER) {
            return Err(unavailable("the last connection attempt failed"));
        }
        match within(RESPONSE_WITHIN, self.address.connect(Some(RESPONSE_WITHIN))).await {
            Ok(connection) => {
                state.generation += 1;
                state.failed = None;
                state.connection = Some(connection.clone());
                Ok((connection, state.generation))
            }
            Err(error) => {
                state.failed = Some(Instant::now());
                Err(error)
            }
        }
    }

    /// Uses a new connection from now on: for a caller that saw the server become unavailable over another one.
    pub(crate) async fn renew(&self) {
        self.shared.lock().await.connection = None;
    }

    async fn forget(&self, generation: u64) {
        let mut state = self.shared.lock().await;
        if state.generation == generation {
            state.connection = None;
        }
    }
}

/// Whether the connection can't be used any more. A command on it may have been executed.
pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}

/// Whether the server says that it has not executed the command and that another server, or the same one later, can. Before
/// Redis 7, the error of a script only names the one of the command.
fn is_refused_for_now(error: &RedisError) -> bool {
    let is_kind = matches!(
        error.kind(),
        ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::BusyLoading
            )
    );
    is_kind || error.to_string().contains("READONLY You can't write against a read only")
}

/// Whether the server can't be reached, or says that it can't serve now.
pub(crate) fn is_unavailable(error: &RedisError) -> bool {
    is_broken(error) || is_refused_for_now(error)
}

/// Whether the server refuses this user, or this command to it.
pub(crate) fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"))
}

/// Whether the server says that it has executed nothing of the command.
pub(crate) fn is_not_executed(error: &RedisError) -> bool {
    is_refused_for_now(error)
        || is_refusal(error)
        || matches!(error.code(), Some("OOM" | "NOREPLICAS" | "MISCONF" | "BUSY"))
}

/// Whether a key has another type than the command expects. Before Redis 7, the error of a script only names it.
pub(crate) fn is_wrong_type(error: &RedisError) -> bool {
    has_code(error, "WRONGTYPE") || error.to_string().contains("WRONGTYPE Operation against a key")
}

/// Whether the error has this code.
pub(crate) fn has_code(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code)
}

/// The result of `work`, or after `time` the error of a broken connection.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let done = tokio::time::timeout(time, work).await;
    done.unwrap_or_else(|_| Err(unavailable("it did not respond in time")))
}

/// Repeats what a start needs while it fails since Redis is unavailable, for at most `time`.
pub(crate) async fn repeat_for<T, E: Display>(
    time: Duration,
    is_unavailable: impl Fn(&E) -> bool,
    work: impl AsyncFn() -> Result<T, E>,
) -> Result<T, E> {
    let (begun, mut outage) = (Instant::now(), Outage::default());
    loop {
        let error = match work().await {
            Err(error) if is_unavailable(&error) && begun.elapsed() < time => error,
            done => return done,
        };
        if outage.note(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, "waiting for Redis");
        }
        tokio::time::sleep(RETRY_AFTER.min(time.saturating_sub(begun.elapsed()))).await;
    }
}

fn unavailable(detail: &str) -> RedisError {
    RedisError::from(std::io::Error::new(std::io::ErrorKind::TimedOut, detail.to_owned()))
}
