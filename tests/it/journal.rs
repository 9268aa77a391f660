//! What a 202 response survives: the built program is killed under load and started again on the same folder.

mod disk;
mod kills;
mod order;
mod recovery;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::serve::metric;
use crate::cli::{self, Running};
use crate::support::DEADLINE;

/// A receiver that counts how often each event arrives.
pub(crate) struct Counter {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    arrived: Mutex<BTreeMap<String, usize>>,
    /// It sends no response.
    silent: AtomicBool,
    /// How long each response takes.
    takes: Duration,
}

impl Counter {
    pub(crate) fn start(takes: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State { takes, ..State::default() });
        std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for stream in listener.incoming().flatten() {
                    let state = Arc::clone(&state);
                    std::thread::spawn(move || serve(stream, &state));
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn silence(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::SeqCst);
    }

    pub(crate) fn arrived(&self) -> BTreeMap<String, usize> {
        self.state.arrived.lock().expect("whole").clone()
    }

    /// Waits until this many distinct events have arrived.
    pub(crate) fn wait_for(&self, count: usize) {
        wait(&format!("{count} events"), || self.arrived().len() >= count);
    }
}

/// Waits for a condition.
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "no {what}");
        crate::support::pause();
    }
}

fn serve(stream: TcpStream, state: &State) {
    let Ok(mut out) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(body) = read(&mut reader) {
        let body: Value = serde_json::from_slice(&body).expect("a rendered body");
        let id = body["id"].as_str().expect("an id").to_owned();
        *state.arrived.lock().expect("whole").entry(id).or_insert(0) += 1;
        std::thread::sleep(state.takes);
        while state.silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim_end().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// Posts an event and returns the status.
pub(crate) fn post(address: &str, id: &str) -> std::io::Result<u16> {
    cli::post(address, &json!({"type": "a", "id": id, "data": {"n": 1}}))
}

/// Kills the process with SIGKILL, and waits until it has ended.
pub(crate) fn kill(running: Running) {
    running.signal("KILL");
    running.end();
}

/// Waits until the journal holds nothing unsent.
pub(crate) fn wait_until_settled(address: &str) {
    wait("an empty journal", || {
        metric(address, "posthaste_journal_bytes") == 0.0 && metric(address, "posthaste_queue_depth") == 0.0
    });
}
