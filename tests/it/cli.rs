//! The command line as a process: its output and its exit codes. Each process runs in an empty folder, without settings
//! of this machine, and is ended by its own id.

mod check;
mod demo;
mod pages;
mod receive;
mod redis;
pub(crate) mod serve;
mod shared_redis;
mod transfer;

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::DEADLINE;

pub(crate) fn home() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn command(home: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posthaste"));
    command.args(words).current_dir(home.path()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POSTHASTE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A process whose output is read, and which ends with the test.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the built binary");
        let stdout = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        Self { child, stdout, stderr }
    }

    /// The next line of standard output with this beginning, without the beginning.
    fn wait_for_line(&self, begin: &str) -> String {
        wait_for_line(&self.stdout, begin)
    }

    /// The same, or `None` if the process ends before.
    pub(crate) fn line_or_end(&self, begin: &str) -> Option<String> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => match line.strip_prefix(begin) {
                    Some(rest) => return Some(rest.to_owned()),
                    None => continue,
                },
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("neither {begin:?} nor the end"),
            }
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().expect("kill").success());
    }

    /// Waits for the end; returns the exit code and the rest of the output.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>, Vec<String>) {
        let deadline = Instant::now() + DEADLINE;
        // The pipes end with the process.
        let rest = |lines: &Receiver<String>| {
            let mut rest = Vec::new();
            while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                rest.push(line);
            }
            assert!(Instant::now() < deadline, "it did not end; it said {rest:#?}");
            rest
        };
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        (self.child.wait().expect("a child").code(), stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes one call on its own connection; returns status and body.
pub(crate) fn call(address: &str, head: &str, body: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let response = String::from_utf8_lossy(&response);
    let status = response.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = response.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    status.map(|status| (status, body)).ok_or_else(|| io::Error::other(format!("no status in {response:?}")))
}

/// Sends a JSON document: `PUT /path`; returns status and body.
pub(crate) fn send_json(address: &str, method_and_path: &str, document: &Value) -> io::Result<(u16, String)> {
    let head = format!("{method_and_path} HTTP/1.1\r\ncontent-type: application/json");
    call(address, &head, document.to_string().as_bytes())
}

/// Saves a template or a trigger.
pub(crate) fn put(address: &str, path: &str, document: &Value) {
    let (status, body) = send_json(address, &format!("PUT {path}"), document).expect("a response");
    assert!(status < 300, "{status} {body}");
}

/// Posts an event or a list of them; returns the status.
pub(crate) fn post(address: &str, events: &Value) -> io::Result<u16> {
    send_json(address, "POST /v1/events", events).map(|(status, _)| status)
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let all = BufReader::new(stream).lines().map_while(Result::ok);
        all.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    lines
}

fn wait_for_line(lines: &Receiver<String>, begin: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let line = line.unwrap_or_else(|_| panic!("no line begins with {begin:?}"));
        if let Some(rest) = line.strip_prefix(begin) {
            return rest.to_owned();
        }
    }
}

/// Runs to the end, with a deadline and with `input` on standard input.
fn run_with(home: &TempDir, words: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Output {
    let mut command = command(home, words);
    command.envs(variables.iter().copied()).stdin(Stdio::piped());
    let mut running = Running::start(command);
    // A process that ends early doesn't read it.
    let _ = running.child.stdin.take().expect("piped").write_all(input);
    let (code, stdout, stderr) = running.end();
    let joined = |lines: Vec<String>| lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
    let status = std::os::unix::process::ExitStatusExt::from_raw(code.expect("a code") << 8);
    Output { status, stdout: joined(stdout).into_bytes(), stderr: joined(stderr).into_bytes() }
}

/// Runs to the end: code, standard output, standard error.
pub(crate) fn run(home: &TempDir, words: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = run_with(home, words, variables, b"");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

#[test]
fn version_and_help_are_printed() {
    let home = home();
    let (code, stdout, _) = run(&home, &["--version"], &[]);
    assert_eq!((code, stdout), (0, format!("posthaste {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, stdout, _) = run(&home, &["--help"], &[]);
    assert_eq!(code, 0);
    for command in ["serve", "demo", "receive", "check", "export", "import"] {
        assert!(stdout.contains(&format!("\n  {command} ")), "{stdout}");
        let (code, help, _) = run(&home, &[command, "--help"], &[]);
        assert_eq!(code, 0);
        assert!(help.contains("\nExamples:\n  "), "{help}");
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let home = home();
    for words in [
        &[][..],
        &["sing"],
        &["serve", "--port", "1"],
        &["receive", "--listen", "127.0.0.1:99999"],
        &["receive", "--status", "fine"],
        &["import"],
        &["export", "--account", "a/b"],
    ] {
        let (code, stdout, stderr) = run(&home, words, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn failures_exit_with_1_and_a_reason() {
    let home = home();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound").to_string();
    for (words, reason) in [
        (&["serve", "--config", "none.toml"][..], "none.toml: can't be read"),
        (&["receive", "--listen", &taken], "can't listen on 127.0.0.1:"),
        (&["export"], "there is no store at data/posthaste.redb"),
        (&["import", "none.json"], "none.json: can't be read"),
    ] {
        let (code, stdout, stderr) = run(&home, words, &[]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{words:?}");
        assert!(stderr.starts_with("posthaste: ") && stderr.contains(reason), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(home.path()).expect("a folder").count(), 0, "something was left behind");
}

#[test]
fn output_that_is_lost_is_a_failure_and_a_reader_that_closed_is_none() {
    let home = home();
    for words in
        [&["completions", "bash"][..], &["preset"], &["preset", "slack"], &["check"], &["--help"], &["--version"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let mut into_full = command(&home, words);
        let full = into_full.stdout(full).output().expect("the built binary");
        let said = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!(full.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.starts_with("posthaste: standard output: No space left"), "{words:?}: {said}");
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut into_closed = command(&home, words);
        let closed = into_closed.stdout(writer).output().expect("the built binary");
        assert_eq!((closed.status.code(), closed.stderr.as_slice()), (Some(0), &b""[..]), "{words:?}");
    }
}

#[test]
fn variables_that_are_not_utf_8_are_no_one_elses_mistake() {
    let home = home();
    let odd = OsStr::from_bytes(b"hunter2\xff");
    let run = |words: &[&str], name: &OsStr| {
        let output = command(&home, words).env(name, odd).output().expect("the built binary");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for name in [OsStr::new("UNRELATED"), OsStr::new("POSTHASTE_PORT"), OsStr::from_bytes(b"\xfe")] {
        assert_eq!(run(&["check"], name).0, Some(0), "{name:?}");
    }
    for words in [&["check"][..], &["serve"], &["preset"], &["export"]] {
        let (code, _, errors) = run(words, OsStr::new("POSTHASTE_STORE__URL"));
        assert!(code == Some(1) && errors.contains("store.url: it is not UTF-8 (in POSTHASTE_STORE__URL)"), "{errors}");
        assert!(!errors.contains("hunter2"), "{errors}");
    }
    let file = home.path().join(OsStr::from_bytes(b"\xff.json"));
    std::fs::write(&file, "{}").expect("a file");
    let output = command(&home, &["check"]).arg(&file).output().expect("the built binary");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
