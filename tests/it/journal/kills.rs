//! `kill -9` under load: every event with a 202 response is attempted once; attempts in flight at the kill are made at
//! most once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Counter, kill, post, wait_until_settled};
use crate::cli::home;
use crate::cli::serve::{launch, serve, set_up};

/// Attempts in flight to one destination.
const CONNECTIONS: usize = 2;

/// How the process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    /// Paused first, so that nothing of it runs at the kill.
    PausedKill,
    /// Ended by itself, between the record of an attempt and its first byte.
    AfterBegun,
}

/// A fixed sequence of pseudo-random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}

fn drill(kills: usize, ends: &[End], more: &[(&str, &str)], seed: u64) {
    let (home, mut random) = (home(), Random(seed));
    let receivers =
        [Counter::start(Duration::ZERO), Counter::start(Duration::from_millis(3)), Counter::start(Duration::ZERO)];
    receivers[2].silence(true);
    let connections = CONNECTIONS.to_string();
    let mut settings = vec![("POSTHASTE_DISPATCH__CONNECTIONS_PER_DESTINATION", connections.as_str())];
    settings.extend(more);
    let accepted: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    for number in 0..kills {
        // The first run saves the triggers.
        let end = ends[number % ends.len()];
        let at = random.below(40) + 1;
        let at_text = at.to_string();
        let mut own = settings.clone();
        if end == End::AfterBegun {
            own.push(("POSTHASTE_DRILL_END_AFTER_BEGUN", at_text.as_str()));
        }
        let running = launch(&home, &own);
        // A process that ends itself may do so while it sends the deliveries of the previous run.
        let Some(address) = running.line_or_end("listening on http://") else {
            running.end();
            continue;
        };
        if number == 0 {
            for (name, receiver) in ["fast", "slow", "dead"].iter().zip(&receivers) {
                set_up(&address, name, &receiver.url());
            }
        }
        let before = accepted.lock().expect("whole").len();
        let producers: Vec<_> = (0..3)
            .map(|producer| {
                let (address, accepted) = (address.clone(), Arc::clone(&accepted));
                std::thread::spawn(move || {
                    for event in 0..400 {
                        let id = format!("{number}-{producer}-{event}");
                        match post(&address, &id) {
                            Ok(202) => drop(accepted.lock().expect("whole").insert(id)),
                            // It has ended or is full: no 202, so nothing was promised.
                            _ => return,
                        }
                    }
                })
            })
            .collect();
        match end {
            End::AfterBegun => drop(running.end()),
            _ => {
                let is_over = || producers.iter().all(|producer| producer.is_finished());
                super::wait("events", || accepted.lock().expect("whole").len() >= before + at || is_over());
                if end == End::PausedKill {
                    running.signal("STOP");
                }
                kill(running);
            }
        }
        producers.into_iter().for_each(|producer| producer.join().expect("a producer"));
    }
    receivers[2].silence(false);
    let (running, address) = serve(&home, &settings);
    wait_until_settled(&address);
    running.signal("TERM");
    let (code, _, log) = running.end();
    assert_eq!(code, Some(0), "{log:#?}");
    let accepted = accepted.lock().expect("whole");
    assert!(accepted.len() >= kills, "{} accepted", accepted.len());
    for (name, receiver) in ["fast", "slow", "dead"].iter().zip(&receivers) {
        let arrived = receiver.arrived();
        let twice: Vec<_> = arrived.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{name}: twice {twice:?}");
        let missing: Vec<_> = accepted.iter().filter(|id| !arrived.contains_key(*id)).collect();
        let under_way = kills * CONNECTIONS;
        assert!(missing.len() <= under_way, "{name}: {} of {} missing: {missing:?}", missing.len(), accepted.len());
    }
}

#[test]
fn no_accepted_event_is_lost_by_twenty_kills() {
    drill(20, &[End::Kill, End::PausedKill, End::AfterBegun, End::Kill], &[], 1);
}

#[test]
fn no_accepted_event_is_lost_with_power() {
    drill(6, &[End::Kill, End::PausedKill, End::AfterBegun], &[("POSTHASTE_STORE__SURVIVES", "power")], 2);
}

/// The long version for `scripts/kills`: 200 kills, with the script's seed.
#[test]
#[ignore = "takes minutes; scripts/kills runs it"]
fn no_accepted_event_is_lost_by_two_hundred_kills() {
    let seed = std::env::var("KILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(3);
    drill(200, &[End::Kill, End::PausedKill, End::AfterBegun, End::Kill], &[], seed);
}
