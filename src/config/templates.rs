//! `[templates]`: bounds of templates and their rendering.

use super::reader::SettingsReader;
use crate::templating::TemplateLimits;

pub(super) fn read(reader: &mut SettingsReader) -> TemplateLimits {
    TemplateLimits {
        body_bytes_max: reader.number("templates.body_bytes_max", 1..=16 << 20),
        // The parser's stack was measured to hold about a thousand on two megabytes.
        nesting_max: reader.number("templates.nesting_max", 1..=128),
        each_depth_max: reader.number("templates.each_depth_max", 1..=16),
        steps_max: reader.number("templates.steps_max", 1..=100_000_000),
        output_bytes_max: reader.number("templates.output_bytes_max", 1..=1 << 30),
    }
}
