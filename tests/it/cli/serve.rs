//! `posthaste serve` for an operator: how it starts or reports why not, what it logs, how it ends.

mod operating;
mod starting;
mod stopping;

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Running, call, command, home, post, put, run};
use crate::support::DEADLINE;

/// The mark in everything that the log must not contain.
const MARK: &str = "n0t-f0r-the-l0g";

/// A node on a free port, with loopback allowed, and its address.
pub(crate) fn serve(home: &TempDir, variables: &[(&str, &str)]) -> (Running, String) {
    let running = launch(home, variables);
    let address = running.wait_for_line("listening on http://");
    (running, address)
}

/// The same, which may end before it listens.
pub(crate) fn launch(home: &TempDir, variables: &[(&str, &str)]) -> Running {
    let mut serve = command(home, &["serve"]);
    serve.env("POSTHASTE_SERVER__LISTEN", "127.0.0.1:0").env("POSTHASTE_DISPATCH__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]");
    serve.envs(variables.iter().copied());
    Running::start(serve)
}

/// Saves a template and a trigger on all events to this URL.
pub(crate) fn set_up(address: &str, id: &str, url: &str) {
    let template = json!({"format": "json", "body": "{\"id\":\"{{event.id}}\"}"});
    let trigger = json!({"event": "*", "template": id, "url": url});
    put(address, &format!("/v1/accounts/default/templates/{id}"), &template);
    put(address, &format!("/v1/accounts/default/triggers/{id}"), &trigger);
}

pub(crate) fn metric(address: &str, name: &str) -> f64 {
    let (_, text) = call(address, "GET /metrics HTTP/1.1", b"").expect("metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("the metric");
    line.parse().expect("a number")
}

pub(crate) fn wait_for_metric(address: &str, name: &str, value: f64) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while metric(address, name) != value {
        assert!(std::time::Instant::now() < deadline, "{name} is {}, not {value}", metric(address, name));
        crate::support::pause();
    }
}
