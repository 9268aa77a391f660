//! `[dispatch]`: how deliveries are sent.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::SettingsReader;
use super::{egress, processors};
use crate::model::egress::{EgressRules, HostPattern};

/// `[dispatch]`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Threads that send.
    pub threads: usize,
    /// Connections open to one destination.
    pub connections_per_destination: usize,
    /// Deliveries queued for one destination.
    pub queue_per_destination: usize,
    /// Bytes of bodies queued for one destination.
    pub queue_bytes_per_destination: usize,
    /// Attempts that this node begins at one destination in a second; `None`: as many as it can.
    pub rate_per_destination_s: Option<NonZeroU32>,
    /// Bytes of deliveries of all destinations, queued and in flight.
    pub bytes_max: usize,
    /// Destinations with a Dispatcher at a time.
    pub destinations_max: usize,
    /// One deadline over resolve, connect, TLS, send and response.
    pub attempt_timeout: Duration,
    /// An idle Dispatcher stops after this.
    pub idle_destination: Duration,
    /// How long an idle connection to a destination is kept.
    pub keep_alive: Duration,
    /// A destination where no attempt ends for this time is stalled.
    pub stalled_after: Duration,
    /// A destination where a delivery waits for this time is stalled.
    pub behind_after: Duration,
    /// Bytes of a response's body that are read to keep the connection.
    pub answer_bytes_max: usize,
    /// What may be dialled.
    pub egress: EgressRules,
    /// Certificate authorities to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// The node's own certificate with its key.
    pub client_certificate: Option<PathBuf>,
    /// The receivers whose consent is requested before deliveries.
    pub handshake: HandshakeSettings,
    /// The proxy for connections to destinations.
    pub proxy: Option<String>,
    /// Whether deliveries go through Redis, even from this node to itself.
    pub streams: bool,
    /// How long a stop continues to send.
    pub drain: Duration,
}

/// The keys `handshake_hosts` and `handshake_origin`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandshakeSettings {
    /// Hosts whose receivers are asked.
    pub hosts: Vec<HostPattern>,
    /// The origin that the node sends in the request.
    pub origin: String,
}

impl Dispatch {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        Self {
            threads: match reader.number("dispatch.threads", 0..=1_024) {
                0 => processors().div_ceil(2),
                threads => threads,
            },
            connections_per_destination: reader.number("dispatch.connections_per_destination", 1..=100_000),
            queue_per_destination: reader.number("dispatch.queue_per_destination", 0..=10_000_000),
            queue_bytes_per_destination: reader.number("dispatch.queue_bytes_per_destination", 0..=1 << 40),
            rate_per_destination_s: reader.rate("dispatch.rate_per_destination_s"),
            bytes_max: reader.number("dispatch.bytes_max", 1 << 20..=1 << 40),
            destinations_max: reader.number("dispatch.destinations_max", 1..=1_000_000),
            attempt_timeout: reader.duration("dispatch.attempt_timeout_ms", 1..=600_000),
            idle_destination: reader.duration("dispatch.idle_destination_ms", 1..=86_400_000),
            keep_alive: reader.duration("dispatch.keep_alive_ms", 0..=600_000),
            stalled_after: reader.duration("dispatch.stalled_after_ms", 2..=60_000),
            behind_after: reader.duration("dispatch.behind_after_ms", 0..=60_000),
            answer_bytes_max: reader.number("dispatch.answer_bytes_max", 0..=1 << 30),
            egress: egress::read(reader),
            ca_file: reader.path("dispatch.ca_file"),
            client_certificate: reader.path("dispatch.client_certificate"),
            handshake: {
                let (hosts, origin) = egress::read_handshake(reader);
                HandshakeSettings { hosts, origin }
            },
            proxy: Some(reader.text("dispatch.proxy")).filter(|proxy| !proxy.is_empty()),
            streams: reader.word("dispatch.hand_over", &["streams", "local"]) == "streams",
            drain: reader.duration("dispatch.drain_ms", 0..=3_600_000),
        }
    }
}
