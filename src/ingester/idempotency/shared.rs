//! Ids in Redis, shared by all nodes: one key for each, which expires.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};

use super::{CLAIMED_FOR, ClaimResult, EventHash, WindowStore, WindowUnavailable};
use crate::config::StoreSettings;
use crate::redis::{Cmd, Link, LuaScript, Pipeline, RedisError, RedisResult, Value};

pub use crate::redis::AddressError;

/// The value of an id whose event was accepted. No claimant has this name.
const SEEN: &str = "seen";
/// The most ids per request: Redis runs nothing else meanwhile.
const GROUP_MAX: usize = 256;

/// Releases an id if this claimant still holds it.
const FREE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

pub(super) struct RedisWindow {
    link: Link,
    window: Duration,
    free: LuaScript,
}

impl RedisWindow {
    pub(super) fn new(store: &StoreSettings, window: Duration) -> Result<Self, AddressError> {
        let link = Link::new(&store.url, store.ca_file.as_deref())?;
        Ok(Self { link, window, free: LuaScript::new(FREE) })
    }

    /// Asks for each id; on a cluster one by one, as each has its own hash slot.
    async fn ask(&self, marks: &[EventHash], question: impl Fn(&EventHash, &mut Pipeline)) -> RedisResult<Vec<Value>> {
        let at_once = if self.link.is_cluster() { 1 } else { GROUP_MAX };
        let groups = marks.chunks(at_once).map(|group| {
            let mut pipeline = Pipeline::new();
            group.iter().for_each(|mark| question(mark, &mut pipeline));
            async move { self.link.pipeline::<Vec<Value>>(&pipeline).await }
        });
        let mut responses = Vec::new();
        for response in join_all(groups).await {
            responses.extend(response?);
        }
        Ok(responses)
    }
}

impl WindowStore for RedisWindow {
    fn claim<'a>(
        &'a self,
        marks: &'a [EventHash],
        claimant: &'a str,
    ) -> BoxFuture<'a, Result<Vec<ClaimResult>, WindowUnavailable>> {
        async move {
            let responses = self.ask(marks, |mark, pipeline| {
                pipeline.add_command(set(mark, claimant, CLAIMED_FOR)).arg("NX");
                pipeline.cmd("GET").arg(key(mark));
            });
            let responses = responses.await.map_err(|error| unavailable(&error))?;
            Ok(responses.chunks(2).map(|response| standing(response, claimant)).collect())
        }
        .boxed()
    }

    fn settle<'a>(
        &'a self,
        marks: &'a [EventHash],
        claimant: &'a str,
        accepted: bool,
    ) -> BoxFuture<'a, Result<(), WindowUnavailable>> {
        async move {
            if accepted {
                let noted = self.ask(marks, |mark, pipeline| {
                    pipeline.add_command(set(mark, SEEN, self.window));
                });
                return noted.await.map(drop).map_err(|error| unavailable(&error));
            }
            for mark in marks {
                let freed = self.link.code(&self.free, &key(mark), &[claimant.as_bytes()]).await;
                freed.map_err(|error| unavailable(&error))?;
            }
            Ok(())
        }
        .boxed()
    }
}

/// Interprets the responses to `SET … NX` and `GET`. A claim that was requested again, because the first response was
/// lost, is recognized as our own by its value.
fn standing(response: &[Value], claimant: &str) -> ClaimResult {
    match response {
        [Value::Okay, _] => ClaimResult::Claimed,
        [_, Value::BulkString(value)] if value == claimant.as_bytes() => ClaimResult::Claimed,
        [_, Value::BulkString(value)] if value == SEEN.as_bytes() => ClaimResult::Seen,
        _ => ClaimResult::Open,
    }
}

fn key(mark: &EventHash) -> String {
    format!("posthaste:seen:{:032x}", u128::from_be_bytes(*mark))
}

fn set(mark: &EventHash, value: &str, life: Duration) -> Cmd {
    let mut command = Cmd::new();
    command.arg("SET").arg(key(mark)).arg(value).arg("PX").arg(life.as_millis().to_string());
    command
}

fn unavailable(error: &RedisError) -> WindowUnavailable {
    tracing::warn!(%error, "Redis could not be asked for the ids of events");
    WindowUnavailable::Store
}
