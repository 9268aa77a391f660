//! `[journal]` and `store.survives`: what an accepted event survives, and the bounds of the journal that keeps it.

use std::time::Duration;

use super::reader::SettingsReader;
use super::store::StoreKind;

/// What accepted events survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// A graceful stop, which sends what it can.
    Stop,
    /// The end of the process, however it ends.
    Process,
    /// A power cut as well.
    Power,
}

/// The journal beside an embedded store.
#[derive(Debug, Clone)]
pub struct JournalSettings {
    /// What it is kept for. With [`Survives::Stop`] there is no journal.
    pub survives: Survives,
    /// Bytes of its files.
    pub bytes_max: usize,
    /// A delivery that waited for longer is dropped.
    pub age_max: Duration,
}

impl JournalSettings {
    /// `kind` is the store's; `None` where its URL is wrong, which was said.
    pub(super) fn read(reader: &mut SettingsReader, kind: Option<&StoreKind>) -> Self {
        let has_journal = kind.is_some_and(|kind| kind.local_file().is_some());
        let own = if has_journal { Survives::Process } else { Survives::Stop };
        let survives = match (reader.text("store.survives").as_str(), kind.map(StoreKind::capabilities)) {
            ("", _) | (_, None) => own,
            ("stop", _) => Survives::Stop,
            ("process", _) if has_journal => Survives::Process,
            ("power", _) if has_journal => Survives::Power,
            ("process" | "power", Some(can)) => {
                // Where the store carries deliveries, they are kept in it.
                if !can.streams {
                    let detail = "memory: is gone with the process; write \"stop\", or keep the store in a file";
                    reader.refuse("store.survives", detail);
                }
                own
            }
            (other, _) => {
                reader.refuse("store.survives", format!("{other:?} is not known; write stop, process or power"));
                own
            }
        };
        Self {
            survives,
            bytes_max: reader.number("journal.bytes_max", 1 << 20..=1 << 50),
            age_max: Duration::from_secs(reader.number("journal.age_max_s", 1..=31_536_000) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::error::ConfigError;
    use super::*;

    fn survives(url: &str, survives: &str) -> Result<Survives, Vec<ConfigError>> {
        let variables = [("POSTHASTE_STORE__URL", url), ("POSTHASTE_STORE__SURVIVES", survives)];
        let config = Config::from_layers(None, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        config.map(|config| config.journal.survives)
    }

    #[test]
    fn each_store_has_its_levels() {
        for (url, word, expected) in [
            ("file:x", "", Some(Survives::Process)),
            ("file:x", "stop", Some(Survives::Stop)),
            ("file:x", "power", Some(Survives::Power)),
            ("file:x", "crash", None),
            ("memory:", "", Some(Survives::Stop)),
            ("memory:", "stop", Some(Survives::Stop)),
            ("memory:", "process", None),
            ("redis://127.0.0.1", "power", Some(Survives::Stop)),
        ] {
            match survives(url, word) {
                Ok(level) => assert_eq!(Some(level), expected, "{url} {word}"),
                Err(errors) => {
                    let places: Vec<&str> = errors.iter().map(|error| error.place.as_str()).collect();
                    assert_eq!((places, expected), (vec!["store.survives"], None), "{url} {word}");
                }
            }
        }
    }
}
