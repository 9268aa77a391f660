//! A node whose connections go through an HTTP proxy.

use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{BufReader, field, head};
use crate::support::{Node, Receiver, json_template};

/// A proxy that tunnels every name to one port on loopback, and refuses `refused.example`.
fn proxy(to: u16) -> (u16, Arc<Mutex<Vec<Vec<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || tunnel(connection, to, &noted));
        }
    });
    (port, seen)
}

fn tunnel(mut client: TcpStream, to: u16, seen: &Mutex<Vec<Vec<String>>>) -> Option<()> {
    let asked = head(&mut BufReader::new(client.try_clone().ok()?))?;
    let refused = asked[0].contains("refused.example");
    seen.lock().expect("whole").push(asked);
    if refused {
        let _ = client.write_all(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n");
        return None;
    }
    let mut server = TcpStream::connect(("127.0.0.1", to)).ok()?;
    client.write_all(b"HTTP/1.1 200 Tunnel\r\nx: y\r\n\r\n").ok()?;
    let (mut from, mut into) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut into);
        let _ = into.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    Some(())
}

#[actix_rt::test]
async fn every_connection_goes_through_the_proxy() {
    let receiver = Receiver::start();
    let (port, seen) = proxy(receiver.port());
    let url = format!("http://user:p%40ss@127.0.0.1:{port}");
    let settings = [("POSTHASTE_DISPATCH__PROXY", url.as_str()), ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[]")];
    let node = Node::start(&settings).await;
    for (host, reason) in [("receiver.example:8080", None), ("refused.example", Some("connect"))] {
        let trigger = json!({"event": "*", "url": format!("http://{host}/x")});
        node.set_up("t", &json_template(), trigger).await;
        for _ in 0..2 {
            let reply = node.post("/v1/accounts/default/triggers/t/test", &json!({})).await.json();
            assert_eq!(reply["reason"], json!(reason), "{host}: {reply}");
        }
    }
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(receiver.received()[0].header("host"), Some("receiver.example:8080"));
    let seen = seen.lock().expect("whole").clone();
    assert_eq!(seen.len(), 3, "a tunnel is used again");
    assert_eq!(seen[0][0], "connect receiver.example:8080 http/1.1");
    // Of `user:p@ss`; the head was converted to lower case.
    assert_eq!(field(&seen[0], "proxy-authorization"), Some("basic dxnlcjpwqhnz"));
    let inside = json!({"event": "*", "template": "t", "url": "http://10.0.0.1/"});
    let reply = node.put("/v1/accounts/default/triggers/t", &inside).await;
    assert_eq!(reply.status, 422, "literal addresses are judged here");
}
