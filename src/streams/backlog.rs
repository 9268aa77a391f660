//! How much lies in the streams, and whether Redis is there at all: watched by every node, so that
//! an ingest node takes nothing more than may wait, and nothing that could not be kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::MissedTickBehavior;

use super::entry::{entry_id, unix_millis};
use super::{Streams, stream_key};
use crate::admission::{Barrier, Gate};
use crate::messages::EntryId;
use crate::metrics::Metrics;
use crate::redis::{Code, RedisResult, Value};

/// How often each node looks. Between two looks it knows of what it adds itself.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// The length of a stream and the id of its oldest entry, without the entry.
const LENGTH_AND_OLDEST: &str = r"
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {redis.call('XLEN', KEYS[1]), oldest and oldest[1] or false}";

/// The lengths of the streams as this node last heard of them.
#[derive(Debug)]
pub struct Backlog {
    lengths: Vec<AtomicUsize>,
    max: usize,
    ingest: bool,
    away: AtomicBool,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

impl Backlog {
    /// Nothing waits. The gate is barred where more than the settings allow does, and at once where
    /// the node takes no events.
    pub fn new(streams: &Streams, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Arc<Self> {
        let cluster = &streams.cluster;
        if !cluster.ingest {
            gate.bar(Barrier::NotHere);
        }
        let lengths = (0..streams.partitions).map(|_| AtomicUsize::new(0)).collect();
        Arc::new(Self {
            lengths,
            max: cluster.backlog_max,
            ingest: cluster.ingest,
            away: AtomicBool::new(false),
            gate,
            metrics,
        })
    }

    /// Looks at the streams for as long as the node lives.
    pub async fn watch(self: Arc<Self>, streams: Streams) {
        let streams = Streams { link: streams.link.apart(), ..streams };
        let mut ticks = tokio::time::interval(LOOKED_AT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let length_and_oldest = Code::new(LENGTH_AND_OLDEST);
        loop {
            ticks.tick().await;
            match look(&streams, &length_and_oldest).await {
                Ok(found) => {
                    if self.away.swap(false, Ordering::Relaxed) {
                        tracing::info!("Redis is back; deliveries are handed over again");
                    }
                    self.update(&found);
                }
                Err(error) => {
                    // Before anything is taken again, all know that their connections are of no use.
                    streams.breaks.fetch_add(1, Ordering::Relaxed);
                    if !self.away.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "Redis is away; no events are taken until it is back");
                    }
                    self.bar();
                }
            }
        }
    }

    /// Notes the length of a stream.
    pub(super) fn set(&self, partition: usize, length: usize) {
        self.lengths[partition].store(length, Ordering::Relaxed);
        self.bar();
    }

    fn update(&self, found: &[(usize, Option<u64>)]) {
        for (own, (length, _)) in self.lengths.iter().zip(found) {
            own.store(*length, Ordering::Relaxed);
        }
        self.bar();
        let total: usize = found.iter().map(|(length, _)| length).sum();
        self.metrics.backlog.set(i64::try_from(total).unwrap_or(i64::MAX));
        let oldest = found.iter().filter_map(|(_, since)| *since).min();
        self.metrics.backlog_oldest_age(oldest.map_or(0, |since| unix_millis().saturating_sub(since)));
    }

    fn bar(&self) {
        let waiting: usize = self.lengths.iter().map(|length| length.load(Ordering::Relaxed)).sum();
        self.gate.set_roomy(waiting < self.max / 2);
        if !self.ingest {
            return;
        }
        self.gate.bar(if self.away.load(Ordering::Relaxed) {
            Barrier::Away
        } else if waiting >= self.max {
            Barrier::Full
        } else {
            Barrier::None
        });
    }
}

/// For each stream its length, and since when its oldest entry is there.
async fn look(streams: &Streams, length_and_oldest: &Code) -> RedisResult<Vec<(usize, Option<u64>)>> {
    let keys: Vec<String> = (0..streams.partitions).map(stream_key).collect();
    let answers = join_all(keys.iter().map(|key| streams.link.code(length_and_oldest, key, &[]))).await;
    answers.into_iter().map(|answer| told(answer?)).collect()
}

fn told(answer: Value) -> RedisResult<(usize, Option<u64>)> {
    let (length, oldest): (usize, Option<String>) = crate::redis::FromRedisValue::from_redis_value(answer)?;
    Ok((length, oldest.and_then(|id| entry_id(&id)).map(|EntryId(milliseconds, _)| milliseconds)))
}
