//! Bounds and errors of the real disk.

use std::time::Duration;

use serde_json::json;

use super::{Counter, wait, wait_until_settled};
use crate::cli::serve::{metric, serve, set_up};
use crate::cli::{call, home};

/// A dead destination fills its account's share: that account gets 429, another continues.
#[test]
fn only_the_account_over_its_share_is_refused() {
    let (home, dead, fast) = (home(), Counter::start(Duration::ZERO), Counter::start(Duration::ZERO));
    dead.silence(true);
    let settings =
        [("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "1"), ("POSTHASTE_JOURNAL__BYTES_MAX", "1048576")];
    let (_running, address) = serve(&home, &settings);
    for (account, receiver) in [("filler", &dead), ("other", &fast)] {
        let put = |path: &str, document: serde_json::Value| {
            let head = format!("PUT /v1/accounts/{account}/{path} HTTP/1.1\r\ncontent-type: application/json");
            assert!(call(&address, &head, document.to_string().as_bytes()).expect("a response").0 < 300);
        };
        put("templates/t", json!({"format": "json", "body": "{\"id\":\"{{event.id}}\"}"}));
        put("triggers/t", json!({"event": "*", "template": "t", "url": receiver.url()}));
    }
    let post = |account: &str, id: usize, bytes: usize| {
        let event = json!({"type": "a", "account": account, "id": id.to_string(), "data": {"x": "x".repeat(bytes)}});
        let head = "POST /v1/events HTTP/1.1\r\ncontent-type: application/json";
        call(&address, head, event.to_string().as_bytes()).expect("a response")
    };
    let refused = (0..200).find_map(|id| match post("filler", id, 8_000) {
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
    // A file whose name is in use can't be created, like for any other reason.
    let folder = home.path().join("data/posthaste.redb.journal");
    // From the last number on: if one name is in use, all later ones are too.
    let in_the_way: Vec<_> = (1..400_u64)
        .rev()
        .flat_map(|number| ["accepted", "begun"].map(|kind| folder.join(format!("{number:016x}.{kind}"))))
        // Existing files, or those that are created meanwhile, belong to the journal.
        .filter(|path| std::fs::create_dir(path).is_ok())
        .collect();
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
    in_the_way.iter().for_each(|path| std::fs::remove_dir(path).expect("removed"));
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
