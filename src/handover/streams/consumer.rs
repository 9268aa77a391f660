//! Reads deliveries from the streams and passes them to the Dispatchers of its thread: one consumer for each partition,
//! each with its own connection, so that one thread gets all deliveries of a destination. It passes on no more than the
//! node has permits for, and takes over entries of dead nodes. It never acknowledges an entry: redeeming the claim does
//! that.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::{ArbiterHandle, Recipient};
use futures_util::FutureExt as _;
use tokio::sync::watch;

use super::claims::ClaimWorker;
use super::entry::{StreamEntry, entries_of_each};
use super::intake::{Intake, PERMIT_BYTES, PartitionSource, permits_of};
use super::pack::PARTS_MAX;
use super::reader::StreamReader;
use super::{FULL, GROUP, PARKED, ParkedEntries, STREAMS, Streams, command};
use crate::flow::gate::Gate;
use crate::flow::in_flight::{ParkedLane, StreamClaims};
use crate::flow::messages::{DeliveriesParked, DeliveriesRendered};
use crate::redis::{FromRedisValue, LuaScript, Outage, RedisError, RedisResult, Value, has_code};
use crate::telemetry::metrics::Metrics;

/// The pause between two attempts to reach Redis.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// The fewest and the most entries of the first stream and of the bulk stream read at a time. Large reads are cheaper for
/// Redis; the minimum is how many of the node's permits an idle stream occupies.
const READ_AT_ONCE: std::ops::RangeInclusive<usize> = 8..=64;
/// The most packs read at a time.
const PACKS_AT_ONCE: usize = 8;
/// Heartbeats within `cluster.claim_after_ms`, and checks for dead consumers.
const HEARTBEATS: u32 = 4;

/// Moves to the caller (ARGV 2) up to ARGV 4 deliveries of consumers without a heartbeat (a key named ARGV 5 and the
/// consumer's name) that have been idle for ARGV 3 milliseconds; not what is parked (consumers whose names begin with
/// ARGV 6). Removes a dead consumer that has nothing pending. One step, so that no consumer is removed that has just
/// read an entry. A full Redis may lack the group of packs. Returns the entries of each stream, where a pack, which
/// has at most ARGV 7 deliveries, is followed by which of them were won, and whether there may be more (1 or 0).
const CLAIM: &str = concat!(
    partition_keys!(),
    r"
local claimed, left = {{}, {}, {}}, tonumber(ARGV[4])
for own, stream in ipairs(streams) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, ARGV[1])
  if consumers.err and own < 3 then return consumers end
  for _, consumer in ipairs(consumers) do
    local name, pending = consumer[2], consumer[4]
    if name ~= ARGV[2] and redis.call('EXISTS', ARGV[5] .. name) == 0 then
      if pending == 0 then
        redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], name)
      elseif left > 0 and string.sub(name, 1, #ARGV[6]) ~= ARGV[6] then
        local each, ids = own == 3 and tonumber(ARGV[7]) or 1, {}
        local idle = redis.call('XPENDING', stream, ARGV[1], 'IDLE', ARGV[3], '-', '+', math.ceil(left / each), name)
        for _, entry in ipairs(idle) do
          ids[#ids + 1] = entry[1]
          if own == 3 then
            local pack = redis.call('XCLAIM', stream, ARGV[1], ARGV[2], ARGV[3], entry[1], 'RETRYCOUNT', entry[4])[1]
            if pack then
              pack[3] = math.floor(entry[4] / 256)
              table.insert(claimed[3], pack)
            end
          end
        end
        left = left - each * #ids
        if #ids > 0 and own < 3 then
          for _, entry in ipairs(redis.call('XCLAIM', stream, ARGV[1], ARGV[2], ARGV[3], unpack(ids))) do
            table.insert(claimed[own], entry)
          end
        end
      end
    end
  end
end
return {claimed, left > 0 and 0 or 1}"
);

/// The Dispatchers of a thread, as consumers see them.
pub struct DispatcherSink {
    /// Receives the deliveries.
    pub deliveries: Recipient<DeliveriesRendered>,
    /// Receives the reports of parked deliveries.
    pub parked: Recipient<DeliveriesParked>,
}

/// The consumers of one thread and what they share.
pub struct Consumers {
    intake: Rc<Intake>,
    sink: DispatcherSink,
    /// Each partition by its number, and where its claims are redeemed.
    sources: HashMap<usize, (Rc<PartitionSource>, StreamClaims)>,
    read_at_once: usize,
    claim: LuaScript,
    outage: RefCell<ReadOutage>,
}

/// The partitions that can't be read at the moment.
#[derive(Debug, Default)]
struct ReadOutage {
    partitions: HashSet<usize>,
    outage: Outage,
}

impl Consumers {
    /// Starts the consumers of the partitions whose number is `share` modulo `shares`, on the thread of these Dispatchers.
    pub fn start_on(
        thread: &ArbiterHandle,
        streams: &Streams,
        (share, shares): (usize, usize),
        sink: DispatcherSink,
        gate: Arc<Gate>,
        metrics: Arc<Metrics>,
    ) {
        let streams = Streams { link: streams.link.apart(), ..streams.clone() };
        let (stopping, parked) = (streams.stop.subscribe(), streams.parked.subscribe());
        thread.spawn(async move {
            let own = (share..streams.partitions).step_by(shares);
            let take_max = streams.cluster.take_max;
            let share = (take_max / own.len().max(1)).clamp(*READ_AT_ONCE.start(), *READ_AT_ONCE.end());
            let intake = Rc::new(Intake::new(streams, gate, metrics));
            let consumers = Rc::new(Self {
                sources: own.map(|partition| (partition, source(partition, &intake))).collect(),
                intake,
                sink,
                read_at_once: share.min(take_max),
                claim: LuaScript::new(CLAIM),
                outage: RefCell::default(),
            });
            actix_rt::spawn(Rc::clone(&consumers).report_parked(parked));
            for (source, claims) in consumers.sources.values().cloned() {
                actix_rt::spawn(Rc::clone(&consumers).write_heartbeats(Rc::clone(&source)));
                actix_rt::spawn(Rc::clone(&consumers).read_partition(source, claims, stopping.clone()));
            }
        });
    }

    /// Writes the heartbeats of a partition, also while there is nothing to read or no permit for it. Each partition has its
    /// own, since a master that does not respond must not make those of the others late.
    async fn write_heartbeats(self: Rc<Self>, source: Rc<PartitionSource>) {
        loop {
            if let Some(consumer) = source.consumer() {
                // While Redis is unavailable no other node can claim either, and the next heartbeat follows soon.
                let _ = self.write_heartbeat(&source, &consumer).await;
            }
            tokio::time::sleep(self.claim_after() / HEARTBEATS).await;
        }
    }

    /// A full Redis accepts no heartbeat but still returns entries: other nodes may then take entries over from live
    /// consumers.
    async fn write_heartbeat(&self, source: &PartitionSource, consumer: &str) -> RedisResult<()> {
        let key = format!("{}{consumer}", alive_prefix(source.partition));
        let life = self.claim_after().as_millis().to_string();
        match self.intake.streams.link.query::<Value>(&command("SET", &[&key, "1", "PX", &life])).await {
            Err(error) if !has_code(&error, FULL) => Err(error),
            _ => Ok(()),
        }
    }

    fn claim_after(&self) -> Duration {
        self.intake.streams.cluster.claim_after
    }

    /// Passes on, after each poll, what is parked in the partitions of this thread.
    async fn report_parked(self: Rc<Self>, mut parked: watch::Receiver<Vec<ParkedEntries>>) {
        while parked.changed().await.is_ok() {
            let reports: Vec<_> =
                parked.borrow_and_update().iter().filter_map(|parked| self.with_claims(parked)).collect();
            if !reports.is_empty() && !self.intake.streams.is_stopping() {
                // Refused if the Dispatchers are busy or have stopped; the report is repeated.
                drop(self.sink.parked.try_send(DeliveriesParked(reports)));
            }
        }
    }

    fn with_claims(&self, parked: &ParkedEntries) -> Option<(ParkedLane, StreamClaims)> {
        let (_, claims) = self.sources.get(&parked.partition)?;
        Some((parked.lane.clone(), claims.clone()))
    }

    /// Reads one partition until the node stops, over one connection after another.
    async fn read_partition(
        self: Rc<Self>,
        source: Rc<PartitionSource>,
        claims: StreamClaims,
        mut stopping: watch::Receiver<bool>,
    ) {
        while !*stopping.borrow() {
            let consumer = crate::model::id::new_id();
            // The partition is read again after a panic too; the old name gets no more heartbeats.
            let taken = AssertUnwindSafe(self.follow(&source, &claims, &consumer, &mut stopping)).catch_unwind().await;
            if !*stopping.borrow() {
                source.renew_name();
            }
            match taken {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => self.failed(source.partition, &error),
                Err(_) => {
                    tracing::error!(source.partition, "a panic ended the reading of a partition; it restarts");
                }
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Reads under one consumer name for as long as it is valid.
    async fn follow(
        &self,
        source: &PartitionSource,
        claims: &StreamClaims,
        consumer: &str,
        stopping: &mut watch::Receiver<bool>,
    ) -> RedisResult<()> {
        self.write_heartbeat(source, consumer).await?;
        source.begin(consumer);
        let connection = self.intake.streams.link.blocking().await?;
        let mut reader = StreamReader::open(connection, source, consumer).await?;
        let mut checked: Option<Instant> = None;
        // Few enough that their permits are likely to cover their bytes.
        let mut count = self.read_at_once.min(*READ_AT_ONCE.start());
        while !*stopping.borrow() && source.is_consumer(consumer) {
            let more = if checked.is_none_or(|at| at.elapsed() >= self.claim_after() / HEARTBEATS) {
                reader.make_groups().await?;
                let (claimed, has_more) = self.claim(source, consumer, count).await?;
                checked = (!has_more).then(Instant::now);
                self.intake.metrics.streams.claimed.inc_by(deliveries(&claimed) as u64);
                claimed
            } else {
                // Many at once are cheaper, but what waits for permits makes the few of others wait.
                let packs = (self.intake.gate.free_permits() / 2 / PARTS_MAX).clamp(1, PACKS_AT_ONCE.min(count));
                let read = reader.read(count, packs).await?;
                self.succeeded(source.partition);
                read
            };
            let bytes: usize = more.iter().flatten().map(StreamEntry::size).sum();
            if let Some(each) = bytes.checked_div(deliveries(&more)) {
                // Of two streams together.
                count = (self.read_at_once * PERMIT_BYTES / (2 * each).max(1)).clamp(1, self.read_at_once);
            }
            // Apart: a few entries must not wait for the permits of many.
            for entries in more.into_iter().filter(|entries| !entries.is_empty()) {
                self.pass_on(source, claims, entries, stopping).await;
            }
        }
        Ok(())
    }

    fn failed(&self, partition: usize, error: &RedisError) {
        let ReadOutage { partitions, outage } = &mut *self.outage.borrow_mut();
        if partitions.insert(partition) {
            self.intake.streams.unread.fetch_add(1, Ordering::Relaxed);
        }
        if outage.note(&error.to_string(), Instant::now()) {
            tracing::warn!(%error, partition, "Redis returns no deliveries; retrying");
        }
    }

    /// A read is the only proof that all of it works again: a user may lack the right to read.
    fn succeeded(&self, partition: usize) {
        let ReadOutage { partitions, outage } = &mut *self.outage.borrow_mut();
        if partitions.remove(&partition) {
            self.intake.streams.unread.fetch_sub(1, Ordering::Relaxed);
        }
        if partitions.is_empty() && outage.end() {
            tracing::info!("Redis returns deliveries again");
        }
    }

    /// Takes over entries of dead consumers, of each stream. Returns them, and whether there may be more.
    async fn claim(
        &self,
        source: &PartitionSource,
        consumer: &str,
        count: usize,
    ) -> RedisResult<([Vec<StreamEntry>; STREAMS], bool)> {
        let idle = self.claim_after().as_millis().to_string();
        let (count, alive, packed) = (count.to_string(), alive_prefix(source.partition), PARTS_MAX.to_string());
        let words = [GROUP, consumer, &idle, &count, &alive, PARKED, &packed].map(str::as_bytes);
        let response = self.intake.streams.link.code(&self.claim, &source.streams[0], &words).await?;
        let (claimed, has_more) = FromRedisValue::from_redis_value(response)?;
        Ok((entries_of_each(claimed), has_more))
    }

    /// Passes entries to the Dispatchers once each has its permits. Entries that can't be passed on are given back by
    /// their claims.
    async fn pass_on(
        &self,
        source: &PartitionSource,
        claims: &StreamClaims,
        entries: Vec<StreamEntry>,
        stopping: &mut watch::Receiver<bool>,
    ) {
        let permits = tokio::select! {
            permits = self.intake.gate.take(entries.iter().map(permits_of).sum()) => Some(permits),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let is_stopping = permits.is_none();
        let deliveries = self.intake.unpack(source.partition, claims, entries, permits);
        if !is_stopping {
            // Refused only if the Dispatchers have stopped.
            drop(self.sink.deliveries.try_send(DeliveriesRendered(deliveries)));
        }
    }
}

/// A partition, with a worker for its claims.
fn source(partition: usize, intake: &Rc<Intake>) -> (Rc<PartitionSource>, StreamClaims) {
    let source = Rc::new(PartitionSource::new(partition));
    let (claims, requests) = StreamClaims::open();
    actix_rt::spawn(Rc::new(ClaimWorker::new(Rc::clone(&source), Rc::clone(intake))).serve(requests));
    (source, claims)
}

fn deliveries(streams: &[Vec<StreamEntry>]) -> usize {
    streams.iter().flatten().map(StreamEntry::deliveries).sum()
}

/// The keys of heartbeats of a partition's consumers.
fn alive_prefix(partition: usize) -> String {
    format!("{{posthaste:{partition}}}:alive:")
}
