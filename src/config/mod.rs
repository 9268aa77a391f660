//! The settings of a node. A [`Config`] that exists is valid. `config/posthaste.toml` is their documentation and
//! their default; each file here reads one section of it. One reading reports every mistake.

mod activity;
mod auth;
mod catalogue;
mod cluster;
mod console;
mod dispatch;
mod egress;
mod error;
mod ingest;
mod journal;
mod layers;
mod listen;
mod log;
mod matching;
mod presets;
mod quotas;
mod reader;
mod server;
mod store;
mod templates;
mod without_effect;

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

pub use activity::ActivitySettings;
pub use auth::Auth;
pub use catalogue::DictionarySource;
pub use cluster::Cluster;
pub use console::Console;
pub use dispatch::{Dispatch, HandshakeSettings};
pub use error::ConfigError;
pub use ingest::Ingest;
pub use journal::{JournalSettings, Survives};
pub use listen::{NotAnAddress, listen_address};
pub use log::Log;
pub use server::Server;
pub use store::{Capabilities, StoreKind, StoreSettings, StoreUrlError};

use crate::dictionary::{Dictionary, DictionaryError, Presets};
use crate::matching as filters;
use crate::templating;
use layers::{Layers, SettingSources};
use reader::SettingsReader;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// How HTTP is served.
    pub server: Server,
    /// Where triggers, templates and keys are kept.
    pub store: StoreSettings,
    /// The journal beside an embedded store.
    pub journal: JournalSettings,
    /// What the node does, and how it shares work with others.
    pub cluster: Cluster,
    /// The operator's key.
    pub auth: Auth,
    /// What may come in.
    pub ingest: Ingest,
    /// Bounds of filters and their evaluation.
    pub matching: filters::FilterLimits,
    /// Bounds of templates and their rendering.
    pub templates: templating::TemplateLimits,
    /// How deliveries are sent.
    pub dispatch: Dispatch,
    /// Where the dictionary is.
    pub dictionary: DictionarySource,
    /// The folder of the operator's own presets.
    pub presets: Option<PathBuf>,
    /// Who may watch firings end.
    pub activity: ActivitySettings,
    /// The web console.
    pub console: Console,
    /// The log's format and level.
    pub log: Log,
    /// Variables that look like settings and are not, and settings without effect, for the operator to look at.
    pub unused: Vec<ConfigError>,
    sources: SettingSources,
}

impl Config {
    /// Reads the settings of this process: the compiled-in file, then `file`, then the environment; the later one
    /// wins.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<ConfigError>> {
        let (config, errors) = Self::examine(file);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// The same for a caller that continues after a mistake: a default, or a number within its bounds, replaces each
    /// invalid value.
    pub fn examine(file: Option<&Path>) -> (Self, Vec<ConfigError>) {
        let mut errors = Vec::new();
        let text = file.map(|path| (path.display().to_string(), std::fs::read_to_string(path)));
        let text = match text {
            Some((name, Ok(text))) => Some((name, text)),
            Some((name, Err(error))) => {
                errors.push(ConfigError::new(&name, format!("can't be read: {error}")));
                None
            }
            None => None,
        };
        let file = text.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
        let (config, more) = Self::lay(file, std::env::vars_os());
        errors.extend(more);
        (config, errors)
    }

    /// The same from given layers: a file's name and text, and environment variables.
    pub fn from_layers(
        file: Option<(&str, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let (config, errors) = Self::lay(file, variables);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    fn lay(
        file: Option<(&str, &str)>,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> (Self, Vec<ConfigError>) {
        let mut layers = Layers::defaults();
        if let Some((name, text)) = file {
            layers.lay_file(name, text);
        }
        layers.lay_environment(variables);
        let mut reader = SettingsReader::new(layers);
        let config = Self::read(&mut reader);
        config.check_together(&mut reader);
        config.note_without_effect(&mut reader);
        let Layers { errors, unused, sources, .. } = reader.into_layers();
        (Self { unused, sources, ..config }, errors)
    }

    fn read(reader: &mut SettingsReader) -> Self {
        let store = StoreSettings::read(reader);
        let kind = store.kind().ok();
        Self {
            server: Server::read(reader),
            store,
            journal: JournalSettings::read(reader, kind.as_ref()),
            cluster: Cluster::read(reader),
            auth: Auth::read(reader),
            ingest: Ingest::read(reader),
            matching: matching::read(reader),
            templates: templates::read(reader),
            dispatch: Dispatch::read(reader),
            dictionary: DictionarySource::read(reader),
            presets: presets::read(reader),
            activity: ActivitySettings::read(reader),
            console: Console::read(reader),
            log: Log::read(reader),
            unused: Vec::new(),
            sources: SettingSources::new(),
        }
    }

    /// Loads the presets: the shipped ones, and those of the operator's folder.
    pub fn load_presets(&self, dictionary: &Dictionary) -> Result<Presets, Vec<DictionaryError>> {
        Presets::load(dictionary, self.presets.as_deref(), &self.templates)
    }

    /// The mistakes in the operator's presets that can be found without a dictionary.
    pub fn presets_mistakes(&self) -> Vec<DictionaryError> {
        self.presets.as_deref().map(Presets::mistakes).unwrap_or_default()
    }

    /// Whether deliveries reach the nodes that send through Redis.
    pub fn delivers_through_streams(&self) -> bool {
        self.store.capabilities().streams && self.dispatch.streams
    }

    /// A mistake in a setting that a later part found, with its source.
    pub fn mistake(&self, setting: &str, detail: impl Into<String>) -> ConfigError {
        ConfigError::new(setting, detail).found_in(self.sources.get(setting).map(String::as_str))
    }

    /// Checks what depends on more than one section.
    fn check_together(&self, reader: &mut SettingsReader) {
        if self.server.admin_listen.is_some_and(|admin| is_same_place(admin, self.server.listen)) {
            let detail = format!("{} is also the address of the HTTP server; write another port", self.server.listen);
            reader.refuse_for("server.admin_listen", "server.listen", detail);
        }
        if self.auth.operator_key.is_none() && !self.server.listen.ip().is_loopback() {
            let detail = format!(
                "{} can be reached from other machines, and without `auth.operator_key` every client has the operator's rights; \
                 set a key or listen on 127.0.0.1",
                self.server.listen
            );
            reader.refuse("server.listen", detail);
        }
        let Ok(kind) = self.store.kind() else { return };
        if self.cluster.has_both_roles() || self.delivers_through_streams() {
            return;
        }
        if kind.capabilities().shared {
            reader.refuse_for(
                "dispatch.hand_over",
                "cluster.roles",
                "\"local\" is for a node with both roles, since it sends what it accepts; write \"streams\"",
            );
        } else {
            reader.refuse(
                "cluster.roles",
                "an embedded store belongs to one node, which must have both roles: [\"ingest\", \"dispatch\"]",
            );
        }
    }
}

/// Whether two servers can't listen at both: one port, and one address or all of a kind.
fn is_same_place(one: SocketAddr, other: SocketAddr) -> bool {
    let overlap = |all: IpAddr, own: IpAddr| all.is_unspecified() && all.is_ipv4() == own.is_ipv4();
    let (a, b) = (one.ip(), other.ip());
    one.port() != 0 && one.port() == other.port() && (a == b || overlap(a, b) || overlap(b, a))
}

/// The number of threads if the setting is 0.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
