//! The hand-over of deliveries through Redis: a [`Publisher`] adds them to streams, and the
//! [`takers`](Takers) of every node that sends take them out as one consumer group and pass them
//! to that node's Dispatchers. Streams are parted by destination, and each lies in a slot of its
//! own, so a Redis Cluster spreads them. An entry stays in its stream until its one attempt begins:
//! `docs/redis.md` tells what is in Redis, `ARCHITECTURE.md` why no delivery is attempted twice.

mod backlog;
mod desk;
mod entry;
mod publisher;
mod reply;
mod taker;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::watch;

pub use backlog::Backlog;
pub use publisher::Publisher;
pub use taker::Takers;

use crate::config::{Cluster, StoreSettings};
use crate::delivery::Destination;
use crate::redis::{Cmd, Link};

/// The consumer group of all nodes that send.
const GROUP: &str = "dispatch";
/// Where the number of partitions is kept, on which all nodes must agree.
const PARTITIONS: &str = "{posthaste}:partitions";

/// Longer than Redis holds a question for more.
const TAKERS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// What all that works on the streams has in common.
#[derive(Debug, Clone)]
pub struct Streams {
    link: Link,
    partitions: usize,
    cluster: Cluster,
    /// True when nothing is to be taken any more; the takers listen to it.
    stop: Arc<watch::Sender<bool>>,
    /// Counts the times that Redis was seen to be away.
    breaks: Arc<AtomicU64>,
}

/// Why the streams can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The URL.
    #[error(transparent)]
    Address(#[from] crate::redis::AddressError),
    /// Redis did not do it.
    #[error("the streams of deliveries can't be used: Redis at {0}: {1}")]
    Redis(String, String),
    /// Nodes that look for a destination's deliveries in different streams.
    #[error(
        "`cluster.partitions` is {own} here, and the nodes on this Redis have agreed on {agreed}; write {agreed}, or stop all \
         nodes, wait until the streams are empty, and delete the key {PARTITIONS}"
    )]
    Partitions {
        /// What the settings say.
        own: usize,
        /// What Redis says.
        agreed: usize,
    },
}

impl Streams {
    /// Reaches Redis and agrees with the other nodes on the number of partitions.
    pub async fn open(store: &StoreSettings, cluster: &Cluster) -> Result<Self, StreamsError> {
        let link = Link::new(&store.url, store.ca_file.as_deref())?;
        let failed = |error: crate::redis::RedisError| StreamsError::Redis(link.place().to_owned(), error.to_string());
        let own = cluster.partitions;
        // Asked for first: a Redis that is full refuses even what it would not do.
        let ask = command("GET", &[PARTITIONS]);
        let agreed: Option<usize> = link.query(&ask).await.map_err(failed)?;
        let agreed = match agreed {
            Some(agreed) => agreed,
            None => {
                let set = command("SET", &[PARTITIONS, &own.to_string(), "NX"]);
                let _: Option<String> = link.query(&set).await.map_err(failed)?;
                link.query(&ask).await.map_err(failed)?
            }
        };
        if agreed != own {
            return Err(StreamsError::Partitions { own, agreed });
        }
        Ok(Self {
            link,
            partitions: own,
            cluster: cluster.clone(),
            stop: Arc::new(watch::Sender::new(false)),
            breaks: Arc::default(),
        })
    }

    /// Takes nothing more out of the streams from when it ends.
    pub async fn stop_taking(&self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(TAKERS_STOP_WITHIN, self.stop.closed()).await.is_err() {
            tracing::warn!("something was still being taken from Redis; other nodes claim what comes too late");
        }
    }

    /// The stream of a destination: the same on all nodes, of whatever version.
    fn partition_of(&self, destination: &Destination) -> usize {
        // FNV-1a, 64 bits: fixed for good, other than the standard library's hashes.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        mix(if destination.secure { b"https" } else { b"http" });
        mix(destination.host.as_bytes());
        mix(&destination.port.to_be_bytes());
        (hash % self.partitions as u64) as usize
    }
}

/// A partition's stream.
fn stream_key(partition: usize) -> String {
    format!("{{posthaste:{partition}}}:deliveries")
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

    /// Nodes of all versions must agree, so these never change.
    #[test]
    fn a_destination_has_its_partition_for_good() {
        let link = Link::new("redis://127.0.0.1:1", None).expect("an address");
        let cluster =
            Cluster { partitions: 16, ..crate::config::Config::from_layers(None, []).expect("defaults").cluster };
        let streams = Streams {
            link,
            partitions: 16,
            cluster,
            stop: Arc::new(watch::Sender::new(false)),
            breaks: Arc::default(),
        };
        for (url, partition) in [
            ("https://example.com/a", 11),
            ("https://example.com:443/b", 11),
            ("http://example.com/a", 6),
            ("http://127.0.0.1:9000/", 13),
        ] {
            let destination = Destination::of(&url::Url::parse(url).expect("a URL")).expect("a host");
            assert_eq!(streams.partition_of(&destination), partition, "{url}");
        }
    }
}
