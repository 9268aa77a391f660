//! The order of steps: the disk before the response, and before the first byte of a POST.

use std::fs;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Counter, post, wait, wait_until_settled};
use crate::cli::serve::{serve, set_up};
use crate::cli::{call, home};

const EVENTS: usize = 12;

/// The bytes after the headers of all segments of a kind.
fn records(home: &Path, kind: &str) -> Vec<u8> {
    let segments = fs::read_dir(home.join("data/posthaste.redb.journal")).expect("the journal");
    let segments = segments.map(|entry| entry.expect("an entry").path());
    let of_kind = segments.filter(|path| path.extension().is_some_and(|own| own == kind));
    of_kind.flat_map(|path| fs::read(path).unwrap_or_default().into_iter().skip(64)).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Posts each event on its own thread, which ends with the response.
fn produce(address: &str) -> Vec<JoinHandle<std::io::Result<u16>>> {
    let produce = |number: usize| {
        let address = address.to_owned();
        std::thread::spawn(move || post(&address, &format!("event {number}.")))
    };
    (0..EVENTS).map(produce).collect()
}

fn all_are_written(home: &Path) -> bool {
    let accepted = records(home, "accepted");
    (0..EVENTS).all(|number| holds(&accepted, &format!("event {number}.")))
}

/// Lets what is held go on: each producer gets its response, and each event arrives once.
fn let_go(hold: &Path, producers: Vec<JoinHandle<std::io::Result<u16>>>, receiver: &Counter, address: &str) {
    fs::remove_file(hold).expect("removed");
    for producer in producers {
        assert_eq!(producer.join().expect("a producer").expect("a response"), 202);
    }
    receiver.wait_for(EVENTS);
    wait_until_settled(address);
    assert!(receiver.arrived().values().all(|times| *times == 1));
}

/// With `power`, while the disk confirms nothing: records are written, and no response is sent.
#[test]
fn without_a_sync_no_response_and_no_delivery_is_sent() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let hold = home.path().join("hold");
    let settings = [
        ("POSTHASTE_STORE__SURVIVES", "power"),
        ("POSTHASTE_JOURNAL__BYTES_MAX", "1048576"),
        ("POSTHASTE_DRILL_HOLD_SYNC", hold.to_str().expect("a path")),
    ];
    let (_running, address) = serve(&home, &settings);
    set_up(&address, "t", &receiver.url());
    fs::write(&hold, "").expect("written");
    let producers = produce(&address);
    wait("records", || all_are_written(home.path()));
    wait("begun records", || records(home.path(), "begun").iter().any(|byte| *byte != 0));
    assert_eq!(call(&address, "GET /healthz HTTP/1.1", b"").expect("a response").0, 200);
    assert!(producers.iter().all(|producer| !producer.is_finished()), "responded before its record was synced");
    assert!(receiver.arrived().is_empty(), "sent before its record was synced");
    let_go(&hold, producers, &receiver, &address);
}

/// With `process`, while the begun record is not written.
#[test]
fn nothing_is_sent_before_its_record_is_written() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let hold = home.path().join("hold");
    let (_running, address) = serve(&home, &[("POSTHASTE_DRILL_HOLD_BEGUN", hold.to_str().expect("a path"))]);
    set_up(&address, "t", &receiver.url());
    fs::write(&hold, "").expect("written");
    let producers = produce(&address);
    wait("records", || all_are_written(home.path()));
    for _ in 0..50 {
        assert_eq!(call(&address, "GET /healthz HTTP/1.1", b"").expect("a response").0, 200);
    }
    assert!(receiver.arrived().is_empty(), "sent before its record was written");
    assert!(records(home.path(), "begun").iter().all(|byte| *byte == 0));
    let_go(&hold, producers, &receiver, &address);
}
