//! TLS with an authority of one's own, and a user who may do what docs/redis.md lists and no more.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use posthaste::config::StoreSettings;
use posthaste::store::OpenError;
use posthaste::trigger::Trigger;

use super::{Node, wait_until_equal};
use crate::store::{account, ids, remove};
use crate::support::{RedisServer, free_port, redis_document, run};

/// An authority, and a certificate for this machine.
pub(crate) fn make_certificates(folder: &Path) {
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

#[tokio::test]
async fn tls_and_a_user_with_the_documented_rights_are_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port();
    let server = RedisServer::with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("server.pem"),
        "--tls-key-file",
        &file("server.key"),
        "--tls-auth-clients",
        "no",
    ]);
    let rights = redis_document("acl").remove(0);
    let rights: Vec<&str> = rights.split_whitespace().collect();
    assert_eq!(server.cli(&rights), "OK");
    server.cli(&["ACL", "SETUSER", "default", "off"]);

    let settings = |user: &str, ca: Option<&str>| StoreSettings {
        url: format!("rediss://{user}@localhost:{port}"),
        ca_file: ca.map(|name| folder.path().join(name)),
        start_within: Duration::ZERO,
    };
    let (one, two) = (
        Node::open(&settings("posthaste:password", Some("ca.pem"))).await.expect("let in"),
        Node::open(&settings("posthaste:password", Some("ca.pem"))).await.expect("let in"),
    );
    one.put_template("a").await;
    for number in 0..10 {
        two.put("a", &format!("t{number}"), number).await.expect("written");
    }
    remove::<Trigger>(&one.store, &account("a"), "t3").await;
    assert_eq!(ids::<Trigger>(&one.store, Some(&account("a")), Some("t5"), 2).await.0, ["t6", "t7"]);
    assert_eq!(wait_until_equal(&[&one, &two]).await.len(), 10);

    // The public authorities don't know it, another one neither, and a wrong password opens nothing.
    let error = Node::open(&settings("posthaste:password", None)).await.map(drop).expect_err("not trusted");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    let error = Node::open(&settings("posthaste:wrong", Some("ca.pem"))).await.map(drop).expect_err("not let in");
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    let error = Node::open(&settings("posthaste:password", Some("ca.key"))).await.map(drop).expect_err("no authority");
    assert!(error.to_string().starts_with("store.ca_file: "), "{error}");
    assert!(!error.to_string().contains("password@"), "{error}");
}
