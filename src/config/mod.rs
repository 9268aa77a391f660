//! The settings of a node. A [`Config`] that exists is valid; `config/posthaste.toml` is their
//! documentation and their default, and one reading reports every mistake.

mod egress;
mod layers;
mod store;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

pub use store::{StoreKind, StoreSettings, StoreUrlError};

use crate::model::egress::EgressRules;
use crate::templating;

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, `section.key`, or the file.
    pub place: String,
    /// What is wrong and what instead.
    pub detail: String,
}

impl ConfigError {
    fn new(place: &str, detail: impl Into<String>) -> Self {
        Self { place: place.to_owned(), detail: detail.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// How HTTP is served.
    pub server: Server,
    /// Where triggers, templates and keys are kept.
    pub store: StoreSettings,
    /// What the node does, and how it shares work with others.
    pub cluster: Cluster,
    /// `auth.operator_key`.
    pub operator_key: Option<String>,
    /// What may come in.
    pub ingest: Ingest,
    /// Bounds of templates and their rendering.
    pub templates: templating::Limits,
    /// How deliveries go out.
    pub dispatch: Dispatch,
    /// Where the dictionary is.
    pub catalogue: DictionarySource,
    /// How the log looks.
    pub log: Log,
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Threads that take HTTP in, match and render.
    pub workers: usize,
    /// Open connections, all threads together.
    pub connections_max: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long it may take to send the body.
    pub body_timeout: Duration,
}

/// `[cluster]`.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// It takes events in, matches and renders.
    pub ingest: bool,
    /// It sends.
    pub dispatch: bool,
    /// Streams that deliveries are spread over.
    pub partitions: usize,
    /// Deliveries in the streams without an attempt.
    pub backlog_max: usize,
    /// Deliveries that a sending thread takes before their attempts begin.
    pub take_max: usize,
    /// A node that gave no sign of life for so long counts as dead.
    pub claim_after: Duration,
}

/// `[ingest]`.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Bytes of one request's body.
    pub body_bytes_max: usize,
    /// Bytes of the bodies of all requests that are not answered yet.
    pub bodies_bytes_max: usize,
    /// Events accepted and not yet handed to their destinations' senders.
    pub events_in_flight_max: usize,
    /// How long an event's id is remembered; zero: not at all.
    pub duplicate_window: Duration,
    /// Ids remembered in memory, where there is no Redis.
    pub duplicate_ids_max: usize,
}

/// `[dispatch]`.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Threads that send.
    pub threads: usize,
    /// Connections open to one destination.
    pub connections_per_destination: usize,
    /// Deliveries that wait for one destination.
    pub queue_per_destination: usize,
    /// Bytes of bodies that wait for one destination.
    pub queue_bytes_per_destination: usize,
    /// Destinations at a time.
    pub destinations_max: usize,
    /// One deadline over resolve, connect, send and the answer.
    pub attempt_timeout: Duration,
    /// An idle Dispatcher stops after this.
    pub idle_destination: Duration,
    /// How long an idle connection to a destination is kept.
    pub keep_alive: Duration,
    /// A destination where none of the attempts ends for so long is behind.
    pub stalled_after: Duration,
    /// A destination where a delivery waits for so long is behind.
    pub behind_after: Duration,
    /// Bytes of an answer's body that are read to keep the connection.
    pub answer_bytes_max: usize,
    /// What may be dialled.
    pub egress: EgressRules,
    /// Certificate authorities to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
    /// Deliveries go through Redis, also from this node to itself.
    pub streams: bool,
    /// How long a stop goes on sending.
    pub drain: Duration,
}

/// `[catalogue]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DictionarySource {
    /// This folder.
    Folder(PathBuf),
    /// The default folder where it exists, else the one compiled in.
    Shipped(PathBuf),
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines as JSON objects.
    pub json: bool,
    /// The least that is written.
    pub level: tracing::Level,
}

impl Config {
    /// Reads the settings of this process: the compiled-in ones, `file` over them, the environment
    /// over that.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<ConfigError>> {
        let (config, errors) = Self::examine(file);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// The same for whoever looks for more mistakes behind these: where there are some, the default
    /// or a number within its bounds stands in for what is wrong.
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
        let mut table = layers::defaults();
        let mut errors = Vec::new();
        if let Some((name, text)) = file {
            layers::lay_file(&mut table, name, text, &mut errors);
        }
        layers::lay_environment(&mut table, variables.into_iter(), &mut errors);
        let mut reader = Reader { table, errors };
        let config = Self::read(&mut reader);
        (config, reader.errors)
    }

    fn read(reader: &mut Reader) -> Self {
        let config = Self {
            server: Server::read(reader),
            store: StoreSettings::read(reader),
            cluster: Cluster::read(reader),
            operator_key: Some(reader.text("auth.operator_key")).filter(|key| !key.is_empty()),
            ingest: Ingest {
                body_bytes_max: reader.number("ingest.body_bytes_max", 1..=1 << 30),
                bodies_bytes_max: reader.number("ingest.bodies_bytes_max", 1..=1 << 40),
                events_in_flight_max: reader.number("ingest.events_in_flight_max", 1..=10_000_000),
                duplicate_window: reader.duration("ingest.duplicate_window_ms", 0..=604_800_000),
                duplicate_ids_max: reader.number("ingest.duplicate_ids_max", 1..=1_000_000_000),
            },
            templates: templating::Limits {
                body_bytes_max: reader.number("templates.body_bytes_max", 1..=16 << 20),
                // The parser's stack was measured to hold about a thousand on two megabytes.
                nesting_max: reader.number("templates.nesting_max", 1..=128),
                each_depth_max: reader.number("templates.each_depth_max", 1..=16),
                steps_max: reader.number("templates.steps_max", 1..=100_000_000),
                output_bytes_max: reader.number("templates.output_bytes_max", 1..=1 << 30),
            },
            dispatch: Dispatch::read(reader),
            catalogue: DictionarySource::of(reader.text("catalogue.dir")),
            log: Log::read(reader),
        };
        config.check_together(reader);
        config
    }

    /// Whether deliveries reach the nodes that send through Redis.
    pub fn delivers_through_streams(&self) -> bool {
        self.store.is_shared() && self.dispatch.streams
    }

    /// What no key can say alone.
    fn check_together(&self, reader: &mut Reader) {
        match &self.operator_key {
            None if !self.server.listen.ip().is_loopback() => reader.refuse(
                "server.listen",
                format!(
                    "{} can be reached from elsewhere, and without `auth.operator_key` anybody there may do \
                     anything; set a key or listen on 127.0.0.1",
                    self.server.listen
                ),
            ),
            Some(key) if key.len() < 16 => {
                reader.refuse("auth.operator_key", "a key has 16 characters or more");
            }
            _ => {}
        }
        let both = self.cluster.ingest && self.cluster.dispatch;
        if matches!(self.store.kind(), Ok(StoreKind::Memory | StoreKind::File(_))) && !both {
            reader.refuse(
                "cluster.roles",
                "an embedded store belongs to one node, which must be both [\"ingest\", \"dispatch\"]",
            );
        }
        if self.store.is_shared() && !self.dispatch.streams && !both {
            reader.refuse(
                "dispatch.hand_over",
                "\"local\" is for a node with both roles, since it sends what it takes in; write \"streams\"",
            );
        }
    }
}

impl Server {
    fn read(reader: &mut Reader) -> Self {
        Self {
            listen: reader.parse("server.listen", "an address and a port, such as 127.0.0.1:8080"),
            workers: match reader.number("server.workers", 0..=1_024) {
                0 => processors(),
                workers => workers,
            },
            connections_max: reader.number("server.connections_max", 1..=1_000_000),
            keep_alive: reader.duration("server.keep_alive_ms", 1..=3_600_000),
            head_timeout: reader.duration("server.head_timeout_ms", 1..=600_000),
            body_timeout: reader.duration("server.body_timeout_ms", 1..=3_600_000),
        }
    }
}

impl Cluster {
    fn read(reader: &mut Reader) -> Self {
        let roles = reader.texts("cluster.roles");
        for (number, role) in roles.iter().enumerate() {
            if !["ingest", "dispatch"].contains(&role.as_str()) {
                reader.refuse("cluster.roles", format!("{role:?} is no role; ingest and dispatch are"));
            } else if roles[..number].contains(role) {
                let detail = format!("{role:?} is there twice; write it once, or [\"ingest\", \"dispatch\"] for both");
                reader.refuse("cluster.roles", detail);
            }
        }
        if roles.is_empty() {
            reader.refuse("cluster.roles", "a node without a role does nothing; write ingest, dispatch or both");
        }
        let has = |role: &str| roles.iter().any(|own| own == role);
        Self {
            ingest: has("ingest"),
            dispatch: has("dispatch"),
            partitions: reader.number("cluster.partitions", 1..=1_024),
            backlog_max: reader.number("cluster.backlog_max", 1..=100_000_000),
            take_max: reader.number("cluster.take_max", 1..=100_000),
            claim_after: reader.duration("cluster.claim_after_ms", 100..=600_000),
        }
    }
}

impl Dispatch {
    fn read(reader: &mut Reader) -> Self {
        let ca_file = reader.text("dispatch.ca_file");
        let hand_over = reader.text("dispatch.hand_over");
        if !["streams", "local"].contains(&hand_over.as_str()) {
            reader.refuse("dispatch.hand_over", format!("{hand_over:?} is no way; streams and local are"));
        }
        Self {
            threads: match reader.number("dispatch.threads", 0..=1_024) {
                0 => processors().div_ceil(2),
                threads => threads,
            },
            connections_per_destination: reader.number("dispatch.connections_per_destination", 1..=100_000),
            queue_per_destination: reader.number("dispatch.queue_per_destination", 0..=10_000_000),
            queue_bytes_per_destination: reader.number("dispatch.queue_bytes_per_destination", 0..=1 << 40),
            destinations_max: reader.number("dispatch.destinations_max", 1..=1_000_000),
            attempt_timeout: reader.duration("dispatch.attempt_timeout_ms", 1..=600_000),
            idle_destination: reader.duration("dispatch.idle_destination_ms", 1..=86_400_000),
            keep_alive: reader.duration("dispatch.keep_alive_ms", 0..=600_000),
            stalled_after: reader.duration("dispatch.stalled_after_ms", 2..=60_000),
            behind_after: reader.duration("dispatch.behind_after_ms", 0..=60_000),
            answer_bytes_max: reader.number("dispatch.answer_bytes_max", 0..=1 << 30),
            egress: egress::read(reader),
            ca_file: Some(ca_file).filter(|path| !path.is_empty()).map(PathBuf::from),
            streams: hand_over == "streams",
            drain: reader.duration("dispatch.drain_ms", 0..=3_600_000),
        }
    }
}

impl DictionarySource {
    fn of(dir: String) -> Self {
        let shipped = layers::defaults();
        let default = shipped["catalogue"]["dir"].as_str().map(str::to_owned);
        if default.as_ref() == Some(&dir) { Self::Shipped(dir.into()) } else { Self::Folder(dir.into()) }
    }
}

impl Log {
    fn read(reader: &mut Reader) -> Self {
        let format = reader.text("log.format");
        if !["text", "json"].contains(&format.as_str()) {
            reader.refuse("log.format", format!("{format:?} is no format; text and json are"));
        }
        let level = reader.text("log.level");
        Self {
            json: format == "json",
            level: level.parse().unwrap_or_else(|_| {
                reader.refuse("log.level", "error, warn, info, debug or trace belongs here");
                tracing::Level::INFO
            }),
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Reads keys out of the laid-over table, whose types the layers have made sure of.
struct Reader {
    table: Table,
    errors: Vec<ConfigError>,
}

impl Reader {
    fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(ConfigError::new(name, detail));
    }

    fn value(&self, name: &str) -> &Value {
        let (section, key) = name.split_once('.').expect("keys are named section.key");
        let value = self.table.get(section).and_then(|s| s.get(key));
        value.expect("the compiled-in file holds every key; a test reads them all")
    }

    fn text(&self, name: &str) -> String {
        let text = self.value(name).as_str();
        text.expect("the layers keep a key's type").to_owned()
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let items = self.value(name).as_array().cloned();
        let items = items.expect("the layers keep a key's type");
        let texts: Option<Vec<_>> = items.iter().map(|i| i.as_str().map(str::to_owned)).collect();
        texts.unwrap_or_else(|| {
            self.refuse(name, "a list of strings belongs here");
            Vec::new()
        })
    }

    fn ports(&mut self, name: &str) -> Vec<u16> {
        let items = self.value(name).as_array().cloned();
        let items = items.expect("the layers keep a key's type");
        let ports: Option<Vec<u16>> = items.iter().map(|i| u16::try_from(i.as_integer()?).ok()).collect();
        ports.unwrap_or_else(|| {
            self.refuse(name, "a list of ports belongs here, such as [8443]");
            Vec::new()
        })
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> usize {
        let number = self.value(name).as_integer();
        let number = number.expect("the layers keep a key's type");
        if !range.contains(&number) {
            let detail = format!("{number} is not within {} to {}", range.start(), range.end());
            self.refuse(name, detail);
        }
        let number = number.clamp(*range.start(), *range.end());
        usize::try_from(number).expect("no range goes below zero")
    }

    fn duration(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Duration {
        Duration::from_millis(self.number(name, range) as u64)
    }

    fn parse(&mut self, name: &str, what: &str) -> SocketAddr {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            self.refuse(name, format!("{text:?} is not {what}"));
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect()
    }

    #[test]
    fn the_defaults_are_valid_and_documented() {
        let config = Config::from_layers(None, []).expect("valid");
        assert_eq!(config.dispatch.attempt_timeout, Duration::from_secs(10));
        assert_eq!(config.operator_key, None);
        assert_eq!(config.templates, templating::Limits::default(), "one set of defaults");
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
        let file = "top = 1\n[server]\nlisten = \"0.0.0.0:80\"\nlissten = \"\"\n[dispach]\na = 1\n[dispatch]\nthreads = \"2\"\ndrain_ms = -1\nallow_networks = [\"x\"]";
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
            "dispatch.drain_ms",
            "log.format",
            "server.listen",
            "cluster.roles",
        ];
        assert_eq!(places, expected, "{errors:#?}");
    }

    #[test]
    fn what_a_node_could_not_start_with_is_refused_as_it_is_read() {
        let both = "[\"ingest\", \"dispatch\"]";
        for (url, roles, expected) in [
            ("redis://h", "[\"dispatch\"]", &[][..]),
            ("redis://h", both, &[]),
            ("memory:", both, &[]),
            ("memory:", "[\"ingest\"]", &["cluster.roles: an embedded store belongs to one node"]),
            ("reddis://:hunter2@h", "[\"ingest\"]", &["store.url: the scheme `reddis:` is not known"]),
            ("hunter2@h", both, &["store.url: the scheme `:` is not known"]),
            ("file:", both, &["store.url: `file:` needs a path"]),
            ("redis://u:hunter2@h:abc", both, &["store.url: invalid port number"]),
            ("redis://h", "[\"ingest\",\"ingest\"]", &["cluster.roles: \"ingest\" is there twice"]),
        ] {
            let set = variables(&[("POSTHASTE_STORE__URL", url), ("POSTHASTE_CLUSTER__ROLES", roles)]);
            let errors = Config::from_layers(None, set).map_or_else(|errors| errors, |_| Vec::new());
            let errors: Vec<String> = errors.iter().map(ConfigError::to_string).collect();
            assert_eq!(errors.len(), expected.len(), "{url} {roles}: {errors:?}");
            for (error, begin) in errors.iter().zip(expected) {
                assert!(error.starts_with(begin) && !error.contains("hunter2"), "{error}");
            }
        }
    }
}
