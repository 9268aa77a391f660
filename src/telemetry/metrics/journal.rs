//! Metrics of the journal.

use prometheus::IntGauge;

use super::kind::subject;

subject! {
    /// The journal of accepted deliveries.
    pub struct JournalMetrics {
        /// Bytes of records whose deliveries have not all begun.
        pub bytes: IntGauge = "posthaste_journal_bytes",
        /// Bytes of the journal's files.
        pub disk_bytes: IntGauge = "posthaste_journal_disk_bytes",
        /// One where the journal can be written; zero: events are refused. Zero too where there is no journal.
        pub writable: IntGauge = "posthaste_journal_writable",
        /// Deliveries that a start has found in the journal and not yet handed on.
        pub recovering: IntGauge = "posthaste_journal_recovering",
    }
}
