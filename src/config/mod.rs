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
use layers::Layers;
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
    /// What looks like a setting and is none, for the operator to look at.
    pub unused: Vec<ConfigError>,
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
        let (config, more) = Self::lay(file, std::env::vars());
        errors.extend(more);
        (config, errors)
    }

    /// The same from given layers: a file's name and text, and environment variables.
    pub fn from_layers(
        file: Option<(&str, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let (config, errors) = Self::lay(file, variables);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    fn lay(
        file: Option<(&str, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> (Self, Vec<ConfigError>) {
        let mut layers = Layers::defaults();
        if let Some((name, text)) = file {
            layers.lay_file(name, text);
        }
        layers.lay_environment(variables.into_iter());
        let mut reader = SettingsReader::new(layers);
        let config = Self::read(&mut reader);
        config.check_together(&mut reader);
        let (errors, unused) = reader.into_findings();
        (Self { unused, ..config }, errors)
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
        }
    }

    /// Loads the presets: the shipped ones, and those of the operator's folder.
    pub fn load_presets(&self, dictionary: &Dictionary) -> Result<Presets, Vec<DictionaryError>> {
        Presets::load(dictionary, self.presets.as_deref(), &self.templates)
    }

    /// Whether deliveries reach the nodes that send through Redis.
    pub fn delivers_through_streams(&self) -> bool {
        self.store.capabilities().streams && self.dispatch.streams
    }

    /// Checks what depends on more than one section.
    fn check_together(&self, reader: &mut SettingsReader) {
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
            reader.refuse(
                "dispatch.hand_over",
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

/// The number of threads if the setting is 0.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect()
    }

    #[test]
    fn the_defaults_are_valid_and_documented() {
        let config = Config::from_layers(None, []).expect("valid");
        assert_eq!(config.dispatch.attempt_timeout, Duration::from_secs(10));
        assert_eq!(config.auth.operator_key, None);
        assert_eq!(config.templates, templating::TemplateLimits::default(), "one set of defaults");
        let text = include_str!("../../config/posthaste.toml");
        let mut commented = false;
        for line in text.lines().filter(|line| !line.starts_with('[')) {
            assert!(line.is_empty() || line.starts_with('#') || commented, "no reason for {line}");
            commented = line.starts_with('#');
        }
    }

    #[test]
    fn later_layers_win() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\n[dispatch]\ndrain_ms = 1\nallow_networks = [\"10.0.0.0/8\"]";
        let config = Config::from_layers(
            Some(("file", file)),
            variables(&[
                ("POSTHASTE_DISPATCH__DRAIN_MS", "2"),
                ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\",\"::1/128\"]"),
                ("POSTHASTE_LOG", "not ours"),
            ]),
        )
        .expect("valid");
        assert_eq!(config.server.listen.port(), 1);
        assert_eq!(config.dispatch.drain, Duration::from_millis(2));
        assert_eq!(config.dispatch.egress.allow_networks.len(), 2);
    }

    #[test]
    fn one_reading_reports_every_mistake() {
        let file = "top = 1\n[server]\nlisten = \"0.0.0.0:80\"\nlissten = \"\"\n[dispach]\na = 1\n[dispatch]\nthreads = \"2\"\ndrain_ms = -1\nallow_networks = [\"x\"]\nnat64_prefixes = [\"2001:db8::/95\", \"10.0.0.0/32\"]";
        let errors = Config::from_layers(
            Some(("file", file)),
            variables(&[
                ("POSTHASTE_INGEST__BODY_BYTES_MAX", "many"),
                ("POSTHASTE_LOG__FORMAT", "yaml"),
                ("POSTHASTE_CLUSTER__ROLES", "[\"ingest\"]"),
            ]),
        )
        .expect_err("refused");
        let places: Vec<&str> = errors.iter().map(|e| e.place.as_str()).collect();
        let expected = [
            "dispach.a",
            "dispatch.threads",
            "server.lissten",
            "top",
            "ingest.body_bytes_max",
            "dispatch.allow_networks",
            "dispatch.nat64_prefixes",
            "dispatch.nat64_prefixes",
            "dispatch.drain_ms",
            "log.format",
            "server.listen",
            "cluster.roles",
        ];
        assert_eq!(places, expected, "{errors:#?}");
    }

    #[test]
    fn settings_that_no_node_could_start_with_are_refused() {
        let both = "[\"ingest\", \"dispatch\"]";
        for (url, roles, expected) in [
            ("redis://h", "[\"dispatch\"]", &[][..]),
            ("redis://h", both, &[]),
            ("memory:", both, &[]),
            ("memory:", "[\"ingest\"]", &["cluster.roles: an embedded store belongs to one node"]),
            ("reddis://:hunter2@h", "[\"ingest\"]", &["store.url: the scheme `reddis:` is not known"]),
            ("hunter2@h", both, &["store.url: it names no kind of store"]),
            ("data/x.redb", both, &["store.url: it names no kind of store; write file:"]),
            ("", both, &["store.url: it is empty; write file:"]),
            ("", "[\"ingest\"]", &["store.url: it is empty; write file:"]),
            ("file:", both, &["store.url: `file:` needs a path"]),
            ("redis://u:hunter2@h:abc", both, &["store.url: invalid port number"]),
            ("redis://h", "[\"ingest\",\"ingest\"]", &["cluster.roles: \"ingest\" is given twice"]),
        ] {
            let set = variables(&[("POSTHASTE_STORE__URL", url), ("POSTHASTE_CLUSTER__ROLES", roles)]);
            let errors = Config::from_layers(None, set).map_or_else(|errors| errors, |_| Vec::new());
            let errors: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
            assert_eq!(errors.len(), expected.len(), "{url} {roles}: {errors:?}");
            let sources = ["(in POSTHASTE_STORE__URL)", "(in POSTHASTE_CLUSTER__ROLES)"];
            assert!(errors.iter().all(|error| sources.iter().any(|source| error.ends_with(source))), "{errors:?}");
            for (error, begin) in errors.iter().zip(expected) {
                assert!(error.starts_with(begin) && !error.contains("hunter2"), "{error}");
            }
        }
    }

    #[test]
    fn a_mistake_in_a_value_names_its_file_or_variable() {
        let file = "[dispatch]\ndrain_ms = -1\ncolour = 1\n[server]\nlisten = \"nowhere\"\n[log]\nlevel = \"loud\"";
        let set = variables(&[("POSTHASTE_LOG__LEVEL", "quiet"), ("POSTHASTE_INGEST__BODY_BYTES_MAX", "0")]);
        let errors = Config::from_layers(Some(("/etc/p.toml", file)), set).expect_err("refused");
        for (place, source) in [
            ("dispatch.drain_ms", "/etc/p.toml"),
            ("dispatch.colour", "/etc/p.toml"),
            ("server.listen", "/etc/p.toml"),
            ("log.level", "POSTHASTE_LOG__LEVEL"),
            ("ingest.body_bytes_max", "POSTHASTE_INGEST__BODY_BYTES_MAX"),
        ] {
            let error = errors.iter().find(|error| error.place == place).expect(place).to_string();
            assert!(error.ends_with(&format!("(in {source})")), "{error}");
        }
    }

    #[test]
    fn characters_that_look_like_others_are_named() {
        let curly = "this is a curly quote (U+201C)";
        for (file, variable, part) in [
            ("[server]\nlisten = \u{201c}127.0.0.1:1\u{201d}", "[]", curly),
            ("[server]\nlisten\u{a0}= \"127.0.0.1:1\"", "[]", "this is a no-break space (U+00A0)"),
            ("", "[\u{201c}127.0.0.0/8\u{201d}]", curly),
        ] {
            let set = variables(&[("POSTHASTE_DISPATCH__ALLOW_NETWORKS", variable)]);
            let errors = Config::from_layers(Some(("p.toml", file)), set).expect_err("refused");
            assert!(errors[0].to_string().contains(part), "{}", errors[0]);
        }
        let begins = "\u{feff}[server]\r\nlisten = \"127.0.0.1:1\"\r\n";
        assert_eq!(Config::from_layers(Some(("p.toml", begins)), []).expect("valid").server.listen.port(), 1);
    }

    #[test]
    fn a_variable_that_almost_names_a_setting_is_told_and_no_other_is() {
        let meant = "POSTHASTE_STORE__URL";
        for (name, expected) in [
            ("POSTHASTE_STORE_URL", Some(meant)),
            ("POSTHASTE_STOREURL", Some(meant)),
            ("POSTHASE_STORE__URL", Some(meant)),
            ("PostHaste_store__url", Some(meant)),
            ("POST_HASTE_STORE_URL", Some(meant)),
            ("POSTHASTE_STORE_ULR", Some(meant)),
            ("POSTHASTE_DISPATCH_ALLOW_NETWORK", Some("POSTHASTE_DISPATCH__ALLOW_NETWORKS")),
            // What Kubernetes and others set.
            ("POSTHASTE_SERVICE_HOST", None),
            ("POSTHASTE_SERVICE_PORT", None),
            ("POSTHASTE_PORT", None),
            ("POSTHASTE_PORT_8080_TCP_ADDR", None),
            ("POSTHASTE_WRITE_DOCUMENTS", None),
            ("POSTGRES_STORE__URL", None),
            ("STORE__URL", None),
            ("PATH", None),
        ] {
            let config = Config::from_layers(None, variables(&[(name, "memory:")])).expect("the defaults");
            let reported: Vec<String> = config.unused.iter().map(ConfigError::to_string).collect();
            assert_eq!(reported.len(), usize::from(expected.is_some()), "{name}: {reported:?}");
            let expected =
                expected.map(|meant| format!("{name}: this environment variable is not used; did you mean {meant}?"));
            assert_eq!(reported.first().cloned(), expected);
        }
    }

    #[test]
    fn a_misspelt_key_is_told_with_the_one_that_was_meant() {
        let set = variables(&[("POSTHASTE_STORE__ULR", "memory:"), ("POSTHASTE_STOER__URL", "memory:")]);
        let errors = Config::from_layers(None, set).expect_err("refused");
        assert!(errors[0].detail.contains("did you mean `url`?"), "{errors:?}");
        assert!(errors[1].detail.contains("did you mean `store`?"), "{errors:?}");
    }
}
