//! `[log]`: the log's format and level.

use super::reader::SettingsReader;

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines are JSON objects.
    pub json: bool,
    /// The least severe level that is written.
    pub level: tracing::Level,
}

impl Log {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let json = reader.word("log.format", &["text", "json"]) == "json";
        let level = reader.text("log.level").parse().unwrap_or_else(|_| {
            reader.refuse("log.level", "write one of error, warn, info, debug, trace");
            tracing::Level::INFO
        });
        Self { json, level }
    }
}
