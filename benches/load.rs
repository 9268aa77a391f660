//! An open-loop load with a receiver that notes when each delivery arrives, for `scripts/bench node`.
//!
//! Arguments: the address that takes requests, its path, the receiver's address, requests a second, seconds,
//! connections, and the key if there is one. Each request is one event with a number, which the template writes into the
//! body, so the same request can go through a node and through nginx. Prints one line of JSON: requests that were
//! `offered`, `accepted` (2xx), `refused` (429) and `failed` (another status, or none), deliveries that `arrived`, how many of them a
//! second, and percentiles of the time from the last byte of a request to the first byte of its delivery, in microseconds.

#![expect(clippy::print_stdout, reason = "the result is read from the standard output")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::{memchr_iter, memmem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

/// What comes before the number in the event, and in the delivery.
const MARK: &str = "number-";
/// How many digits a number has.
const DIGITS: usize = 9;
const LENGTH: &[u8] = b"content-length:";
/// The schedule is looked at this often; what is due goes out together.
const TICK: Duration = Duration::from_millis(1);
/// How long the last deliveries may take to arrive.
const REST: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Results {
    sent: RefCell<Vec<Option<Instant>>>,
    arrived: RefCell<Vec<Option<Instant>>>,
    accepted: Cell<usize>,
    refused: Cell<usize>,
    failed: Cell<usize>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (target, path, receiver, rate, seconds, connections, key) = match words.as_slice() {
        [target, path, receiver, rate, seconds, connections] => {
            (target, path, receiver, rate, seconds, connections, "")
        }
        [target, path, receiver, rate, seconds, connections, key] => {
            (target, path, receiver, rate, seconds, connections, key.as_str())
        }
        // `cargo bench` runs every bench; without a target there is nothing to measure.
        _ => return,
    };
    let authorization = if key.is_empty() { String::new() } else { format!("authorization: Bearer {key}\r\n") };
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let (rate, seconds, connections) = (number(rate), number(seconds), number(connections));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let results = Rc::new(Results::default());
        results.sent.borrow_mut().resize(rate * seconds, None);
        results.arrived.borrow_mut().resize(rate * seconds, None);
        let listener = TcpListener::bind(receiver).await.expect("the receiver's address");
        spawn_local(receive(listener, Rc::clone(&results)));
        let mut idle = Vec::new();
        for _ in 0..connections {
            let (due, requests) = mpsc::unbounded_channel();
            let head = format!("POST {path} HTTP/1.1\r\nhost: {target}\r\n{authorization}");
            spawn_local(send(target.clone(), NumberedRequest::new(&head), requests, Rc::clone(&results)));
            idle.push(due);
        }
        let begun = Instant::now();
        let mut offered = 0;
        while offered < rate * seconds {
            let due = (begun.elapsed().as_secs_f64() * rate as f64) as usize;
            while offered < due.min(rate * seconds) {
                idle[offered % connections].send(offered).expect("a connection");
                offered += 1;
            }
            tokio::time::sleep(TICK).await;
        }
        let deadline = Instant::now() + REST;
        let responded = || results.accepted.get() + results.refused.get() + results.failed.get();
        while Instant::now() < deadline && (responded() < offered || arrived(&results) < results.accepted.get()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        print(offered, &results);
    });
}

fn arrived(results: &Results) -> usize {
    results.arrived.borrow().iter().flatten().count()
}

fn print(offered: usize, results: &Results) {
    let (sent, came) = (results.sent.borrow(), results.arrived.borrow());
    let mut took: Vec<u128> = sent
        .iter()
        .zip(came.iter())
        .filter_map(|(sent, came)| Some(came.as_ref()?.saturating_duration_since(*sent.as_ref()?).as_micros()))
        .collect();
    took.sort_unstable();
    let at = |part: f64| took.get(((took.len() as f64 * part) as usize).min(took.len().saturating_sub(1))).copied();
    let (first, last) = (sent.iter().flatten().min(), came.iter().flatten().max());
    let seconds = first.zip(last).map_or(0.0, |(first, last)| last.saturating_duration_since(*first).as_secs_f64());
    println!(
        r#"{{"offered":{offered},"accepted":{},"refused":{},"failed":{},"arrived":{},"arrived_per_s":{:.0},"p50_us":{},"p99_us":{},"p999_us":{}}}"#,
        results.accepted.get(),
        results.refused.get(),
        results.failed.get(),
        took.len(),
        took.len() as f64 / seconds.max(0.001),
        at(0.5).unwrap_or_default(),
        at(0.99).unwrap_or_default(),
        at(0.999).unwrap_or_default(),
    );
}

/// A request that is written once, for all numbers: what the load takes of the processors is not the node's.
struct NumberedRequest {
    text: Vec<u8>,
    digits_at: usize,
}

impl NumberedRequest {
    fn new(head: &str) -> Self {
        let none = "0".repeat(DIGITS);
        let body = format!(
            r#"{{"type":"booking.confirmed","account":"acme","data":{{"guest":{{"name":"{MARK}{none}","email":"ana@example.com"}},"rental":{{"name":"Casa Azul"}},"inquiry":{{"arrive":"2026-07-01","depart":"2026-07-08","nights":7,"cost":1234.5}}}}}}"#
        );
        let text = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let digits_at = text.find(MARK).expect("the mark") + MARK.len();
        Self { text: text.into(), digits_at }
    }

    fn with(&mut self, mut number: usize) -> &[u8] {
        for digit in self.text[self.digits_at..][..DIGITS].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        &self.text
    }
}

/// The number in what was made of such a request.
fn number_in(text: &[u8]) -> Option<usize> {
    let digits = text.get(memmem::find(text, MARK.as_bytes())? + MARK.len()..)?.get(..DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One connection: a request at a time, in the order in which they are due. One that is closed is opened again.
async fn send(
    target: String,
    mut request: NumberedRequest,
    mut due: mpsc::UnboundedReceiver<usize>,
    results: Rc<Results>,
) {
    let (mut stream, mut buffer) = (None, Vec::new());
    while let Some(number) = due.recv().await {
        let count = match exchange(&mut stream, &target, request.with(number), &mut buffer, || {
            results.sent.borrow_mut()[number] = Some(Instant::now());
        })
        .await
        {
            Some([b'2', ..]) => &results.accepted,
            Some(b"429") => &results.refused,
            _ => {
                stream = None;
                &results.failed
            }
        };
        count.set(count.get() + 1);
    }
}

/// Sends a request and returns the digits of its response's status.
async fn exchange<'b>(
    stream: &mut Option<TcpStream>,
    target: &str,
    request: &[u8],
    buffer: &'b mut Vec<u8>,
    sent: impl Fn(),
) -> Option<&'b [u8; 3]> {
    if stream.is_none() {
        let new = TcpStream::connect(target).await.ok()?;
        new.set_nodelay(true).ok()?;
        *stream = Some(new);
    }
    let stream = stream.as_mut()?;
    stream.write_all(request).await.ok()?;
    sent();
    read_message(stream, buffer, |_| ()).await?;
    buffer.get(9..)?.first_chunk()
}

async fn receive(listener: TcpListener, results: Rc<Results>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let results = Rc::clone(&results);
        spawn_local(async move {
            let _ = stream.set_nodelay(true);
            let mut buffer = Vec::new();
            let first_byte = Cell::new(None);
            while read_message(&mut stream, &mut buffer, |time| first_byte.set(Some(time))).await.is_some() {
                // What an earlier load left behind can have a greater number.
                if let Some(number) = number_in(&buffer)
                    && let Some(arrived) = results.arrived.borrow_mut().get_mut(number)
                {
                    *arrived = first_byte.take();
                }
                if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                    break;
                }
            }
        });
    }
}

/// The length of the body, by the lines of a head.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut begin = 0;
    memchr_iter(b'\n', head).find_map(|end| {
        let line = &head[std::mem::replace(&mut begin, end + 1)..end];
        let (name, value) = line.split_at_checked(LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then(|| std::str::from_utf8(value).ok()?.trim().parse().ok())?
    })
}

/// Reads one message with a `content-length`, or without a body, into the buffer; `None` at the end of the connection.
async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>, began: impl Fn(Instant)) -> Option<()> {
    buffer.clear();
    let mut has_begun = false;
    loop {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if !has_begun {
            has_begun = true;
            began(Instant::now());
        }
        let Some(head) = memmem::find(buffer, b"\r\n\r\n") else { continue };
        let whole = head + 4 + content_length(&buffer[..head + 2]).unwrap_or(0);
        while buffer.len() < whole {
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
        return Some(());
    }
}
