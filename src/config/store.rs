//! `[store]`: where triggers, templates and keys are kept, and what each kind of store can do. The values are
//! checked as they are read, by the functions that use them later, without connecting. A mistake never repeats
//! what may hold a password.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::SettingsReader;
use crate::model::quotas::Quotas;
#[cfg(feature = "redis")]
use crate::redis;

/// `[store]`.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Names the store.
    pub url: String,
    /// Certificate authorities to trust in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// How long a start waits for Redis.
    pub start_within: Duration,
    /// What one account may keep.
    pub quotas: Quotas,
}

/// What a store's URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// This process's memory.
    Memory,
    /// A file of one node.
    File(PathBuf),
    /// Redis.
    Redis,
}

/// What a kind of store can do for nodes, beyond keeping records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Several nodes can use one store at a time; one that can't belongs to one node.
    pub shared: bool,
    /// It can carry deliveries between nodes.
    pub streams: bool,
    /// It can remember the ids of events for all nodes.
    pub event_ids: bool,
    /// What it holds outlives the process.
    pub persistent: bool,
}

impl StoreKind {
    /// What it can do.
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Memory => Capabilities::default(),
            Self::File(_) => Capabilities { persistent: true, ..Capabilities::default() },
            Self::Redis => Capabilities { shared: true, streams: true, event_ids: true, persistent: true },
        }
    }

    /// The local file that holds it, if there is one. Only such a store can have a journal.
    pub fn local_file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory | Self::Redis => None,
        }
    }
}

/// Why a store's URL names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// Nothing is set.
    #[error("it is empty; write file:data/posthaste.redb, or memory:, or redis://127.0.0.1:6379")]
    Empty,
    /// A URL without a scheme. It may be a password, so it is not repeated.
    #[error("it names no kind of store; write file:data/posthaste.redb, or memory:, or redis://127.0.0.1:6379")]
    NoScheme,
    /// A URL of a kind that is not known.
    #[error("the scheme `{0}:` is not known; write file:PATH or memory:, or redis://HOST:PORT")]
    UnknownScheme(String),
    /// A URL that names Redis, in a program that was built without it.
    #[error(
        "this program was built without Redis; build it with `cargo build --release`, or write file:PATH or memory:"
    )]
    WithoutRedis,
    /// Something after `memory:`. It may be a password, so it is not repeated.
    #[error("`memory:` has nothing after it; write memory:")]
    NotOnlyMemory,
    /// A `file:` URL without a path.
    #[error("`file:` needs a path after it, like file:data/posthaste.redb or file:/var/lib/posthaste/store.redb")]
    NoPath,
}

impl StoreSettings {
    pub(super) fn read(reader: &mut SettingsReader) -> Self {
        let settings = Self {
            url: reader.text("store.url"),
            ca_file: reader.path("store.ca_file"),
            start_within: reader.duration("store.start_within_ms", 0..=3_600_000),
            quotas: super::quotas::read(reader),
        };
        match settings.kind() {
            Err(error) => reader.refuse("store.url", error.to_string()),
            #[cfg(feature = "redis")]
            Ok(StoreKind::Redis) => {
                for mistake in redis::mistakes(&settings.url, settings.ca_file.as_deref()) {
                    reader.refuse(mistake.setting, mistake.detail);
                }
            }
            Ok(_) => {}
        }
        settings
    }

    /// What the URL names.
    pub fn kind(&self) -> Result<StoreKind, StoreUrlError> {
        if self.url.trim().is_empty() {
            return Err(StoreUrlError::Empty);
        }
        let (scheme, rest) = self.url.split_once(':').ok_or(StoreUrlError::NoScheme)?;
        match (scheme, rest) {
            ("memory", "") => Ok(StoreKind::Memory),
            ("memory", _) => Err(StoreUrlError::NotOnlyMemory),
            ("file", rest) => file_path(rest).map(StoreKind::File),
            ("redis" | "rediss" | "redis+cluster" | "rediss+cluster", _) => match cfg!(feature = "redis") {
                true => Ok(StoreKind::Redis),
                false => Err(StoreUrlError::WithoutRedis),
            },
            // Text that is not a scheme may be a password, if the scheme was left out.
            _ if scheme.contains('@') => Err(StoreUrlError::NoScheme),
            _ => Err(StoreUrlError::UnknownScheme(scheme.chars().take(32).collect())),
        }
    }

    /// What the store that the URL names can do; nothing where it names none.
    pub fn capabilities(&self) -> Capabilities {
        self.kind().map(|kind| kind.capabilities()).unwrap_or_default()
    }

    /// See [`StoreKind::local_file`].
    pub fn local_file(&self) -> Option<PathBuf> {
        self.kind().ok()?.local_file().map(Path::to_owned)
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
    fn a_file_url_names_a_path() {
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
