//! TLS with certificates of the test's own authority.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};
use serde_json::json;
use std::io::{BufReader, Read as _, Write as _};

use super::{field, head};
use crate::support::{Node, json_template, run};

/// An authority, its certificate for this machine, and one for the node.
fn make_certificates(folder: &Path) {
    let openssl = |words: &str| run(Command::new("openssl").args(words.split(' ')).current_dir(folder));
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost").expect("written");
    for name in ["server", "client"] {
        openssl(&format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let sign = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";
        openssl(&format!("x509 -req -in {name}.csr -out {name}.pem {sign}"));
    }
    let both = ["client.pem", "client.key"].map(|name| std::fs::read_to_string(folder.join(name)).expect("a file"));
    std::fs::write(folder.join("own.pem"), both.concat()).expect("written");
}

/// A receiver that accepts this version of TLS and may request a certificate.
fn receiver(
    folder: &Path,
    version: &'static SupportedProtocolVersion,
    asks: bool,
    response: fn(&[String]) -> String,
) -> u16 {
    let pem = |name: &str| CertificateDer::from_pem_file(folder.join(name)).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(pem("ca.pem")).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).expect("a version");
    let builder = match asks {
        true => builder.with_client_cert_verifier(verifier.expect("a verifier")),
        false => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a key");
    let config = Arc::new(builder.with_single_cert(vec![pem("server.pem")], key).expect("a certificate"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let session = ServerConnection::new(config).expect("a session");
                let mut reader = BufReader::new(StreamOwned::new(session, connection));
                while let Some(head) = head(&mut reader) {
                    let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
                    if reader.read_exact(&mut vec![0; length]).is_err() {
                        return;
                    }
                    let response = response(&head);
                    if reader.get_mut().write_all(response.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[actix_rt::test]
async fn authorities_and_client_certificates() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (authority, own) = (file("ca.pem"), file("own.pem"));
    let trusting = ("POSTHASTE_DISPATCH__CA_FILE", authority.as_str());
    let certified = ("POSTHASTE_DISPATCH__CLIENT_CERTIFICATE", own.as_str());
    let nodes = [
        (Node::start(&[]).await, false, false),
        (Node::start(&[trusting]).await, true, false),
        (Node::start(&[trusting, certified]).await, true, true),
    ];
    for version in [&version::TLS12, &version::TLS13] {
        for asks in [false, true] {
            let response = |_: &[String]| {
                let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
                format!("{interim}HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok")
            };
            let port = receiver(folder.path(), version, asks, response);
            for (node, trusts, has_own) in &nodes {
                for host in ["127.0.0.1", "localhost"] {
                    let url = format!("https://{host}:{port}/");
                    node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
                    let expected = if *trusts && (*has_own || !asks) { json!(201) } else { json!(null) };
                    for _ in 0..3 {
                        let reply = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
                        let at = format!("{version:?}, asks {asks}, {trusts} {has_own}, {host}: {reply}");
                        assert_eq!(reply["status"], expected, "{at}");
                        let reason = if expected.is_null() { json!("tls") } else { json!(null) };
                        assert_eq!(reply["reason"], reason, "{at}");
                    }
                }
            }
        }
    }
}

/// A response of as many bytes as the path says, and in the same record one that nobody asked for.
fn with_leftover(head: &[String]) -> String {
    let bytes = head[0].split(' ').nth(1).and_then(|path| path[1..].parse().ok()).unwrap_or(0);
    let fields = "HTTP/1.1 201 Created\r\ncontent-length: 00000\r\n\r\n";
    let body = bytes - fields.len();
    let response = fields.replace("00000", &format!("{body:05}"));
    format!("{response}{}HTTP/1.1 299 Left over\r\ncontent-length: 0\r\n\r\n", "b".repeat(body))
}

/// What TLS holds behind a response counts as well: its end can be where a read ended.
#[actix_rt::test]
async fn no_leftover_in_a_record_is_read_as_the_next_response() {
    let folder = tempfile::tempdir().expect("a folder");
    make_certificates(folder.path());
    let authority = folder.path().join("ca.pem").display().to_string();
    let node = Node::start(&[("POSTHASTE_DISPATCH__CA_FILE", authority.as_str())]).await;
    for version in [&version::TLS12, &version::TLS13] {
        let port = receiver(folder.path(), version, false, with_leftover);
        for bytes in [1_024, 2_048, 4_096, 8_191, 8_192, 8_193, 16_000] {
            let url = format!("https://127.0.0.1:{port}/{bytes}");
            node.set_up("t", &json_template(), json!({"event": "*", "url": url})).await;
            for _ in 0..3 {
                let reply = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
                assert_eq!(reply["status"], 201, "{version:?}, {bytes} bytes: {reply}");
            }
        }
    }
}
