//! Settings that were changed from their defaults and have no effect beside others, for the operator to look at. They are
//! no mistakes: one file can serve nodes with different stores.

use super::Config;
use super::reader::SettingsReader;

impl Config {
    /// Notes each of them.
    pub(super) fn note_without_effect(&self, reader: &mut SettingsReader) {
        let Ok(kind) = self.store.kind() else { return };
        let can = kind.capabilities();
        for (has_effect, reason, settings) in [
            (!can.streams, "with Redis, accepted deliveries are in Redis", &["store.survives"][..]),
            (
                kind.local_file().is_some(),
                "there is a journal only where `store.url` is `file:`",
                &["journal.bytes_max", "journal.age_max_s"],
            ),
            (
                self.delivers_through_streams(),
                "deliveries go through streams only with Redis and `dispatch.hand_over` = \"streams\"",
                &["cluster.partitions", "cluster.backlog_max", "cluster.take_max", "cluster.claim_after_ms"],
            ),
            (can.shared, "it is for Redis", &["store.ca_file", "store.start_within_ms", "dispatch.hand_over"]),
            (!can.event_ids, "with Redis, ids are in Redis", &["ingest.duplicate_ids_max"]),
        ] {
            for setting in settings.iter().filter(|_| !has_effect) {
                reader.note_without_effect(setting, reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn noted(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::from_layers(Some(("p.toml", file)), variables).expect("valid");
        config.unused.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_changed_setting_without_effect_is_noted_with_its_source() {
        let redis = ("POSTHASTE_STORE__URL", "redis://127.0.0.1");
        assert_eq!(
            noted("[journal]\nage_max_s = 60", &[redis, ("POSTHASTE_STORE__SURVIVES", "power")]),
            [
                "store.survives: has no effect: with Redis, accepted deliveries are in Redis (in POSTHASTE_STORE__SURVIVES)",
                "journal.age_max_s: has no effect: there is a journal only where `store.url` is `file:` (in p.toml)",
            ]
        );
        let cluster = "[cluster]\ntake_max = 9\nclaim_after_ms = 900";
        assert_eq!(noted(cluster, &[("POSTHASTE_INGEST__DUPLICATE_IDS_MAX", "9")]).len(), 2);
        assert_eq!(noted(cluster, &[redis]), [""; 0]);
        assert_eq!(noted(cluster, &[redis, ("POSTHASTE_DISPATCH__HAND_OVER", "local")]).len(), 2);
        assert_eq!(noted("[journal]\nage_max_s = 60", &[("POSTHASTE_STORE__SURVIVES", "power")]), [""; 0]);
        // A file that repeats the defaults changes nothing.
        assert_eq!(noted(include_str!("../../config/posthaste.toml"), &[redis]), [""; 0]);
    }
}
