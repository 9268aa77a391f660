//! Metrics of the store and of what is live.

use prometheus::{IntCounter, IntGauge};

use super::kind::{CounterBy, Label, subject};

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

/// Why all of the store in Redis is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotReason {
    /// The node starts.
    Start,
    /// It is another store: emptied, or restored from a backup.
    Epoch,
    /// It is behind what was read before.
    Behind,
    /// It has another history than the one read before.
    History,
    /// Its log no longer reaches back to what was read before.
    Gap,
}

impl Label for SnapshotReason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = &[Self::Start, Self::Epoch, Self::Behind, Self::History, Self::Gap];

    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Epoch => "epoch",
            Self::Behind => "behind",
            Self::History => "history",
            Self::Gap => "gap",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
