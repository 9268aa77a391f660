//! `[activity]`: who may watch ended firings, and at which rate.

use super::reader::SettingsReader;

/// `[activity]`.
#[derive(Debug, Clone)]
pub struct ActivitySettings {
    /// Whether account keys may watch their own account's activity.
    pub for_accounts: bool,
    /// Concurrent subscribers.
    pub subscribers_max: usize,
    /// Lines per second that one subscriber receives.
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
