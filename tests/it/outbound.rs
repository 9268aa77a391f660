//! Outgoing requests: loops, secrets, consent, proxies and TLS, through a node and real sockets on loopback.

mod consent;
mod loops;
mod proxied;
mod records;
mod secrets;
mod tls;

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The head of a request, its lines in lower case.
fn head(reader: &mut impl std::io::BufRead) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_ascii_lowercase()),
        }
    }
}

fn field<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// What a receiver saw: each request's head.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// A receiver on loopback that responds as the function says and records what it saw.
fn receiver(respond: impl Fn(&[String]) -> String + Send + Sync + 'static) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (seen, respond) = (Seen::default(), Arc::new(respond));
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let (noted, respond) = (Arc::clone(&noted), Arc::clone(&respond));
            std::thread::spawn(move || serve(connection, &noted, &*respond));
        }
    });
    (port, seen)
}

fn serve(connection: TcpStream, seen: &Seen, respond: &dyn Fn(&[String]) -> String) -> Option<()> {
    let mut out = connection.try_clone().ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        let head = head(&mut reader)?;
        let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.read_exact(&mut vec![0; length]).ok()?;
        let response = respond(&head);
        seen.lock().expect("whole").push(head);
        out.write_all(response.as_bytes()).ok()?;
    }
}
