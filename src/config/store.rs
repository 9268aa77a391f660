//! `[store]`: where triggers, templates and keys are kept. What stands there is judged when it is read, by
//! the functions that use it later, and nothing is connected to. A mistake never repeats what may
//! hold a password.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use crate::redis;

/// `[store]`.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// What keeps them.
    pub url: String,
    /// Certificate authorities to trust in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// How long a start waits for Redis.
    pub start_within: Duration,
}

/// What a store's URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// Nothing that lasts.
    Memory,
    /// A file of this node's.
    File(PathBuf),
    /// Redis, which other nodes share.
    Redis,
}

/// Why a store's URL names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// A URL of a kind that is not known.
    #[error("the scheme `{0}:` is not known; write file:PATH or memory:, or redis://HOST:PORT")]
    UnknownScheme(String),
    /// A `file:` URL without a path.
    #[error("`file:` needs a path after it, like file:data/posthaste.redb or file:/var/lib/posthaste/store.redb")]
    NoPath,
}

impl StoreSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let settings = Self {
            url: reader.text("store.url"),
            ca_file: reader.path("store.ca_file"),
            start_within: reader.duration("store.start_within_ms", 0..=3_600_000),
        };
        match settings.kind() {
            Err(error) => reader.refuse("store.url", error.to_string()),
            Ok(StoreKind::Redis) => {
                for mistake in redis::mistakes(&settings.url, settings.ca_file.as_deref()) {
                    reader.refuse(mistake.setting, mistake.detail);
                }
            }
            Ok(StoreKind::Memory | StoreKind::File(_)) => {}
        }
        settings
    }

    /// What the URL names.
    pub fn kind(&self) -> Result<StoreKind, StoreUrlError> {
        let (scheme, rest) = self.url.split_once(':').unwrap_or((&self.url, ""));
        match (scheme, rest) {
            ("memory", "") => Ok(StoreKind::Memory),
            ("file", rest) => file_path(rest).map(StoreKind::File),
            ("redis" | "rediss" | "redis+cluster" | "rediss+cluster", _) => Ok(StoreKind::Redis),
            // What is no scheme may be a password whose scheme was forgotten.
            _ if scheme.contains('@') => Err(StoreUrlError::UnknownScheme(String::new())),
            _ => Err(StoreUrlError::UnknownScheme(scheme.chars().take(32).collect())),
        }
    }

    /// Whether it is Redis, which other nodes share.
    pub fn is_shared(&self) -> bool {
        self.kind() == Ok(StoreKind::Redis)
    }
}

/// The path of a `file:` URL, taken as it is written: `%` means itself.
fn file_path(rest: &str) -> Result<PathBuf, StoreUrlError> {
    // `file:///x` is how other programs write `file:/x`; `file://x` would name a machine.
    match rest.strip_prefix("//") {
        None if rest.is_empty() => Err(StoreUrlError::NoPath),
        None => Ok(PathBuf::from(rest)),
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        Some(_) => Err(StoreUrlError::NoPath),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_file_urls() {
        for (rest, path) in [
            ("data/x.redb", Some("data/x.redb")),
            ("/var/x", Some("/var/x")),
            ("///var/x", Some("/var/x")),
            ("./a b%20", Some("./a b%20")),
            ("", None),
            ("//", None),
            ("//host/x", None),
        ] {
            assert_eq!(file_path(rest).ok(), path.map(PathBuf::from), "{rest}");
        }
    }
}
