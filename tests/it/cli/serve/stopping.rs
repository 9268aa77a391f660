//! How it ends: a signal to the built program while producers post.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::cli::wait_for_line;
use crate::support::{Behaviour, Receiver, ignores_hangup};

const MEMORY: (&str, &str) = ("POSTHASTE_STORE__URL", "memory:");
const TWO_AT_A_TIME: (&str, &str) = ("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", "2");

fn event(id: usize) -> Value {
    json!({"type": "a", "id": id.to_string(), "data": {}})
}

/// Four producers post until a response says that the node is stopping. The receiver does not respond before that, so
/// that most accepted events wait when the signal comes.
fn a_signal_under_load(signal: &str) {
    let (home, receiver) = (home(), Receiver::start());
    let (running, address) = serve(&home, &[MEMORY, TWO_AT_A_TIME]);
    set_up(&address, "t", &receiver.url("/"));
    receiver.behave(Behaviour::Silence);
    let accepted = Arc::new(AtomicUsize::new(0));
    let producers: Vec<_> = (0..4)
        .map(|producer| {
            let (address, accepted) = (address.clone(), Arc::clone(&accepted));
            std::thread::spawn(move || {
                for id in 0.. {
                    match post(&address, &event(producer * 1_000_000 + id)) {
                        Ok(202) => accepted.fetch_add(1, Ordering::SeqCst),
                        other => return other,
                    };
                }
                unreachable!("numbers don't end")
            })
        })
        .collect();
    while accepted.load(Ordering::SeqCst) < 100 {
        crate::support::pause();
    }
    running.signal(signal);
    for producer in producers {
        assert_eq!(
            producer.join().expect("a producer").expect("a response"),
            503,
            "the producer gets a response at a stop"
        );
    }
    // A new connection gets a response during the drain.
    assert_eq!(call(&address, "GET /readyz HTTP/1.1", b"").expect("a response").0, 503);
    assert_eq!(call(&address, "GET /healthz HTTP/1.1", b"").expect("a response").0, 200);
    let tried = "POST /v1/accounts/default/triggers/t/test HTTP/1.1";
    assert_eq!(call(&address, tried, b"").expect("a response").0, 503);
    receiver.behave(Behaviour::Respond(200));
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0));
    let last = stderr.last().expect("a log");
    assert!(last.contains("stopped") && last.contains("unsent=0"), "{last}");
    assert_eq!(receiver.received().len(), accepted.load(Ordering::SeqCst), "what was accepted, and no more");
}

#[test]
fn sigterm_under_load_loses_nothing_that_was_accepted() {
    a_signal_under_load("TERM");
}

/// A closed terminal, or `systemctl reload`.
#[test]
fn sighup_under_load_loses_nothing_that_was_accepted() {
    // A node honours `nohup`, so it can't be tried under it.
    if !ignores_hangup() {
        a_signal_under_load("HUP");
    }
}

#[test]
fn sigint_under_load_loses_nothing_that_was_accepted() {
    a_signal_under_load("INT");
}

/// Ten deliveries: two in flight and eight queued. Each is counted once, whether or not its event still holds a permit.
#[test]
fn the_last_line_counts_what_the_drain_could_not_send() {
    for patience in ["2", "60000"] {
        let (home, receiver) = (home(), Receiver::start());
        let more = [
            MEMORY,
            TWO_AT_A_TIME,
            ("POSTHASTE_DISPATCH__DRAIN_MS", "1"),
            ("POSTHASTE_DISPATCH__STALLED_AFTER_MS", patience),
            ("POSTHASTE_DISPATCH__BEHIND_AFTER_MS", patience),
            ("POSTHASTE_LOG__FORMAT", "json"),
        ];
        let (running, address) = serve(&home, &more);
        set_up(&address, "t", &receiver.url("/"));
        receiver.behave(Behaviour::Silence);
        let posts = (0..10).map(|id| {
            let address = address.clone();
            // Some get no response before the end.
            std::thread::spawn(move || post(&address, &event(id)))
        });
        let posts: Vec<_> = posts.collect();
        wait_for_metric(&address, "posthaste_queue_depth", 8.0);
        if patience != "2" {
            wait_for_metric(&address, "posthaste_events_in_flight", 8.0);
        }
        running.signal("TERM");
        let (code, _, stderr) = running.end();
        assert_eq!(code, Some(0));
        let last: Value = serde_json::from_str(stderr.last().expect("a log")).expect("JSON");
        assert_eq!((&last["message"], &last["unsent"]), (&json!("stopped"), &json!(10)), "{stderr:#?}");
        posts.into_iter().for_each(|post| drop(post.join().expect("a producer")));
    }
}

/// With a journal, what was not begun is kept and sent after the next start.
#[test]
fn a_second_signal_ends_the_process_at_once() {
    for (store, unsent, kept) in [("memory:", 5, 0), ("file:store.redb", 2, 3)] {
        let (home, receiver) = (home(), Receiver::start());
        let settings = [("POSTHASTE_STORE__URL", store), TWO_AT_A_TIME, ("POSTHASTE_DISPATCH__DRAIN_MS", "3600000")];
        let (running, address) = serve(&home, &settings);
        set_up(&address, "t", &receiver.url("/"));
        receiver.behave(Behaviour::Silence);
        for id in 0..5 {
            assert_eq!(post(&address, &event(id)).expect("a response"), 202);
        }
        wait_for_metric(&address, "posthaste_queue_depth", 3.0);
        running.signal("INT");
        while !wait_for_line(&running.stderr, "").contains("stopping") {}
        running.signal("INT");
        let (code, _, stderr) = running.end();
        let last = stderr.last().expect("a log");
        let counts = format!("stopped unsent={unsent} kept={kept}");
        assert!(last.contains(&counts), "{store}: {last}");
        assert_eq!(code, Some(0));
        if kept > 0 {
            receiver.behave(Behaviour::Respond(200));
            let (_running, address) = serve(&home, &settings);
            wait_for_metric(&address, "posthaste_attempts_total{outcome=\"delivered\"}", kept.into());
        }
    }
}
