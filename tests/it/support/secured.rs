//! A redis-server with TLS, with a certificate of the test's own authority, and with the user that docs/redis.md
//! describes, who has exactly the rights listed there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::redis::{RedisServer, free_port, redis_document};
use super::run;

/// A running server. It also has its plain port, for the test itself.
pub(crate) struct SecuredRedis {
    pub(crate) server: RedisServer,
    folder: tempfile::TempDir,
    port: u16,
}

impl SecuredRedis {
    /// A server whose user has the rights of the document's first `lines` lines.
    pub(crate) fn start(lines: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        make_certificates(folder.path());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let (port, certificate, key) = (free_port(), file("server.pem"), file("server.key"));
        let tls = ["--tls-port", &port.to_string(), "--tls-cert-file", &certificate, "--tls-key-file", &key];
        let server = RedisServer::with(&[&tls[..], &["--tls-auth-clients", "no", "--save", ""]].concat());
        for rights in &redis_document("acl")[..lines] {
            assert_eq!(server.cli(&rights.split_whitespace().collect::<Vec<_>>()), "OK");
        }
        Self { server, folder, port }
    }

    pub(crate) fn url(&self, user: &str) -> String {
        format!("rediss://{user}@localhost:{}", self.port)
    }

    /// The authority's certificate is `ca.pem`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// An authority, and a certificate for this machine.
fn make_certificates(folder: &Path) {
    let openssl = |words: &str| run(Command::new("openssl").args(words.split(' ')).current_dir(folder));
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=redis",
    );
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost").expect("written");
    openssl("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names");
}
