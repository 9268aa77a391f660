//! `[ingest]`: limits of incoming events.

use std::num::NonZeroU32;
use std::time::Duration;

use super::reader::SettingsReader;

/// `[ingest]`.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Bytes of one request's body.
    pub body_bytes_max: usize,
    /// Bytes of the bodies of all requests without a response yet.
    pub bodies_bytes_max: usize,
    /// Accepted events whose deliveries have not all begun.
    pub events_in_flight_max: usize,
    /// Deliveries that were matched and whose attempts have not begun.
    pub deliveries_in_flight_max: usize,
    /// Events that one account may post to this node in a second; `None`: as many as it can.
    pub rate_per_account_s: Option<NonZeroU32>,
    /// How long an event's id is remembered; zero: not at all.
    pub duplicate_window: Duration,
    /// Ids that are remembered in memory, without Redis.
    pub duplicate_ids_max: usize,
}

impl Ingest {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        Self {
            body_bytes_max: reader.number("ingest.body_bytes_max", 1..=1 << 30),
            bodies_bytes_max: reader.number("ingest.bodies_bytes_max", 1..=1 << 40),
            events_in_flight_max: reader.number("ingest.events_in_flight_max", 1..=10_000_000),
            deliveries_in_flight_max: reader.number("ingest.deliveries_in_flight_max", 1..=10_000_000),
            rate_per_account_s: reader.rate("ingest.rate_per_account_s"),
            duplicate_window: reader.duration("ingest.duplicate_window_ms", 0..=604_800_000),
            duplicate_ids_max: reader.number("ingest.duplicate_ids_max", 1..=1_000_000_000),
        }
    }
}
