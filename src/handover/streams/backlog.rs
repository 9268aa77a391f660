//! Watches the streams on every node: how many deliveries wait, how many are parked, and whether Redis accepts writes.
//! So an ingest node accepts no more than the streams may hold and nothing that Redis would refuse, and a dispatch node
//! learns what is parked.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;

use super::choice::StreamChoice;
use super::counts::{EntryCounts, PartitionReport, SentAfter};
use super::entry::unix_millis;
use super::pacing::{self, StreamLoad};
use super::{GROUP, PARKED, ParkedEntries, STREAMS, Streams, StreamsError, parked_for, stream_key};
use crate::flow::account::AccountShares;
use crate::flow::gate::Gate;
use crate::flow::in_flight::{EntryId, InFlight, ParkedLane, StreamKind};
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
/// For one destination, an account may have this many times as many deliveries parked as all parked ones leave free.
const SHARE: usize = 4;
/// One of this many deliveries may always be parked, even if after an outage nothing is left free.
const ALWAYS_ONE_OF: usize = 1_000;

/// Returns how many deliveries a partition's streams hold, the ids of their oldest entries, how many are pending, and the
/// consumers with parked entries (of the group ARGV 1, with names that begin with ARGV 2) with their counts. Where ARGV 3
/// is not empty, writes a probe key of that name; the next value says why Redis refused it. Then come how many deliveries
/// each of the accounts has that follow, how many accounts have any in each stream, whether each stream has the group
/// (1 or 0), and the server's time in microseconds. A key that is not a stream counts as an empty one. Of packs that are
/// pending, the deliveries are estimated: Redis knows how many packs they are.
const POLL: &str = concat!(
    partition_keys!(),
    r"
local probed = ARGV[3] ~= '' and redis.pcall('SET', ARGV[3], '1', 'PX', ARGV[4])
local refused, time = probed and probed.err or '', redis.call('TIME')
local length, oldest, pending, parked, places = 0, {}, 0, {}, {}
local counts, accounts, groups = {}, {0, 0, 0}, {0, 0, 0}
for at = 5, #ARGV do
  table.insert(counts, ARGV[at])
  table.insert(counts, 0)
end
for own, stream in ipairs(streams) do
  local deliveries, entries = deliveries_in(own)
  if entries then
    length = length + deliveries
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    if first then table.insert(oldest, first[1]) end
    local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, ARGV[1])
    groups[own] = consumers.err and 0 or 1
    for _, consumer in ipairs(consumers.err and {} or consumers) do
      local name, own_pending = consumer[2], consumer[4]
      pending = pending + math.floor(own_pending * (entries > 0 and deliveries / entries or 1))
      if string.sub(name, 1, #ARGV[2]) == ARGV[2] and own_pending > 0 then
        local place = places[name] or #parked + 1
        places[name], parked[place], parked[place + 1] = place, name, (parked[place + 1] or 0) + own_pending
      end
    end
    for at = 2, #counts, 2 do
      local number = redis.pcall('HGET', held[own], counts[at - 1])
      counts[at] = counts[at] + (type(number) == 'string' and tonumber(number) or 0)
    end
    local with_any = redis.pcall('HLEN', held[own])
    accounts[own] = type(with_any) == 'number' and with_any or 0
  end
end
return {length, oldest, pending, parked, refused, counts, accounts, groups, time[1] * 1000000 + time[2]}"
);

/// The streams as of this node's last poll.
#[derive(Debug)]
pub struct Backlog {
    counts: EntryCounts,
    /// Entries that are parked, as of the last poll.
    parked: AtomicUsize,
    max: usize,
    ingest: bool,
    unavailable: AtomicBool,
    /// The lanes with parked deliveries, and whether they have reached their share of them.
    lanes: RwLock<HashMap<ParkedLane, bool>>,
    any_parked: AtomicBool,
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

/// One partition as of its last poll.
#[derive(Debug, Default)]
struct PartitionPoll {
    /// That was the last poll.
    responded: bool,
    report: PartitionReport,
    /// Milliseconds since the Unix epoch.
    oldest_since: Option<u64>,
    /// How many entries a node holds or has parked.
    pending: usize,
    parked: Vec<(ParkedLane, usize)>,
    /// Why its server accepts no writes; empty if it does, or was not probed.
    refused: String,
    /// How many accounts have any, for each stream.
    accounts: [usize; STREAMS],
    /// Whether a node has made the consumer group, for each stream.
    is_read: [bool; STREAMS],
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
            lanes: RwLock::default(),
            any_parked: AtomicBool::new(false),
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
        let mut seen: Vec<PartitionPoll> = (0..streams.partitions).map(|_| PartitionPoll::default()).collect();
        for number in 0_u64.. {
            ticks.tick().await;
            let probes = number.is_multiple_of(PROBE_EVERY) || self.unavailable.load(Ordering::Relaxed);
            let polled = self.poll(&streams, &poll, probes.then(|| probed.clone()), &mut seen).await;
            if probes && probed_at_once > 1 && polled.is_ok() {
                // The next poll probes other partitions; one that refuses is probed until it accepts.
                let first = if probed.end < streams.partitions { probed.end } else { 0 };
                probed = first..(first + probed_at_once).min(streams.partitions);
            }
            match polled {
                Ok(()) if self.unavailable.swap(false, Ordering::Relaxed) && self.ingest => {
                    tracing::info!("Redis accepts deliveries again")
                }
                // On a node that only sends, its consumers log it.
                Err(error) if !self.unavailable.swap(true, Ordering::Relaxed) && self.ingest => {
                    tracing::warn!(%error, "no events are accepted until Redis accepts deliveries again");
                }
                _ => {}
            }
            self.gate.set_unavailable(self.unavailable.load(Ordering::Relaxed));
        }
    }

    /// Polls once, and probes the given partitions. What others tell counts also if one does not respond.
    async fn poll(
        &self,
        streams: &Streams,
        poll: &LuaScript,
        probes: Option<Range<usize>>,
        seen: &mut [PartitionPoll],
    ) -> Result<(), BacklogError> {
        let agrees = probes.is_some();
        let probes = probes.filter(|_| self.ingest).unwrap_or_default();
        let sent = self.counts.sent();
        let (mut reports, mut failed) = (Vec::new(), None);
        seen.iter_mut().for_each(|seen| seen.responded = false);
        let polled = poll_partitions(streams, poll, &probes, &self.counts.asked()).await;
        for (partition, (polled, seen)) in polled.into_iter().zip(&mut *seen).enumerate() {
            match polled {
                Ok(polled) => {
                    *seen = polled;
                    reports.push((partition, std::mem::take(&mut seen.report)));
                }
                Err(error) => failed = Some(error),
            }
        }
        let refused = seen.iter().map(|seen| &seen.refused).find(|refused| !refused.is_empty()).cloned();
        self.update(streams, sent, reports, seen);
        if let Some(error) = failed {
            // Before anything is accepted again, all connections are marked as unusable.
            streams.breaks.fetch_add(1, Ordering::Relaxed);
            return Err(error.into());
        }
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
        self.lane(queued) != Some(true)
    }

    /// Whether its account has deliveries parked for its destination.
    pub(super) fn is_parked(&self, queued: &InFlight) -> bool {
        self.lane(queued).is_some()
    }

    fn lane(&self, queued: &InFlight) -> Option<bool> {
        let lane = || self.lanes.read().unwrap_or_else(PoisonError::into_inner).get(&queued.lane()).copied();
        if self.any_parked.load(Ordering::Relaxed) { lane() } else { None }
    }

    /// For one round of a Publisher.
    pub(super) fn choice(&self) -> StreamChoice<'_> {
        StreamChoice::new(&self.counts)
    }

    /// Call it before entries are added.
    pub(super) fn sent(&self) -> SentAfter {
        self.counts.sent()
    }

    /// Takes over how many entries a partition has, as Redis reported when it added some.
    pub(super) fn set(&self, sent: SentAfter, partition: usize, report: PartitionReport) {
        self.counts.set(sent, [(partition, report)]);
    }

    /// How long the response to a producer of an account is held, whose deliveries were just added.
    pub(super) fn pause(&self, account: &AccountShares) -> Duration {
        let unread = self.counts.entries().saturating_sub(self.parked.load(Ordering::Relaxed));
        let waiting = StreamLoad { unread, own: account.in_streams(), accounts: self.counts.accounts() };
        pacing::pause(waiting, self.max)
    }

    fn update(
        &self,
        streams: &Streams,
        sent: SentAfter,
        reports: Vec<(usize, PartitionReport)>,
        seen: &[PartitionPoll],
    ) {
        for (known, seen) in streams.seen.iter().zip(seen) {
            for (stream, accounts) in StreamKind::ALL.into_iter().zip(seen.accounts) {
                // The hash of packs has one more name, which is no account's.
                let more_than_one = accounts > if stream == StreamKind::Packs { 2 } else { 1 };
                known.shared[stream as usize].store(more_than_one, Ordering::Relaxed);
            }
            for (known, is_read) in known.is_read.iter().zip(seen.is_read) {
                known.store(is_read, Ordering::Relaxed);
            }
        }
        self.counts.set(sent, reports);
        let oldest = seen.iter().filter_map(|seen| seen.oldest_since).min();
        let pending = seen.iter().map(|seen| seen.pending).sum();
        let all = seen.iter().enumerate().flat_map(|(partition, seen)| {
            let parked = seen.parked.iter();
            parked.map(move |(lane, entries)| ParkedEntries { partition, lane: lane.clone(), entries: *entries })
        });
        let mut all: Vec<ParkedEntries> = all.collect();
        let parked = all.iter().map(|parked| parked.entries).sum();
        self.parked.store(parked, Ordering::Relaxed);
        self.set_over_share(&all, pending);
        // Nothing can be fetched from one that does not respond.
        all.retain(|parked| seen[parked.partition].responded);
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
        let mut lanes = HashMap::new();
        for ParkedEntries { lane, entries, .. } in all {
            *lanes.entry(lane.clone()).or_insert(false) |= *entries > each_max;
        }
        self.any_parked.store(!lanes.is_empty(), Ordering::Relaxed);
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = lanes;
    }
}

/// Polls all partitions, and probes the servers of these.
async fn poll_partitions(
    streams: &Streams,
    poll: &LuaScript,
    probes: &Range<usize>,
    accounts: &[String],
) -> Vec<RedisResult<PartitionPoll>> {
    let looks = (0..streams.partitions).map(async |partition| {
        let key = stream_key(partition, StreamKind::First);
        let trial =
            if probes.contains(&partition) { format!("{{posthaste:{partition}}}:trial") } else { String::new() };
        let words = [GROUP, PARKED, &trial, PROBE_KEPT_MS].into_iter().chain(accounts.iter().map(String::as_str));
        let words: Vec<&[u8]> = words.map(str::as_bytes).collect();
        of_response(streams.link.code_twice(poll, &key, &words).await?)
    });
    join_all(looks).await
}

fn of_response(response: Value) -> RedisResult<PartitionPoll> {
    type Polled = (usize, Vec<String>, usize, Vec<Value>, String, Vec<Value>, [usize; STREAMS], [bool; STREAMS], u64);
    let (length, oldest, pending, parked, refused, held, accounts, is_read, made_at_us): Polled =
        FromRedisValue::from_redis_value(response)?;
    let oldest = oldest.iter().filter_map(|id| EntryId::read(StreamKind::First, id));
    let oldest_since = oldest.map(|id| id.millis).min();
    let report = PartitionReport { length, held, made_at_us };
    let mut seen = PartitionPoll {
        responded: true,
        report,
        oldest_since,
        pending,
        parked: Vec::new(),
        refused,
        accounts,
        is_read,
    };
    let mut parked = parked.into_iter();
    while let (Some(name), Some(entries)) = (parked.next(), parked.next()) {
        // Another program's consumer may have any name.
        let Ok(name) = String::from_redis_value(name) else { continue };
        let entries = usize::from_redis_value(entries)?;
        seen.parked.extend(parked_for(&name).map(|lane| (lane, entries)));
    }
    Ok(seen)
}
