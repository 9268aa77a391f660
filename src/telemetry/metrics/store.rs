//! Metrics of the store and of what is live.

use prometheus::{IntCounter, IntGauge};

use super::kind::{CounterBy, label, subject};
use crate::model::words::words;

subject! {
    /// The store and what is live.
    pub struct StoreMetrics {
        /// Live triggers, including disabled ones.
        pub triggers: IntGauge = "posthaste_triggers",
        /// Templates that are live.
        pub templates: IntGauge = "posthaste_templates",
        /// Stored records that can't be used; the log names them.
        pub records_unusable: IntGauge = "posthaste_records_unusable",
        /// 1 if the store can be reached; 0 if not: live records stay live, and writes are refused.
        pub connected: IntGauge = "posthaste_store_connected",
        /// 1 if an embedded store accepts writes; 0 if its disk is full or failed; the store tries again by itself.
        pub writable: IntGauge = "posthaste_store_writable",
        /// When Redis last responded to the reader of its changes, in Unix time; 0 with an embedded store.
        pub last_contact: IntGauge = "posthaste_store_last_contact_timestamp_seconds",
        /// Changes of the store in Redis that became live on this node.
        pub changes: IntCounter = "posthaste_store_changes_total",
        /// Snapshots of the store in Redis that were read, by reason.
        pub snapshots: CounterBy<SnapshotReason> = "posthaste_store_snapshots_total",
    }
}

words! {
    /// Why all of the store in Redis is read.
    pub enum SnapshotReason {
        /// The node starts.
        Start = "start",
        /// It is another store: emptied, or restored from a backup.
        Epoch = "epoch",
        /// It is behind what was read before.
        Behind = "behind",
        /// It has another history than the one read before.
        History = "history",
        /// Its log no longer reaches back to what was read before.
        Gap = "gap",
    }
}

label!(SnapshotReason, "reason");
