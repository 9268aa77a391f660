//! `[matching]`: bounds of filters and their evaluation.

use super::reader::SettingsReader;
use crate::matching::FilterLimits;

pub(super) fn read(reader: &mut SettingsReader) -> FilterLimits {
    FilterLimits {
        steps_per_trigger_max: reader.number("matching.steps_per_trigger_max", 1..=1_000_000_000),
        steps_per_event_max: reader.number("matching.steps_per_event_max", 1..=1_000_000_000),
        unselective_filters_max: reader.number("matching.unselective_filters_max", 0..=10_000_000),
    }
}
