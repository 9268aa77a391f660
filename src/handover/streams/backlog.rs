//! What lies in the streams, and whether Redis is there and takes more: watched by every node, so that
//! an ingest node takes nothing more than may wait, and nothing that could not be kept, and a
//! dispatch node hears what is parked.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;

use super::entry::unix_millis;
use super::{GROUP, PARKED, Parked, Streams, StreamsError, parked_for, stream_key};
use crate::flow::gate::Gate;
use crate::flow::in_flight::EntryId;
use crate::model::destination::Destination;
use crate::redis::{Code, FromRedisValue, RedisError, RedisResult, Value};
use crate::telemetry::metrics::Metrics;

/// How often each node looks. Between two looks it knows of what it adds itself.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// At every so manyth look it is tried whether Redis takes anything in.
const TRIED_EVERY: u64 = 10;
/// In how many streams' slots that is tried at a time on a cluster: enough to meet each of its masters soon, few
/// enough to cost nothing. A server alone has one for all.
const TRIED_AT_ONCE: usize = 16;
/// How long (milliseconds) what is written to try it stays.
const TRIAL_KEPT_FOR: &str = "10000";
/// How many times of what all of them leave one destination may have parked.
const SHARE: usize = 4;
/// Of how many one may always be parked for a destination, also where an outage has left too many for others.
const ALWAYS_ONE_OF: usize = 1_000;

/// The length of a stream, the id of its oldest entry, how many are pending, and who holds what is parked (consumers
/// of the group ARGV 1 whose names begin with ARGV 2), with how many. Where ARGV 3 is not empty a value of that name is
/// written; last comes why that was refused. What is no stream has nothing in it.
const LOOK: &str = r"
local tried = ARGV[3] ~= '' and redis.pcall('SET', ARGV[3], '1', 'PX', ARGV[4])
local refused = tried and tried.err or ''
local length = redis.pcall('XLEN', KEYS[1])
if type(length) ~= 'number' then return {0, '', 0, {}, refused} end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local pending, parked, consumers = 0, {}, redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
for _, consumer in ipairs(consumers.err and {} or consumers) do
  pending = pending + consumer[4]
  if string.sub(consumer[2], 1, #ARGV[2]) == ARGV[2] and consumer[4] > 0 then
    parked[#parked + 1] = consumer[2]
    parked[#parked + 1] = consumer[4]
  end
end
return {length, oldest and oldest[1] or '', pending, parked, refused}";

/// The streams as this node last heard of them.
#[derive(Debug)]
pub struct Backlog {
    lengths: Vec<AtomicUsize>,
    max: usize,
    ingest: bool,
    away: AtomicBool,
    /// Destinations that have as much parked as they may.
    laden: RwLock<HashSet<Destination>>,
    any_laden: AtomicBool,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// Why nothing is taken in.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("Redis is away: {0}")]
    Away(#[from] RedisError),
    #[error("Redis takes nothing in: {0}")]
    Refuses(String),
    #[error(transparent)]
    Disagrees(#[from] StreamsError),
}

/// What was seen of one stream.
#[derive(Debug)]
struct Seen {
    length: usize,
    /// Milliseconds since the Unix epoch.
    oldest_since: Option<u64>,
    /// How many a node holds, or are parked.
    pending: usize,
    parked: Vec<(Destination, usize)>,
    /// Why its server takes nothing in; empty where it does, or was not asked.
    refused: String,
}

impl Backlog {
    /// Nothing waits. The gate has room for as much as the settings allow, and is closed to
    /// events on a node without the role `ingest`.
    pub fn new(streams: &Streams, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Arc<Self> {
        let cluster = &streams.cluster;
        let lengths = (0..streams.partitions).map(|_| AtomicUsize::new(0)).collect();
        let own = Self {
            lengths,
            max: cluster.backlog_max,
            ingest: cluster.ingest,
            away: AtomicBool::new(false),
            laden: RwLock::default(),
            any_laden: AtomicBool::new(false),
            gate,
            metrics,
        };
        if !own.ingest {
            own.gate.set_not_ingest();
        }
        own.limit();
        Arc::new(own)
    }

    /// Looks at the streams for as long as the node lives.
    pub async fn watch(self: Arc<Self>, streams: Streams) {
        let streams = Streams { link: streams.link.apart(), ..streams };
        let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let look = Code::new(LOOK);
        let tried_at_once = if streams.link.is_cluster() { TRIED_AT_ONCE.min(streams.partitions) } else { 1 };
        let mut tried = 0..tried_at_once;
        for number in 0_u64.. {
            ticks.tick().await;
            let tries = number.is_multiple_of(TRIED_EVERY) || self.away.load(Ordering::Relaxed);
            let looked = self.look(&streams, &look, tries.then(|| tried.clone())).await;
            if tries && tried_at_once > 1 && looked.is_ok() {
                // Others next time; one that refuses is asked until it does not.
                let first = if tried.end < streams.partitions { tried.end } else { 0 };
                tried = first..(first + tried_at_once).min(streams.partitions);
            }
            match looked {
                Ok(()) if self.away.swap(false, Ordering::Relaxed) => tracing::info!("Redis takes deliveries again"),
                Err(trouble) if !self.away.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(%trouble, "no events are taken until Redis takes deliveries again");
                }
                _ => {}
            }
            self.gate.set_unavailable(self.away.load(Ordering::Relaxed));
        }
    }

    /// Looks once; where it is given partitions, it also tries whether what they are on takes something in.
    async fn look(&self, streams: &Streams, look: &Code, tries: Option<Range<usize>>) -> Result<(), Trouble> {
        let agrees = tries.is_some();
        let tries = tries.filter(|_| self.ingest).unwrap_or_default();
        let seen = see(streams, look, &tries).await.inspect_err(|_| {
            // Before anything is taken again, all know that their connections are of no use.
            streams.breaks.fetch_add(1, Ordering::Relaxed);
        })?;
        let refused = seen.iter().map(|seen| &seen.refused).find(|refused| !refused.is_empty()).cloned();
        self.update(streams, seen);
        if let Some(reason) = refused {
            // A master that became a replica says so for ever over this connection.
            streams.breaks.fetch_add(1, Ordering::Relaxed);
            streams.link.renew().await;
            return Err(Trouble::Refuses(reason));
        }
        if agrees {
            // Gone where Redis has lost its data, and else a node of other settings would be let in.
            streams.agree().await?;
        }
        Ok(())
    }

    /// Whether something more may be added for a destination: not where it has as much parked as it may.
    pub(super) fn has_room_for(&self, destination: &Destination) -> bool {
        let laden = || self.laden.read().unwrap_or_else(PoisonError::into_inner).contains(destination);
        !(self.any_laden.load(Ordering::Relaxed) && laden())
    }

    /// Notes the length of a stream.
    pub(super) fn set(&self, partition: usize, length: usize) {
        self.lengths[partition].store(length, Ordering::Relaxed);
        self.limit();
    }

    fn update(&self, streams: &Streams, seen: Vec<Seen>) {
        for (own, seen) in self.lengths.iter().zip(&seen) {
            own.store(seen.length, Ordering::Relaxed);
        }
        let total = self.limit();
        let oldest = seen.iter().filter_map(|seen| seen.oldest_since).min();
        let pending = seen.iter().map(|seen| seen.pending).sum();
        let all = seen.into_iter().enumerate().flat_map(|(partition, seen)| {
            let parked = seen.parked.into_iter();
            parked.map(move |(destination, entries)| Parked { partition, destination, entries })
        });
        let all: Vec<Parked> = all.collect();
        let parked = all.iter().map(|parked| parked.entries).sum();
        self.burden(&all, pending);
        streams.parked.send_replace(all);
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.streams.backlog.set(number(total));
        self.metrics.streams.parked.set(number(parked));
        let age = oldest.map_or(0, |since| unix_millis().saturating_sub(since));
        self.metrics.streams.backlog_oldest_age.set(age as f64 / 1_000.0);
    }

    /// Half of the streams is for what nodes have taken and not sent, nearly all of it parked; the more
    /// destinations share it, the less each may have, and something of it is always left for one more. What an
    /// outage has left beyond that is worked off while a little of each is taken, and past three quarters nothing.
    fn burden(&self, all: &[Parked], pending: usize) {
        let share = (self.max / 2).saturating_sub(pending).saturating_mul(SHARE);
        let always = if pending < self.max / 4 * 3 { self.max / ALWAYS_ONE_OF } else { 0 };
        let each_max = share.max(always);
        let laden = all.iter().filter(|parked| parked.entries > each_max);
        let laden: HashSet<Destination> = laden.map(|parked| parked.destination.clone()).collect();
        self.any_laden.store(!laden.is_empty(), Ordering::Relaxed);
        *self.laden.write().unwrap_or_else(PoisonError::into_inner) = laden;
    }

    /// How many entries lie in the streams; past the bound nothing more is taken.
    fn limit(&self) -> usize {
        let waiting = self.lengths.iter().map(|length| length.load(Ordering::Relaxed)).sum();
        self.gate.set_room(self.max.saturating_sub(waiting));
        waiting
    }
}

/// Looks at all streams, and tries whether what these partitions are on takes anything in.
async fn see(streams: &Streams, look: &Code, tries: &Range<usize>) -> RedisResult<Vec<Seen>> {
    let looks = (0..streams.partitions).map(async |partition| {
        let key = stream_key(partition);
        let trial = if tries.contains(&partition) { format!("{{posthaste:{partition}}}:trial") } else { String::new() };
        let words = [GROUP, PARKED, &trial, TRIAL_KEPT_FOR].map(str::as_bytes);
        of_answer(streams.link.code_twice(look, &key, &words).await?)
    });
    join_all(looks).await.into_iter().collect()
}

fn of_answer(answer: Value) -> RedisResult<Seen> {
    let (length, oldest, pending, parked, refused): (_, String, _, Vec<Value>, _) =
        FromRedisValue::from_redis_value(answer)?;
    let oldest_since = EntryId::read(&oldest).map(|EntryId(milliseconds, _)| milliseconds);
    let mut seen = Seen { length, oldest_since, pending, parked: Vec::new(), refused };
    let mut parked = parked.into_iter();
    while let (Some(name), Some(entries)) = (parked.next(), parked.next()) {
        let (name, entries) = (String::from_redis_value(name)?, usize::from_redis_value(entries)?);
        seen.parked.extend(parked_for(&name).map(|destination| (destination, entries)));
    }
    Ok(seen)
}
