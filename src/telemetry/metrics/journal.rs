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
        /// 1 if the journal can be written; 0 if not, and events are refused, or if there is no journal.
        pub writable: IntGauge = "posthaste_journal_writable",
        /// Deliveries that were found in the journal at the start and are not yet handed on.
        pub recovering: IntGauge = "posthaste_journal_recovering",
    }
}
