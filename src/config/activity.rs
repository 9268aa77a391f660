//! `[activity]`: who may watch firings end, and how much of it.

use super::reader::SettingsReader;

/// `[activity]`.
#[derive(Debug, Clone)]
pub struct ActivitySettings {
    /// Whether account keys see their own account's activity.
    pub for_accounts: bool,
    /// Subscribers at a time.
    pub subscribers_max: usize,
    /// Lines a second that one subscriber is sent.
    pub lines_per_s_max: usize,
}

impl ActivitySettings {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        Self {
            for_accounts: reader.flag("activity.for_accounts"),
            subscribers_max: reader.number("activity.subscribers_max", 0..=1_000),
            lines_per_s_max: reader.number("activity.lines_per_s_max", 10..=10_000),
        }
    }
}
