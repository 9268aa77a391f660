//! Watches the streams on every node: how many deliveries wait, how many are parked, and whether Redis accepts writes.
//! So an ingest node accepts no more than the streams may hold and nothing that Redis would refuse, and a dispatch node
//! learns what is parked.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;

use super::counts::{EntryCounts, SentAfter, StreamReport};
use super::entry::unix_millis;
use super::pacing::{self, StreamLoad};
use super::{GROUP, PARKED, ParkedEntries, Streams, StreamsError, parked_for, stream_key};
use crate::flow::account::AccountShares;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{EntryId, InFlight, ParkedLane};
use crate::redis::{FromRedisValue, LuaScript, RedisError, RedisResult, Value};
use crate::telemetry::metrics::Metrics;

/// The interval of polls. Between two polls a node only counts what it adds itself.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// Every Nth poll probes whether Redis accepts writes.
const PROBE_EVERY: u64 = 10;
/// How many partitions are probed at a time on a cluster: enough to reach each master soon, and few enough to be cheap.
/// On a single server one probe covers all.
const PROBED_AT_ONCE: usize = 16;
/// How long a probe's key lives, in milliseconds.
const PROBE_KEPT_MS: &str = "10000";
/// An account may have parked for a destination up to this many times what all parked deliveries leave free.
const SHARE: usize = 4;
/// One in this many may always be parked so, even if an outage left too many for others.
const ALWAYS_ONE_OF: usize = 1_000;

/// Returns the length of a stream, the id of its oldest entry, how many are pending, and the consumers with parked
/// entries (of the group ARGV 1, with names that begin with ARGV 2) with their counts. Where ARGV 3 is not empty,
/// writes a probe key of that name; the next value says why Redis refused it. Then come how many entries each of the
/// accounts has that follow, how many accounts have any, and the server's time in microseconds. A key that is not a
/// stream counts as an empty one.
const POLL: &str = r"
local probed = ARGV[3] ~= '' and redis.pcall('SET', ARGV[3], '1', 'PX', ARGV[4])
local refused, time = probed and probed.err or '', redis.call('TIME')
local now, length = time[1] * 1000000 + time[2], redis.pcall('XLEN', KEYS[1])
if type(length) ~= 'number' then return {0, '', 0, {}, refused, {}, 0, now} end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local pending, parked, consumers = 0, {}, redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
for _, consumer in ipairs(consumers.err and {} or consumers) do
  pending = pending + consumer[4]
  if string.sub(consumer[2], 1, #ARGV[2]) == ARGV[2] and consumer[4] > 0 then
    parked[#parked + 1] = consumer[2]
    parked[#parked + 1] = consumer[4]
  end
end
local held = (string.gsub(KEYS[1], ':deliveries$', ':held'))
local counts = {}
for at = 5, #ARGV do
  local number = redis.pcall('HGET', held, ARGV[at])
  counts[#counts + 1] = ARGV[at]
  counts[#counts + 1] = type(number) == 'string' and tonumber(number) or 0
end
local accounts = redis.pcall('HLEN', held)
accounts = type(accounts) == 'number' and accounts or 0
return {length, oldest and oldest[1] or '', pending, parked, refused, counts, accounts, now}";

/// The streams as of this node's last poll.
#[derive(Debug)]
pub struct Backlog {
    counts: EntryCounts,
    /// Entries that are parked, as of the last poll.
    parked: AtomicUsize,
    max: usize,
    ingest: bool,
    unavailable: AtomicBool,
    /// Those that have reached their share of parked deliveries.
    over_share: RwLock<HashSet<ParkedLane>>,
    any_over_share: AtomicBool,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// Why no event is accepted.
#[derive(Debug, thiserror::Error)]
enum BacklogError {
    #[error("Redis is unavailable: {0}")]
    Away(#[from] RedisError),
    #[error("Redis accepts no writes: {0}")]
    Refuses(String),
    #[error(transparent)]
    Disagrees(#[from] StreamsError),
}

/// One stream as of a poll.
#[derive(Debug)]
struct StreamPoll {
    report: StreamReport,
    /// Milliseconds since the Unix epoch.
    oldest_since: Option<u64>,
    /// How many entries a node holds or has parked.
    pending: usize,
    parked: Vec<(ParkedLane, usize)>,
    /// Why its server accepts no writes; empty if it does, or was not probed.
    refused: String,
    /// How many accounts have any.
    accounts: usize,
}

impl Backlog {
    /// Starts with no deliveries waiting. The gate has room for as much as the settings allow, and is closed to
    /// events on a node without the role `ingest`.
    pub fn new(streams: &Streams, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Arc<Self> {
        let cluster = &streams.cluster;
        let own = Self {
            counts: EntryCounts::new(streams.partitions, cluster.backlog_max, Arc::clone(&gate)),
            parked: AtomicUsize::new(0),
            max: cluster.backlog_max,
            ingest: cluster.ingest,
            unavailable: AtomicBool::new(false),
            over_share: RwLock::default(),
            any_over_share: AtomicBool::new(false),
            gate,
            metrics,
        };
        if !own.ingest {
            own.gate.set_not_ingest();
        }
        Arc::new(own)
    }

    /// Polls the streams until the node ends.
    pub async fn watch(self: Arc<Self>, streams: Streams) {
        let streams = Streams { link: streams.link.apart(), ..streams };
        let mut ticks = tokio::time::interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let poll = LuaScript::new(POLL);
        let probed_at_once = if streams.link.is_cluster() { PROBED_AT_ONCE.min(streams.partitions) } else { 1 };
        let mut probed = 0..probed_at_once;
        for number in 0_u64.. {
            ticks.tick().await;
            let probes = number.is_multiple_of(PROBE_EVERY) || self.unavailable.load(Ordering::Relaxed);
            let polled = self.poll(&streams, &poll, probes.then(|| probed.clone())).await;
            if probes && probed_at_once > 1 && polled.is_ok() {
                // The next poll probes other partitions; one that refuses is probed until it accepts.
                let first = if probed.end < streams.partitions { probed.end } else { 0 };
                probed = first..(first + probed_at_once).min(streams.partitions);
            }
            match polled {
                Ok(()) if self.unavailable.swap(false, Ordering::Relaxed) => {
                    tracing::info!("Redis accepts deliveries again")
                }
                Err(error) if !self.unavailable.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(%error, "no events are accepted until Redis accepts deliveries again");
                }
                _ => {}
            }
            self.gate.set_unavailable(self.unavailable.load(Ordering::Relaxed));
        }
    }

    /// Polls once, and probes the given partitions.
    async fn poll(
        &self,
        streams: &Streams,
        poll: &LuaScript,
        probes: Option<Range<usize>>,
    ) -> Result<(), BacklogError> {
        let agrees = probes.is_some();
        let probes = probes.filter(|_| self.ingest).unwrap_or_default();
        let sent = self.counts.sent();
        let seen = poll_streams(streams, poll, &probes, &self.counts.largest()).await.inspect_err(|_| {
            // Before anything is accepted again, all connections are marked as unusable.
            streams.breaks.fetch_add(1, Ordering::Relaxed);
        })?;
        let refused = seen.iter().map(|seen| &seen.refused).find(|refused| !refused.is_empty()).cloned();
        self.update(streams, sent, seen);
        if let Some(reason) = refused {
            // A master that became a replica refuses all writes on this connection.
            streams.breaks.fetch_add(1, Ordering::Relaxed);
            streams.link.renew().await;
            return Err(BacklogError::Refuses(reason));
        }
        if agrees {
            // Missing if Redis has lost its data; without it a node with other settings could join.
            streams.agree().await?;
        }
        Ok(())
    }

    /// Whether a delivery may be added: not if its account has reached its share of those parked for its destination.
    pub(super) fn has_room_for(&self, queued: &InFlight) -> bool {
        let over_share = || self.over_share.read().unwrap_or_else(PoisonError::into_inner).contains(&queued.lane());
        !(self.any_over_share.load(Ordering::Relaxed) && over_share())
    }

    /// Call it before entries are added.
    pub(super) fn sent(&self) -> SentAfter {
        self.counts.sent()
    }

    /// Takes over how many entries a stream has, as Redis reported when it added some.
    pub(super) fn set(&self, sent: SentAfter, partition: usize, report: StreamReport) {
        self.counts.set(sent, [(partition, report)]);
    }

    /// How long the response to a producer of an account is held, whose deliveries were just added.
    pub(super) fn pause(&self, account: &AccountShares) -> Duration {
        let unread = self.counts.entries().saturating_sub(self.parked.load(Ordering::Relaxed));
        let waiting = StreamLoad { unread, own: account.in_streams(), accounts: self.counts.accounts() };
        pacing::pause(waiting, self.max)
    }

    fn update(&self, streams: &Streams, sent: SentAfter, mut seen: Vec<StreamPoll>) {
        for (shared, seen) in streams.shared.iter().zip(&seen) {
            shared.store(seen.accounts > 1, Ordering::Relaxed);
        }
        self.counts.set(sent, seen.iter_mut().map(|seen| std::mem::take(&mut seen.report)).enumerate());
        let oldest = seen.iter().filter_map(|seen| seen.oldest_since).min();
        let pending = seen.iter().map(|seen| seen.pending).sum();
        let all = seen.into_iter().enumerate().flat_map(|(partition, seen)| {
            let parked = seen.parked.into_iter();
            parked.map(move |(lane, entries)| ParkedEntries { partition, lane, entries })
        });
        let all: Vec<ParkedEntries> = all.collect();
        let parked = all.iter().map(|parked| parked.entries).sum();
        self.parked.store(parked, Ordering::Relaxed);
        self.set_over_share(&all, pending);
        streams.parked.send_replace(all);
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.streams.backlog.set(number(self.counts.entries()));
        self.metrics.streams.parked.set(number(parked));
        let age = oldest.map_or(0, |since| unix_millis().saturating_sub(since));
        self.metrics.streams.backlog_oldest_age.set(age as f64 / 1_000.0);
    }

    /// Half of the streams is for deliveries that nodes hold or have parked. The more accounts and destinations share that
    /// half, the fewer each may have, and a part is always left for one more. If an outage has left more than that, a few
    /// of each are accepted while it shrinks, and none above three quarters.
    fn set_over_share(&self, all: &[ParkedEntries], pending: usize) {
        let share = (self.max / 2).saturating_sub(pending).saturating_mul(SHARE);
        let always = if pending < self.max / 4 * 3 { self.max / ALWAYS_ONE_OF } else { 0 };
        let each_max = share.max(always);
        let over_share = all.iter().filter(|parked| parked.entries > each_max);
        let over_share: HashSet<ParkedLane> = over_share.map(|parked| parked.lane.clone()).collect();
        self.any_over_share.store(!over_share.is_empty(), Ordering::Relaxed);
        *self.over_share.write().unwrap_or_else(PoisonError::into_inner) = over_share;
    }
}

/// Polls all streams, and probes the servers of these partitions.
async fn poll_streams(
    streams: &Streams,
    poll: &LuaScript,
    probes: &Range<usize>,
    accounts: &[String],
) -> RedisResult<Vec<StreamPoll>> {
    let looks = (0..streams.partitions).map(async |partition| {
        let key = stream_key(partition);
        let trial =
            if probes.contains(&partition) { format!("{{posthaste:{partition}}}:trial") } else { String::new() };
        let words = [GROUP, PARKED, &trial, PROBE_KEPT_MS].into_iter().chain(accounts.iter().map(String::as_str));
        let words: Vec<&[u8]> = words.map(str::as_bytes).collect();
        of_response(streams.link.code_twice(poll, &key, &words).await?)
    });
    join_all(looks).await.into_iter().collect()
}

fn of_response(response: Value) -> RedisResult<StreamPoll> {
    let (length, oldest, pending, parked, refused, held, accounts, made_at_us): (_, String, _, Vec<Value>, _, _, _, _) =
        FromRedisValue::from_redis_value(response)?;
    let oldest_since = EntryId::read(&oldest).map(|EntryId(milliseconds, _)| milliseconds);
    let report = StreamReport { length, held, made_at_us };
    let mut seen = StreamPoll { report, oldest_since, pending, parked: Vec::new(), refused, accounts };
    let mut parked = parked.into_iter();
    while let (Some(name), Some(entries)) = (parked.next(), parked.next()) {
        let (name, entries) = (String::from_redis_value(name)?, usize::from_redis_value(entries)?);
        seen.parked.extend(parked_for(&name).map(|lane| (lane, entries)));
    }
    Ok(seen)
}
