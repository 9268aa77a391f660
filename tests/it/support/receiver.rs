//! A receiver of POSTs on a real socket, with its own threads.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::DEADLINE;

/// How it handles a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Responds with this status and keeps the connection.
    Respond(u16),
    /// Responds with 200 and closes the connection without announcing it.
    AnswerAndClose,
    /// Sends no response, and keeps the connection until its behaviour is changed.
    Silence,
    /// Closes the connection without a response.
    HangUp,
    /// Resets the connection (RST).
    Reset,
    /// Sends something that is not HTTP.
    Nonsense,
}

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

struct State {
    behaviour: Mutex<Behaviour>,
    received: Mutex<Vec<Received>>,
    changed: Condvar,
}

/// A receiver; its threads end with the test's process.
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::start_on("127.0.0.1:0")
    }

    pub(crate) fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            behaviour: Mutex::new(Behaviour::Respond(200)),
            received: Mutex::default(),
            changed: Condvar::new(),
        });
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().expect("whole") = behaviour;
        self.state.changed.notify_all();
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().expect("whole").clone()
    }

    /// Waits for this many requests and returns them in the order of arrival.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let state = Arc::clone(&self.state);
        let waited = tokio::task::spawn_blocking(move || {
            let received = state.received.lock().expect("whole");
            let (received, _) =
                state.changed.wait_timeout_while(received, DEADLINE, |received| received.len() < count).expect("whole");
            received.clone()
        });
        let received = waited.await.expect("waited");
        assert!(received.len() >= count, "{} of {count} arrived", received.len());
        received
    }
}

fn serve(stream: TcpStream, state: &State) {
    let Ok(mut out) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let mut behaviour = *state.behaviour.lock().expect("whole");
        state.received.lock().expect("whole").push(request);
        state.changed.notify_all();
        if behaviour == Behaviour::Silence {
            let lock = state.behaviour.lock().expect("whole");
            let held = state.changed.wait_timeout_while(lock, DEADLINE, |b| *b == Behaviour::Silence);
            behaviour = *held.expect("whole").0;
        }
        let response = match behaviour {
            Behaviour::Respond(status) => {
                format!("HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\nok")
            }
            Behaviour::AnswerAndClose => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Behaviour::Nonsense => "220 mail.example ESMTP\r\n\r\n".to_owned(),
            Behaviour::Reset => {
                rustix::net::sockopt::set_socket_linger(&out, Some(std::time::Duration::ZERO)).expect("a socket");
                return;
            }
            Behaviour::Silence | Behaviour::HangUp => return,
        };
        if out.write_all(response.as_bytes()).is_err()
            || matches!(behaviour, Behaviour::AnswerAndClose | Behaviour::Nonsense)
        {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST "), "only POSTs leave: {line}");
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { path, headers, body })
}
