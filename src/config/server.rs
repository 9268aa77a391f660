//! `[server]`: how HTTP is served.

use std::net::SocketAddr;
use std::time::Duration;

use super::reader::SettingsReader;
use super::{egress, processors};
use crate::model::egress::HostPattern;

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address of the HTTP server.
    pub listen: SocketAddr,
    /// The address of a second server, for health and metrics only.
    pub admin_listen: Option<SocketAddr>,
    /// Names of this node, for requests without a key.
    pub hosts: Vec<HostPattern>,
    /// Threads that serve HTTP, match and render.
    pub workers: usize,
    /// Open connections over all threads.
    pub connections_max: usize,
    /// Bytes of heads that are not complete, over all connections.
    pub head_bytes_max: usize,
    /// Bytes of responses that clients do not take, over all connections.
    pub response_bytes_max: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a client may take to take a response.
    pub response_timeout: Duration,
}

impl Server {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        Self {
            listen: reader.address("server.listen"),
            admin_listen: reader.optional_address("server.admin_listen"),
            hosts: egress::hosts(reader, "server.hosts"),
            workers: match reader.number("server.workers", 0..=1_024) {
                0 => processors(),
                workers => workers,
            },
            connections_max: reader.number("server.connections_max", 1..=1_000_000),
            head_bytes_max: reader.number("server.head_bytes_max", 1..=1 << 40),
            response_bytes_max: reader.number("server.response_bytes_max", 1..=1 << 40),
            keep_alive: reader.duration("server.keep_alive_ms", 1..=3_600_000),
            head_timeout: reader.duration("server.head_timeout_ms", 1..=600_000),
            body_timeout: reader.duration("server.body_timeout_ms", 1..=3_600_000),
            response_timeout: reader.duration("server.response_timeout_ms", 1..=3_600_000),
        }
    }
}
