//! A panic in a stage costs the firing that it happens over, is counted, and the stage lives on: the built program, with
//! a panic injected into each stage in turn.

use std::time::Duration;

use crate::cli::home;
use crate::cli::serve::{metric, serve, set_up};
use crate::journal::{Counter, post, wait};
use crate::support::RedisServer;

/// Posts some events to a node whose stage panics over the second one. Returns the statuses.
fn drill(stage: &str, store: &str, counted: &str) -> Vec<u16> {
    let (home, receiver) = (home(), Counter::start(Duration::ZERO));
    let plan = format!("{stage} 2");
    let settings = [("POSTHASTE_STORE__URL", store), ("POSTHASTE_DRILL_PANIC", plan.as_str())];
    let (_running, address) = serve(&home, &settings);
    set_up(&address, "t", &receiver.url());
    let mut statuses = Vec::new();
    // One after the other, so that it is known which is the second.
    for (number, id) in ["1", "2", "3", "4"].into_iter().enumerate() {
        statuses.push(post(&address, id).expect("a response"));
        match id {
            "2" => wait("count of the panic", || metric(&address, counted) == 1.0),
            _ => receiver.wait_for(if number == 0 { 1 } else { number }),
        }
    }
    let arrived: Vec<String> = receiver.arrived().into_keys().collect();
    assert_eq!(arrived, ["1", "3", "4"], "{stage}");
    assert_eq!(metric(&address, counted), 1.0, "{stage}");
    wait("end of what was in flight", || metric(&address, "posthaste_events_in_flight") == 0.0);
    statuses
}

const DROPPED: &str = "posthaste_dropped_total{reason=\"panic\"}";

#[test]
fn in_the_ingester_it_costs_a_request() {
    let statuses = drill("ingester", "memory:", "posthaste_events_rejected_total{code=\"internal_error\"}");
    assert_eq!(statuses, [202, 500, 202, 202]);
}

#[test]
fn in_the_matcher_it_costs_what_an_event_fires() {
    assert_eq!(drill("matcher", "memory:", DROPPED), [202; 4]);
}

#[test]
fn in_the_renderer_it_costs_a_delivery() {
    assert_eq!(drill("renderer", "memory:", DROPPED), [202; 4]);
}

#[test]
fn in_the_publisher_it_costs_a_delivery() {
    let redis = RedisServer::start();
    let statuses = drill("publisher", &redis.url(), DROPPED);
    assert_eq!(statuses, [202, 500, 202, 202]);
}

#[test]
fn in_the_dispatcher_it_costs_an_attempt() {
    assert_eq!(drill("dispatcher", "memory:", "posthaste_attempts_total{outcome=\"panic\"}"), [202; 4]);
}
