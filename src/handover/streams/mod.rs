//! The handover of deliveries through Redis: a [`Publisher`] adds them to streams, and the [`consumers`](Consumers) of
//! every dispatch node read them as one consumer group and pass them to that node's Dispatchers. Destinations are divided
//! into partitions, each with its own hash slot, so a Redis Cluster spreads them. A partition has three streams: a burst of
//! one account does not stand before the few entries of others, and goes through Redis in packs (`pack.rs`). An entry stays in
//! its stream until its only attempt begins, a pack until the last one of its deliveries. `docs/redis.md` describes the
//! keys, `docs/delivery-protocol.md` why no delivery is attempted twice.

/// The beginning of scripts that get the key of a partition's first stream: the keys of its streams, and of their
/// deliveries' numbers by account.
macro_rules! partition_keys {
    () => {
        include_str!("keys.lua")
    };
}

mod backlog;
mod choice;
mod claims;
mod consumer;
mod counts;
mod entry;
mod firing_text;
mod intake;
mod pacing;
mod pack;
mod publisher;
mod reader;
mod reply;
mod rights;
mod target_text;
mod writer;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub use backlog::Backlog;
pub use consumer::{Consumers, DispatcherSink};
pub use publisher::Publisher;

use crate::config::{Cluster, Config};
use crate::flow::in_flight::{ParkedLane, StreamKind};
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::redis::{Cmd, ErrorKind, Link, is_wrong_type, repeat_for};

/// The consumer group of all nodes that send.
const GROUP: &str = "dispatch";
/// The start of Redis's error when it is full: it accepts no writes but still returns entries.
const FULL: &str = "OOM";
/// The key of the number of partitions, on which all nodes must agree.
const PARTITIONS: &str = "{posthaste}:partitions";

/// The number of streams of a partition.
const STREAMS: usize = StreamKind::ALL.len();

/// A requester's own key lives three times as long (`keys.lua`).
const KEYS_RENEWED_AFTER: Duration = Duration::from_secs(60);

/// Longer than a read blocks.
const CONSUMERS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// What everything that works on the streams shares.
#[derive(Debug, Clone)]
pub struct Streams {
    link: Link,
    partitions: usize,
    cluster: Cluster,
    attempt_timeout: Duration,
    /// Becomes true when the consumers must stop reading.
    stop: Arc<watch::Sender<bool>>,
    /// Counts how often Redis was unavailable.
    breaks: Arc<AtomicU64>,
    /// Partitions that this node can't read at the moment.
    unread: Arc<AtomicUsize>,
    /// What is parked, as of the last poll.
    parked: Arc<watch::Sender<Vec<ParkedEntries>>>,
    /// Each partition, as of the last poll.
    seen: Arc<[SeenPartition]>,
    /// An entry of a shared stream that has waited for longer is parked if it would have to wait on.
    late_after: Duration,
}

/// What the last poll saw of a partition.
#[derive(Debug, Default)]
struct SeenPartition {
    /// Whether several accounts have entries, for each of its streams.
    shared: [AtomicBool; STREAMS],
    /// Whether entries may be added, for each of its streams: not before a node reads it. EARLIER(node): the bulk stream, or
    /// packs, are not read there.
    is_read: [AtomicBool; STREAMS],
}

/// Parked entries of one account for one destination.
#[derive(Debug)]
struct ParkedEntries {
    partition: usize,
    lane: ParkedLane,
    entries: usize,
}

/// Why the streams can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The URL is not valid.
    #[error(transparent)]
    Address(#[from] crate::redis::AddressError),
    /// Redis refused, or could not be reached.
    #[error("the streams of deliveries can't be used: Redis at {0}: {1}")]
    Redis(String, String),
    /// The Redis user lacks commands.
    #[error(
        "the streams of deliveries can't be used: at {place} the user of store.url may not use {missing}; give it what \
         docs/redis.md lists"
    )]
    Rights {
        /// The address of Redis.
        place: String,
        /// The missing commands.
        missing: String,
    },
    /// Another program uses the key of the number of partitions.
    #[error(
        "the streams of deliveries can't be used: the key {PARTITIONS} of Redis at {0} is not a number of partitions \
         ({1}); another program put it there: delete it"
    )]
    PartitionsKey(String, String),
    /// This node and the others have different numbers of partitions.
    #[error(
        "`cluster.partitions` is {own} here, and the nodes on this Redis have agreed on {agreed}; write {agreed}, or stop all \
         nodes, wait until the streams are empty, and delete the key {PARTITIONS}"
    )]
    Partitions {
        /// The number in the settings.
        own: usize,
        /// The number in Redis.
        agreed: usize,
    },
}

impl Streams {
    /// Connects to Redis, waiting for it up to the configured time, and agrees with the other nodes on the number of
    /// partitions.
    pub async fn open(config: &Config) -> Result<Self, StreamsError> {
        let (store, cluster) = (&config.store, &config.cluster);
        let link = Link::new(&store.url, store.ca_file.as_deref())?;
        let own = Self {
            link,
            partitions: cluster.partitions,
            cluster: cluster.clone(),
            attempt_timeout: config.dispatch.attempt_timeout,
            stop: Arc::new(watch::Sender::new(false)),
            breaks: Arc::default(),
            unread: Arc::default(),
            parked: Arc::default(),
            seen: (0..cluster.partitions).map(|_| SeenPartition::default()).collect(),
            late_after: config.dispatch.stalled_after,
        };
        let is_unavailable = |error: &StreamsError| matches!(error, StreamsError::Redis(..));
        repeat_for(store.start_within, is_unavailable, async || {
            own.check_rights().await?;
            own.agree().await
        })
        .await?;
        Ok(own)
    }

    /// Checks that the user may use every command, before any delivery needs one.
    async fn check_rights(&self) -> Result<(), StreamsError> {
        let failed =
            |error: crate::redis::RedisError| StreamsError::Redis(self.link.place().to_owned(), error.to_string());
        let mut connection = self.link.blocking().await.map_err(failed)?;
        let missing = rights::missing(&mut connection).await.map_err(failed)?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(StreamsError::Rights { place: self.link.place().to_owned(), missing: missing.join(", ") })
    }

    /// Agrees with the other nodes on the number of partitions, unless that was done.
    async fn agree(&self) -> Result<(), StreamsError> {
        let failed = |error: crate::redis::RedisError| {
            let (place, detail) = (self.link.place().to_owned(), error.to_string());
            match is_wrong_type(&error) || matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse) {
                true => StreamsError::PartitionsKey(place, detail),
                false => StreamsError::Redis(place, detail),
            }
        };
        // Read first: a full Redis refuses even a write that would change nothing.
        let ask = command("GET", &[PARTITIONS]);
        let agreed: Option<usize> = self.link.query(&ask).await.map_err(failed)?;
        let agreed = match agreed {
            Some(agreed) => agreed,
            None => {
                let set = command("SET", &[PARTITIONS, &self.partitions.to_string(), "NX"]);
                let _: Option<String> = self.link.query(&set).await.map_err(failed)?;
                self.link.query(&ask).await.map_err(failed)?
            }
        };
        if agreed != self.partitions {
            return Err(StreamsError::Partitions { own: self.partitions, agreed });
        }
        Ok(())
    }

    /// Stops reading; returns when no consumer reads any more.
    pub async fn stop_taking(&self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(CONSUMERS_STOP_WITHIN, self.stop.closed()).await.is_err() {
            tracing::warn!("a read from Redis was still running; other nodes take over what it returns");
        }
    }

    /// The number of partitions that this node can't read at the moment.
    pub fn unread(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.unread)
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whether an entry of this age delays those of other accounts.
    fn is_late(&self, partition: usize, stream: StreamKind, age: Duration) -> bool {
        age > self.late_after && self.seen[partition].shared[stream as usize].load(Ordering::Relaxed)
    }

    /// Whether a node reads this stream.
    fn reads(&self, partition: usize, stream: StreamKind) -> bool {
        self.seen[partition].is_read[stream as usize].load(Ordering::Relaxed)
    }

    fn partition_of(&self, destination: &Destination) -> usize {
        partition_of(destination, self.partitions)
    }
}

/// The partition of a destination: the same on all nodes, of whatever version.
fn partition_of(destination: &Destination, partitions: usize) -> usize {
    // FNV-1a, 64 bits: it never changes, unlike the standard library's hashes.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    mix(if destination.secure { b"https" } else { b"http" });
    mix(destination.host.as_bytes());
    mix(&destination.port.to_be_bytes());
    (hash % partitions as u64) as usize
}

/// The prefix of consumers that hold parked entries. They have no heartbeat.
const PARKED: &str = "parked:";

/// The consumer that holds the parked entries of an account for a destination. EARLIER(entry): of all accounts.
fn parked_name(lane: &ParkedLane) -> String {
    match &lane.account {
        Some(account) => format!("{PARKED}{}#{account}", lane.destination),
        None => format!("{PARKED}{}", lane.destination),
    }
}

/// What a consumer of this name holds.
fn parked_for(consumer: &str) -> Option<ParkedLane> {
    let url = url::Url::parse(consumer.strip_prefix(PARKED)?).ok()?;
    let account = url.fragment().map(AccountId::new).transpose().ok()?;
    Some(ParkedLane { destination: Destination::of(&url)?, account })
}

/// A partition's stream. Scripts get the key of the first one, from which all others of the partition follow.
fn stream_key(partition: usize, stream: StreamKind) -> String {
    match stream {
        StreamKind::First => format!("{{posthaste:{partition}}}:deliveries"),
        StreamKind::Bulk => format!("{{posthaste:{partition}}}:bulk"),
        StreamKind::Packs => format!("{{posthaste:{partition}}}:packs"),
    }
}

/// The number of a stream in scripts.
fn stream_number(stream: StreamKind) -> &'static str {
    match stream {
        StreamKind::First => "1",
        StreamKind::Bulk => "2",
        StreamKind::Packs => "3",
    }
}

/// The word of a script's request that says whether the life of the requester's key must be renewed, and when it was.
fn renewal(renewed_at: &Cell<Option<Instant>>) -> &'static str {
    if renewed_at.get().is_some_and(|at| at.elapsed() < KEYS_RENEWED_AFTER) {
        return "0";
    }
    renewed_at.set(Some(Instant::now()));
    "1"
}

fn command(name: &str, words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name);
    for word in words {
        command.arg(*word);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes of all versions must agree, so these values never change.
    #[test]
    fn the_partition_of_a_destination_never_changes() {
        for (url, partition) in [
            ("https://example.com/a", 11),
            ("https://example.com:443/b", 11),
            ("http://example.com/a", 6),
            ("http://127.0.0.1:9000/", 13),
            ("http://[::1]:8080/", 7),
        ] {
            let destination = Destination::of(&url::Url::parse(url).expect("a URL")).expect("a host");
            assert_eq!(partition_of(&destination, 16), partition, "{url}");
            for account in [None, Some(AccountId::new("Acme-1_x.y~z:@").expect("a name"))] {
                let lane = ParkedLane { destination: destination.clone(), account };
                assert_eq!(parked_for(&parked_name(&lane)), Some(lane), "{url}");
            }
        }
    }
}
