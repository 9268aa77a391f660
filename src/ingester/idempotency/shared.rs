//! Ids in Redis, shared by all nodes: one key for each, which expires.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};

use super::{CLAIMED_FOR, ClaimResult, EventKey, KEYS_AT_ONCE, WindowStore, WindowUnavailable};
use crate::config::StoreSettings;
use crate::model::id::new_id;
use crate::redis::{
    AddressError, Cmd, Link, LuaScript, Outage, Pipeline, RedisError, RedisResult, Value, is_unavailable, repeat_for,
    rights,
};

/// How the keys of ids begin.
const PREFIX: &str = "posthaste:seen:";
/// The value of an id whose event was accepted. No claimant has this name.
const SEEN: &str = "seen";
/// Releases an id if this claimant still holds it.
const FREE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";
/// Renews the claim on an id if this claimant still has it.
const RENEW: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 0";

/// The commands that the window requires of a Redis user; docs/redis.md lists them too. In this order they leave no key
/// behind.
const NEEDED: [&str; 6] = [
    "DEL @",
    "EVALSHA 0000000000000000000000000000000000000000 1 @",
    "EVAL return 1 @",
    "SET @ 1 PX 1000",
    "GET @",
    "DEL @",
];

/// The most requests, and the most ids, whose claims are known to be left behind. Those past it end by themselves.
const LEFT_MAX: usize = 10_000;

/// Why ids can't be kept in Redis.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// The URL is not valid.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Redis can't be reached.
    #[error("the ids of events can't be kept: Redis at {0}: {1}")]
    Redis(String, String),
    /// The Redis user lacks commands.
    #[error(
        "the ids of events can't be kept (ingest.duplicate_window_ms): at {place} the user of store.url may not use \
         {missing} on keys that begin with {PREFIX}; give it what docs/redis.md lists, or write 0"
    )]
    Rights {
        /// The address of Redis.
        place: String,
        /// The missing commands.
        missing: String,
    },
}

pub(super) struct RedisWindow {
    link: Link,
    window: Duration,
    free: LuaScript,
    renew: LuaScript,
    left: LeftClaims,
    outage: WindowOutage,
}

/// What the log says of calls that fail, however many requests make them.
#[derive(Debug, Default)]
struct WindowOutage {
    /// So that a request takes no lock where nothing fails.
    is_open: AtomicBool,
    outage: Mutex<Outage>,
}

impl WindowOutage {
    /// Logs the beginning and the end of failures.
    fn note<T>(&self, result: RedisResult<T>) -> Result<T, WindowUnavailable> {
        let lock = || self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(done) => {
                if self.is_open.load(Ordering::Relaxed) && lock().end_after_quiet(Instant::now()) {
                    self.is_open.store(false, Ordering::Relaxed);
                    tracing::info!("Redis keeps the ids of events again");
                }
                Ok(done)
            }
            Err(error) => {
                self.is_open.store(true, Ordering::Relaxed);
                if lock().note(&error.to_string(), Instant::now()) {
                    tracing::warn!(
                        %error,
                        "Redis does not keep the ids of events: events with an id get 503, and one that was just accepted \
                         fires again if it is sent again"
                    );
                }
                Err(WindowUnavailable::Store)
            }
        }
    }
}

/// The claims of this node to which Redis did not respond. Their requests were refused, but Redis may have executed them,
/// also later.
#[derive(Debug, Default)]
struct LeftClaims {
    claims: Mutex<VecDeque<LeftClaim>>,
    /// How many keys they have, so that a request takes no lock where there are none.
    keys: AtomicUsize,
}

#[derive(Debug)]
struct LeftClaim {
    since: Instant,
    claimant: String,
    /// Those that were not freed since.
    keys: Vec<EventKey>,
}

impl LeftClaims {
    fn claims(&self) -> MutexGuard<'_, VecDeque<LeftClaim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, claimant: &str, keys: &[EventKey], since: Instant) {
        let mut claims = self.claims();
        // Twice: a claim's time begins when Redis executes it.
        while let Some(old) = claims.pop_front_if(|own| since.duration_since(own.since) > CLAIMED_FOR * 2) {
            self.keys.fetch_sub(old.keys.len(), Ordering::Relaxed);
        }
        if claims.len() < LEFT_MAX {
            let room = LEFT_MAX.saturating_sub(self.keys.load(Ordering::Relaxed));
            let keys: Vec<EventKey> = keys.iter().take(room).cloned().collect();
            self.keys.fetch_add(keys.len(), Ordering::Relaxed);
            claims.push_back(LeftClaim { since, claimant: claimant.to_owned(), keys });
        }
    }

    fn contain(&self, claimant: &[u8]) -> bool {
        self.claims().iter().any(|own| own.claimant.as_bytes() == claimant)
    }

    /// Some keys to free, each with its claimant. They are not returned again.
    fn take_keys(&self) -> Vec<(EventKey, String)> {
        if self.keys.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut claims = self.claims();
        let mut taken = Vec::new();
        for own in claims.iter_mut() {
            let first = own.keys.len().saturating_sub(KEYS_AT_ONCE - taken.len());
            taken.extend(own.keys.drain(first..).map(|key| (key, own.claimant.clone())));
        }
        self.keys.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }
}

impl RedisWindow {
    /// Waits for Redis up to the configured time, and checks that the user may use every command, before any event needs one.
    pub(super) async fn open(store: &StoreSettings, window: Duration) -> Result<Self, WindowError> {
        let link = Link::new(&store.url, store.ca_file.as_deref())?;
        let checked = repeat_for(store.start_within, is_unavailable, async || {
            let key = format!("{PREFIX}try:{}", new_id());
            rights::missing(&mut link.blocking().await?, &key, &NEEDED).await
        });
        let failed = |error: RedisError| WindowError::Redis(link.place().to_owned(), error.to_string());
        let mut missing = checked.await.map_err(failed)?;
        missing.dedup();
        if !missing.is_empty() {
            return Err(WindowError::Rights { place: link.place().to_owned(), missing: missing.join(", ") });
        }
        Ok(Self {
            link,
            window,
            free: LuaScript::new(FREE),
            renew: LuaScript::new(RENEW),
            left: LeftClaims::default(),
            outage: WindowOutage::default(),
        })
    }

    /// Frees ids that requests of this node left behind, so that they can be claimed: some of them, for other nodes, and
    /// those that were asked for.
    async fn free_left(&self, keys: &[EventKey], responses: &[Value], claimant: &str) -> RedisResult<()> {
        let left = self.left.take_keys();
        let free = async |(own, other): &(EventKey, String)| {
            self.link.code_twice(&self.free, &key(own), &[other.as_bytes()]).await
        };
        try_join_all(left.iter().map(free)).await?;
        for (own, response) in keys.iter().zip(responses.chunks(2)) {
            if let (ClaimResult::Open, [_, Value::BulkString(other)]) = (claim_result(response, claimant), response)
                && self.left.contain(other)
            {
                self.link.code_twice(&self.free, &key(own), &[other]).await?;
            }
        }
        Ok(())
    }

    /// Asks for each id; on a cluster one by one, as each has its own hash slot.
    async fn ask(&self, keys: &[EventKey], question: impl Fn(&EventKey, &mut Pipeline)) -> RedisResult<Vec<Value>> {
        let at_once = if self.link.is_cluster() { 1 } else { keys.len().max(1) };
        let groups = keys.chunks(at_once).map(|group| {
            let mut pipeline = Pipeline::new();
            group.iter().for_each(|key| question(key, &mut pipeline));
            // A claim that is made twice is recognized as our own.
            async move { self.link.pipeline_twice::<Vec<Value>>(&pipeline).await }
        });
        Ok(try_join_all(groups).await?.concat())
    }
}

impl WindowStore for RedisWindow {
    fn claim<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ClaimResult>, WindowUnavailable>> {
        async move {
            let responses = self.ask(keys, |own, pipeline| {
                pipeline.add_command(set(own, claimant, CLAIMED_FOR)).arg("NX");
                pipeline.cmd("GET").arg(key(own));
            });
            let responses = self.outage.note(responses.await).inspect_err(|_| {
                self.left.add(claimant, keys, Instant::now());
            })?;
            let freed = self.free_left(keys, &responses, claimant).await;
            self.outage.note(freed).inspect_err(|_| self.left.add(claimant, keys, Instant::now()))?;
            Ok(responses.chunks(2).map(|response| claim_result(response, claimant)).collect())
        }
        .boxed()
    }

    fn renew<'a>(&'a self, keys: &'a [EventKey], claimant: &'a str) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        async move {
            let life = CLAIMED_FOR.as_millis().to_string();
            let words = [claimant.as_bytes(), life.as_bytes()];
            let renew = async |own| self.link.code_twice(&self.renew, &key(own), &words).await;
            self.outage.note(try_join_all(keys.iter().map(renew)).await.map(drop))
        }
        .boxed()
    }

    fn settle<'a>(
        &'a self,
        keys: &'a [EventKey],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        async move {
            if accepted {
                let noted = self.ask(keys, |own, pipeline| {
                    pipeline.add_command(set(own, SEEN, self.window));
                });
                return self.outage.note(noted.await.map(drop));
            }
            let free = async |own| self.link.code_twice(&self.free, &key(own), &[claimant.as_bytes()]).await;
            let freed = try_join_all(keys.iter().map(free)).await;
            self.outage.note(freed.map(drop)).inspect_err(|_| self.left.add(claimant, keys, Instant::now()))
        }
        .boxed()
    }
}

/// Interprets the responses to `SET … NX` and `GET`. A claim that was requested again, because the first response was
/// lost, is recognized as our own by its value.
fn claim_result(response: &[Value], claimant: &str) -> ClaimResult {
    match response {
        [Value::Okay, _] => ClaimResult::Claimed,
        [_, Value::BulkString(value)] if value == claimant.as_bytes() => ClaimResult::Claimed,
        [_, Value::BulkString(value)] if value == SEEN.as_bytes() => ClaimResult::Seen,
        _ => ClaimResult::Open,
    }
}

fn key(own: &EventKey) -> String {
    format!("{PREFIX}{:032x}", u128::from_be_bytes(own.hash))
}

fn set(own: &EventKey, value: &str, life: Duration) -> Cmd {
    let mut command = Cmd::new();
    command.arg("SET").arg(key(own)).arg(value).arg("PX").arg(life.as_millis().to_string());
    command
}
