//! How far the sink has followed the store's history, and whether the log continues from there.

use super::scripts::Changes;
use crate::telemetry::metrics::SnapshotReason;

/// The sink has everything up to this version of this history.
#[derive(Debug, Clone)]
pub(super) struct LogPosition {
    pub(super) epoch: String,
    pub(super) version: u64,
    /// The token of the version's entry in the log; two histories may have the same version.
    pub(super) token: Option<String>,
}

impl LogPosition {
    /// Whether the entries that were read continue from here; if not, why everything must be read again.
    pub(super) fn check(&self, read: &Changes) -> Result<(), SnapshotReason> {
        if read.epoch.as_ref() != Some(&self.epoch) {
            return Err(SnapshotReason::Epoch);
        }
        if read.version < self.version {
            return Err(SnapshotReason::Behind);
        }
        if read.token != self.token {
            return Err(SnapshotReason::History);
        }
        let follows = (self.version + 1..).zip(&read.entries).all(|(expected, entry)| entry.version == expected);
        let lost = read.entries.is_empty() && read.version > self.version;
        if follows && !lost { Ok(()) } else { Err(SnapshotReason::Gap) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripts::{LogEntry, LogValue};
    use super::*;

    fn read(epoch: &str, version: u64, token: Option<&str>, entries: &[u64]) -> Changes {
        let entry = |version: &u64| LogEntry {
            version: *version,
            location: None,
            token: String::new(),
            value: LogValue::Deleted,
        };
        Changes {
            epoch: Some(epoch.to_owned()),
            version,
            token: token.map(str::to_owned),
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn a_log_is_followed_only_where_it_is_complete() {
        let position = LogPosition { epoch: "e".into(), version: 5, token: Some("t".into()) };
        for (read, expected) in [
            (read("e", 5, Some("t"), &[]), Ok(())),
            (read("e", 7, Some("t"), &[6, 7]), Ok(())),
            // The rest did not fit into one response.
            (read("e", 9, Some("t"), &[6, 7]), Ok(())),
            (read("f", 5, Some("t"), &[]), Err(SnapshotReason::Epoch)),
            (Changes { epoch: None, ..read("e", 0, None, &[]) }, Err(SnapshotReason::Epoch)),
            (read("e", 4, None, &[]), Err(SnapshotReason::Behind)),
            (read("e", 5, Some("u"), &[]), Err(SnapshotReason::History)),
            (read("e", 6, None, &[6]), Err(SnapshotReason::History)),
            (read("e", 8, Some("t"), &[7, 8]), Err(SnapshotReason::Gap)),
            (read("e", 8, Some("t"), &[6, 8]), Err(SnapshotReason::Gap)),
            (read("e", 8, Some("t"), &[]), Err(SnapshotReason::Gap)),
        ] {
            assert_eq!(position.check(&read), expected, "{read:?}");
        }
    }

    #[test]
    fn a_log_that_was_emptied_is_followed_on() {
        let position = LogPosition { epoch: "e".into(), version: 5, token: None };
        assert_eq!(position.check(&read("e", 5, None, &[])), Ok(()));
        assert_eq!(position.check(&read("e", 6, None, &[6])), Ok(()));
    }
}
