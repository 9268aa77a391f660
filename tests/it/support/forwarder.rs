//! A TCP proxy that a test can cut or redirect, as a failover does.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct State {
    target: Option<SocketAddr>,
    open: Vec<TcpStream>,
}

/// A proxy on a free port.
pub(crate) struct Forwarder {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// Sees the bytes for the target before they are sent.
type Watcher = Arc<dyn Fn(&[u8]) + Send + Sync>;

impl Forwarder {
    pub(crate) fn to(port: u16) -> Self {
        Self::watched(port, |_| ())
    }

    /// A proxy that runs `act` once, before bytes that contain `bytes` reach the target.
    pub(crate) fn before(port: u16, bytes: &'static [u8], act: impl FnOnce() + Send + 'static) -> Self {
        let act = Mutex::new(Some(act));
        Self::watched(port, move |passed| {
            if passed.windows(bytes.len()).any(|window| window == bytes)
                && let Some(act) = act.lock().expect("a lock").take()
            {
                act();
            }
        })
    }

    fn watched(port: u16, watcher: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        let watcher: Watcher = Arc::new(watcher);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State::default()));
        let forwarder = Self { address, state: Arc::clone(&state) };
        forwarder.lead_to(port);
        std::thread::spawn(move || {
            for incoming in listener.incoming() {
                let Ok(incoming) = incoming else { return };
                let mut state = state.lock().expect("a lock");
                let Some(target) = state.target else { return };
                if let Ok(outgoing) = TcpStream::connect(target) {
                    let copies = [&incoming, &outgoing].map(|stream| stream.try_clone().expect("a handle"));
                    state.open.extend(copies.map(|copy| copy.try_clone().expect("a handle")));
                    pass_on(incoming, outgoing, &watcher);
                }
            }
        });
        forwarder
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends all connections; new ones go to this port.
    pub(crate) fn lead_to(&self, port: u16) {
        let mut state = self.state.lock().expect("a lock");
        state.target = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        cut(&mut state);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let mut state = self.state.lock().expect("a lock");
        state.target = None;
        cut(&mut state);
        drop(state);
        // Wakes the accepting thread, which ends.
        let _ = TcpStream::connect(self.address);
    }
}

fn cut(state: &mut State) {
    for stream in state.open.drain(..) {
        // It may have ended already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn pass_on(one: TcpStream, other: TcpStream, watcher: &Watcher) {
    for stream in [&one, &other] {
        stream.set_nodelay(true).expect("a TCP socket");
    }
    let back = (other.try_clone().expect("a handle"), one.try_clone().expect("a handle"));
    let unwatched: Watcher = Arc::new(|_| ());
    for ((mut from, mut to), watcher) in [((one, other), Arc::clone(watcher)), (back, unwatched)] {
        std::thread::spawn(move || -> io::Result<()> {
            let mut buffer = [0; 65_536];
            loop {
                let read = from.read(&mut buffer)?;
                if read == 0 {
                    return to.shutdown(Shutdown::Both);
                }
                watcher(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
        });
    }
}
