//! Metrics of the store and of what is live.

use prometheus::{IntCounter, IntGauge};

use super::kind::{CounterBy, label, subject};

subject! {
    /// The store and what is live.
    pub struct StoreMetrics {
        /// Triggers that are live, disabled ones too.
        pub triggers: IntGauge = "posthaste_triggers",
        /// Templates that are live.
        pub templates: IntGauge = "posthaste_templates",
        /// Records that are stored and can't be used; the log names them.
        pub records_unusable: IntGauge = "posthaste_records_unusable",
        /// One where the store can be reached; zero: what was live last stays live, and writes are refused.
        pub connected: IntGauge = "posthaste_store_connected",
        /// One where an embedded store takes writes; zero: its disk is full or failed, and is tried again.
        pub writable: IntGauge = "posthaste_store_writable",
        /// When Redis last responded to the part that follows its changes, in Unix time; 0 with an embedded store.
        pub last_contact: IntGauge = "posthaste_store_last_contact_timestamp_seconds",
        /// Changes of the store in Redis that were made live here.
        pub changes: IntCounter = "posthaste_store_changes_total",
        /// Times that all of the store in Redis was read, by reason.
        pub snapshots: CounterBy<SnapshotReason> = "posthaste_store_snapshots_total",
    }
}

label! {
    /// Why all of the store in Redis is read.
    pub enum SnapshotReason = "reason" {
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
