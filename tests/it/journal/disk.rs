//! Bounds and errors of the real disk.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Counter, wait, wait_until_settled};
use crate::cli::serve::{metric, serve, set_up};
use crate::cli::{Running, call, home, put, send_json};

/// A dead destination fills its account's share: that account gets 429, another continues.
#[test]
fn only_the_account_over_its_share_is_refused() {
    let (home, dead, fast) = (home(), Counter::start(Duration::ZERO), Counter::start(Duration::ZERO));
    dead.silence(true);
    let settings =
        [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"), ("POSTHASTE_JOURNAL__BYTES_MAX", "1048576")];
    let (_running, address) = serve(&home, &settings);
    for (account, receiver) in [("filler", &dead), ("other", &fast)] {
        let path = |kind: &str| format!("/v1/accounts/{account}/{kind}/t");
        put(&address, &path("templates"), &json!({"format": "json", "body": "{\"id\":\"{{event.id}}\"}"}));
        put(&address, &path("triggers"), &json!({"event": "*", "template": "t", "url": receiver.url()}));
    }
    let post = |account: &str, id: usize, bytes: usize| {
        let event = json!({"type": "a", "account": account, "id": id.to_string(), "data": {"x": "x".repeat(bytes)}});
        send_json(&address, "POST /v1/events", &event).expect("a response")
    };
    let refused = (0..400).find_map(|id| match post("filler", id, 8_000) {
        (202, _) => None,
        refused => Some(refused),
    });
    let (status, body) = refused.expect("a refusal");
    assert!(status == 429 && body.contains("journal"), "{status} {body}");
    for id in 0..20 {
        assert_eq!(post("other", id, 100).0, 202);
    }
    fast.wait_for(20);
    assert!(metric(&address, "posthaste_journal_disk_bytes") < 2_000_000.0);
    dead.silence(false);
    wait_until_settled(&address);
    assert_eq!(post("filler", 1_000, 8_000).0, 202);
}

/// The journal's folder can't take a new file: events and `/readyz` get 503 until it can.
#[test]
fn without_a_new_segment_events_are_refused_until_it_can_be_created() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let (running, address) =
        serve(&home, &[("POSTHASTE_JOURNAL__BYTES_MAX", "1048576"), ("POSTHASTE_LOG__FORMAT", "json")]);
    set_up(&address, "t", &receiver.url());
    let bring_back = without_its_folder(home.path().join("data/posthaste.redb.journal"));
    let mut accepted = 0;
    let refused = (0..2_000).find_map(|id| match super::post(&address, &id.to_string()).expect("a response") {
        202 => {
            accepted += 1;
            None
        }
        refused => Some(refused),
    });
    assert_eq!(refused, Some(503), "after {accepted}");
    assert_eq!(call(&address, "GET /readyz HTTP/1.1", b"").expect("a response").0, 503);
    bring_back();
    wait("ready node", || call(&address, "GET /readyz HTTP/1.1", b"").is_ok_and(|(status, _)| status == 200));
    assert_eq!(super::post(&address, "after").expect("a response"), 202);
    receiver.wait_for(accepted + 1);
    wait_until_settled(&address);
    running.signal("TERM");
    let (_, _, log) = running.end();
    let said = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    assert_eq!((said("can't be written"), said("can be written again")), (1, 1), "{log:#?}");
    assert!(receiver.arrived().values().all(|times| *times == 1));
}

#[test]
fn a_folder_that_was_removed_is_noticed_before_the_next_event() {
    let home = home();
    let (running, address) = serve(&home, &[]);
    let ready = || call(&address, "GET /readyz HTTP/1.1", b"").expect("a response").0;
    let (data, away) = (home.path().join("data"), home.path().join("away"));
    for _ in 0..2 {
        std::fs::rename(&data, &away).expect("moved");
        wait("unready node", || ready() == 503);
        assert_eq!(super::post(&address, "1").expect("a response"), 503);
        std::fs::rename(&away, &data).expect("moved back");
        wait("ready node", || ready() == 200);
        assert_eq!(super::post(&address, "2").expect("a response"), 202);
    }
    std::fs::rename(&data, &away).expect("moved");
    std::fs::create_dir_all(data.join("posthaste.redb.journal")).expect("another folder");
    wait("unready node", || ready() == 503);
    running.signal("TERM");
    let (code, _, log) = running.end();
    assert!(code == Some(0) && log.iter().any(|line| line.contains("removed or replaced")), "{log:#?}");
}

/// Puts a file in the place of the journal's folder, so that no segment can be created or removed however often that is
/// tried; open ones can still be written. Returns what ends that.
fn without_its_folder(folder: PathBuf) -> impl FnOnce() {
    let away = folder.with_extension("away");
    std::fs::rename(&folder, &away).expect("moved");
    std::fs::write(&folder, "").expect("a file");
    move || {
        std::fs::remove_file(&folder).expect("removed");
        std::fs::rename(&away, &folder).expect("moved back");
    }
}

/// Neither the journal nor the store can write: `/readyz` names both, and goes on naming the store when only it can't.
#[test]
fn readyz_names_a_store_that_is_read_only_also_without_a_journal() {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    // Files of at most 8 MiB: the store reaches that, and a segment does not.
    let mut serve = Command::new("sh");
    serve.args(["-c", "trap '' XFSZ; ulimit -f 16384; exec \"$0\" serve", env!("CARGO_BIN_EXE_posthaste")]);
    serve.current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    serve.env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0").env("POSTHASTE_JOURNAL__BYTES_MAX", "1048576");
    serve.env("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]");
    let running = Running::start(serve);
    let address = running.line_or_end("listening on http://").expect("it listens");
    set_up(&address, "t", &receiver.url());
    // The store looks there whether it has room again.
    std::fs::create_dir(home.path().join("data/posthaste.redb.room")).expect("a folder");
    let bring_back = without_its_folder(home.path().join("data/posthaste.redb.journal"));
    let ready = || {
        let (status, body) = call(&address, "GET /readyz HTTP/1.1", b"").expect("a response");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        (status, body["code"].as_str().map(str::to_owned), body["store"].as_str().map(str::to_owned))
    };
    let refused = (0..2_000).any(|id| super::post(&address, &id.to_string()).expect("a response") == 503);
    assert!(refused, "the journal can be written");
    let unavailable = Some("store_unavailable".to_owned());
    assert_eq!(ready(), (503, unavailable.clone(), None));
    let refused = (0..400).find_map(|number| {
        let template = json!({"format": "text", "body": "x".repeat(60_000)});
        let path = format!("PUT /v1/accounts/a{number}/templates/t");
        let (status, body) = send_json(&address, &path, &template).expect("a response");
        (status >= 300).then_some((status, body))
    });
    let (status, body) = refused.expect("the store is full at last");
    assert!(status == 503 && body.contains("store_unavailable"), "{status} {body}");
    let read_only = Some("read_only".to_owned());
    assert_eq!(ready(), (503, unavailable, read_only.clone()));
    bring_back();
    wait("ready node", || ready().0 == 200);
    assert_eq!(ready(), (200, None, read_only));
    running.signal("TERM");
    running.end();
}

/// A disk with less room than the journal may take is named at the start, before it is full.
#[test]
fn a_disk_that_is_smaller_than_the_bound_is_reported() {
    for (bytes_max, is_reported) in [("1048576", false), ("1125899906842624", true)] {
        let home = home();
        let (running, _) = serve(&home, &[("POSTHASTE_JOURNAL__BYTES_MAX", bytes_max)]);
        running.signal("TERM");
        let (code, _, log) = running.end();
        let found = log.iter().any(|line| line.contains("the disk has less room than the journal may take"));
        assert_eq!((code, found), (Some(0), is_reported), "{bytes_max}: {log:#?}");
    }
}
