//! The settings of docs/operating/proxy.md work: nginx runs with them in front of a node.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::read;
use crate::cli::serve::serve;
use crate::cli::{Running, call, home};
use crate::support::{DEADLINE, Receiver, free_port, paused};

/// nginx with the document's settings, but for its ports and TLS, in front of a node.
fn nginx(home: &tempfile::TempDir, node: &str) -> (Running, String) {
    let document = read("docs/operating/proxy.md");
    let block = document.split_once("```nginx\n").and_then(|(_, rest)| rest.split_once("```\n"));
    let (settings, _) = block.expect("a block for nginx");
    let address = format!("127.0.0.1:{}", free_port());
    assert!(settings.contains("server 127.0.0.1:8080;") && settings.contains("listen 443 ssl;"), "{settings}");
    let settings = settings.replace("127.0.0.1:8080", node).replace("443 ssl", &address);
    // One process, which is this user's, and which keeps what it buffers in the test's folder.
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = folders.iter().map(|name| format!("{name}_temp_path {name};\n")).collect();
    let all = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\n{folders}{settings}}}\n"
    );
    std::fs::write(home.path().join("nginx.conf"), all).expect("a file");
    let mut command = Command::new("nginx");
    command.args(["-p", home.path().to_str().expect("UTF-8"), "-c", "nginx.conf", "-e", "stderr"]);
    command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    (Running::start(command), address)
}

#[actix_rt::test]
async fn a_node_behind_nginx_does_what_it_does_without() {
    let (home, receiver) = (home(), Receiver::start());
    let (_node, node) = serve(&home, &[]);
    let (_nginx, address) = nginx(&home, &node);
    let deadline = Instant::now() + DEADLINE;
    while call(&address, "GET /readyz HTTP/1.1", b"").is_err() {
        assert!(Instant::now() < deadline, "nginx does not listen on {address}");
        paused().await;
    }
    let json = "HTTP/1.1\r\ncontent-type: application/json";

    // From a page of the node, such as its console: the browser names the origin under which it reached it.
    let put = format!("PUT /v1/accounts/acme/templates/w {json}\r\norigin: http://x");
    let (status, told) = call(&address, &put, br#"{"format":"text","body":"x"}"#).expect("a response");
    assert_eq!(status, 201, "{told}");
    let put = format!("PUT /v1/accounts/acme/triggers/t {json}");
    let trigger = format!(r#"{{"event":"*","template":"w","url":"{}"}}"#, receiver.url("/"));
    let (status, told) = call(&address, &put, trigger.as_bytes()).expect("a response");
    assert_eq!(status, 201, "{told}");

    let largest = r#"{"type":"a","account":"acme","data":{"x":""}}"#;
    let filler = "x".repeat((1 << 20) - largest.len());
    let largest = largest.replace(r#""x":"""#, &format!(r#""x":"{filler}""#));
    let (status, told) = call(&address, &format!("POST /v1/events {json}"), largest.as_bytes()).expect("a response");
    assert_eq!(status, 202, "{told}");
    assert_eq!(receiver.wait_for(1).await[0].text(), "x");
    let (status, _) = call(&address, "GET /metrics HTTP/1.1", b"").expect("a response");
    assert_eq!(status, 404, "metrics stay inside");
}
