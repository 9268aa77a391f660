//! Reads a `store.url` that names Redis. Its error messages never repeat the URL, which may hold a password. It
//! connects only when asked to.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::io::tcp::{TcpSettings, socket2};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisResult,
    TlsCertificates, TlsMode,
};

use super::{RESPONSE_WITHIN, RedisConnection, authorities};

/// How long a connection may be silent before TCP keep-alive probes it, and the interval of probes: a network that
/// drops connections silently is noticed in half a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Why settings can't name Redis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {detail}")]
pub struct AddressError {
    /// The setting: `store.url` or `store.ca_file`.
    pub setting: &'static str,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Where Redis is.
pub(super) struct RedisAddress {
    place: String,
    /// The server, or those that the URL names of a cluster.
    servers: Vec<ConnectionInfo>,
    secure: bool,
    way: RedisClient,
}

enum RedisClient {
    Server(Box<Client>),
    Cluster { builder: Box<dyn Fn(Option<Duration>) -> RedisResult<ClusterClient> + Send + Sync> },
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl RedisAddress {
    pub(super) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, AddressError> {
        let roots = ca_file.map(authorities::read).transpose()?;
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("`://` is missing"))?;
        match scheme {
            "redis" | "rediss" => {
                let info = server(url)?;
                let place = format!("{scheme}://{}", info.addr());
                let servers = vec![info.clone()];
                let client = match roots.filter(|_| scheme == "rediss") {
                    Some(roots) => Client::build_with_tls(info, certificates(roots)),
                    None => Client::open(info),
                };
                let client = client.map_err(|e| wrong(constant(&e.to_string())))?;
                let secure = scheme == "rediss";
                Ok(Self { place, servers, secure, way: RedisClient::Server(Box::new(client)) })
            }
            "redis+cluster" | "rediss+cluster" => Self::cluster(scheme == "rediss+cluster", rest, roots),
            _ => Err(wrong("the scheme is not known")),
        }
    }

    /// Each host is asked for the whole cluster until one responds.
    fn cluster(secure: bool, rest: &str, roots: Option<Vec<u8>>) -> Result<Self, AddressError> {
        let (user, hosts) = match rest.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), rest),
        };
        let scheme = if secure { "rediss" } else { "redis" };
        let hosts = hosts.trim_end_matches('/');
        let place = format!("{scheme}+cluster://{hosts}");
        let hosts = hosts.split(',');
        let nodes: Vec<ConnectionInfo> =
            hosts.map(|host| server(&format!("{scheme}://{user}{host}"))).collect::<Result<_, _>>()?;
        if nodes.iter().any(|node| node.redis_settings().db() != 0) {
            return Err(wrong("a cluster has no database but 0"));
        }
        let servers = nodes.clone();
        let builder = move |response_within: Option<Duration>| {
            let mut builder = ClusterClientBuilder::new(nodes.clone())
                // The library would repeat commands that may have been executed.
                .retries(0)
                .connection_timeout(RESPONSE_WITHIN)
                .overall_response_timeout(response_within)
                .response_timeout(response_within.unwrap_or(Duration::from_secs(3_600)))
                .tcp_settings(tcp_settings());
            if secure {
                builder = builder.tls(TlsMode::Secure);
            }
            if let Some(roots) = roots.clone().filter(|_| secure) {
                builder = builder.certs(certificates(roots));
            }
            builder.build()
        };
        builder(None).map_err(|e| wrong(constant(&e.to_string())))?;
        Ok(Self { place, servers, secure, way: RedisClient::Cluster { builder: Box::new(builder) } })
    }

    /// Where it is, without user and password.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.way, RedisClient::Cluster { .. })
    }

    /// Whether the URL says TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The number of the database, of a single server.
    pub(super) fn database(&self) -> Option<i64> {
        let first = self.servers.first().filter(|_| !self.is_cluster());
        first.map(|server| server.redis_settings().db())
    }

    /// The servers that the URL names.
    pub(super) fn servers(&self) -> impl Iterator<Item = &ConnectionAddr> {
        self.servers.iter().map(ConnectionInfo::addr)
    }

    /// Opens a connection. Each command on it gets a response within the given time or fails.
    pub(super) async fn connect(&self, response_within: Option<Duration>) -> RedisResult<RedisConnection> {
        match &self.way {
            RedisClient::Server(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(RESPONSE_WITHIN))
                    .set_response_timeout(response_within);
                client.get_multiplexed_async_connection_with_config(&config).await.map(RedisConnection::Server)
            }
            RedisClient::Cluster { builder } => {
                builder(response_within)?.get_async_connection().await.map(RedisConnection::Cluster)
            }
        }
    }
}

fn server(url: &str) -> Result<ConnectionInfo, AddressError> {
    // The library's message says only that the URL can't be read. These words don't repeat the URL either.
    let read = url::Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
    if read.query().or(read.fragment()).is_some() {
        return Err(wrong("it has something after `?` or `#`, which in a password are %3F and %23"));
    }
    let info = url.into_connection_info().map_err(|e| wrong(constant(&e.to_string())))?;
    if read.port() == Some(0) || info.redis_settings().db() < 0 {
        return Err(wrong("a port is 1 or more, and a database 0 or more"));
    }
    Ok(info.set_tcp_settings(tcp_settings()))
}

/// The library's message about a URL: constant words, then perhaps a dash and a part of the URL.
fn constant(message: &str) -> &str {
    message.split(" - ").next().unwrap_or_default()
}

fn wrong(detail: &str) -> AddressError {
    AddressError {
        setting: "store.url",
        detail: format!(
            "{detail}; write redis://[user:password@]host[:port][/database], rediss:// for TLS, or \
             redis+cluster://host:port,host:port"
        ),
    }
}

/// Small commands must not wait for each other, and a silent network must be noticed.
fn tcp_settings() -> TcpSettings {
    let keep_alive = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_EVERY);
    TcpSettings::default().set_nodelay(true).set_keepalive(keep_alive)
}

fn certificates(roots: Vec<u8>) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: Some(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_name_redis_and_mistakes_that_show_no_password() {
        for good in [
            "redis://h",
            "redis://:secret@h:6380/3",
            "rediss://user:p%40ss@h",
            "redis+cluster://h:7000",
            "redis+cluster://user:secret@h:7000,g:7001/",
            "rediss+cluster://h:7000,[::1]:7001",
        ] {
            let address = RedisAddress::new(good, None).expect(good);
            assert!(!address.place().contains("secret") && address.place().contains("://h:"), "{}", address.place());
        }
        for bad in [
            "redis:h",
            "redis://",
            "redis://h:hunter2:6379",
            "redis://:hunter2@h/x",
            "redis://:hunter2@h:99999",
            "http://:hunter2@h",
            "redis+cluster://",
            "redis+cluster://:hunter2@h:1,",
            "redis+cluster://:hunter2@h:1,,g:1",
            "redis+cluster://:hunter2@h:1/1",
            "redis+cluster://:hunter2@h:1,g:1/2",
            "redis://:hunter2@h:0",
            "redis://:hunter2@h/-1",
            "rediss://:hunter2@h#insecure",
            "redis://:hunter2@h?protocol=resp3",
            "redis://:hunter2?@h",
            "redis://:hunter2#@h",
        ] {
            let error = RedisAddress::new(bad, None).expect_err(bad).to_string();
            assert!(error.starts_with("store.url: ") && error.contains("; write redis://"), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{bad}: {error}");
        }
        let missing = RedisAddress::new("rediss://h", Some(Path::new("/nowhere/ca.pem"))).expect_err("no file");
        assert!(missing.to_string().contains("store.ca_file"));
    }
}
