//! Finds out why a server can't be used, where waiting for it does not help: the settings name another place, another
//! protocol or another database than there is. Used at a start, before anything waits.

use std::time::Duration;

use ::redis::{ConnectionAddr, ErrorKind, RedisError, ServerErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Link, is_broken};

/// How long a server may take to respond to a probe.
const PROBED_WITHIN: Duration = Duration::from_secs(1);
/// A command as a person types it. Redis responds to it, and so do most other servers.
const PLAIN_TEXT: &[u8] = b"PING\r\n";
/// A record of TLS whose handshake is empty. A server that uses TLS responds with an alert.
const EMPTY_HANDSHAKE: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
/// The first bytes of what a server of TLS sends: an alert, or a handshake.
const TLS_RECORDS: [u8; 2] = [0x15, 0x16];

/// Why no wait helps, and what does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermanentError {
    /// The database does not exist.
    #[error(
        "it has no database {0}; a server has as many as its `databases` says (16 unless set), numbered from 0: \
         correct the number at the end of store.url"
    )]
    NoDatabase(i64),
    /// Something else listens there.
    #[error("what listens there is not Redis but {0}; correct the host and the port in store.url")]
    NotRedis(&'static str),
    /// The URL says TLS.
    #[error("it does not use TLS on this port; write `{}://` in place of `{}://`, or the port that uses TLS", scheme(*.cluster, false), scheme(*.cluster, true))]
    PlainText {
        /// The URL names a cluster.
        cluster: bool,
    },
    /// The URL says plain text.
    #[error("it uses TLS on this port; write `{}://` in place of `{}://`", scheme(*.cluster, true), scheme(*.cluster, false))]
    Tls {
        /// The URL names a cluster.
        cluster: bool,
    },
    /// Its certificate is not one that this node trusts.
    #[error(
        "its certificate is not accepted ({0}); name its authority in store.ca_file, and in store.url the host that \
         the certificate is for"
    )]
    Certificate(String),
    /// The URL names a cluster, and the server is none.
    #[error("it is a single server and no Redis Cluster; write `{}://` in place of `{}://`", scheme(false, *.secure), scheme(true, *.secure))]
    SingleServer {
        /// The URL says TLS.
        secure: bool,
    },
    /// The URL names a single server, and it is one of a cluster.
    #[error("it is one of a Redis Cluster; write `{}://` in place of `{}://`", scheme(true, *.secure), scheme(false, *.secure))]
    ClusterMember {
        /// The URL says TLS.
        secure: bool,
    },
}

fn scheme(cluster: bool, secure: bool) -> &'static str {
    match (cluster, secure) {
        (false, false) => "redis",
        (false, true) => "rediss",
        (true, false) => "redis+cluster",
        (true, true) => "rediss+cluster",
    }
}

/// What a server sends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Redis,
    Tls,
    Other(&'static str),
}

impl Link {
    /// Why an attempt failed, if it is something that a wait does not change. Asks the server if the error does not
    /// tell, for at most `within`.
    pub(crate) async fn cause(&self, error: &RedisError, within: Duration) -> Option<PermanentError> {
        let (cluster, secure) = (self.is_cluster(), self.address.is_secure());
        let message = error.to_string();
        if let Some(database) = self.address.database().filter(|_| message.contains("DB index is out of range")) {
            return Some(PermanentError::NoDatabase(database));
        }
        if cluster && message.contains("cluster support disabled") {
            return Some(PermanentError::SingleServer { secure });
        }
        if !cluster && matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved)) {
            return Some(PermanentError::ClusterMember { secure });
        }
        if let Some((_, detail)) = message.split_once("invalid peer certificate: ") {
            return Some(PermanentError::Certificate(detail.to_owned()));
        }
        let tells_nothing = is_broken(error) || matches!(error.kind(), ErrorKind::Parse | ErrorKind::Io);
        if error.is_connection_refusal() || !(tells_nothing || cluster) {
            return None;
        }
        tokio::time::timeout(within, self.misdirection()).await.ok().flatten()
    }

    /// What the servers speak, if it is not what the URL says.
    async fn misdirection(&self) -> Option<PermanentError> {
        let (cluster, secure) = (self.is_cluster(), self.address.is_secure());
        for address in self.address.servers() {
            let found = match (protocol(address).await, secure) {
                (Some(Protocol::Redis), true) => PermanentError::PlainText { cluster },
                (Some(Protocol::Tls), false) => PermanentError::Tls { cluster },
                (Some(Protocol::Other(what)), _) => PermanentError::NotRedis(what),
                _ => continue,
            };
            return Some(found);
        }
        None
    }
}

/// What a server speaks; `None` where it does not say.
async fn protocol(address: &ConnectionAddr) -> Option<Protocol> {
    let place = match address {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => (host.as_str(), *port),
        _ => return None,
    };
    for probe in [PLAIN_TEXT, EMPTY_HANDSHAKE] {
        let response = tokio::time::timeout(PROBED_WITHIN, response(place, probe)).await;
        if let Ok(Some(response)) = response {
            return Some(recognized(&response));
        }
    }
    None
}

/// The first bytes of a server's response.
async fn response(place: (&str, u16), probe: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(place).await.ok()?;
    stream.write_all(probe).await.ok()?;
    let mut first = vec![0; 16];
    let length = stream.read(&mut first).await.ok().filter(|length| *length > 0)?;
    first.truncate(length);
    Some(first)
}

fn recognized(response: &[u8]) -> Protocol {
    match response {
        [b'+' | b'-', ..] => Protocol::Redis,
        [first, 0x03, ..] if TLS_RECORDS.contains(first) => Protocol::Tls,
        [b'H', b'T', b'T', b'P', ..] | [b'<', ..] => Protocol::Other("a web server"),
        [b'S', b'S', b'H', ..] => Protocol::Other("an SSH server"),
        _ => Protocol::Other("another program"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_first_bytes() {
        for (response, protocol) in [
            (&b"+PONG\r\n"[..], Protocol::Redis),
            (b"-NOAUTH Authentication required.\r\n", Protocol::Redis),
            (b"\x15\x03\x03\x00\x02\x022", Protocol::Tls),
            (b"HTTP/1.1 400 Bad Request", Protocol::Other("a web server")),
            (b"<!DOCTYPE HTML>", Protocol::Other("a web server")),
            (b"SSH-2.0-OpenSSH", Protocol::Other("an SSH server")),
            (b"220 mail.example.com", Protocol::Other("another program")),
        ] {
            assert_eq!(recognized(response), protocol);
        }
    }
}
