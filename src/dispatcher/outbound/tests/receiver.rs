//! A receiver that follows plans and records which requests it read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::plan::{After, Plan};

/// A whole response that was not requested.
const LEFTOVER: &[u8] = b"HTTP/1.1 299 Left over\r\ncontent-length: 0\r\n\r\n";

/// Listens on loopback.
pub(super) struct Receiver {
    port: u16,
    state: Rc<State>,
}

struct State {
    plans: RefCell<HashMap<usize, Plan>>,
    /// How often each request was read, completely or in part, and on which connection.
    read: RefCell<HashMap<usize, usize>>,
    connections: RefCell<usize>,
    /// Reports each request that is finished.
    done: mpsc::UnboundedSender<usize>,
}

impl Receiver {
    pub(super) async fn start() -> (Self, mpsc::UnboundedReceiver<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (done, is_done) = mpsc::unbounded_channel();
        let (plans, read, connections) = (RefCell::default(), RefCell::default(), RefCell::default());
        let state = Rc::new(State { plans, read, connections, done });
        let accepting = Rc::clone(&state);
        actix_rt::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                *accepting.connections.borrow_mut() += 1;
                actix_rt::spawn(serve(connection, Rc::clone(&accepting)));
            }
        });
        (Self { port, state }, is_done)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(super) fn expect(&self, number: usize, plan: Plan) {
        self.state.plans.borrow_mut().insert(number, plan);
    }

    /// How often a request was read.
    pub(super) fn read(&self, number: usize) -> usize {
        self.state.read.borrow().get(&number).copied().unwrap_or_default()
    }

    pub(super) fn connections(&self) -> usize {
        *self.state.connections.borrow()
    }
}

/// The head of a request and what has arrived of its body: `number!` and padding.
pub(super) async fn read_head(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(usize, usize)> {
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
            return Some((end + 4, length));
        }
        if connection.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}

pub(super) async fn read_until(connection: &mut TcpStream, bytes: &mut Vec<u8>, length: usize) -> Option<()> {
    while bytes.len() < length {
        if connection.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(())
}

async fn serve(mut connection: TcpStream, state: Rc<State>) {
    let _ = connection.set_nodelay(true);
    while let Some(()) = serve_one(&mut connection, &state).await {}
}

/// `None` if the connection has ended.
async fn serve_one(connection: &mut TcpStream, state: &State) -> Option<()> {
    let mut bytes = Vec::new();
    let (begin, length) = read_head(connection, &mut bytes).await?;
    // The body begins with the number.
    while !bytes[begin..].contains(&b'!') {
        let more = bytes.len() + 1;
        read_until(connection, &mut bytes, more).await?;
    }
    let digits = bytes[begin..].split(|byte| *byte == b'!').next().unwrap_or_default();
    let number: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    *state.read.borrow_mut().entry(number).or_default() += 1;
    let plan = state.plans.borrow().get(&number).cloned().expect("a plan");
    if !plan.is_early {
        read_until(connection, &mut bytes, begin + length).await?;
    }
    let mut goes_on = respond(connection, &plan).await;
    if plan.is_early && goes_on {
        goes_on = read_until(connection, &mut bytes, begin + length).await.is_some();
    }
    let _ = state.done.send(number);
    goes_on.then_some(())
}

/// False if the plan ends the connection.
async fn respond(connection: &mut TcpStream, plan: &Plan) -> bool {
    let mut bytes = plan.response[..plan.sent()].to_vec();
    if plan.after == After::Leftover {
        bytes.extend_from_slice(LEFTOVER);
    }
    let mut rest = bytes.as_slice();
    for size in plan.pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        // The last piece holds the whole of the extra data.
        let keep = if plan.after == After::Leftover { LEFTOVER.len() + 1 } else { 0 };
        let size = if rest.len() <= size + keep { rest.len() } else { *size };
        if connection.write_all(&rest[..size]).await.is_err() {
            return false;
        }
        rest = &rest[size..];
        tokio::task::yield_now().await;
    }
    match plan.after {
        After::Next | After::Leftover => !plan.ends,
        After::LeftoverLater => {
            tokio::task::yield_now().await;
            let _ = connection.write_all(LEFTOVER).await;
            !plan.ends
        }
        After::Close => false,
        After::HalfClose => {
            let _ = connection.shutdown().await;
            !plan.ends
        }
        After::Reset => {
            let _ = rustix::net::sockopt::set_socket_linger(&*connection, Some(std::time::Duration::ZERO));
            false
        }
    }
}
