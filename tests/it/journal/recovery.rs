//! What a start does with the deliveries of the previous run.

use std::time::Duration;

use serde_json::json;

use super::{Counter, kill, post, wait, wait_until_settled};
use crate::cli::serve::{metric, serve, set_up, wait_for_metric};
use crate::cli::{self, call, home, put};

const ONE: (&str, &str) = ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1");

fn dropped(address: &str, reason: &str) -> f64 {
    metric(address, &format!("posthaste_dropped_total{{reason=\"{reason}\"}}"))
}

/// Five events to a silent receiver with one connection: one attempt is in flight, four are queued.
fn four_waiting(home: &tempfile::TempDir, receiver: &Counter, more: &[(&str, &str)]) -> crate::cli::Running {
    receiver.silence(true);
    let settings: Vec<_> = std::iter::once(ONE).chain(more.iter().copied()).collect();
    let (running, address) = serve(home, &settings);
    set_up(&address, "t", &receiver.url());
    for id in 0..5 {
        assert_eq!(post(&address, &id.to_string()).expect("a response"), 202);
    }
    wait_for_metric(&address, "posthaste_queue_depth", 4.0);
    running
}

#[test]
fn a_removed_disabled_or_moved_trigger_drops_its_deliveries() {
    let (home, receiver, elsewhere) = (home(), Counter::start(Duration::ZERO), Counter::start(Duration::ZERO));
    let (running, address) = serve(&home, &[ONE]);
    receiver.silence(true);
    for id in ["gone", "off", "moved", "kept"] {
        set_up(&address, id, &receiver.url());
    }
    for id in ["1", "2", "3"] {
        assert_eq!(post(&address, id).expect("a response"), 202);
    }
    wait_for_metric(&address, "posthaste_queue_depth", 11.0);
    let path = |id: &str| format!("/v1/accounts/default/triggers/{id}");
    assert_eq!(call(&address, &format!("DELETE {} HTTP/1.1", path("gone")), b"").expect("a response").0, 204);
    let off = json!({"event": "*", "template": "off", "url": receiver.url(), "enabled": false});
    put(&address, &path("off"), &off);
    put(&address, &path("moved"), &json!({"event": "*", "template": "moved", "url": elsewhere.url()}));
    kill(running);
    receiver.silence(false);
    let (_running, address) = serve(&home, &[ONE]);
    wait_until_settled(&address);
    // One of the twelve was in flight. An attempt is settled before its first byte is sent, so the last ones end later.
    let sent = || metric(&address, "posthaste_attempts_total{outcome=\"delivered\"}");
    let changed = dropped(&address, "trigger_changed");
    wait("attempts", || sent() + changed >= 11.0);
    assert_eq!(sent() + changed, 11.0, "{} {changed}", sent());
    assert!((8.0..=9.0).contains(&changed), "{changed}");
    assert!(elsewhere.arrived().is_empty());
}

#[test]
fn a_node_that_keeps_nothing_sends_what_an_earlier_run_kept() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    kill(four_waiting(&home, &receiver, &[]));
    let stop = [ONE, ("POSTHASTE_STORE__SURVIVES", "stop")];
    // Killed before it can send them, and with one that it accepted itself and does not keep.
    let (running, address) = serve(&home, &stop);
    wait_for_metric(&address, "posthaste_queue_depth", 3.0);
    let kept = metric(&address, "posthaste_journal_bytes");
    assert_eq!(post(&address, "new").expect("a response"), 202);
    wait_for_metric(&address, "posthaste_queue_depth", 4.0);
    assert_eq!(metric(&address, "posthaste_journal_bytes"), kept);
    kill(running);
    receiver.silence(false);
    let (running, address) = serve(&home, &stop);
    wait_until_settled(&address);
    // An attempt is settled before its first byte is sent. Two were in flight when a node was killed.
    wait("attempts", || metric(&address, "posthaste_attempts_total{outcome=\"delivered\"}") >= 3.0);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
    let arrived = receiver.arrived();
    assert!(arrived.values().all(|times| *times == 1) && !arrived.contains_key("new"), "{arrived:?}");
}

#[test]
fn settings_that_allow_less_drop_deliveries_as_refused() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    kill(four_waiting(&home, &receiver, &[]));
    receiver.silence(false);
    let (_running, address) = serve(&home, &[ONE, ("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[]")]);
    wait_until_settled(&address);
    assert_eq!((dropped(&address, "url_refused"), dropped(&address, "trigger_changed")), (4.0, 0.0));
}

#[test]
fn a_recovered_delivery_is_rendered_with_the_current_template() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let running = four_waiting(&home, &receiver, &[]);
    kill(running);
    // Changed while nothing is sent.
    receiver.silence(true);
    let (running, address) = serve(&home, &[ONE]);
    let template = json!({"format": "json", "body": "{\"id\":\"new {{event.id}}\"}"});
    put(&address, "/v1/accounts/default/templates/t", &template);
    wait_for_metric(&address, "posthaste_queue_depth", 3.0);
    kill(running);
    receiver.silence(false);
    let (_running, address) = serve(&home, &[ONE]);
    wait_until_settled(&address);
    // An attempt is settled before its first byte is sent.
    receiver.wait_for(5);
    let new = receiver.arrived().keys().filter(|id| id.starts_with("new ")).count();
    assert_eq!(new, 3, "{:?}", receiver.arrived());
}

#[test]
fn a_delivery_that_is_too_old_is_dropped_as_expired() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let running = four_waiting(&home, &receiver, &[]);
    kill(running);
    let killed = std::time::Instant::now();
    wait("second", || killed.elapsed() > Duration::from_millis(1_100));
    receiver.silence(false);
    let (_running, address) = serve(&home, &[ONE, ("POSTHASTE_JOURNAL__AGE_MAX_S", "1")]);
    wait_until_settled(&address);
    assert_eq!(dropped(&address, "expired"), 4.0);
    assert!(receiver.arrived().len() <= 1);
}

/// A destination does not respond, and attempts to it take the longest permitted time.
#[test]
fn a_delivery_expires_also_while_no_attempt_ends() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    receiver.silence(true);
    let settings = [ONE, ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300000"), ("POSTHASTE_JOURNAL__AGE_MAX_S", "1")];
    let (_running, address) = serve(&home, &settings);
    set_up(&address, "t", &receiver.url());
    // Deliveries over their trigger's rate wait elsewhere.
    let rated = json!({"event": "*", "template": "t", "url": receiver.url(), "rate_per_s": 1});
    put(&address, "/v1/accounts/default/triggers/rated", &rated);
    for id in 0..5 {
        assert_eq!(post(&address, &id.to_string()).expect("a response"), 202);
    }
    wait("nine expired", || dropped(&address, "expired") == 9.0);
    wait_until_settled(&address);
    assert_eq!(metric(&address, "posthaste_attempts_in_flight"), 1.0);
    receiver.silence(false);
}

/// Forty deliveries to a dead destination, of which the account may hold about ten at a time.
#[test]
fn a_dead_destination_does_not_delay_readiness() {
    let (home, down, other) = (home(), Counter::start(Duration::ZERO), Counter::start(Duration::ZERO));
    down.silence(true);
    let (running, address) = serve(&home, &[ONE]);
    set_up(&address, "down", &down.url());
    for id in 0..40 {
        assert_eq!(post(&address, &id.to_string()).expect("a response"), 202);
    }
    kill(running);
    // The rate is meant for new events only.
    let bounds = [
        ("POSTHASTE_INGEST__DELIVERIES_IN_FLIGHT_MAX", "10"),
        ("POSTHASTE_INGEST__RATE_PER_ACCOUNT_S", "1"),
        ("POSTHASTE_DISPATCH__QUEUE_PER_DESTINATION", "8"),
        ("POSTHASTE_DISPATCH__ATTEMPT_TIMEOUT_MS", "300000"),
    ];
    let settings: Vec<_> = std::iter::once(ONE).chain(bounds).collect();
    let (_running, address) = serve(&home, &settings);
    wait("ready node", || call(&address, "GET /readyz HTTP/1.1", b"").is_ok_and(|(status, _)| status == 200));
    assert!(metric(&address, "posthaste_journal_recovering") > 0.0, "the rest waits for its account's room");
    let template = json!({"format": "json", "body": "{\"id\":\"{{event.id}}\"}"});
    put(&address, "/v1/accounts/other/templates/t", &template);
    let trigger = json!({"event": "*", "template": "t", "url": other.url()});
    put(&address, "/v1/accounts/other/triggers/t", &trigger);
    let event = json!({"type": "a", "account": "other", "id": "o", "data": {}});
    assert_eq!(cli::post(&address, &event).expect("a response"), 202);
    other.wait_for(1);
    down.silence(false);
    // One attempt was in flight at the kill.
    down.wait_for(39);
    wait_until_settled(&address);
    assert_eq!(dropped(&address, "queue_full"), 0.0, "no more is handed on than the queue holds");
    assert!(down.arrived().values().all(|times| *times == 1), "{:?}", down.arrived());
}

#[test]
fn deliveries_left_by_the_drain_are_sent_after_the_next_start() {
    for (survives, kept) in [("process", 4), ("power", 4), ("stop", 0)] {
        let (home, receiver) = (home(), Counter::start(Duration::ZERO));
        let more = [("POSTHASTE_STORE__SURVIVES", survives), ("POSTHASTE_DISPATCH__DRAIN_MS", "1")];
        let running = four_waiting(&home, &receiver, &more);
        running.signal("TERM");
        let (code, _, log) = running.end();
        assert_eq!(code, Some(0));
        let last = log.last().expect("a log");
        assert!(last.contains(&format!("unsent={}", 5 - kept)) && last.contains(&format!("kept={kept}")), "{last}");
        receiver.silence(false);
        let (_running, address) = serve(&home, &[ONE, more[0]]);
        wait("ready node", || call(&address, "GET /readyz HTTP/1.1", b"").is_ok_and(|(status, _)| status == 200));
        if kept > 0 {
            receiver.wait_for(5);
            wait_until_settled(&address);
        }
        assert!(receiver.arrived().values().all(|times| *times == 1), "{:?}", receiver.arrived());
    }
}

/// Simulates a reboot: all that was written is of another boot.
fn reboot(home: &tempfile::TempDir) {
    let folder = home.path().join("data/posthaste.redb.journal");
    for entry in std::fs::read_dir(folder).expect("the journal") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let Ok(number) = u64::from_str_radix(name.get(..16).unwrap_or_default(), 16) else { continue };
        if name.ends_with(".ended") {
            let other = format!("{}.{}.ended", &name[..16], "ee".repeat(16));
            std::fs::rename(&path, path.with_file_name(other)).expect("renamed");
            continue;
        }
        let mut bytes = std::fs::read(&path).expect("a segment");
        bytes[32..48].fill(0xee);
        let check = xxhash_rust::xxh3::xxh3_64_with_seed(&bytes[..56], number);
        bytes[56..64].copy_from_slice(&check.to_le_bytes());
        std::fs::write(&path, bytes).expect("written");
    }
}

#[test]
fn what_a_stop_kept_is_sent_after_a_reboot() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let running = four_waiting(&home, &receiver, &[("POSTHASTE_DISPATCH__DRAIN_MS", "1")]);
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
    reboot(&home);
    receiver.silence(false);
    let (_running, address) = serve(&home, &[ONE]);
    assert_eq!(dropped(&address, "journal_lost"), 0.0);
    receiver.wait_for(5);
    wait_until_settled(&address);
    assert!(receiver.arrived().values().all(|times| *times == 1), "{:?}", receiver.arrived());
}

#[test]
fn after_a_reboot_unsettled_deliveries_are_dropped_and_reported_once() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    kill(four_waiting(&home, &receiver, &[]));
    reboot(&home);
    receiver.silence(false);
    let (running, address) = serve(&home, &[ONE]);
    assert_eq!(dropped(&address, "journal_lost"), 4.0);
    assert_eq!(post(&address, "new").expect("a response"), 202);
    wait_until_settled(&address);
    assert!(receiver.arrived().len() <= 2, "{:?}", receiver.arrived());
    running.signal("TERM");
    let (_, _, log) = running.end();
    let told = log.iter().filter(|line| line.contains("was restarted since") && line.contains("deliveries=4")).count();
    assert_eq!(told, 1, "{log:#?}");
}

#[test]
fn two_processes_on_one_folder_are_refused() {
    let home = home();
    let (_running, _) = serve(&home, &[]);
    let (code, _, stderr) = crate::cli::run(&home, &["serve"], &[("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("open in another process"), "{stderr}");
    // Also if only the journal is the same.
    let journal = home.path().join("data/posthaste.redb.journal/lock");
    let lock = std::fs::File::open(journal).expect("the lock");
    assert!(lock.try_lock().is_err());
}
