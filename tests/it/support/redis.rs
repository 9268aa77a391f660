//! A real redis-server on a free port, with its own folder, which is removed with the test.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use super::DEADLINE;

/// How often a start is tried.
const STARTS: usize = 5;

/// A running server, until it is killed or dropped.
pub(crate) struct RedisServer {
    port: u16,
    options: Vec<String>,
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl RedisServer {
    /// A server that loses its data at a restart, and serves replicas without delay.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"])
    }

    /// A server that keeps its data at a restart.
    pub(crate) fn lasting() -> Self {
        Self::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A server with these options.
    pub(crate) fn with(options: &[impl AsRef<str>]) -> Self {
        Self::with_each(|| options.iter().map(|option| option.as_ref().to_owned()).collect())
    }

    /// A server with options that may name a free port. If another program has got the port meanwhile, the server ends at
    /// once, and others are tried.
    pub(crate) fn with_each(options: impl Fn() -> Vec<String>) -> Self {
        let tried = std::iter::repeat_with(|| Self::new(free_port(), options())).take(STARTS);
        tried.into_iter().find_map(|mut server| server.starts().then_some(server)).expect("redis-server did not start")
    }

    /// A server on this port.
    pub(crate) fn on(port: u16) -> Self {
        Self::at(port, &["--save", "", "--appendonly", "no"])
    }

    fn at(port: u16, options: &[impl AsRef<str>]) -> Self {
        let mut server = Self::new(port, options.iter().map(|option| option.as_ref().to_owned()).collect());
        server.run();
        server
    }

    fn new(port: u16, options: Vec<String>) -> Self {
        Self { port, options, folder: tempfile::tempdir().expect("a folder"), process: None }
    }

    /// Starts it again after [`Self::kill`], on the same port.
    pub(crate) fn run(&mut self) {
        let started = (0..STARTS).any(|_| self.starts());
        assert!(started, "redis-server did not start");
    }

    /// Starts it, and waits until it responds. False: it ended before.
    fn starts(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
        command.args(["--dir", &self.folder.path().display().to_string()]).args(&self.options);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut process = process.expect("redis-server is installed; scripts/test sees to it");
        let deadline = Instant::now() + DEADLINE;
        loop {
            if process.try_wait().expect("it was started").is_some() {
                return false;
            }
            if self.responds(process.id()) {
                self.process = Some(process);
                return true;
            }
            assert!(Instant::now() < deadline, "redis-server does not respond");
            crate::support::pause();
        }
    }

    /// Whether it has loaded its data and is this process: another one's server may have the port.
    fn responds(&self, process: u32) -> bool {
        let told = self.try_cli(&["INFO"]).unwrap_or_default();
        let says = |line: &str| told.lines().any(|own| own == line);
        told.starts_with("NOAUTH") || (says(&format!("process_id:{process}")) && says("loading:0"))
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it ran");
            process.wait().expect("it ended");
        }
    }

    /// Whether it is running.
    pub(crate) fn runs(&self) -> bool {
        self.process.is_some()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The server's response to a command, as `redis-cli` prints it.
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        self.try_cli(words).expect("a response")
    }

    /// Adds a delivery to a stream, as docs/redis.md describes for other programs, with further fields.
    pub(crate) fn add_delivery(&self, stream: &str, url: &str, body: &str, more: &[&str]) {
        let target = serde_json::json!({"url": url, "content-type": "c"}).to_string();
        let fields = ["XADD", stream, "*", "target", &target, "webhook-id", "i", "body", body];
        self.cli(&[&fields[..], more].concat());
    }

    /// Sends lines of commands through `redis-cli` and returns the responses.
    pub(crate) fn pipe(&self, lines: &str) -> String {
        self.cli_with(&[], lines)
    }

    /// The same as [`Self::cli`] with standard input.
    pub(crate) fn cli_with(&self, words: &[&str], input: &str) -> String {
        let mut cli = Command::new("redis-cli");
        let cli =
            cli.args(["-p", &self.port.to_string()]).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut cli = cli.expect("redis-cli is installed; scripts/test sees to it");
        let (mut pipe, input) = (cli.stdin.take().expect("a pipe"), input.to_owned());
        let writing = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
        let output = cli.wait_with_output().expect("it ended");
        writing.join().expect("no panic").expect("all was read");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sends its process a signal.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs");
        super::run(Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]));
    }

    fn try_cli(&self, words: &[&str]) -> Option<String> {
        TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        let output = output.expect("redis-cli is installed; scripts/test sees to it");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nothing listens on. It is below those that the system gives to whoever asks for any, and no other test of this
/// process gets it: otherwise it could be another server's before it is used.
pub(crate) fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let spread = std::process::id() % u32::from(PORTS.end - PORTS.start);
    let next = || {
        let place = spread + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        PORTS.start + u16::try_from(place % u32::from(PORTS.end - PORTS.start)).expect("it is below 20,000")
    };
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next).take(PORTS.len()).find(is_free).expect("a free port")
}

/// The code blocks of a language in docs/redis.md, in order, so that tests run them unchanged.
pub(crate) fn redis_document(language: &str) -> Vec<String> {
    let blocks = include_str!("../../../docs/redis.md").split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n"))).map(str::to_owned).collect()
}
