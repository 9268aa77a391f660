//! `[matching]`: bounds of filters and their evaluation.

use super::reader::Reader;
use crate::matching::Limits;

pub(super) fn read(reader: &mut Reader) -> Limits {
    Limits {
        steps_per_trigger_max: reader.number("matching.steps_per_trigger_max", 1..=1_000_000_000),
        steps_per_event_max: reader.number("matching.steps_per_event_max", 1..=1_000_000_000),
        unselective_filters_max: reader.number("matching.unselective_filters_max", 0..=10_000_000),
    }
}
