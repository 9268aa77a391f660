//! `[cluster]`: what this node does, and how nodes share work through Redis.

use std::time::Duration;

use super::reader::SettingsReader;

/// `[cluster]`.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The node accepts events, matches and renders.
    pub ingest: bool,
    /// The node sends.
    pub dispatch: bool,
    /// Streams that deliveries are spread over.
    pub partitions: usize,
    /// Deliveries in the streams without an attempt.
    pub backlog_max: usize,
    /// Deliveries that one sending thread reads before their attempts begin.
    pub take_max: usize,
    /// A node without a heartbeat for this time counts as dead.
    pub claim_after: Duration,
}

impl Cluster {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let roles = reader.texts("cluster.roles");
        for (number, role) in roles.iter().enumerate() {
            if !["ingest", "dispatch"].contains(&role.as_str()) {
                reader.refuse("cluster.roles", format!("{role:?} is not a role; write ingest, dispatch or both"));
            } else if roles[..number].contains(role) {
                let detail = format!("{role:?} is given twice; write it once, or [\"ingest\", \"dispatch\"] for both");
                reader.refuse("cluster.roles", detail);
            }
        }
        if roles.is_empty() {
            reader.refuse("cluster.roles", "a node without a role does nothing; write ingest, dispatch or both");
        }
        let has = |role: &str| roles.iter().any(|own| own == role);
        Self {
            ingest: has("ingest"),
            dispatch: has("dispatch"),
            partitions: reader.number("cluster.partitions", 1..=1_024),
            backlog_max: reader.number("cluster.backlog_max", 1..=100_000_000),
            take_max: reader.number("cluster.take_max", 1..=100_000),
            claim_after: reader.duration("cluster.claim_after_ms", 100..=600_000),
        }
    }

    /// Whether the node has both roles.
    pub(super) fn has_both_roles(&self) -> bool {
        self.ingest && self.dispatch
    }
}
